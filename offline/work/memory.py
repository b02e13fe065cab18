"""Whether a recipe that holds a whole track in memory has room for it: said before the work, not when it fails."""

from __future__ import annotations

from pathlib import Path

import torch

from ...media.errors import InputError


def available_memory(device: torch.device) -> int | None:
    """Bytes that are free on a device; None where the system does not say."""
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
        available: bytes, from `available_memory`; None is taken for enough
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
