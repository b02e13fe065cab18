"""Texture from noise with random layers of many widths (Antognini, Hoffman and Weiss 2018).

Two terms are added to the Gram matrices: the autocorrelation of every feature over time, which keeps the rhythm, and
a penalty on shifted copies of the style. Each is relative to the style's own, so the weights mean the same for every
style.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ...models.gram import gram
from ...models.networks.features import FeatureNetwork
from ...models.networks.long_kernels import LongNetwork, draw_layer
from .lbfgs import OnStep, minimise
from .noise import soft_noise

Layer = FeatureNetwork | LongNetwork


def optimise_texture_networks(
    content: Tensor,
    style: Tensor,
    *,
    kernels: Sequence[int],
    filters: int,
    lags: range,
    autocorrelation_weight: float,
    diversity_weight: float,
    start: Literal["noise", "content"],
    steps: int,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """Optimise a log-magnitude spectrogram until it has the style's texture.

    Args:
        content, style: Tensor [bins, frames of each], log-magnitudes; of the content nothing but its length counts,
            unless it is the start
        kernels: frames that each network sees, see `usable_kernels`
        filters: of each network
        lags: of the autocorrelation, frames
        autocorrelation_weight, diversity_weight: of rhythm, and of the penalty on a copy
        start: where to begin
        steps: of L-BFGS
        generator: draws the networks, then the noise
        on_step: called with the number of steps done and the loss

    Returns:
        Tensor [bins, frames of the content]
    """
    frames = min(content.shape[-1], style.shape[-1])
    layers = [
        draw_layer(style.shape[0], filters=filters, kernel=kernel, generator=generator).to(style.device)
        for kernel in usable_kernels(kernels, frames)
    ]
    with torch.no_grad():
        targets = [Target.of(layer(style), lags) for layer in layers]

    def one(spectrogram: Tensor, layer: Layer, target: Target) -> Tensor:
        features = layer(spectrogram)
        value = _relative(gram(features), target.gram)
        if autocorrelation_weight:
            value = value + autocorrelation_weight * rhythm_loss(features, target, lags)
        if diversity_weight:
            value = value + diversity_weight * copy_penalty(features, target.features)
        return value / len(layers)

    def loss(spectrogram: Tensor) -> Tensor:
        # One layer after the other, so that no more than one is in memory with all that its slope needs.
        total, slope = spectrogram.new_zeros(()), torch.zeros_like(spectrogram)
        for layer, target in zip(layers, targets, strict=True):
            x = spectrogram.detach().requires_grad_()
            value = one(x, layer, target)
            slope += torch.autograd.grad(value, x)[0]
            total += value.detach()
        # The value is the total, and the slope is the slope.
        return total + ((spectrogram - spectrogram.detach()) * slope).sum()

    begin = soft_noise(content, generator=generator) if start == "noise" else content
    return minimise(begin, loss, steps=steps, on_step=on_step)


def usable_kernels(kernels: Sequence[int], frames: int) -> list[int]:
    """Return the kernels that are no longer than half the shorter sound, or else the shortest one.

    A longer kernel has fewer positions than frames, so its statistics would come from a few overlapping pieces.
    """
    return [kernel for kernel in kernels if 2 * kernel <= frames] or [min(kernels)]


@dataclass(frozen=True)
class Target:
    """The style's statistics of one layer.

    Attributes:
        features: Tensor [filters, frames]
        gram: Tensor [filters, filters]
        rhythm: Tensor [filters, lags], the autocorrelation
    """

    features: Tensor
    gram: Tensor
    rhythm: Tensor

    @classmethod
    def of(cls, features: Tensor, lags: range) -> Target:
        """Measure a style's features."""
        return cls(features, gram(features), autocorrelation(features, lags))


def _relative(ours: Tensor, target: Tensor) -> Tensor:
    return (ours - target).square().sum() / target.square().sum().clamp_min(1e-20)


def autocorrelation(features: Tensor, lags: range) -> Tensor:
    """Mean of f(t) f(t + lag) over the frames that both are in, Tensor [filters, lags that fit].

    Args:
        features: Tensor [filters, frames]
        lags: in frames; those beyond half the frames are left out, of which few pairs there are
    """
    frames = features.shape[-1]
    last = min(lags.stop, frames // 2 + 1)
    if last <= lags.start:
        return features.new_zeros(features.shape[0], 0)
    spectrum = torch.fft.rfft(features, n=frames + last)
    products: Tensor = torch.fft.irfft(spectrum.real.square() + spectrum.imag.square(), n=frames + last)
    kept = torch.arange(lags.start, last, device=features.device)
    return products[:, lags.start : last] / (frames - kept)


def rhythm_loss(features: Tensor, target: Target, lags: range) -> Tensor:
    """Σ (A - A_style)² / Σ A_style² of the autocorrelations, over the lags that fit both sounds; 0 where none does."""
    ours = autocorrelation(features, lags)
    common = min(ours.shape[-1], target.rhythm.shape[-1])
    if not common:
        return features.new_zeros(())
    return _relative(ours[:, :common], target.rhythm[:, :common])


def copy_penalty(features: Tensor, style: Tensor) -> Tensor:
    """The style's energy over the squared distance from the style, at the shift at which they are most alike.

    It is at most 1000, for a copy with any shift, and about 1 for another piece of the same texture. The style is
    shifted in a circle, so that every frame has a partner. All shifts are compared at once by
    Σ (f - p)² = Σ f² + Σ p² - 2 Σ f p, where the last two are circular correlations.

    Args:
        features: Tensor [filters, frames]
        style: Tensor [filters, frames of its own]
    """
    frames, period = features.shape[-1], style.shape[-1]
    wrapped = _wrap(features, period)
    spectrum, other = torch.fft.rfft(wrapped), torch.fft.rfft(style)
    together = torch.fft.irfft((spectrum.conj() * other).sum(dim=0), n=period)
    # How often each frame of the style has a partner depends on the shift, unless the frames fill whole periods.
    visits = _wrap(features.new_ones(1, frames), period)[0]
    energy = style.square().sum(dim=0)
    theirs = torch.fft.irfft(torch.fft.rfft(visits).conj() * torch.fft.rfft(energy), n=period)
    distances = features.square().sum() + theirs - 2.0 * together
    nearest: Tensor = distances.min().clamp_min(0.0)
    scale = energy.mean() * frames
    # A perfect copy has no distance, and would have no slope.
    return scale / (nearest + 1e-3 * scale).clamp_min(1e-20)


def _wrap(features: Tensor, period: int) -> Tensor:
    """Features [filters, frames] summed over periods, [filters, period]."""
    missing = -features.shape[-1] % period
    padded = functional.pad(features, (0, missing))
    return padded.reshape(features.shape[0], -1, period).sum(dim=1)
