"""The style distance: how far the statistics of a sound are from a style's, on networks nothing was optimised against.

What a distance is, raw and centred, `models.measures.gram_meter` says. The networks here are those that a style is
described by: convolutions over time with frequency bins as channels, of short and of long kernels, with and without
ReLU, from several seeds.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.stft import log_spectrogram
from ..gram import gram_by_blocks
from ..networks.features import FeatureNetwork, random_network
from .gram_meter import RATE, SEED, GramMeter, Grams, StyleDistance

N_FFT = 2048
HOP = 512
KERNELS = (3, 11)
FILTERS = 256
DRAWS = 3
_BLOCK = 2048


class StyleMeter(GramMeter):
    """Measures many outputs for one content and one style.

    Args:
        content, style, sample_rate, style_rate, rate: see `GramMeter`
        seed: which networks judge
    """

    def __init__(
        self,
        content: NDArray[np.float64],
        style: NDArray[np.float64],
        sample_rate: int,
        *,
        style_rate: int | None = None,
        rate: int = RATE,
        seed: int = SEED,
    ) -> None:
        self._networks = list(_networks(seed))
        super().__init__(content, style, sample_rate, style_rate=style_rate, rate=rate)

    def _grams(self, samples: Tensor) -> list[Grams]:
        spectrogram = log_spectrogram(samples, N_FFT, HOP)
        found = (gram_by_blocks(_blocks(network, spectrogram)) for network in self._networks)
        return [Grams(moments.gram, moments.centred) for moments in found]


def _networks(seed: int) -> Iterator[FeatureNetwork]:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(DRAWS):
        for kernel in KERNELS:
            for relu in (False, True):
                yield random_network(
                    N_FFT // 2 + 1, filters=FILTERS, kernel=kernel, relu=relu, generator=generator
                )


def _blocks(network: FeatureNetwork, spectrogram: torch.Tensor) -> Iterator[torch.Tensor]:
    """Features in blocks that share kernel - 1 frames of input, so that none is missed or counted twice."""
    last = max(spectrogram.shape[-1] - network.kernel + 1, 1)
    for start in range(0, last, _BLOCK):
        yield network(spectrogram[:, start : start + _BLOCK + network.kernel - 1])


def style_distance(
    content: NDArray[np.float64],
    style: NDArray[np.float64],
    output: NDArray[np.float64],
    sample_rate: int,
    *,
    style_rate: int | None = None,
    seed: int = SEED,
) -> StyleDistance:
    """Style distance of an output, raw and centred; see the module's text.

    Args:
        content, style, output: array [channels, samples] or [samples], full scale ±1; lengths and channels may differ
        sample_rate: Hz, of all three
        style_rate: Hz, of the style where it differs
        seed: which networks judge; the default ones are never used in rendering

    Raises:
        InputError: One of the three is silent.
    """
    content, style, output = (
        np.atleast_2d(np.asarray(x, dtype=np.float64)) for x in (content, style, output)
    )
    return StyleMeter(content, style, sample_rate, style_rate=style_rate, seed=seed).distance(output)
