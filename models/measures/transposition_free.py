"""The transposition-free style distance: how far a sound is from a style, whatever notes either of them plays.

To the networks of `models.measures.style_distance`, frequency bins are channels: a style in D is to them the notes of
D. Here filters slide along a logarithmic frequency axis as well as along time, and Gram matrices are summed over time
and over all the places within a zone of an octave:

    G_z = Σ_{b in z} Σ_t f_{b,t} f_{b,t}ᵀ / (|z| T)

Within a zone the sum forgets where a pattern stands and keeps what it is: colour (from zone to zone), grain, noisiness,
roughness, how partials are spaced. *Centred* removes each filter's mean over time at every place first, which is all
that an equaliser can set.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...dsp.stft import compress, power_mean, stft
from .gram_meter import SEED, GramMeter, Grams

N_FFT = 2048
HOP = 512
# No recipe's numbers: a measure on a recipe's own layout would be half a loss.
LOWEST_HZ = 55.0
OCTAVES = 8
BINS_AN_OCTAVE = 30
KERNELS = ((7, 2), (13, 5), (19, 12))
FILTERS = 48
_BLOCK = 1024


class TranspositionFreeMeter(GramMeter):
    """Measures many outputs for one content and one style; see the module's text and `GramMeter`."""

    def _grams(self, samples: Tensor) -> list[Grams]:
        power = power_mean(stft(samples, N_FFT, HOP)).square()
        spectrogram = compress((_bands(self._rate) @ power).sqrt())
        return [grams for weight in _networks() for grams in _of_network(spectrogram, weight)]


@lru_cache(maxsize=2)
def _bands(rate: int) -> Tensor:
    """Triangles [bands, STFT bins] on power, evenly spaced in log frequency, each side 1.5 STFT bins wide at least."""
    centres = LOWEST_HZ * 2.0 ** (np.arange(OCTAVES * BINS_AN_OCTAVE) / BINS_AN_OCTAVE) * N_FFT / rate
    half = np.maximum(centres * (2.0 ** (1.0 / BINS_AN_OCTAVE) - 1.0), 1.5)
    bins = np.arange(N_FFT // 2 + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(bins - centres[:, None]) / half[:, None])
    return torch.from_numpy(weights).float()


@lru_cache(maxsize=1)
def _networks() -> list[Tensor]:
    """Filters [filters, 1, bins, frames], normal, so that features have the scale of their input."""
    generator = torch.Generator().manual_seed(SEED)
    return [
        torch.randn(FILTERS, 1, *kernel, generator=generator) / math.prod(kernel) ** 0.5 for kernel in KERNELS
    ]


def _of_network(spectrogram: Tensor, weight: Tensor) -> tuple[Grams, Grams]:
    """Linear and rectified features' Gram matrices [zones, filters, filters] of a spectrogram [bands, frames]."""
    bins, frames = weight.shape[2:]
    spectrogram = functional.pad(spectrogram, (0, max(0, frames - spectrogram.shape[-1])))
    places = torch.arange(spectrogram.shape[0] - bins + 1) + bins // 2
    sizes = torch.bincount(places // BINS_AN_OCTAVE, minlength=OCTAVES).tolist()
    last = spectrogram.shape[-1] - frames + 1
    sums = [torch.zeros(OCTAVES, FILTERS, FILTERS) for _ in range(2)]
    means = [torch.zeros(FILTERS, places.numel()) for _ in range(2)]
    for start in range(0, last, _BLOCK):
        block = spectrogram[None, None, :, start : start + _BLOCK + frames - 1]
        linear = functional.conv2d(block, weight)[0]
        for total, mean, features in zip(sums, means, (linear, linear.relu()), strict=True):
            mean += features.sum(dim=-1) / last
            for zone, part in enumerate(torch.split(features, sizes, dim=1)):
                flat = part.flatten(1)
                total[zone] += flat @ flat.mT / (last * sizes[zone])
    linear_sums, rectified_sums = (
        Grams(
            total,
            total - torch.stack([m @ m.mT / m.shape[1] for m in torch.split(mean, sizes, dim=1)]),
        )
        for total, mean in zip(sums, means, strict=True)
    )
    return linear_sums, rectified_sums
