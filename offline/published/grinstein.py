"""From the content towards a style, style loss only (Grinstein, Duong, Ozerov and Pérez 2017), with three networks.

It starts from the content, and no term keeps it: only the style's statistics change it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import torch
from torch import Tensor
from torch.nn import functional

from ...dsp.stft import stft
from ...models.gram import squared_gram_difference
from ...models.networks.features import random_network
from ...models.networks.texture_model import TextureStatistics, texture_statistics
from .gatys import STYLE_LAYERS, image, vgg19, vgg_style_loss
from .lbfgs import OnStep, minimise


def optimise_shallow(
    content: Tensor,
    style: Tensor,
    *,
    filters: int,
    kernel: int,
    steps: int,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """Optimise a log-magnitude spectrogram against the random layer of Ulyanov and Lebedev 2016.

    Args:
        content, style: Tensor [bins, frames of each], log-magnitudes
        filters, kernel: of the layer; a filter sees `kernel` frames
        steps: of L-BFGS
        generator: draws the network
        on_step: called with the number of steps done and the loss, which is 1 at the content

    Returns:
        Tensor [bins, frames of the content]
    """
    white = _white(content, style)
    network = random_network(
        content.shape[0], filters=filters, kernel=kernel, relu=True, init="ulyanov2016", generator=generator
    ).to(content.device)
    with torch.no_grad():
        target = network(style / white)

    def distance(spectrogram: Tensor) -> Tensor:
        return squared_gram_difference(network(spectrogram), target)

    return white * _from_content(content / white, distance, steps=steps, on_step=on_step)


def optimise_vgg(
    content: Tensor, style: Tensor, *, weights: str, steps: int, generator: torch.Generator, on_step: OnStep
) -> Tensor:
    """Optimise a log-magnitude spectrogram against VGG-19.

    Args:
        content, style, steps, on_step: see `optimise_shallow`
        weights: file of VGG-19's weights; "" draws them
        generator: draws them

    Returns:
        Tensor [bins, frames of the content]

    Raises:
        InputError: The file of weights is missing or not VGG-19's.
    """
    white = _white(content, style)
    network = vgg19(weights, pooling="average", generator=generator).to(content.device)
    pictures = [image(spectrogram / white) for spectrogram in (content, style)]
    network = network.normalised(pictures)
    of_features = vgg_style_loss(network, pictures[1], (1.0 / len(STYLE_LAYERS),))

    def distance(spectrogram: Tensor) -> Tensor:
        return of_features(network(image(spectrogram), STYLE_LAYERS))

    return white * _from_content(content / white, distance, steps=steps, on_step=on_step)


def _white(content: Tensor, style: Tensor) -> float:
    """The loudest bin of the two."""
    return float(torch.maximum(content.max(), style.max()).clamp_min(1e-6))


def _from_content(
    start: Tensor, distance: Callable[[Tensor], Tensor], *, steps: int, on_step: OnStep
) -> Tensor:
    with torch.no_grad():
        scale = float(distance(start).clamp_min(1e-20))
    return minimise(start, lambda x: distance(x) / scale, steps=steps, on_step=on_step)


def optimise_texture(
    content: Tensor,
    style: Tensor,
    *,
    sample_rate: int,
    n_fft: int,
    hop: int,
    steps: int,
    on_step: OnStep,
) -> Tensor:
    """Impose a style's texture statistics on a sound, sample by sample.

    The loss is the mean over the groups of statistics (mean, variation, skewness, kurtosis, correlation, modulation
    power, C1, C2) of Σ (s - s_style)² / Σ (s_content - s_style)², so that it is 1 at the content and no group
    outweighs the others.

    Args:
        content, style: Tensor [1, samples of each]
        sample_rate: Hz, of both
        n_fft, hop: samples, of the STFT that says how loud they are at each frequency
        steps: of L-BFGS
        on_step: called with the number of steps done and the loss

    Returns:
        Tensor [1, samples of the content]
    """
    with torch.no_grad():
        target = texture_statistics(style, sample_rate)
        scales = [
            value.clamp_min(1e-9) for value in _squares(texture_statistics(content, sample_rate), target)
        ]
    length = content.shape[-1]
    response = _audible(content, style, n_fft=n_fft, hop=hop)

    def filtered(samples: Tensor, gain: Tensor) -> Tensor:
        result: Tensor = torch.fft.irfft(torch.fft.rfft(samples) * gain, n=length)
        return result

    def loss(white: Tensor) -> Tensor:
        found = _squares(texture_statistics(filtered(white, response), sample_rate), target)
        return torch.stack([value / scale for value, scale in zip(found, scales, strict=True)]).mean()

    start = filtered(content, 1.0 / response)
    return filtered(minimise(start, loss, steps=steps, on_step=on_step), response)


def _audible(content: Tensor, style: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Return the mean spectrum of the two sounds at the content's frequencies, Tensor [length // 2 + 1].

    The unknowns are the samples divided by this, so soft bands have the same weight in the gradient as loud ones. It
    only helps L-BFGS; the minimum is the same.
    """
    ours, theirs = (stft(x, n_fft, hop).abs().square().mean(dim=(0, 2)) for x in (content, style))
    power = ours + theirs
    power = power + 1e-8 * power.max() + 1e-16
    # Straight lines from one bin to the next: a filter without corners.
    bins = content.shape[-1] // 2 + 1
    line = functional.interpolate(power.sqrt()[None, None], size=bins, mode="linear", align_corners=True)
    return line[0, 0]


def _squares(ours: TextureStatistics, target: TextureStatistics) -> list[Tensor]:
    names = [field.name for field in fields(TextureStatistics)]
    return [(getattr(ours, name) - getattr(target, name)).square().sum() for name in names]
