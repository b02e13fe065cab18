"""Medians of a few rows, place by place, by networks of exchanges that stay in registers; and where tones are by them.

A network that finds the median of every pattern of zeros and ones finds that of all numbers (Knuth, The Art of Computer
Programming 3, section 5.3.4); tests/models/live/test_medians.py tries them all. Those of seven and nine have 13 and 19
exchanges, in which only the results that are needed are computed (Paeth, Graphics Gems, 1990; Smith, 1996).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled

_f4 = np.float32
Floats = NDArray[np.float32]

# A bin is a partial where it stands this far above its neighbours, as a ratio of magnitudes.
_ABOVE = 1.4


@compiled
def middle_of_7(rows: Floats, out: Floats) -> None:
    """Write the median of seven rows [7, B]; `out` may be one of them."""
    for k in range(out.size):
        p0, p1, p2 = rows[0, k], rows[1, k], rows[2, k]
        p3, p4, p5 = rows[3, k], rows[4, k], rows[5, k]
        p6 = rows[6, k]
        p0, p5 = min(p0, p5), max(p0, p5)
        p0, p3 = min(p0, p3), max(p0, p3)
        p1, p6 = min(p1, p6), max(p1, p6)
        p2, p4 = min(p2, p4), max(p2, p4)
        p1 = max(p0, p1)
        p3, p5 = min(p3, p5), max(p3, p5)
        p2, p6 = min(p2, p6), max(p2, p6)
        p3 = max(p2, p3)
        p3 = min(p3, p6)
        p4 = min(p4, p5)
        p1, p4 = min(p1, p4), max(p1, p4)
        p3 = max(p1, p3)
        p3 = min(p3, p4)
        out[k] = p3


@compiled
def middle_of_9(rows: Floats, out: Floats) -> None:
    """Write the median of nine rows [9, B]."""
    for k in range(out.size):
        p0, p1, p2 = rows[0, k], rows[1, k], rows[2, k]
        p3, p4, p5 = rows[3, k], rows[4, k], rows[5, k]
        p6, p7, p8 = rows[6, k], rows[7, k], rows[8, k]
        p1, p2 = min(p1, p2), max(p1, p2)
        p4, p5 = min(p4, p5), max(p4, p5)
        p7, p8 = min(p7, p8), max(p7, p8)
        p0, p1 = min(p0, p1), max(p0, p1)
        p3, p4 = min(p3, p4), max(p3, p4)
        p6, p7 = min(p6, p7), max(p6, p7)
        p1, p2 = min(p1, p2), max(p1, p2)
        p4, p5 = min(p4, p5), max(p4, p5)
        p7, p8 = min(p7, p8), max(p7, p8)
        p3 = max(p0, p3)
        p5 = min(p5, p8)
        p4, p7 = min(p4, p7), max(p4, p7)
        p6 = max(p3, p6)
        p4 = max(p1, p4)
        p2 = min(p2, p5)
        p4 = min(p4, p7)
        p4, p2 = min(p4, p2), max(p4, p2)
        p4 = max(p6, p4)
        p4 = min(p4, p2)
        out[k] = p4


@compiled
def tonal_mask(frames: Floats, magnitudes: Floats, room: Floats, around: Floats, out: Floats) -> None:
    """Write 0 to 1: where magnitudes [B] are steady over `frames` [n, B] and stand above their neighbours."""
    bins = magnitudes.size
    for shift in range(9):
        row, by = room[shift], 2 * shift - 8
        first, last = max(0, -by), min(bins, bins - by)
        row[:first] = magnitudes[0]
        for k in range(first, last):
            row[k] = magnitudes[k + by]
        row[last:] = magnitudes[bins - 1]
    middle_of_9(room, around)
    steady = room[0]
    middle_of_7(frames, steady)
    for k in range(bins):
        ours, theirs = steady[k] * steady[k], _f4(_ABOVE) * around[k]
        out[k] = ours / (ours + theirs * theirs + _f4(1e-9))
