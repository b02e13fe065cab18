"""Checks before the work whether there is enough memory for a recipe that holds the whole track."""

from __future__ import annotations

import torch

from ...media.errors import InputError
from .machine import free_memory


def available_memory(device: torch.device) -> int:
    """Return the free bytes on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_memory()


def check_memory(needed: float, available: int, *, recipe: str, seconds: float) -> None:
    """Raise InputError if a recipe needs more than there is.

    Args:
        needed: bytes, estimated for a track of this length
        available: bytes, from `available_memory`
        recipe: its name
        seconds: length of the track
    """
    if needed <= available:
        return
    raise InputError(
        f"recipe {recipe} holds the whole track in memory: {seconds:.0f} s would take about {needed / 1e9:.1f} GB, "
        f"and {available / 1e9:.1f} GB are free; give it a shorter one, lower its sample_rate, or use "
        "gramophone or transport"
    )
