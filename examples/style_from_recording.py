"""Cuts a style out of a long recording: the loudest ten seconds.

    python examples/style_from_recording.py field.wav rain.style "A. Field" CC0

What comes out plays everywhere: gramophone render song.wav rain.style -o out.wav
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

import gramophone

recording_file, style_file, author, licence = sys.argv[1:]
recording, rate = soundfile.read(recording_file, always_2d=True)
window = min(10 * rate, len(recording))
energy = np.cumsum(np.pad((recording**2).sum(axis=1), (1, 0)))
start = int(np.argmax(energy[window:] - energy[:-window]))
clip = recording[start : start + window].T

name = Path(recording_file).stem
style = gramophone.Style.from_audio(clip, rate, name=name, author=author, licence=licence)
style.save(style_file)
print(f"{style_file}: from {start / rate:.1f} s on")
