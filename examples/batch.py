"""Plays every sound file of a folder in the style of a clip.

    python examples/batch.py songs rain.wav results

For thousands of files, several processes or a cluster, use `gramophone batch`.
"""

import sys
from pathlib import Path

import soundfile

import gramophone

songs, clip, results = map(Path, sys.argv[1:])
style = gramophone.load_style(clip)  # once for all
results.mkdir(exist_ok=True)
for song in sorted(songs.glob("*.wav")):
    content, rate = soundfile.read(song, always_2d=True)
    output = gramophone.stylize(content.T, rate, style, recipe="transport")
    soundfile.write(results / song.name, output.T, rate)
    print(song.name)
