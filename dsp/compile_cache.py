"""Where compiled functions are kept between runs. Importing this does not load the compiler.

A compiled function contains those that it calls, of whichever module, and numba only looks whether the module of the
outer one has changed. So the cache is a folder for one state of the sources: its name is their digest, and an update
begins another. Numba itself keeps apart what was compiled for different processors, versions of numba and versions of
Python, writes each file beside its place before it moves it there, and compiles again where a file is damaged: any
number of processes may compile at once.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from ..media.errors import InputWarning

# Folders of the package with functions that are compiled.
_FOLDERS = ("dsp", "models/live")
_VARIABLE = "GRAMOPHONE_CACHE"
_MARK = "complete"


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Return the folder of what was compiled from the present sources.

    It lies in the user's cache, or where `GRAMOPHONE_CACHE` says. Where that cannot be written, an InputWarning names
    it, and a folder takes its place that this process makes and the processes that it starts share: what lies in a
    folder that others can write would be run.
    """
    from platformdirs import user_cache_path

    named = os.environ.get(_VARIABLE)
    base = Path(named) if named else user_cache_path("gramophone")
    try:
        return _writable(base)
    except OSError as error:
        own = Path(tempfile.mkdtemp(prefix="gramophone-"))
        atexit.register(shutil.rmtree, own, ignore_errors=True)
        os.environ[_VARIABLE] = str(own)
        text = (
            f"{base} cannot be written ({error.strerror}): what is compiled for this computer is kept until the "
            f"program ends; set {_VARIABLE} to a folder that can be"
        )
        warnings.warn(text, InputWarning, stacklevel=2)
        return _writable(own)


def is_complete() -> bool:
    """Whether all that plays live has been compiled from the present sources."""
    return (cache_folder() / _MARK).exists()


def mark_complete() -> None:
    """Say that all has been compiled."""
    (cache_folder() / _MARK).touch()


def _writable(base: Path) -> Path:
    folder = base / f"compiled-{_digest()}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _digest() -> str:
    root = Path(__file__).parents[1]
    found = hashlib.sha256()
    for folder in _FOLDERS:
        for path in sorted((root / folder).glob("*.py")):
            found.update(path.name.encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
