"""What a chain remembers, as arrays by name: enough to go on from there, bit for bit.

A state is flat, so that it can lie in shared memory and in a safetensors file: the names of what is inside something
else begin with that thing's name and a slash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]


def within(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return the state of a part under the names that it has in the whole."""
    return {f"{name}/{key}": array for key, array in state.items()}


def part(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return of the state of a whole that of one part, under the part's own names."""
    start = f"{name}/"
    return {key.removeprefix(start): array for key, array in state.items() if key.startswith(start)}


def numbers(*values: float) -> NDArray[np.float64]:
    """Return numbers (whole ones up to 2^53, truth values as 0 and 1) as an array."""
    return np.array(values, dtype=np.float64)


def put(target: NDArray[Any], state: Mapping[str, NDArray[Any]], name: str) -> None:
    """Copy one array into place.

    Raises:
        KeyError: it is not in the state
        ValueError: it has another shape or type
    """
    array = state[name]
    if array.shape != target.shape or array.dtype != target.dtype:
        raise ValueError(
            f"{name} is {array.dtype} {list(array.shape)}, not {target.dtype} {list(target.shape)}"
        )
    target[...] = array
