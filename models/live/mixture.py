"""What changes with the mixture of styles: what was learnt belongs to the shares it was learnt with."""

from __future__ import annotations

import numpy as np

from ...dsp.compiled import compiled
from .core_memory import Kept
from .quantiles import forget_quantiles
from .style_bank import Bank, mix_maps, mix_statistics

_f4 = np.float32
_MOST_REST_GAIN = _f4(10.0)


@compiled
def mix_styles(kept: Kept, bank: Bank) -> None:
    """Make the mixture of styles in use that of the weights, and forget what belongs to styles that have gone."""
    for slot in range(kept.shares.size):
        # Without a share its map was not kept up; it is solved again when the slot is heard.
        if kept.shares[slot] <= 0.0:
            kept.stale[slot] = 1
    mix_statistics(kept, bank)
    mix_maps(kept)
    weigh_rest(kept)
    _forget_others(kept)


@compiled
def weigh_rest(kept: Kept) -> None:
    """Follow with the gains of what lies outside the bands."""
    for k in range(kept.rest_gain.size):
        gain = kept.style_rest[k] / (np.sqrt(kept.variance[k]) + _f4(1e-6))
        kept.rest_gain[k] = min(gain, _MOST_REST_GAIN)


@compiled
def take_note(kept: Kept, step: float) -> None:
    """Take note that what is learnt belongs to the present shares, by a part `step` more than before."""
    now = kept.now[0]
    now.common = 0.0
    for slot in range(kept.shares.size):
        kept.known[slot] += step * (kept.shares[slot] - kept.known[slot])
        now.common += min(kept.known[slot], kept.shares[slot])


@compiled
def _forget_others(kept: Kept) -> None:
    """Forget of what was learnt as much as it belongs to styles that have lost their share.

    What the output lacks, and how it is distributed, was learnt with other styles. As much of it as their shares
    and the present ones do not have in common makes way for what is expected of the present mixture, as in the
    beginning; of a style that takes over alone, all.
    """
    now = kept.now[0]
    common = 0.0
    for slot in range(kept.shares.size):
        common += min(kept.known[slot], kept.shares[slot])
    if common < now.common - 1e-6:
        lost = 1.0 - common / now.common
        part, rest = _f4(lost), _f4(1.0 - lost)
        forget_quantiles(kept.quantiles, kept.widths, kept.style_quantiles, lost)
        means = kept.means[1]
        for k in range(means.size):
            kept.offset[k] *= rest
            means[k] += part * (kept.style_mean[k] - means[k])
        forget_quantiles(kept.wide_quantiles, kept.wide_widths, kept.style_wide_quantiles, lost)
        wide_means = kept.wide_means[1]
        for k in range(wide_means.size):
            wide_means[k] += part * (kept.style_wide_mean[k] - wide_means[k])
        for row in range(kept.wide_gram.shape[0]):
            for k in range(kept.wide_gram.shape[1]):
                kept.wide_gram[row, k] = rest * kept.wide_gram[row, k] + part * kept.style_wide_lagged[row, k]
        for row in range(kept.gram.shape[0]):
            for k in range(kept.gram.shape[1]):
                kept.gram[row, k] = rest * kept.gram[row, k] + part * kept.style_lagged[row, k]
    now.common = common
    if common < 1e-3:
        take_note(kept, 1.0)
