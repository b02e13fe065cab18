"""Types of unnamed shared memory.

`multiprocessing`'s RawArray gives arrays of ctypes, which are generic to the type checker alone: import the names of
arrays under TYPE_CHECKING.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    Doubles = ctypes.Array[ctypes.c_double]
    Characters = ctypes.Array[ctypes.c_char]

_Structure = TypeVar("_Structure", bound=ctypes.Structure)


def cells(**arrays: Any) -> Callable[[type[_Structure]], type[_Structure]]:
    """Lay out a structure by its annotations; a decorator.

    A bool, int or float is one aligned word of at most 64 bits, which processors read and write whole.

    Args:
        arrays: types of ctypes by their names in annotations
    """
    types = {"bool": ctypes.c_bool, "int": ctypes.c_int64, "float": ctypes.c_double, **arrays}

    def lay_out(structure: type[_Structure]) -> type[_Structure]:
        structure._fields_ = [(name, types[kind]) for name, kind in structure.__annotations__.items()]
        return structure

    return lay_out
