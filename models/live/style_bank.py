"""The styles that a stylizer can mix, and the mixture of them that is in use.

A style stays where it was packed (`models.live.slots`), be it memory of this process or shared; a slot says where that
is. While the stylizer plays, that changes only where the slot's share is 0. Nothing is ever allocated or computed for a
slot that is not heard.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled, inlined
from .core_memory import Kept
from .memory import opener, rows_of

_f4 = np.float32
Floats = NDArray[np.float32]

# Whether a slot has a style, the largest eigenvalue of its covariance, and of its clip the places, the samples from one
# to the next, and all samples.
_SLOT = np.dtype([("filled", "i8"), ("top", "f8"), ("count", "i8"), ("stride", "i8"), ("length", "i8")])


class StoredStyle(NamedTuple):
    """The arrays of one style, in the order in which they are packed; see models.live.core_memory for the sizes.

    Attributes:
        mean, rest, largest, quantiles: of the levels; what lies outside the bands; see models.live.prepared_style
        root, lagged: the covariance's root, and the lagged covariances, one below the other
        wide_...: the same in wide bands
        axes, places: the axes along which places are compared, and the band vectors of the places along these
        clip, toneless: the clip, whole and without its tones
    """

    mean: Annotated[Floats, "bins"]
    rest: Annotated[Floats, "bins"]
    largest: Annotated[Floats, "bins"]
    quantiles: Annotated[Floats, "quantiles bins"]
    root: Annotated[NDArray[np.float64], "bands bands"]
    lagged: Annotated[Floats, "lagged bands"]
    wide_mean: Annotated[Floats, "wide"]
    wide_largest: Annotated[Floats, "wide"]
    wide_quantiles: Annotated[Floats, "quantiles wide"]
    wide_root: Annotated[NDArray[np.float64], "wide wide"]
    wide_lagged: Annotated[Floats, "wide_lagged wide"]
    wide_top: Annotated[Floats, "1"]
    wide_power: Annotated[Floats, "wide"]
    axes: Annotated[Floats, "bands bands"]
    places: Annotated[Floats, "bands places"]
    clip: Annotated[Floats, "samples"]
    toneless: Annotated[Floats, "samples"]


class Bank(NamedTuple):
    """The slots of a stylizer.

    Attributes:
        slots: records, one a slot
        styles: where the arrays of each slot's `StoredStyle` are, see `models.live.memory.table_of`
    """

    slots: Annotated[NDArray[np.void], "slots", _SLOT]
    styles: Annotated[NDArray[np.int64], "slots arrays 4"]


def new_bank(slots: int) -> Bank:
    """Return empty slots; a style, if only a silent one, must stand in each before a hop."""
    return Bank(np.zeros(slots, _SLOT), np.zeros((slots, rows_of(StoredStyle), 4), np.int64))


_open_style = opener(StoredStyle)


@inlined
def style_in(bank: Bank, slot: int) -> StoredStyle:
    """Return the style in a slot; for compiled functions."""
    return _open_style(bank.styles[slot], 0)


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
    if count == 0:
        return
    first = True
    for slot in range(kept.shares.size):
        part = _f4(kept.shares[slot])
        if part > 0.0:
            style = style_in(bank, slot)
            _add(style.mean, part, first, kept.style_mean)
            _add(style.rest, part, first, kept.style_rest)
            _add(style.largest, part, first, kept.style_largest)
            _add(style.quantiles, part, first, kept.style_quantiles)
            _add(style.lagged, part, first, kept.style_lagged)
            _add(style.wide_mean, part, first, kept.style_wide_mean)
            _add(style.wide_largest, part, first, kept.style_wide_largest)
            _add(style.wide_quantiles, part, first, kept.style_wide_quantiles)
            _add(style.wide_lagged, part, first, kept.style_wide_lagged)
            # The largest eigenvalue is a convex function of the matrix (a supremum of linear ones): that of the mean
            # is at most the mean of those, which is known without solving anything.
            _add(style.wide_top, part, first, kept.style_wide_top)
            first = False
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
    first = True
    for slot in range(shares.size):
        if shares[slot] > 0.0:
            _add(each[slot], _f4(shares[slot]), first, out)
            first = False


@compiled
def _add(source: Floats, share: np.float32, first: bool, out: Floats) -> None:
    """Add a share of an array to another of its shape, or write it there where it is the first."""
    flat, part = out.reshape(out.size), source.reshape(out.size)
    if first:
        for k in range(flat.size):
            flat[k] = share * part[k]
    else:
        for k in range(flat.size):
            flat[k] += share * part[k]


@compiled
def next_used(shares: NDArray[np.float64], slot: int) -> int:
    """Return the slot after `slot`, in a circle, that has a share; `slot` itself where no other has."""
    for step in range(1, shares.size):
        other = (slot + step) % shares.size
        if shares[other] > 0.0:
            return other
    return slot
