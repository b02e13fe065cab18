"""Whose phase the result is carried on: that of places in the styles' clips, or of noise.

A clip plays on from where it is, unless another place, in whichever style, resembles what is wanted so much better
that a jump pays: then the grain comes from there. Overlap-add makes each jump a crossfade. `slot`, `place` and
`past_place` (samples past the place's own start) are kept from hop to hop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .core_memory import Work
from .style_bank import Bank, style_in

_f4 = np.float32
Floats = NDArray[np.float32]

#: Whose phase is taken.
INPUT, STYLE, NOISE = 0, 1, 2

# A jump must be better by this part of the style's variance.
_WORTH = 1.5
# A style with a small share is chosen only where its frames fit that much better: by this, times -ln share.
_SCARCITY = 0.3
_LEAST_SHARE = 1e-4
_NOISE_SAMPLES = 2**17
# Axes along which distances are added up before it is looked whether they are too large already.
_AXES_AT_ONCE = 8


def noise_clip() -> Floats:
    """Return the noise [1, samples] whose phase is taken, the same every time."""
    return np.random.default_rng(0).standard_normal((1, _NOISE_SAMPLES), dtype=np.float32)


@compiled
def next_noise(now: Any, hop: int, n_fft: int, samples: int) -> int:
    """Go on in the noise; returns the first sample of the next frame."""
    now.place = (now.place + hop) % (samples - n_fft)
    return int(now.place)


@compiled
def next_place(now: Any, hop: int, n_fft: int, bank: Bank, shares: NDArray[np.float64], work: Work) -> int:
    """Play on, or jump; returns the first sample of the next frame in the clip of `now.slot`.

    Args:
        now: the core's numbers
        hop, n_fft: samples
        bank: of the styles
        shares: [slots]; only those that have one are searched
        work: with `wanted` [b], the band vector that a place should resemble
    """
    here = now.place
    stride = bank.slots[now.slot].stride
    now.past_place += hop
    while now.past_place >= stride:
        now.past_place -= stride
        here += 1
    # A jump must be worth it: no place that is further away is of interest.
    bound = 1e30
    if shares[now.slot] > _LEAST_SHARE and here < bank.slots[now.slot].count:
        style = style_in(bank, now.slot)
        _along(style.axes, work.wanted, work.sought)
        bound = _distance(style.places, here, work.sought)
        bound += (_scarce(shares[now.slot]) - _WORTH) * now.spread
    best, before = -1, now.slot
    for slot in range(shares.size):
        if shares[slot] > _LEAST_SHARE and bank.slots[slot].count > 0:
            style = style_in(bank, slot)
            _along(style.axes, work.wanted, work.sought)
            scarce = _scarce(shares[slot]) * now.spread
            found, distance = _nearest(
                style.places, bank.slots[slot].count, work.sought, bound - scarce, work.distances
            )
            if found >= 0:
                bound = distance + scarce
                now.slot, best = slot, found
    if now.slot == before and 0 <= (here - best) * stride <= n_fft and here < bank.slots[before].count:
        # Of what is sounding now the same would come again, hop after hop: a buzz at the hops' pace.
        best = -1
    if best >= 0:
        here = best
        now.past_place = 0
    now.place = here
    start = here * bank.slots[now.slot].stride + now.past_place
    return int(max(0, min(start, bank.slots[now.slot].length - n_fft)))


@compiled
def _scarce(share: float) -> float:
    return -math.log(share) * _SCARCITY


@compiled
def _along(axes: Floats, vector: Floats, out: Floats) -> None:
    """Write a vector's components [b] along a style's axes [b, b]."""
    out[:] = _f4(0.0)
    for band in range(vector.size):
        row, value = axes[band], vector[band]
        for k in range(out.size):
            out[k] += row[k] * value


@compiled
def _distance(places: Floats, place: int, sought: Floats) -> float:
    """Return ‖p - w‖² of one place."""
    total = _f4(0.0)
    for axis in range(sought.size):
        away = places[axis, place] - sought[axis]
        total += away * away
    return float(total)


@compiled
def _nearest(
    places: Floats, count: int, sought: Floats, bound: float, distances: Floats
) -> tuple[int, float]:
    """Return the place [b, P] for which ‖p - w‖² is least, and that; -1 where it is at least `bound` for all.

    Distances are added up along a few axes at a time, for as many places as fit in the processor's first cache: most
    of them are too far away already by the first axes, which explain most (Bei and Gray 1985, partial distances).
    """
    least, best = _f4(bound), -1
    axes = sought.size
    for start in range(0, count, distances.size):
        part = distances[: min(count - start, distances.size)]
        part[:] = _f4(0.0)
        for first in range(0, axes, _AXES_AT_ONCE):
            for axis in range(first, min(first + _AXES_AT_ONCE, axes)):
                row, value = places[axis, start : start + part.size], sought[axis]
                for k in range(part.size):
                    away = row[k] - value
                    part[k] += away * away
            if _least(part) >= least:
                break
        else:
            for k in range(part.size):
                if part[k] < least:
                    least, best = part[k], start + k
    return best, float(least)


@compiled
def _least(values: Floats) -> np.float32:
    """Return the least of the values, in four minima."""
    a = b = c = d = values[0]
    whole = values.size - values.size % 4
    for k in range(0, whole, 4):
        a, b = min(a, values[k]), min(b, values[k + 1])
        c, d = min(c, values[k + 2]), min(d, values[k + 3])
    for k in range(whole, values.size):
        a = min(a, values[k])
    return min(min(a, b), min(c, d))


@compiled
def phase_of(spectrum: NDArray[np.complex64]) -> None:
    """Bring a spectrum [B] to magnitude 1 in each bin; where there is nothing, nothing is left."""
    parts = spectrum.view(np.float32)
    for k in range(spectrum.size):
        re, im = parts[2 * k], parts[2 * k + 1]
        scale = _f4(1.0) / np.sqrt(max(re * re + im * im, _f4(1e-18)))
        parts[2 * k] = re * scale
        parts[2 * k + 1] = im * scale
