"""Optimisation against one fixed random network, as the published recipes do it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.features import FeatureNetwork, random_network
from models.gram import dipani_loss, ulyanov_loss
from offline.recipes import FixedNetwork

OnStep = Callable[[int, float], None]


def optimise_fixed(
    content: Tensor, style: Tensor, settings: FixedNetwork, *, generator: torch.Generator, on_step: OnStep
) -> Tensor:
    """Optimise a log-magnitude spectrogram as a published recipe says.

    Parameters
    ----------
    content, style : Tensor [bins, frames each], log-magnitudes
    settings : the recipe's
    generator : draws the network and, where the recipe starts from noise, the noise
    on_step : called with the number of steps done and the loss before that step

    Returns
    -------
    Tensor [bins, frames of the content]
    """
    network = random_network(
        content.shape[0],
        filters=settings.filters,
        kernel=settings.kernel,
        relu=settings.relu,
        padding=settings.padding,
        init=settings.init,
        generator=generator,
    )
    network = FeatureNetwork(
        network.weight.to(content.device),
        None if network.bias is None else network.bias.to(content.device),
        network.relu,
        network.padding,
    )
    if settings.start == "noise":
        start = 1e-3 * torch.randn(content.shape, generator=generator).to(content.device)
    else:
        start = content.clone()
    loss = _loss(network, content, style, settings)
    if settings.optimizer == "lbfgs":
        return _lbfgs(start, loss, steps=settings.steps, on_step=on_step)
    return _adam(start, loss, settings, on_step=on_step)


def _loss(
    network: FeatureNetwork, content: Tensor, style: Tensor, settings: FixedNetwork
) -> Callable[[Tensor], Tensor]:
    with torch.no_grad():
        style_features = network(style)
        content_features = network(content)
    if settings.loss == "sum":
        return lambda spectrogram: ulyanov_loss(
            network(spectrogram), content_features, style_features, alpha=settings.content_weight
        )
    return lambda spectrogram: dipani_loss(network(spectrogram), style_features, weight=settings.style_weight)


def _lbfgs(start: Tensor, loss: Callable[[Tensor], Tensor], *, steps: int, on_step: OnStep) -> Tensor:
    """SciPy's L-BFGS-B without bounds: the optimiser that the 2016 recipe was published with."""
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


def _adam(
    start: Tensor, loss: Callable[[Tensor], Tensor], settings: FixedNetwork, *, on_step: OnStep
) -> Tensor:
    x = start.requires_grad_()
    optimizer = torch.optim.Adam([x], lr=settings.learning_rate)
    for step in range(1, settings.steps + 1):
        if settings.clamp:
            # A published fault, kept: on this scale 1 is 1.7 times S0, -49 dB, and everything louder is cut to it.
            with torch.no_grad():
                x.clamp_(0.0, 1.0)
        optimizer.zero_grad(set_to_none=True)
        value = loss(x)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        on_step(step, float(value.detach()))
    return x.detach()
