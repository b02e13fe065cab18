"""Checks before the work whether there is enough memory for a recipe that holds the whole track."""

from __future__ import annotations

from pathlib import Path

import torch

from ...media.errors import InputError


def available_memory(device: torch.device) -> int | None:
    """Return the free bytes on a device; None if the system does not report them."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def check_memory(needed: float, available: int | None, *, recipe: str, seconds: float) -> None:
    """Raise InputError if a recipe needs more than there is.

    Args:
        needed: bytes, estimated for a track of this length
        available: bytes, from `available_memory`; None counts as enough
        recipe: its name
        seconds: length of the track
    """
    if available is None or needed <= available:
        return
    raise InputError(
        f"recipe {recipe} holds the whole track in memory: {seconds:.0f} s would take about {needed / 1e9:.1f} GB, "
        f"and {available / 1e9:.1f} GB are free; give it a shorter one, lower its sample_rate, or use "
        "gramophone or transport"
    )
