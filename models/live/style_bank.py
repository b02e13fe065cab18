"""The styles that a stylizer can mix: statistics in slots of fixed size, and the mixture of them that is in use.

What a slot holds is written from outside, piece by piece, while its share is 0 (`models.live.slots`); here nothing is
ever allocated or computed for a slot that is not heard.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled, inlined
from .core_memory import Kept
from .memory import Bytes, Fields, doubles_3d, floats_2d, floats_3d
from .prepared_style import QUANTILES, WIDE, Layout

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
    """Statistics of the styles in S slots. B bins, b bands, q quantiles, L lags, P places, N samples.

    Attributes:
        slots: records [S]
        mean, rest, largest: arrays [S, B]
        quantiles: array [S, q, B]
        root: array [S, b, b] float64
        lagged: array [S, L b, b]
        wide_...: the same in W wide bands
        axes: array [S, b, b]
        places: array [S, b, P]
        clip, toneless: arrays [S, N]
    """

    slots: NDArray[np.void]
    mean: Floats
    rest: Floats
    largest: Floats
    quantiles: Floats
    root: NDArray[np.float64]
    lagged: Floats
    wide_mean: Floats
    wide_largest: Floats
    wide_quantiles: Floats
    wide_root: NDArray[np.float64]
    wide_lagged: Floats
    wide_top: Floats
    wide_power: Floats
    axes: Floats
    places: Floats
    clip: Floats
    toneless: Floats


def bank_fields(layout: Layout, *, slots: int, places: int, samples: int) -> Fields:
    """Return the views of a bank; without a carrier, `places` and `samples` are 1."""
    bins, bands, lags = layout.bins, layout.bands, len(layout.lags)
    return {
        "slots": (_SLOT, (slots,)),
        "mean": (_f4, (slots, bins)),
        "rest": (_f4, (slots, bins)),
        "largest": (_f4, (slots, bins)),
        "quantiles": (_f4, (slots, QUANTILES, bins)),
        "root": (np.float64, (slots, bands, bands)),
        "lagged": (_f4, (slots, lags * bands, bands)),
        "wide_mean": (_f4, (slots, WIDE)),
        "wide_largest": (_f4, (slots, WIDE)),
        "wide_quantiles": (_f4, (slots, QUANTILES, WIDE)),
        "wide_root": (np.float64, (slots, WIDE, WIDE)),
        "wide_lagged": (_f4, (slots, lags * WIDE, WIDE)),
        "wide_top": (_f4, (slots, 1)),
        "wide_power": (_f4, (slots, WIDE)),
        "axes": (_f4, (slots, bands, bands)),
        "places": (_f4, (slots, bands, places)),
        "clip": (_f4, (slots, samples)),
        "toneless": (_f4, (slots, samples)),
    }


@inlined
def open_bank(slots: NDArray[np.void], memory: Bytes, place: NDArray[np.int64]) -> Bank:
    """Return the views of a bank, in the order of `bank_fields`."""
    return Bank(
        slots=slots,
        mean=floats_2d(memory, place[1]),
        rest=floats_2d(memory, place[2]),
        largest=floats_2d(memory, place[3]),
        quantiles=floats_3d(memory, place[4]),
        root=doubles_3d(memory, place[5]),
        lagged=floats_3d(memory, place[6]),
        wide_mean=floats_2d(memory, place[7]),
        wide_largest=floats_2d(memory, place[8]),
        wide_quantiles=floats_3d(memory, place[9]),
        wide_root=doubles_3d(memory, place[10]),
        wide_lagged=floats_3d(memory, place[11]),
        wide_top=floats_2d(memory, place[12]),
        wide_power=floats_2d(memory, place[13]),
        axes=floats_3d(memory, place[14]),
        places=floats_3d(memory, place[15]),
        clip=floats_2d(memory, place[16]),
        toneless=floats_2d(memory, place[17]),
    )


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
