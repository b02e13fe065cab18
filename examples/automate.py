"""Fades a song over into a style: its knob `strength` goes from 0 to 1 from beginning to end.

python examples/automate.py song.wav rain.wav out.wav
"""

import sys

import numpy as np
import soundfile

import gramophone

song, clip, output = sys.argv[1:]
content, rate = soundfile.read(song, always_2d=True, dtype="float32")
stylizer = gramophone.Stylizer([gramophone.load_style(clip)], sample_rate=rate, channels=content.shape[1])
stylizer.set("strength", 0.0)
stylizer.reset()  # begins there
blocks = []
for start in range(0, len(content), 256):
    stylizer.set("strength", start / len(content))  # ramped: nothing clicks
    blocks.append(stylizer.feed(np.ascontiguousarray(content[start : start + 256].T)))
blocks.append(stylizer.flush())
# The output comes late; without its beginning it is in time with the song.
soundfile.write(output, np.concatenate(blocks, axis=1).T[stylizer.latency_samples :], rate)
