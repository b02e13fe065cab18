"""The pairs of the benchmarks: CC0 recordings from Debian's package sonic-pi-samples, lines of instruments, and speech.

`apt-get install sonic-pi-samples espeak-ng fluidsynth timgm6mb-soundfont`, or name the folder with the FLAC files in
GRAMOPHONE_SAMPLES.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.lines import LINES, played, run
from gramophone.app.demo_sounds import bubbling_water
from gramophone.media.audiofile import read_audio, resample

RATE = 44100
SECONDS = 10.0
FOLDER = Path(os.environ.get("GRAMOPHONE_SAMPLES", "/usr/share/sonic-pi/samples"))

# A voice of espeak-ng and what it says.
SPEECH = {
    "speech": (
        "en-gb",
        "The gramophone turns, and the needle finds the groove. Every sound that was ever cut in wax "
        "comes back with the voice of the room that heard it first.",
    ),
    "speech2": (
        "en-us+f3",
        "Do you remember the summer by the lake? We rowed out every evening, and nobody asked us when we would be "
        "home! Only the birds kept time.",
    ),
}

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
    "epiano-guitar": ("epiano", "nylon", "tonal on tonal: a melody with a bass, in the style of a guitar"),
    "violin-brook": ("violin", "brook", "a melody on running water"),
}

# Pairs that no setting was chosen on.
FRESH_PAIRS: dict[str, tuple[str, str, str]] = {
    "flute-drone": ("flute", "ambi_drone", "tonal on tonal: a melody on a drone"),
    "strings-harmonics": ("strings", "guit_harmonics", "tonal on tonal: chords on plucked harmonics"),
    "sax-buzz": ("sax", "ambi_soft_buzz", "tonal on tonal: a low melody on a buzz"),
    "organ-slide": ("organ", "guit_e_slide", "tonal on tonal: chords on a gliding guitar"),
    "piano-haunted": ("piano", "ambi_haunted_hum", "tonal on tonal: a melody with a bass on a hum"),
    "oohs-safari": ("oohs", "loop_safari", "a sung line on a rhythm with pitches"),
    "speech-harp": ("speech2", "harp", "speech on plucked strings"),
    "bass-percussion": ("bass", "loop_perc1", "a bass line on percussion"),
    "beat-cello": ("loop_mehackit1", "cello", "a beat on a bowed melody"),
    "mix-printer": ("loop_weirdo", "loop_3d_printer", "full mix on a machine"),
}

SETS = {"judged": PAIRS, "fresh": FRESH_PAIRS, "tuning": TUNING_PAIRS}
ALL_PAIRS = PAIRS | FRESH_PAIRS | TUNING_PAIRS


@dataclass(frozen=True)
class Pair:
    name: str
    note: str
    content: NDArray[np.float64]
    style: NDArray[np.float64]


def load_pair(name: str, *, seconds: float = SECONDS) -> Pair:
    """One pair, both clips [channels, samples] at 44.1 kHz, looped or cut to `seconds`."""
    content, style, note = ALL_PAIRS[name]
    return Pair(name, note, _clip(content, seconds), _clip(style, seconds))


def source(name: str) -> str:
    """Where a clip comes from, and its licence."""
    if name in LINES:
        return "our own line, played by fluidsynth with the sound font TimGM6mb (GPL-2)"
    if name in SPEECH:
        return "our own words, spoken by espeak-ng; CC0"
    if name == "brook":
        return "made by our own code; CC0"
    return "samples of Sonic Pi, from freesound.org; CC0"


def _clip(name: str, seconds: float) -> NDArray[np.float64]:
    if name == "bells":
        return _bells(seconds)
    if name in LINES:
        samples = played(name, RATE)
    elif name in SPEECH:
        samples = _speech(*SPEECH[name])
    elif name == "brook":
        samples = bubbling_water(RATE)
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


def _speech(voice: str, text: str) -> NDArray[np.float64]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        run(["espeak-ng", "-v", voice, "-s", "150", "-w", str(path), text], "apt-get install espeak-ng")
        audio = read_audio(path)
    return resample(audio.samples, audio.sample_rate, RATE)
