"""How the functions of the audio path are compiled: by numba, once, into the folder of `dsp.compile_cache`.

No arithmetic is reordered (no fastmath), so that a take replays bit for bit; none of it needs Python's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

from .compile_cache import cache_folder

_Args = ParamSpec("_Args")
_Result = TypeVar("_Result")

_config: Any = numba.config


def inlined(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """Have a function compiled as a part of the one that calls it, and not by itself as well; a decorator."""
    made: Callable[_Args, _Result] = numba.njit(nogil=True, error_model="numpy", inline="always")(function)
    return made


def compiled(function: Callable[_Args, _Result]) -> Callable[_Args, _Result]:
    """Have a function compiled when it is first called, or loaded from the cache; a decorator."""
    before = _config.CACHE_DIR
    # Read where the decorator is applied; what other packages compile in this process is theirs.
    _config.CACHE_DIR = str(cache_folder())
    try:
        # Divided by zero is infinity, as in NumPy: a test at each division would keep loops from being vectorised.
        made: Callable[_Args, _Result] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    finally:
        _config.CACHE_DIR = before
    return made
