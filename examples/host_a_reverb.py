"""Plays a sound in a style, and through an effect of yours behind it.

    python examples/host_a_reverb.py song.wav rain.wav out.wav ZamVerb

The last word is the name or the path of a VST3 or LV2 (`gramophone plugins` lists them), or `gain` or `limiter`.
It needs the extra `host`: pip install '.[host]'
"""

import sys

import soundfile

import gramophone

content_file, style_file, output_file, effect = sys.argv[1:]
content, rate = soundfile.read(content_file, always_2d=True)
output = gramophone.stylize(
    content.T, rate, gramophone.load_style(style_file), recipe="transport", after=[effect]
)
soundfile.write(output_file, output.T, rate)
