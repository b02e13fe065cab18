"""Makes a folder with a Pure Data patch that plays the microphone in the style of a clip.

    python examples/export_to_pd.py rain.wav my-patch

Open my-patch/nntilde.pd in Pure Data with nn~ (https://github.com/acids-ircam/nn_tilde) and switch its sound on.
"""

import shutil
import sys
from pathlib import Path

import gramophone

clip, folder = map(Path, sys.argv[1:])
folder.mkdir(exist_ok=True)
gramophone.export(clip, folder / "style.ts", to="nntilde", rates=[44_100, 48_000])
shutil.copy(Path(__file__).with_name("nntilde.pd"), folder)
