"""All that the stylizer's core keeps from hop to hop, as arrays: about 0.7 MB, and never the styles themselves."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

# All that the core keeps from hop to hop, beside its whole numbers and what follows from the weights of the styles.
_NUMBERS = (
    "output.wet",
    "loudness.level",
    "loudness.heard",
    "seconds",
    "loudness.gain",
    "loudness.makeup",
    "loudness.power_in",
    "loudness.power_out",
    "output.emitted",
    "loudness.held",
    "loudness.gate.envelope",
    "loudness.gate.sounds",
    "loudness.gate.opened",
    "loudness.gate.room",
    "loudness.gate.calm",
    "loudness.gate.lowest",
)
# So many of them had the first takes, which knew no gate.
_FIRST_NUMBERS = 9
_ARRAYS = (
    "frames",
    "newest",
    "output.sum",
    "means",
    "covariance",
    "variance",
    "memory.gram",
    "memory.past",
    "maps",
    "map",
    "rest_gain",
    "offset",
    "distribution.quantiles",
    "distribution.widths",
    "output.limiter",
    "output.rumble",
)
# What an older state does not have, and what stands for it: the beginning.
_LATER = ("output.rumble",)


def _key(name: str) -> str:
    """What an array is called, wherever in the core it stands."""
    return name.rpartition(".")[2]


def core_state(core: Any) -> dict[str, NDArray[Any]]:
    """Return copies; in inference mode, like the core."""
    arrays = {_key(name): attrgetter(name)(core).numpy().copy() for name in _ARRAYS}
    return arrays | {
        "core": np.array([attrgetter(name)(core) for name in _NUMBERS], dtype=np.float64),
        "fractions": np.array(core.fractions(), dtype=np.float64),
        "whole": np.array(core.whole_numbers(), dtype=np.int64),
    }


def restore_core(core: Any, state: Mapping[str, NDArray[Any]], weights: Tensor) -> None:
    """Put a state back, in inference mode.

    Args:
        weights: Tensor [slots], of the styles when the state was taken

    Raises:
        KeyError, ValueError: it is not the state of such a core; then nothing has been changed
    """
    whole, numbers = state["whole"], state["core"]
    pairs = []
    for name in _ARRAYS:
        target, key = attrgetter(name)(core), _key(name)
        known = key in state or name not in _LATER
        pairs.append((target, torch.from_numpy(state[key].copy()) if known else torch.zeros_like(target)))
    sizes = (whole.size, state["fractions"].size)
    if sizes != (len(core.whole_numbers()), len(core.fractions())):
        raise ValueError("there were other slots")
    if numbers.size not in (len(_NUMBERS), _FIRST_NUMBERS):
        raise ValueError("it is of another version")
    for name, (target, source) in zip(_ARRAYS, pairs, strict=True):
        if target.shape != source.shape or target.dtype != source.dtype:
            raise ValueError(f"{name} has another shape")
    core.mix_styles(weights)
    core.set_whole_numbers(whole.tolist())
    core.set_fractions(state["fractions"].tolist())
    # What has just been mixed anew is among them.
    for target, source in pairs:
        target.copy_(source)
    core.loudness.reset()
    for name, value in zip(_NUMBERS, numbers.tolist(), strict=False):
        part, _, own = name.rpartition(".")
        setattr(attrgetter(part)(core) if part else core, own, value)
