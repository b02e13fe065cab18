"""Lines for single instruments: standard MIDI files made here byte by byte, played by fluidsynth and a free sound font.

`apt-get install fluidsynth timgm6mb-soundfont`.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gramophone.media.audiofile import read_audio, resample

_TICKS = 96
_REST = 12


@dataclass(frozen=True)
class Line:
    """What one instrument plays, 120 beats to the minute: chords (MIDI pitches) one after the other.

    Attributes:
        program: General MIDI program, from 0
        chords: pitches that sound together, each for its beats
        beats, velocities: taken in turns, from the start again when they end
    """

    program: int
    chords: tuple[tuple[int, ...], ...]
    beats: tuple[float, ...]
    velocities: tuple[int, ...] = (100,)

    def timed(self) -> list[tuple[tuple[int, ...], int, int]]:
        """Chords with their ticks and velocities."""
        turns = zip(self.chords, itertools.cycle(self.beats), itertools.cycle(self.velocities), strict=False)
        return [(chord, round(beats * _TICKS), velocity) for chord, beats, velocity in turns]


def _melody(*pitches: int) -> tuple[tuple[int, ...], ...]:
    return tuple((pitch,) for pitch in pitches)


# Phrases that swell and fall, so that loudness is part of what there is to keep.
_PHRASE = (64, 76, 88, 102, 112, 100, 86, 72)

LINES = {
    "brass": Line(56, _melody(60, 64, 67, 65, 69, 67, 64, 62, 60, 67), (1.5,)),
    "flute": Line(
        73,
        _melody(74, 76, 78, 81, 79, 78, 76, 74, 71, 73, 74, 78, 81, 83, 81, 78, 76, 74),
        (1.0, 0.5, 0.5, 2.0, 1.0, 1.0),
        _PHRASE,
    ),
    "strings": Line(
        48,
        ((48, 55, 64, 72), (45, 57, 64, 72), (41, 57, 65, 69), (43, 55, 62, 71), (48, 52, 67, 76)),
        (4.0,),
        (70, 90, 110, 84, 60),
    ),
    "sax": Line(
        65,
        _melody(58, 61, 63, 65, 68, 65, 63, 61, 58, 56, 58, 61, 63, 68, 70, 68, 65, 63, 61, 58),
        (0.75, 0.25, 1.0, 0.5, 1.5, 1.0),
        _PHRASE,
    ),
    "organ": Line(
        19,
        ((55, 59, 62, 67), (52, 59, 64, 67), (48, 60, 64, 67), (50, 57, 66, 69), (50, 60, 66, 69), (43, 59, 62, 67)),
        (3.0, 3.0, 4.0),
    ),
    "piano": Line(
        0,
        (
            *((53, 69), (72,), (77,), (76,), (50, 74), (72,), (69,), (65,), (46, 70), (74,), (77,), (79,)),
            *((48, 76), (72,), (67,), (64,), (53, 65), (69,), (72,), (77,)),
        ),
        (1.0, 0.5, 0.5, 2.0),
        _PHRASE,
    ),
    "oohs": Line(53, _melody(64, 67, 69, 71, 69, 67, 64, 62, 60, 62, 64, 67), (2.0, 1.0, 1.0, 2.0), _PHRASE),
    "harp": Line(
        46,
        _melody(*(p + k for k in (0, 5, 7, 3) for p in (48, 55, 60, 64, 67, 72, 76, 72, 67, 64))),
        (0.5,),
        _PHRASE,
    ),
    "bass": Line(
        34, _melody(40, 40, 43, 45, 47, 45, 43, 38, 40, 52, 50, 47, 45, 43), (0.75, 0.75, 0.5, 1.0), (110, 84, 98, 72)
    ),
    "cello": Line(42, _melody(43, 50, 57, 55, 53, 50, 48, 45, 43), (3.0, 1.0, 2.0), _PHRASE),
    "epiano": Line(
        4,
        ((52, 68), (71,), (73,), (76,), (49, 75), (73,), (71,), (68,), (45, 69), (73,), (76,), (78,), (47, 75), (71,)),
        (1.0, 1.0, 0.5, 1.5),
        _PHRASE,
    ),
    "nylon": Line(
        24,
        _melody(*(p + k for k in (0, -2, -4, -5) for p in (45, 52, 57, 60, 64, 60, 57, 52, 57, 60))),
        (0.5,),
        (90, 60, 70, 80),
    ),
    "violin": Line(40, _melody(69, 71, 72, 76, 74, 72, 71, 69, 68, 71, 76, 80, 81), (1.5, 0.5, 1.0, 2.0), _PHRASE),
}  # fmt: skip


def played(name: str, rate: int) -> NDArray[np.float64]:
    """One of `LINES`, [channels, samples], up to the end of its last beat."""
    line = LINES[name]
    track = bytes((0, 0xC0, line.program))
    for chord, ticks, velocity in line.timed():
        # A short rest, then the notes to the end of their beats.
        for event, first in ((0x90, _REST), (0x80, ticks - _REST)):
            deltas = [first, *[0] * (len(chord) - 1)]
            for delta, pitch in zip(deltas, chord, strict=True):
                track += _length(delta) + bytes((event, pitch, velocity if event == 0x90 else 0))
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + b"\x00\x00\x00\x01" + _TICKS.to_bytes(2, "big")
    with tempfile.TemporaryDirectory() as folder:
        midi, path = Path(folder, "line.mid"), Path(folder, "line.wav")
        midi.write_bytes(header + b"MTrk" + len(track).to_bytes(4, "big") + track)
        fonts = sorted(Path("/usr/share/sounds/sf2").glob("*GM*.sf2"))
        remedy = "apt-get install fluidsynth timgm6mb-soundfont"
        if not fonts:
            sys.exit(f"no General MIDI sound font was found: {remedy}")
        font = next((f for f in fonts if f.name.startswith("TimGM6mb")), fonts[0])
        run(["fluidsynth", "-ni", "-r", str(rate), "-F", str(path), str(font), str(midi)], remedy)
        audio = read_audio(path)
    samples = resample(audio.samples, audio.sample_rate, rate)
    seconds = sum(ticks for _, ticks, _ in line.timed()) / _TICKS / 2.0
    return samples[:, : round(seconds * rate)]


def run(command: list[str], remedy: str) -> None:
    """Run a program that must be installed, without its chatter."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is not installed: {remedy}")
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _length(ticks: int) -> bytes:
    """A number of ticks as MIDI files write it: seven bits a byte, the last without the high bit."""
    return bytes((0x80 | ticks >> 7, ticks & 0x7F)) if ticks > 0x7F else bytes((ticks,))
