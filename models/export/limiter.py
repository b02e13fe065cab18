"""A limiter for live use: no look-ahead, so no delay, and never above its ceiling.

One number is carried from block to block: by how much the loudest channel stands over the ceiling. With
u[n] = max over channels |x[n]| / ceiling[n] and a release of τ samples,

    e[n] = max(1, u[n], e[n-1] exp(-1/τ)),    out[n] = x[n] / e[n].

In logarithms the recursion is a running maximum, so that a block is one operation and not a loop:

    ln e[n] = max(0, max over k <= n of (ln u[k] + k/τ) - n/τ).

Where nothing stands over the ceiling ln e is exactly 0 and the sound passes bit for bit. At an attack e rises
from 1 with the sample that touches the ceiling, so the output is flat there and has no step. The reduction in
decibels falls in a straight line, 8.7 dB in each τ. The function is TorchScript: it goes with what is exported.

ln u and 1/τ are rounded to multiples of 2^-32, which nobody hears (2e-9 dB). Sums of them are then exact in float64
for any block that fits into memory, so that the same samples come out wherever the cuts between blocks are.
"""

import torch
from torch import Tensor


def limiter_state() -> Tensor:
    """Return the state before the first block: no reduction. Tensor [1] float64."""
    return torch.zeros(1, dtype=torch.float64)


def limit_block(block: Tensor, state: Tensor, ceiling: Tensor, release: float) -> tuple[Tensor, Tensor, bool]:
    """Hold one block under the ceiling; the same samples in whatever blocks they come.

    Args:
        block: Tensor [channels, n], finite, n at least 1
        state: Tensor [1] float64, from `limiter_state` or the call before
        ceiling: Tensor [] or [n] of the block's type, linear, above 0; a moving one is followed sample by sample
        release: samples in which the reduction falls by 8.7 dB; above 0

    Returns:
        Tensor [channels, n], the same object as `block` where nothing stood over the ceiling Tensor [1] float64, the
        state for the next block bool, whether the limiter worked in this block
    """
    peak = block.abs().amax(dim=0)
    if float(state) <= 0.0 and bool((peak <= ceiling).all()):
        return block, state, False
    # ln u, but 0 where u is below 1: the term k = n of the maximum is then the 0 of max(0, ...), exactly.
    # What stands 120 dB over the ceiling and more is clipped, and does not hold the sound down for long.
    # 32 bits behind the point leave 21 of float64's 53 before it.
    exact = 4294967296.0
    excess = (peak / ceiling).clamp(1.0, 1e6).double().log().mul_(exact).round_().div_(exact)
    step = max(1.0, float(round(exact / release))) / exact
    slope = torch.arange(block.shape[-1] + 1, dtype=torch.float64, device=block.device).mul_(step)
    envelope = torch.cat([state, excess]).add_(slope).cummax(dim=0)[0].sub_(slope)[1:]
    # The product may round to a hair over the ceiling; the bound takes that hair off.
    out = torch.clamp(block * envelope.neg().exp_().to(block.dtype), -ceiling, ceiling)
    return out, envelope[-1:], True
