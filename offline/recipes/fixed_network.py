"""Optimisation against one fixed random network, as the published recipes do it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...models.gram import dipani_loss, ulyanov_loss
from ...models.networks.features import FeatureNetwork, random_network
from .lbfgs import OnStep, minimise
from .registry import FixedNetwork
from .start import soft_noise


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
    ).to(content.device)
    from_noise = settings.start == "noise"
    start = soft_noise(content, generator=generator) if from_noise else content.clone()
    loss = _loss(network, content, style, settings)
    if settings.optimizer == "lbfgs":
        return minimise(start, loss, steps=settings.steps, on_step=on_step)
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
