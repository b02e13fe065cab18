"""A histogram of times, from a microsecond to beyond ten seconds, each bin a little wider than the one before."""

from __future__ import annotations

import math
from collections.abc import Sequence

BINS = 1640
# The first bin begins here, seconds, and each is wider than the one before by this factor.
FASTEST = 1e-6
WIDTH = 1.01


def bin_of(seconds: float) -> int:
    """Return the bin, 0 to `BINS` - 1, of a time; times beyond either end count in the outermost bin."""
    return min(int(math.log(max(seconds, FASTEST) / FASTEST) / math.log(WIDTH)), BINS - 1)


def percentile(histogram: Sequence[float], share: float) -> float:
    """Return the time in seconds that `share` (0 to 1) of all times in a histogram do not exceed, to 1 %."""
    wanted = share * sum(histogram)
    seen = 0.0
    for place, count in enumerate(histogram):
        seen += count
        if count and seen >= wanted:
            # The middle of the bin.
            return float(FASTEST * WIDTH ** (place + 0.5))
    return 0.0
