"""The styles that a stylizer can mix: statistics in slots of fixed size, and the mixture of them that is in use.

TorchScript. What a slot holds is written by `models.export.core.fill`.
"""

import torch
from torch import Tensor, nn

from ..live.prepared_style import WIDE, Layout, quantile_levels

_PARTS: tuple[str, ...] = ("mean", "rest", "largest", "quantiles", "root", "lagged")
_PARTS += tuple(f"wide_{one}" for one in ("mean", "largest", "quantiles", "root", "lagged", "top", "power"))
# What belongs to one style alone, and is not mixed.
_OWN = ("root", "wide_root", "wide_power")


class StyleBank(nn.Module):
    """Statistics of up to `slots` styles, and of their weighted mean. B bins, b bands, q quantiles, L lags.

    Attributes:
        mean, rest, largest: Tensor [B], of the mixture
        quantiles: Tensor [B, q]; `steps` [B, q - 1] are the differences
        lagged: Tensor [b, L b]; the first block is the covariance
        spread: trace of the covariance
        top: at least its largest eigenvalue
        shares: of each slot, together 1
        wide_...: the same in W wide bands
    """

    mean: Tensor
    rest: Tensor
    largest: Tensor
    quantiles: Tensor
    steps: Tensor
    lagged: Tensor
    each_mean: Tensor
    each_rest: Tensor
    each_largest: Tensor
    each_quantiles: Tensor
    each_root: Tensor
    each_lagged: Tensor
    wide_mean: Tensor
    wide_largest: Tensor
    wide_quantiles: Tensor
    wide_lagged: Tensor
    wide_top: Tensor
    each_wide_mean: Tensor
    each_wide_largest: Tensor
    each_wide_quantiles: Tensor
    each_wide_root: Tensor
    each_wide_lagged: Tensor
    each_wide_top: Tensor
    each_wide_power: Tensor

    def __init__(self, layout: Layout, *, slots: int) -> None:
        super().__init__()
        bins, bands, lags = layout.bins, layout.bands, len(layout.lags)
        levels = quantile_levels().shape[0]
        shapes = {
            "mean": [bins],
            "rest": [bins],
            "largest": [bins],
            "quantiles": [bins, levels],
            "root": [bands, bands],
            "lagged": [bands, lags * bands],
            "wide_mean": [WIDE],
            "wide_largest": [WIDE],
            "wide_quantiles": [WIDE, levels],
            "wide_root": [WIDE, WIDE],
            "wide_lagged": [WIDE, lags * WIDE],
            "wide_top": [1],
            "wide_power": [WIDE],
        }
        for name in _PARTS:
            kind = torch.float64 if name.endswith("root") else torch.float32
            self.register_buffer(f"each_{name}", torch.zeros(slots, *shapes[name], dtype=kind))
            if name not in _OWN:
                self.register_buffer(name, torch.zeros(shapes[name]))
        self.register_buffer("steps", torch.zeros(bins, levels - 1))
        self.bands = bands
        self.slots = slots
        self.filled = [0] * slots
        self.shares = [0.0] * slots
        self.tops = [0.0] * slots
        self.spread = 0.0
        self.top = 1e-9

    @torch.jit.export
    def open(self, slot: int, top: float) -> None:
        """Say that a slot has been written; `top` is the largest eigenvalue of its covariance."""
        self.filled[slot] = 1
        self.tops[slot] = top

    def mix(self, weights: Tensor) -> None:
        """Make the mixture that of `weights` [slots], which need not add up to 1, among the slots that are filled.

        Where none of them has any weight, all have the same.
        """
        total = 0.0
        count = 0
        for slot in range(self.slots):
            if self.filled[slot] == 1:
                total += float(weights[slot])
                count += 1
        for slot in range(self.slots):
            share = 0.0
            if self.filled[slot] == 1:
                share = float(weights[slot]) / total if total > 0.0 else 1.0 / count
            self.shares[slot] = share
        self._mix(self.each_mean, self.mean)
        self._mix(self.each_rest, self.rest)
        self._mix(self.each_largest, self.largest)
        # The output may pass the style's largest values by a little, so that their mean can be met.
        self.largest.add_(0.5)
        self._mix(self.each_quantiles, self.quantiles)
        self._mix(self.each_lagged, self.lagged)
        self._mix(self.each_wide_mean, self.wide_mean)
        self._mix(self.each_wide_largest, self.wide_largest)
        self._mix(self.each_wide_quantiles, self.wide_quantiles)
        self._mix(self.each_wide_lagged, self.wide_lagged)
        self._mix(self.each_wide_top, self.wide_top)
        self.steps.copy_(self.quantiles[:, 1:] - self.quantiles[:, :-1])
        self.spread = float(self.lagged[:, : self.bands].diagonal().sum())
        # The largest eigenvalue is a convex function of the matrix (a supremum of linear ones): that of the mean is
        # at most the mean of those, which is known without solving anything.
        top = 1e-9
        for slot in range(self.slots):
            top += self.shares[slot] * self.tops[slot]
        self.top = top

    def _mix(self, each: Tensor, out: Tensor) -> None:
        """Write to `out` the mean of `each` [slots, ...]; only what has a share is touched."""
        first = True
        for slot in range(self.slots):
            share = self.shares[slot]
            if share > 0.0:
                if first:
                    out.copy_(each[slot])
                    if share != 1.0:
                        out.mul_(share)
                else:
                    out.add_(each[slot] * share)
                first = False
        if first:
            out.zero_()

    def mix_maps(self, maps: Tensor, out: Tensor) -> None:
        """Write the mean of the maps [slots, b, b] to `out`."""
        self._mix(maps, out)

    def next_used(self, slot: int) -> int:
        """Return the slot after `slot`, in a circle, that has a share; `slot` itself where no other has."""
        for step in range(1, self.slots):
            other = (slot + step) % self.slots
            if self.shares[other] > 0.0:
                return other
        return slot
