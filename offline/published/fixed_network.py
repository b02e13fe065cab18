"""Optimisation against one fixed random network, as the published recipes do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...models.gram import dipani_loss, ulyanov_loss
from ...models.networks.features import random_network
from .lbfgs import OnStep, minimise
from .noise import soft_noise


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network that is drawn, see `models.networks.features.random_network`."""

    filters: int
    kernel: int
    padding: int
    init: Literal["ulyanov2016", "torch", "unit"]
    relu: bool


def optimise_fixed(
    content: Tensor,
    style: Tensor,
    *,
    network: Network,
    loss: Literal["sum", "mean"],
    content_weight: float,
    style_weight: float,
    start: Literal["noise", "content"],
    learning_rate: float | None,
    clamp: bool,
    steps: int,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """Optimise a log-magnitude spectrogram as a published recipe says.

    Args:
        content, style: Tensor [bins, frames each], log-magnitudes
        network: what is drawn
        loss: sum of squares with a content term, or mean square of the style term alone
        content_weight, style_weight: of the content term (sum), and on the Gram matrices (mean)
        start: where to begin
        learning_rate: of Adam; None takes L-BFGS
        clamp: whether log-magnitudes are cut to 0..1 before each of Adam's steps
        steps: of the optimiser
        generator: draws the network and, where the recipe starts from noise, the noise
        on_step: called with the number of steps done and the loss before that step

    Returns:
        Tensor [bins, frames of the content]
    """
    drawn = random_network(
        content.shape[0],
        filters=network.filters,
        kernel=network.kernel,
        relu=network.relu,
        padding=network.padding,
        init=network.init,
        generator=generator,
    ).to(content.device)
    begin = soft_noise(content, generator=generator) if start == "noise" else content.clone()
    with torch.no_grad():
        style_features, content_features = drawn(style), drawn(content)

    def objective(spectrogram: Tensor) -> Tensor:
        if loss == "sum":
            return ulyanov_loss(drawn(spectrogram), content_features, style_features, alpha=content_weight)
        return dipani_loss(drawn(spectrogram), style_features, weight=style_weight)

    if learning_rate is None:
        return minimise(begin, objective, steps=steps, on_step=on_step)
    return _adam(begin, objective, learning_rate=learning_rate, clamp=clamp, steps=steps, on_step=on_step)


def _adam(
    start: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    learning_rate: float,
    clamp: bool,
    steps: int,
    on_step: OnStep,
) -> Tensor:
    x = start.requires_grad_()
    optimizer = torch.optim.Adam([x], lr=learning_rate)
    for step in range(1, steps + 1):
        if clamp:
            # A published fault, kept: on this scale 1 is 1.7 times S0, -49 dB, and everything louder is cut to it.
            with torch.no_grad():
                x.clamp_(0.0, 1.0)
        optimizer.zero_grad(set_to_none=True)
        value = loss(x)
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        on_step(step, float(value.detach()))
    return x.detach()
