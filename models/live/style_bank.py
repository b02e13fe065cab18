"""The styles that a stylizer can mix: statistics in slots of fixed size, and the mixture of them that is in use.

What a slot holds is written from outside, piece by piece, while its share is 0 (`models.live.slots`); here nothing is
ever allocated or computed for a slot that is not heard.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .core_memory import Kept

_f4 = np.float32
Floats = NDArray[np.float32]

#: What the bank holds of each style, see `models.live.prepared_style`; then, of its clip, for the carrier.
STATISTICS: tuple[str, ...] = ("mean", "rest", "largest", "quantiles", "root", "lagged")
STATISTICS += tuple(
    f"wide_{one}" for one in ("mean", "largest", "quantiles", "root", "lagged", "top", "power")
)
CLIP = ("axes", "places", "clip", "toneless")

# Whether a slot has a style, the largest eigenvalue of its covariance, and of its clip the places, the samples from one
# to the next, and all samples.
_SLOT = np.dtype([("filled", "i8"), ("top", "f8"), ("count", "i8"), ("stride", "i8"), ("length", "i8")])


class Bank(NamedTuple):
    """Statistics of the styles, and what the carrier has of their clips; see models.live.core_memory for the sizes.

    Attributes:
        slots: records, one a slot
        mean, rest, largest, quantiles: of the levels; what lies outside the bands; see models.live.prepared_style
        root, lagged: the covariance's root, and the lagged covariances, one below the other
        wide_...: the same in wide bands
        axes, places: the axes along which places are compared, and the band vectors of the places along these
        clip, toneless: the clip, whole and without its tones
    """

    slots: Annotated[NDArray[np.void], "slots", _SLOT]
    mean: Annotated[Floats, "slots bins"]
    rest: Annotated[Floats, "slots bins"]
    largest: Annotated[Floats, "slots bins"]
    quantiles: Annotated[Floats, "slots quantiles bins"]
    root: Annotated[NDArray[np.float64], "slots bands bands"]
    lagged: Annotated[Floats, "slots lagged bands"]
    wide_mean: Annotated[Floats, "slots wide"]
    wide_largest: Annotated[Floats, "slots wide"]
    wide_quantiles: Annotated[Floats, "slots quantiles wide"]
    wide_root: Annotated[NDArray[np.float64], "slots wide wide"]
    wide_lagged: Annotated[Floats, "slots wide_lagged wide"]
    wide_top: Annotated[Floats, "slots 1"]
    wide_power: Annotated[Floats, "slots wide"]
    axes: Annotated[Floats, "slots bands bands"]
    places: Annotated[Floats, "slots bands places"]
    clip: Annotated[Floats, "slots samples"]
    toneless: Annotated[Floats, "slots samples"]


@compiled
def mix_statistics(kept: Kept, bank: Bank) -> None:
    """Make the mixture that of the weights, which need not add up to 1, among the slots that are filled.

    Where none of them has any weight, all have the same.
    """
    now = kept.now[0]
    total = 0.0
    count = 0
    for slot in range(kept.shares.size):
        if bank.slots[slot].filled == 1:
            total += kept.weights[slot]
            count += 1
    for slot in range(kept.shares.size):
        share = 0.0
        if bank.slots[slot].filled == 1:
            share = kept.weights[slot] / total if total > 0.0 else 1.0 / count
        kept.shares[slot] = share
    _mix(bank.mean, kept.shares, kept.style_mean)
    _mix(bank.rest, kept.shares, kept.style_rest)
    _mix(bank.largest, kept.shares, kept.style_largest)
    _mix(bank.quantiles, kept.shares, kept.style_quantiles)
    _mix(bank.lagged, kept.shares, kept.style_lagged)
    _mix(bank.wide_mean, kept.shares, kept.style_wide_mean)
    _mix(bank.wide_largest, kept.shares, kept.style_wide_largest)
    _mix(bank.wide_quantiles, kept.shares, kept.style_wide_quantiles)
    _mix(bank.wide_lagged, kept.shares, kept.style_wide_lagged)
    # The largest eigenvalue is a convex function of the matrix (a supremum of linear ones): that of the mean is
    # at most the mean of those, which is known without solving anything.
    _mix(bank.wide_top, kept.shares, kept.style_wide_top)
    bins = kept.style_mean.size
    for k in range(bins):
        # The output may pass the style's largest values by a little, so that their mean can be met.
        kept.style_largest[k] += _f4(0.5)
    for q in range(kept.style_steps.shape[0]):
        for k in range(bins):
            kept.style_steps[q, k] = kept.style_quantiles[q + 1, k] - kept.style_quantiles[q, k]
        for k in range(kept.style_wide_mean.size):
            kept.style_wide_steps[q, k] = (
                kept.style_wide_quantiles[q + 1, k] - kept.style_wide_quantiles[q, k]
            )
    # The trace of the covariance, which is the first block.
    now.spread = 0.0
    for band in range(kept.style_lagged.shape[1]):
        now.spread += kept.style_lagged[band, band]
    now.top = 1e-9
    for slot in range(kept.shares.size):
        now.top += kept.shares[slot] * bank.slots[slot].top


@compiled
def mix_maps(kept: Kept) -> None:
    """Make the maps in use the weighted means of the maps."""
    _mix(kept.maps, kept.shares, kept.map)
    _mix(kept.wide_maps, kept.shares, kept.wide_map)


@compiled
def _mix(each: Floats, shares: NDArray[np.float64], out: Floats) -> None:
    """Write to `out` the mean of `each` [slots, ...]; only what has a share is touched."""
    flat = out.reshape(out.size)
    first = True
    for slot in range(shares.size):
        share = _f4(shares[slot])
        if share > 0.0:
            source = each[slot].reshape(out.size)
            if first:
                for k in range(flat.size):
                    flat[k] = share * source[k]
            else:
                for k in range(flat.size):
                    flat[k] += share * source[k]
            first = False
    if first:
        flat[:] = _f4(0.0)


@compiled
def next_used(shares: NDArray[np.float64], slot: int) -> int:
    """Return the slot after `slot`, in a circle, that has a share; `slot` itself where no other has."""
    for step in range(1, shares.size):
        other = (slot + step) % shares.size
        if shares[other] > 0.0:
            return other
    return slot
