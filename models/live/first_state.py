"""States that were taken before the core was compiled: their arrays, put to where they belong now.

The sound goes on as well from there, but not bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .core_memory import DEFAULTS, RAMPED, Kept

_NUMBERS = (
    "wet",
    "level",
    "heard",
    "seconds",
    "gain",
    "makeup",
    "power_in",
    "power_out",
    "emitted",
    "turned_down",
    "envelope",
    "sounds",
    "opened",
    "room",
    "calm",
    "lowest",
)
# So many of them had the first takes, which knew no gate.
_FIRST_NUMBERS = 9
_WHOLE = ("count", "turn", "slot", "place", "past_place", "limited")
_SAME = ("frames", "newest", "means", "covariance", "variance", "maps", "map", "rest_gain", "offset", "past")


def is_first_state(state: Mapping[str, NDArray[Any]]) -> bool:
    """Whether a stylizer's state is such a one."""
    return "numbers" in state


def put_first_state(kept: Kept, state: Mapping[str, NDArray[Any]]) -> None:
    """Write a state to what a core keeps, with its mixture of styles still to be mixed.

    Raises:
        KeyError, ValueError: it is none, of other channels or another hop, or other slots were filled
    """
    now, slots = kept.now, kept.filled.size
    written = state["numbers"].tolist()
    if len(written) == len(DEFAULTS) + len(RAMPED) + 2 * slots + 2:
        # The first takes knew no gate, the last of the knobs.
        written.insert(len(DEFAULTS) - 1, float(now["gate"][0]))
    numbers = iter(written)
    knobs = {name: next(numbers) for name in DEFAULTS}
    ramped = {name: next(numbers) for name in RAMPED}
    weights = [next(numbers) for _ in range(slots)]
    if [int(next(numbers)) for _ in range(slots)] != kept.filled.tolist():
        raise ValueError("other slots were filled")
    held, iterations, filling = (int(number) for number in numbers)
    length = kept.sum.shape[1]
    found = {name: state[name] for name in _SAME} | {
        "input": state["in"],
        "output": state["out"],
        "quantiles": state["quantiles"].T,
        "widths": state["widths"].T,
        "gram": _turned(state["gram"]),
        "sum": state["sum"][:, state["sum"].shape[1] - length :],
        "known": state["fractions"][1:],
        "stale": state["whole"][len(_WHOLE) :],
    }
    for name, array in found.items():
        if array.shape != getattr(kept, name).shape:
            raise ValueError(f"there were other channels, or another hop: {name} has another shape")
    cells = {name: float(value) for name, value in zip(_WHOLE, state["whole"], strict=False)}
    values = state["core"].tolist()
    if len(values) not in (_FIRST_NUMBERS, len(_NUMBERS)):
        raise ValueError("it is of another version")
    cells |= dict(zip(_NUMBERS, values, strict=False)) | ramped
    cells |= {f"{name}_set" if name in RAMPED else name: value for name, value in knobs.items()}
    cells |= {
        "held": held,
        "iterations": iterations,
        "filling": filling,
        "common": float(state["fractions"][0]),
    }
    cells |= {"solving": -1, "voiced_by": -1, "reduction": float(state["limiter"][0])}
    for one in ("notes", "notes_set"):
        # What was the knob `detail`.
        cells[one] = 1.0 - cells[one]
    for name, array in found.items():
        getattr(kept, name)[...] = array
    kept.weights[:] = weights
    # Older ones have no high-pass.
    rumble = state.get("rumble")
    kept.rumble[:] = 0.0 if rumble is None else rumble.reshape(kept.rumble.shape)
    for name, value in cells.items():
        now[name] = value


def _turned(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return covariances one below the other, and turned, that stood side by side."""
    bands = gram.shape[0]
    return gram.reshape(bands, -1, bands).transpose(1, 2, 0).reshape(-1, bands)
