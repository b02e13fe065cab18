"""Where compiled functions are kept between runs. Importing this does not load the compiler.

A compiled function contains those that it calls, of whichever module, and numba only looks whether the module of the
outer one has changed. So there is a folder for each state of the sources, with a digest of them for its name, and an
update begins another. Numba itself keeps apart what was compiled for different processors, versions of numba and
versions of Python, and writes each file beside its place before it moves it there: any number of processes may compile
at once. A file that was cut off all the same, by a loss of power, is found by its size.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
import time
import warnings
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ..media.errors import InputWarning
from ..media.files import replacing
from ..media.inputs import parse_json

# Folders of the package with functions that are compiled.
_FOLDERS = ("dsp", "models/live")
_VARIABLE = "GRAMOPHONE_CACHE"
_MARK = "complete"
_KEPT_SECONDS = 30 * 86_400.0


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
    """Whether all that plays live has been compiled from the present sources, and nothing of it was cut off since."""
    folder = cache_folder()
    try:
        sizes = parse_json((folder / _MARK).read_bytes())
        return all((folder / name).stat().st_size >= size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError, TypeError):
        return False


def mark_complete() -> None:
    """Say that all has been compiled; what was compiled from other sources, and not used for a month, goes."""
    folder = cache_folder()
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*.nb*")}
    with replacing(folder / _MARK, overwrite=True) as beside:
        beside.write_text(json.dumps(sizes))
    # Whoever uses a folder writes to it at its start, see `_writable`.
    oldest = time.time() - _KEPT_SECONDS
    for other in folder.parent.glob("compiled-*"):
        with suppress(OSError):
            if other != folder and other.stat().st_mtime < oldest:
                shutil.rmtree(other, ignore_errors=True)


def clear() -> None:
    """Forget what was compiled: numba stops at a file that is cut off."""
    for path in (cache_folder() / _MARK, *cache_folder().rglob("*.nb*")):
        with suppress(OSError):
            path.unlink()


def _writable(base: Path) -> Path:
    folder = base / f"compiled-{_digest()}"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        return folder


def _digest() -> str:
    """Return what numba knows a file by, of all of them: where it is, how long, and when it was written."""
    # Not resolved: by another name, through a link, numba would find nothing there.
    root = Path(__file__).absolute().parents[1]
    files = [path for folder in _FOLDERS for path in sorted((root / folder).glob("*.py"))]
    known = [(os.fsencode(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]
