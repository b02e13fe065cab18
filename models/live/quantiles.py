"""How the values of each bin are distributed, followed while they come in, and moved to a style's.

Quantiles [q, B] are those of B bins at q levels; `widths` [q - 1, B] are the reciprocals of their distances.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .prepared_style import QUANTILES, quantile_levels

_f4 = np.float32
Floats = NDArray[np.float32]

_LEVELS = tuple(quantile_levels())
_LAST = QUANTILES - 1


@compiled
def forget_quantiles(quantiles: Floats, widths: Floats, expected: Floats, lost: float) -> None:
    """Let what is expected [q, B] take the place of what was learnt, by a part `lost`: 1 forgets everything."""
    part, kept = _f4(lost), _f4(1.0 - lost)
    for q in range(QUANTILES):
        for k in range(quantiles.shape[1]):
            quantiles[q, k] = kept * quantiles[q, k] + part * expected[q, k]
    _narrow(quantiles, widths)


@compiled
def match(
    values: Floats, quantiles: Floats, widths: Floats, lowest: Floats, steps: Floats, out: Floats
) -> None:
    """Move values [B] from where they lie among these quantiles to the same place among others.

    Args:
        values: array [B]
        quantiles, widths: arrays [q, B] and [q - 1, B]
        lowest: array [B], the others' first quantile
        steps: array [q - 1, B], differences of the others
        out: array [B]
    """
    out[:] = lowest
    for q in range(_LAST):
        for k in range(values.size):
            inside = (values[k] - quantiles[q, k]) * widths[q, k]
            out[k] += min(max(inside, _f4(0.0)), _f4(1.0)) * steps[q, k]


@compiled
def follow_quantiles(values: Floats, quantiles: Floats, widths: Floats, rate: float) -> None:
    """Take in values [B].

    The quantiles of what comes in are tracked by stochastic approximation (Robbins and Monro 1951): each moves
    up by its level and down by the rest, so that it settles where that share of the values lies below.
    """
    step = _f4(rate)
    # The distance of the inner ones is the unit; it is read before any of them moves.
    for k in range(values.size):
        widths[0, k] = max(quantiles[_LAST - 1, k] - quantiles[1, k], _f4(0.05)) * step
    for q in range(QUANTILES):
        level = _f4(_LEVELS[q])
        for k in range(values.size):
            push = level - (_f4(1.0) if values[k] < quantiles[q, k] else _f4(0.0))
            quantiles[q, k] += widths[0, k] * push
    for q in range(1, QUANTILES):
        for k in range(values.size):
            quantiles[q, k] = max(quantiles[q, k], quantiles[q - 1, k])
    _narrow(quantiles, widths)


@compiled
def _narrow(quantiles: Floats, widths: Floats) -> None:
    for q in range(_LAST):
        for k in range(widths.shape[1]):
            widths[q, k] = _f4(1.0) / max(quantiles[q + 1, k] - quantiles[q, k], _f4(1e-4))
