"""Play the microphone in the style of a clip: python examples/stream.py rain.wav (use headphones)."""

import sys

import sounddevice

import gramophone

style = gramophone.load_style(sys.argv[1])
stylizer = gramophone.Stylizer([style], sample_rate=48_000, channels=1)
stylizer.set("strength", 0.8)
with sounddevice.Stream(samplerate=48_000, channels=1, dtype="float32", blocksize=512) as stream:
    while True:
        block, _ = stream.read(512)
        stream.write(stylizer.feed(block.T).T.copy())
