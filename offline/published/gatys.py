"""Spectrograms as images for VGG-19: the losses of Gatys, Ecker and Bethge 2016 on log-magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ...models.gram import gatys_content_loss, gatys_style_loss
from ...models.networks.vgg import SMALLEST_SIDE, Pooling, Vgg19, load_vgg19, random_vgg19
from .lbfgs import OnStep, minimise
from .noise import white_noise

STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_LAYER = "conv4_2"


def optimise_gatys(
    content: Tensor,
    style: Tensor,
    *,
    weights: str,
    pooling: Pooling,
    normalise: bool,
    layer_weights: Sequence[float],
    content_weight: float,
    start: Literal["noise", "content"],
    steps: int,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """Optimise a log-magnitude spectrogram on α L_content + β L_style with β = 1 (eqs. 1, 4, 5 and 7).

    Args:
        content, style: Tensor [bins, frames of each], log-magnitudes
        weights: file of VGG-19's weights; "" draws them
        pooling: between the blocks of the network
        normalise: whether every filter is scaled to a mean activation of 1
        layer_weights: w_l of each of `STYLE_LAYERS`, or one for all
        content_weight: α
        start: where to begin
        steps: of L-BFGS
        generator: draws the weights where none are given, then the noise
        on_step: called with the number of steps done and the loss

    Returns:
        Tensor [bins, frames of the content]

    Raises:
        InputError: The file of weights is missing or not VGG-19's.
    """
    network = vgg19(weights, pooling=pooling, generator=generator).to(content.device)
    # The loudest bin of the two is white.
    white = float(torch.maximum(content.max(), style.max()).clamp_min(1e-6))
    images = [image(spectrogram / white) for spectrogram in (content, style)]
    if normalise:
        network = network.normalised(images)
    style_loss = vgg_style_loss(network, images[1], layer_weights)
    with torch.no_grad():
        wanted = network(images[0], [CONTENT_LAYER])[CONTENT_LAYER]

    def loss(spectrogram: Tensor) -> Tensor:
        # One pass through the network for both terms.
        features = network(image(spectrogram), [*STYLE_LAYERS, CONTENT_LAYER])
        return content_weight * gatys_content_loss(features[CONTENT_LAYER], wanted) + style_loss(features)

    from_noise = start == "noise"
    begin = white_noise(content.shape, style / white, generator=generator) if from_noise else content / white
    return white * minimise(begin, loss, steps=steps, on_step=on_step)


def vgg19(weights: str, *, pooling: Pooling, generator: torch.Generator) -> Vgg19:
    """The network from a file, or random where no file is named; errors as `models.networks.vgg.load_vgg19`."""
    return (
        load_vgg19(weights, pooling=pooling)
        if weights
        else random_vgg19(generator=generator, pooling=pooling)
    )


def image(spectrogram: Tensor) -> Tensor:
    """A spectrogram [bins, frames] as an image, with silence after it where four poolings would leave nothing."""
    bins, frames = spectrogram.shape
    return functional.pad(spectrogram, (0, max(0, SMALLEST_SIDE - frames), 0, max(0, SMALLEST_SIDE - bins)))


def vgg_style_loss(
    network: Vgg19, style: Tensor, layer_weights: Sequence[float]
) -> Callable[[dict[str, Tensor]], Tensor]:
    """L_style = Σ w_l E_l of features by layer (eq. 5), E_l as in `models.gram.gatys_style_loss`.

    Args:
        network: gives the style's features
        style: Tensor [height, width], the style's image
        layer_weights: w_l of each of `STYLE_LAYERS`, or one for all
    """
    each = list(layer_weights) * (len(STYLE_LAYERS) if len(layer_weights) == 1 else 1)
    weights = dict(zip(STYLE_LAYERS, each, strict=True))
    with torch.no_grad():
        targets = network(style, STYLE_LAYERS)

    def loss(features: dict[str, Tensor]) -> Tensor:
        terms = [
            weights[layer] * gatys_style_loss(features[layer], target) for layer, target in targets.items()
        ]
        return torch.stack(terms).sum()

    return loss
