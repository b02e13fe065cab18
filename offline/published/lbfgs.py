"""L-BFGS, the optimiser of the published recipes that do not use Adam."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor

OnStep = Callable[[int, float], None]


def minimise(start: Tensor, loss: Callable[[Tensor], Tensor], *, steps: int, on_step: OnStep) -> Tensor:
    """SciPy's L-BFGS-B without bounds, with which the 2016 recipe was published.

    Args:
        start: Tensor of any shape
        loss: gives a scalar, differentiable
        steps: iterations; each may evaluate the loss several times
        on_step: called with the number of iterations done and the loss of the last evaluation

    Returns:
        Tensor like `start`
    """
    last = 0.0

    def evaluate(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        nonlocal last
        x = torch.from_numpy(flat).to(start).reshape(start.shape).requires_grad_()
        value = loss(x)
        (slope,) = torch.autograd.grad(value, x)
        last = float(value.detach())
        return last, slope.double().cpu().numpy().ravel()

    done = 0

    def count(_: NDArray[np.float64]) -> None:
        nonlocal done
        done += 1
        on_step(done, last)

    result = scipy.optimize.minimize(
        evaluate,
        start.double().cpu().numpy().ravel(),
        method="L-BFGS-B",
        jac=True,
        callback=count,
        # No limit on evaluations, and no early end: the recipe counts iterations.
        options={"maxiter": steps, "maxfun": 20 * steps, "ftol": 0.0, "gtol": 0.0},
    )
    return torch.from_numpy(result.x).to(start).reshape(start.shape)
