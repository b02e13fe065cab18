"""The state of a chain, as arrays by name: enough to continue from there, bit for bit.

A state is flat, so that it fits shared memory and a safetensors file: the name of a part's array begins with the name
of the part and a slash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

State = dict[str, NDArray[Any]]


def within(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return the state of a part, with the names that it has in the whole."""
    return {f"{name}/{key}": array for key, array in state.items()}


def part(name: str, state: Mapping[str, NDArray[Any]]) -> State:
    """Return one part of a state, with the part's own names."""
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
