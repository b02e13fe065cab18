"""The real pairs of the benchmarks: CC0 recordings from Debian's package sonic-pi-samples, and speech.

`apt-get install sonic-pi-samples espeak-ng`, or name the folder with the FLAC files in GRAMOPHONE_SAMPLES.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gramophone.media.audiofile import read_audio, resample

RATE = 44100
SECONDS = 10.0
FOLDER = Path(os.environ.get("GRAMOPHONE_SAMPLES", "/usr/share/sonic-pi/samples"))

SPEECH = (
    "The gramophone turns, and the needle finds the groove. Every sound that was ever cut in wax "
    "comes back with the voice of the room that heard it first."
)

# name: content, style, what is hard about the pair
PAIRS: dict[str, tuple[str, str, str]] = {
    "drums-choir": ("loop_amen_full", "ambi_choir", "drums on a tonal style"),
    "guitar-tabla": ("guit_em9", "loop_tabla", "tonal on percussive"),
    "guitar-hum": ("guit_e_fifths", "ambi_glass_hum", "tonal on tonal ambience"),
    "speech-sauna": ("speech", "ambi_sauna", "speech on ambience"),
    "mix-industrial": ("loop_mehackit2", "loop_industrial", "full mix on full mix"),
    "mix-land": ("loop_electric", "ambi_lunar_land", "full mix on ambience"),
    "drums-bells": ("loop_compus", "bells", "a sparse style: single bells with silence between"),
    "brass-choir": ("brass", "ambi_choir", "tonal on tonal: a held brass line in the style of a choir"),
}

# More pairs that settings were chosen on; docs/design.md says which of the table above were looked at as well.
TUNING_PAIRS: dict[str, tuple[str, str, str]] = {
    "drums-tabla": ("loop_breakbeat", "loop_tabla", "drums on drums"),
    "speech-piano": ("speech", "ambi_piano", "speech on a slow tonal style"),
    "voice-bells": ("loop_mika", "bells", "a sparse style, on voice and drums"),
    "bass-drone": ("loop_garzul", "loop_drone_g_97", "bass and beat on a drone"),
    "piano-rub": ("ambi_piano", "ambi_glass_rub", "tonal on tonal"),
    "speech-amen": ("speech", "loop_amen_full", "speech on drums"),
}


@dataclass(frozen=True)
class Pair:
    name: str
    note: str
    content: NDArray[np.float64]
    style: NDArray[np.float64]


def load_pair(name: str, *, seconds: float = SECONDS) -> Pair:
    """One pair, both clips [channels, samples] at 44.1 kHz, looped or cut to `seconds`."""
    content, style, note = (PAIRS | TUNING_PAIRS)[name]
    return Pair(name, note, _clip(content, seconds), _clip(style, seconds))


def _clip(name: str, seconds: float) -> NDArray[np.float64]:
    if name == "bells":
        return _bells(seconds)
    if name in ("speech", "brass"):
        samples = _speech() if name == "speech" else _brass()
    else:
        path = FOLDER / f"{name}.flac"
        if not path.exists():
            sys.exit(
                f"{path} is not there: apt-get install sonic-pi-samples, or set GRAMOPHONE_SAMPLES to a folder with it"
            )
        audio = read_audio(path)
        samples = resample(audio.samples, audio.sample_rate, RATE)
    length = round(seconds * RATE)
    repeats = -(-length // samples.shape[-1])
    return np.tile(samples, (1, repeats))[:, :length]


def _bells(seconds: float) -> NDArray[np.float64]:
    """Real single strokes with silence between: nothing is harder for statistics that are means over time."""
    length = round(seconds * RATE)
    out = np.zeros((1, length))
    strokes = ("perc_bell", "perc_bell2", "elec_bell", "elec_triangle", "elec_chime")
    for i, at in enumerate(np.arange(0.2, seconds, 1.9)):
        stroke = _clip(strokes[i % len(strokes)], 1.2).mean(axis=0)
        stroke = stroke * np.minimum(1.0, np.linspace(12.0, 0.0, stroke.size))
        start = round(at * RATE)
        end = min(length, start + stroke.size)
        out[0, start:end] += stroke[: end - start]
    return out


def _run(command: list[str], remedy: str) -> None:
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is not installed: {remedy}")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _speech() -> NDArray[np.float64]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        _run(["espeak-ng", "-v", "en-gb", "-s", "150", "-w", str(path), SPEECH], "apt-get install espeak-ng")
        audio = read_audio(path)
    return resample(audio.samples, audio.sample_rate, RATE)


def _brass() -> NDArray[np.float64]:
    """A trumpet line played by fluidsynth: a standard MIDI file of held notes, made here byte by byte."""
    notes = (60, 64, 67, 65, 69, 67, 64, 62, 60, 67)
    track = b"\x00\xc0\x38"  # program 57, trumpet
    for note in notes:
        # One beat (120 to the minute, 96 ticks) and a half, then a short rest.
        track += bytes((0x0C, 0x90, note, 100)) + b"\x81\x04" + bytes((0x80, note, 0))
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01\x00\x60"
    with tempfile.TemporaryDirectory() as folder:
        midi, path = Path(folder, "line.mid"), Path(folder, "line.wav")
        midi.write_bytes(header + b"MTrk" + len(track).to_bytes(4, "big") + track)
        fonts = sorted(Path("/usr/share/sounds/sf2").glob("*GM*.sf2"))
        remedy = "apt-get install fluidsynth timgm6mb-soundfont"
        if not fonts:
            sys.exit(f"no General MIDI sound font was found: {remedy}")
        font = next((f for f in fonts if f.name.startswith("TimGM6mb")), fonts[0])
        _run(["fluidsynth", "-ni", "-r", str(RATE), "-F", str(path), str(font), str(midi)], remedy)
        audio = read_audio(path)
    samples = resample(audio.samples, audio.sample_rate, RATE)
    return samples[:, : round(7.5 * RATE)]
