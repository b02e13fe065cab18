"""Times and levels as text for people."""

import math

FLOOR_DB = -60.0


def decibels(peak: float) -> float:
    """Return a linear peak in dBFS, not below the meters' floor of -60."""
    return max(FLOOR_DB, 20.0 * math.log10(peak)) if peak > 0.0 else FLOOR_DB


def clock(seconds: float) -> str:
    """Return a time as 1:05 or 1:02:05; a negative one as 0:00."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
