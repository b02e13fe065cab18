"""How the values of each bin are distributed, followed while they come in, and moved to a style's. TorchScript."""

import torch
from torch import Tensor, nn

from ..live.prepared_style import quantile_levels
from .rounding import blend


class RunningQuantiles(nn.Module):
    """Running quantiles [B, q] of each of B bins.

    Args:
        bins: B
    """

    levels: Tensor
    quantiles: Tensor
    widths: Tensor

    def __init__(self, bins: int) -> None:
        super().__init__()
        self.register_buffer("levels", torch.from_numpy(quantile_levels()).float())
        self.register_buffer("quantiles", torch.zeros(bins, self.levels.shape[0]))
        self.register_buffer("widths", torch.zeros(bins, self.levels.shape[0] - 1))

    def forget(self, expected: Tensor, lost: float) -> None:
        """Let what is expected [B, q] take the place of what was learnt, by a part `lost`: 1 forgets everything."""
        blend(self.quantiles, expected, lost)
        self._narrow()

    def match(self, values: Tensor, lowest: Tensor, steps: Tensor) -> Tensor:
        """Move values [B] from where they lie among these quantiles to the same place among others.

        Args:
            values: Tensor [B]
            lowest: Tensor [B], the others' first quantile
            steps: Tensor [B, q - 1], differences of the others
        """
        inside = ((values.unsqueeze(1) - self.quantiles[:, :-1]) * self.widths).clamp_(0.0, 1.0)
        return lowest + (inside * steps).sum(dim=1)

    def follow(self, values: Tensor, rate: float) -> None:
        """Take in values [B].

        The quantiles of what comes in are tracked by stochastic approximation (Robbins and Monro 1951): each moves
        up by its level and down by the rest, so that it settles where that share of the values lies below.
        """
        last = self.levels.shape[0] - 1
        reach = (self.quantiles[:, last - 1] - self.quantiles[:, 1]).clamp_min(0.05)
        push = self.levels - (values.unsqueeze(1) < self.quantiles).float()
        self.quantiles.add_(push * (reach * rate).unsqueeze(1))
        self.quantiles.copy_(self.quantiles.cummax(dim=1)[0])
        self._narrow()

    def _narrow(self) -> None:
        widths = (self.quantiles[:, 1:] - self.quantiles[:, :-1]).clamp_min(1e-4)
        self.widths.copy_(widths.reciprocal())
