"""Filters of the second order in a row: the K-weighting, a high-pass, and how sound passes through them.

Designed here, since what plays live starts sooner without scipy.signal: it takes longer to load than all the rest.
Sections are an array [sections, 6], in each b0, b1, b2 and a0 = 1, a1, a2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

Sections = NDArray[np.float64]

_ORDER = 5
_STOP_DB = 40.0


@compiled
def filter_in_place(
    sections: Sections, sound: NDArray[np.float64] | NDArray[np.float32], kept: NDArray[np.float64]
) -> None:
    """Filter a sound [channels, n] in place, in float64 (transposed direct form II).

    Args:
        sections: array [sections, 6]
        sound: array [channels, n]; the same comes out wherever the cuts between blocks are
        kept: array [channels, sections, 2], what is kept from block to block; zeros in the beginning
    """
    channels, count = sound.shape
    for channel in range(channels):
        row, memory = sound[channel], kept[channel]
        for n in range(count):
            x = float(row[n])
            for section in range(sections.shape[0]):
                filter, z = sections[section], memory[section]
                y = filter[0] * x + z[0]
                z[0] = filter[1] * x - filter[4] * y + z[1]
                z[1] = filter[2] * x - filter[5] * y
                x = y
            row[n] = x


@lru_cache(maxsize=16)
def k_weighting(sample_rate: int) -> Sections:
    """Return the K-weighting of BS.1770-4 [2, 6]: a shelf for the head, then a high-pass.

    From De Man's closed form (2014, "Evaluation of implementations of the EBU R128 loudness measurement"), which has
    the standard's response at every sample rate; that of filters after Bristow-Johnson misses the standard's reference
    tone by 0.04 LU.
    """
    head = 10.0 ** (3.99984385397 / 20.0)
    middle = head**0.499666774155
    k, q = math.tan(math.pi * 1681.9744509555319 / sample_rate), 0.7071752369554193
    scale = 1.0 + k / q + k * k
    shelf = [
        (head + middle * k / q + k * k) / scale,
        2.0 * (k * k - head) / scale,
        (head - middle * k / q + k * k) / scale,
        *_poles(k, q),
    ]
    k, q = math.tan(math.pi * 38.13547087613982 / sample_rate), 0.5003270373253953
    return np.array([shelf, [1.0, -2.0, 1.0, *_poles(k, q)]])


def _poles(k: float, q: float) -> tuple[float, float, float]:
    scale = 1.0 + k / q + k * k
    return 1.0, 2.0 * (k * k - 1.0) / scale, (1.0 - k / q + k * k) / scale


def steep_high_pass(sample_rate: int, edge: float) -> Sections:
    """Return a Chebyshev high-pass of the second kind and fifth order [3, 6], 40 dB down at and below `edge`, Hz.

    The poles and zeros of the low-pass (Parks and Burrus 1987, 7.3) lie at 1 / s here. Bilinear; each section has a
    gain of 1 at half the sample rate.
    """
    warped = math.tan(math.pi * edge / sample_rate)
    bend = math.asinh(math.sqrt(10.0 ** (_STOP_DB / 10.0) - 1.0)) / _ORDER
    # The real pole, with the zero at 0 Hz.
    pole = -warped * math.sinh(bend)
    sections = [[1.0 / (1.0 - pole), -1.0 / (1.0 - pole), 0.0, 1.0, -(1.0 + pole) / (1.0 - pole), 0.0]]
    for m in range(2, _ORDER, 2):
        angle = 0.5 * math.pi * m / _ORDER
        real, imaginary = math.sinh(bend) * math.cos(angle), math.cosh(bend) * math.sin(angle)
        size, zero = warped**2 * (real**2 + imaginary**2), (warped * math.sin(angle)) ** 2
        scale = 1.0 + 2.0 * warped * real + size
        over = [1.0 + zero, 2.0 * (zero - 1.0), 1.0 + zero]
        under = [scale, 2.0 * (size - 1.0), 1.0 - 2.0 * warped * real + size]
        sections.append([value / scale for value in (*over, *under)])
    return np.array(sections)


def windowed_sinc(taps: int, cutoff: float, *, beta: float) -> NDArray[np.float64]:
    """Return a linear-phase low-pass [taps] under a Kaiser window; `cutoff` is a share of half the sample rate."""
    kernel: NDArray[np.float64] = cutoff * np.sinc(cutoff * (np.arange(taps) - (taps - 1) / 2.0))
    return kernel * np.kaiser(taps, beta)
