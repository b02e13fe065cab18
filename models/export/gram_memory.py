"""The running Gram matrix of the output in bands, and steps of the newest frame towards the style's. TorchScript."""

import math

import torch
from torch import Tensor, nn

from ..live.prepared_style import Layout
from .rounding import blend, follow_products


class GramMemory(nn.Module):
    """Covariances of b bands of the newest frame with those of frames some lags before, side by side: [b, L b].

    That is the Gram matrix of linear features over time: of all filters as long as the longest lag.

    Args:
        layout: of the stylizer; its first lag is 0
        bands: b
    """

    gram: Tensor
    past: Tensor
    lag_rows: Tensor
    earlier_rows: Tensor

    def __init__(self, layout: Layout, *, bands: int) -> None:
        super().__init__()
        self.register_buffer("gram", torch.zeros(bands, bands * len(layout.lags)))
        self.register_buffer("past", torch.zeros(max(layout.lags) + 1, bands))
        self.register_buffer("lag_rows", torch.tensor(layout.lags))
        # Where the same frames are in `past` for the frame that comes next.
        self.register_buffer("earlier_rows", torch.tensor(layout.lags[1:]) - 1)

    def reset(self, expected: Tensor) -> None:
        """Forget all frames; what is expected [b, L b] stands for them."""
        self.gram.copy_(expected)
        self.past.zero_()

    def forget(self, expected: Tensor, lost: float) -> None:
        """Let what is expected take the place of what was learnt, by a part `lost`."""
        blend(self.gram, expected, lost)

    def follow(self, frame: Tensor, learnt: float) -> None:
        """Take in the band vector [b] of a frame of the output, by a part `learnt`."""
        past = torch.cat([frame.unsqueeze(0), self.past[:-1]])
        self.past.copy_(past)
        earlier = past.index_select(0, self.lag_rows).view(-1)
        follow_products(self.gram, frame, earlier * learnt, learnt)

    def descend(self, target: Tensor, iterations: int, *, style: Tensor, top: float, spread: float) -> Tensor:
        """K gradient steps on the Gram matrix with respect to this frame's band vector [b]; returns the change.

        With Ḡ the output's running Gram matrix, z_l the output l hops ago and ΔG_l = (Ḡ - G_s)_l, the gradient of
        ½‖ΔG‖² with respect to the current frame z is 2 ΔG_0 z + Σ_l ΔG_l z_l, up to the rate of the running mean; the
        largest eigenvalue of the style's covariance makes the step size free of units. λ ½‖z - z̃‖² holds z near
        what the map asks for. The change is bounded: where the output cannot follow (a bin in which the style is
        always silent) the steps would otherwise grow without end.

        Args:
            target: z̃
            iterations: K
            style: Tensor [b, L b], G_s
            top, spread: largest eigenvalue and trace of the style's covariance
        """
        earlier = self.past.index_select(0, self.earlier_rows).view(-1)
        z = target
        for _ in range(iterations):
            # One matrix after the other: their difference would be written, and read again.
            stacked = torch.cat([z + z, earlier])
            gradient = torch.mv(self.gram, stacked)
            gradient = torch.addmv(gradient, style, stacked, beta=1.0 / top, alpha=-1.0 / top)
            # z - ½ (gradient + ½ (z - z̃))
            z = torch.add(torch.lerp(z, target, 0.25), gradient, alpha=-0.5)
        change = z - target
        bound = 0.7 * (float(target.norm()) + 0.3 * math.sqrt(spread))
        size = float(change.norm())
        return change * (bound / size) if size > bound else change
