"""One flat piece of memory with named views: what a core keeps is saved, restored and compared by copying it.

A compiled function is given the block and the places of its views, and makes the views itself: Python takes 0.2 µs to
hand an array over, a tenth of a hop for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...dsp.compiled import compiled

Bytes = NDArray[np.uint8]
#: Type and shape of each view, by name.
Fields = Mapping[str, tuple[DTypeLike, tuple[int, ...]]]

# A line of the processor's cache.
_ALIGNMENT = 64


def size(fields: Fields) -> int:
    """Return how many bytes such a block takes."""
    return sum(_padded(*field) for field in fields.values())


def block(fields: Fields) -> Bytes:
    """Return zeros for such views, beginning at the beginning of a cache line."""
    whole = np.zeros(size(fields) + _ALIGNMENT, dtype=np.uint8)
    start = -whole.ctypes.data % _ALIGNMENT
    return whole[start : start + size(fields)]


def views(fields: Fields, memory: Bytes) -> dict[str, NDArray[Any]]:
    """Return the views into a block; C-contiguous, one behind the other in the order of the names."""
    found: dict[str, NDArray[Any]] = {}
    start = 0
    for name, (kind, shape) in fields.items():
        count = int(np.prod(shape)) * np.dtype(kind).itemsize
        found[name] = memory[start : start + count].view(kind).reshape(shape)
        start += _padded(kind, shape)
    return found


def places(fields: Fields) -> NDArray[np.int64]:
    """Return where the views are in a block, in the order of the names: [views, 5], first and last byte and shape."""
    rows = []
    start = 0
    for kind, shape in fields.values():
        stop = start + int(np.prod(shape)) * np.dtype(kind).itemsize
        rows.append((start, stop, *shape, *[1] * (3 - len(shape))))
        start += _padded(kind, shape)
    return np.array(rows, dtype=np.int64)


@compiled
def whole_numbers(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a view [n]."""
    return memory[place[0] : place[1]].view(np.int64)


@compiled
def doubles(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a view [n]."""
    return memory[place[0] : place[1]].view(np.float64)


@compiled
def doubles_3d(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a view [n, m, k]."""
    return memory[place[0] : place[1]].view(np.float64).reshape(place[2], place[3], place[4])


@compiled
def floats(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return a view [n]."""
    return memory[place[0] : place[1]].view(np.float32)


@compiled
def floats_2d(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return a view [n, m]."""
    return memory[place[0] : place[1]].view(np.float32).reshape(place[2], place[3])


@compiled
def floats_3d(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return a view [n, m, k]."""
    return memory[place[0] : place[1]].view(np.float32).reshape(place[2], place[3], place[4])


@compiled
def complex_2d(memory: Bytes, place: NDArray[np.int64]) -> NDArray[np.complex64]:
    """Return a view [n, m]."""
    return memory[place[0] : place[1]].view(np.complex64).reshape(place[2], place[3])


def _padded(kind: DTypeLike, shape: tuple[int, ...]) -> int:
    return -(-int(np.prod(shape)) * np.dtype(kind).itemsize // _ALIGNMENT) * _ALIGNMENT
