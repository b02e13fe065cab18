"""A limiter for live use: no look-ahead, so no delay, and never above its ceiling.

One number is carried from sample to sample: by how much the loudest channel stands over the ceiling. With
u[n] = max over channels |x[n]| / ceiling[n] and a release of τ samples,

    e[n] = max(1, u[n], e[n-1] exp(-1/τ)),    out[n] = x[n] / e[n].

Where nothing stands over the ceiling ln e is exactly 0 and the sound passes bit for bit. At an attack e rises
from 1 with the sample that touches the ceiling, so the output is flat there and has no step. The reduction in
decibels falls in a straight line, 8.7 dB in each τ.

ln u and 1/τ are rounded to multiples of 2^-32, which nobody hears (2e-9 dB). Sums of them are then exact in float64,
so that the same samples come out wherever the cuts between blocks are, and however they are added up.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

_EXACT = 2.0**32
# What stands 120 dB over the ceiling and more is clipped, and does not hold the sound down for long.
_MOST = 1e6


@compiled
def limit(
    block: NDArray[np.float32],
    ceiling: NDArray[np.float32],
    release: float,
    reduction: float,
    out: NDArray[np.float32],
) -> tuple[float, bool]:
    """Hold one block under the ceiling; the same samples in whatever blocks they come.

    Args:
        block: array [channels, n], finite, n at least 1
        ceiling: array [1] or [n], linear, above 0; a moving one is followed sample by sample
        release: samples in which the reduction falls by 8.7 dB; above 0
        reduction: ln e of the sample before; 0 in the beginning
        out: array [channels, n] for the result; may be `block`

    Returns:
        the reduction after the last sample, and whether the limiter worked in this block
    """
    channels, count = block.shape
    step = max(1.0, float(round(_EXACT / release))) / _EXACT
    worked = False
    still = ceiling.size == 1
    for n in range(count):
        most = ceiling[0] if still else ceiling[n]
        peak = np.float32(0.0)
        for channel in range(channels):
            peak = max(peak, abs(block[channel, n]))
        if reduction <= 0.0 and peak <= most:
            for channel in range(channels):
                out[channel, n] = block[channel, n]
            continue
        worked = True
        over = min(max(float(peak / most), 1.0), _MOST)
        reduction = max(reduction - step, float(round(math.log(over) * _EXACT)) / _EXACT, 0.0)
        gain = np.float32(math.exp(-reduction))
        for channel in range(channels):
            # The product may round to a hair over the ceiling; the bound takes that hair off.
            out[channel, n] = min(max(block[channel, n] * gain, -most), most)
    return reduction, worked
