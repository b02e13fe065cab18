"""What this machine has to work with: cores and memory, or what a container leaves of them."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

import psutil

# Limits of control groups, version 2, as a container sees its own; "max" where there is none.
_GROUP = Path("/sys/fs/cgroup")


def cores() -> int:
    """Processor cores that this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = map(int, (_GROUP / "cpu.max").read_text().split())
        count = min(count, math.ceil(quota / period))
    return count


def free_memory() -> int:
    """Bytes of memory that are free."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        free = min(free, int((_GROUP / "memory.max").read_text()))
    return free
