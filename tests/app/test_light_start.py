"""What plays live loads nothing that would delay its first sound, in none of its processes: here it may not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.take_maker import make_take, noisy_tune, style_file

# Loaded by Python when it starts.
REFUSES = """
import os, pathlib, sys

class Refuses:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "scipy.signal", "scipy.ndimage", "matplotlib", "dask", "fsspec", "aiohttp"):
            pathlib.Path(os.environ["TOLD"]).write_text(name + " " + " ".join(sys.argv))
            raise ImportError(name + " may not be imported")

sys.meta_path.insert(0, Refuses())
"""
FILES = ("--virtual-input", "content.wav", "--virtual-output", "out.wav")
COMMANDS = {
    "live": ("live", "style.wav", *FILES, "--as-fast-as-possible", "--midi", "none"),
    "live, recorded": ("live", "style.wav", *FILES, "--midi", "none", "--duration", "1", "--record", "take"),
    "bounce": ("bounce", "evening", "-o", "again.wav", "--quality", "live"),
    "devices": ("devices",),
    "ports": ("ports",),
    "learn": ("learn", "--help"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_none_of_its_processes_imports_what_takes_long(name: str, folder: Path) -> None:
    if name == "bounce":
        make_take(folder / "evening", noisy_tune(0.5), [style_file(folder, "hiss", seed=1)])
    start = folder / "path" / "sitecustomize.py"
    start.parent.mkdir()
    start.write_text(REFUSES)
    told = folder / "told"
    path = os.pathsep.join([str(start.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "gramophone", *COMMANDS[name]],
        env=os.environ | {"PYTHONPATH": path, "TOLD": str(told)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not told.exists(), told.read_text() + done.stderr
    # Without sound cards or MIDI some only say so.
    assert done.returncode == 0 or name in ("devices", "ports"), done.stderr
