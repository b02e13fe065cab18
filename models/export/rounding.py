"""Running statistics, rounded as the compiled core rounds them: each product by itself, then the sum. TorchScript.

`lerp_`, `addr_` and `addcmul_` round once where that core rounds twice. What rounding leaves adds up in a running mean,
differently in each of the two, and a map that is solved from covariances makes hundreds of times as much of it. So
these are followed in the core's own steps.
"""

from torch import Tensor


def follow_mean(mean: Tensor, values: Tensor, part: float) -> None:
    """Move a running mean towards values by a part."""
    mean.add_((values - mean) * part)


def follow_products(matrix: Tensor, rows: Tensor, columns: Tensor, part: float) -> None:
    """Move running means [n, m] towards the products of rows [n] and columns [m] by a part."""
    matrix.mul_(1.0 - part).add_(rows.unsqueeze(1) * columns)


def blend(kept: Tensor, expected: Tensor, part: float) -> None:
    """Let what is expected take the place of what is kept, by a part."""
    kept.mul_(1.0 - part).add_(expected * part)
