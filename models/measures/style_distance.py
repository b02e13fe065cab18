"""The style distance: how far the statistics of a sound are from a style's, on networks nothing was optimised against.

    distance = ‖G_output - G_style‖ / ‖G_content - G_style‖        (Frobenius norms)

1 means that nothing happened, 0 that the output has the style's own statistics. It has two parts. *Raw* takes the
Gram matrices as they are, and can be lowered a long way by an equaliser alone; *centred* first removes each
feature's mean over time, which is what an equaliser sets. Both are means over networks of short and of long kernels,
with and without ReLU, from several seeds. All sounds are brought to one loudness before they are measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.audible import audible
from ...dsp.level import at_reference, loudness
from ...dsp.stft import log_spectrogram
from ...media.audiofile import resample
from ...media.errors import InputError
from ..gram import Moments, gram_by_blocks
from ..networks.features import FeatureNetwork, random_network

RATE = 44100
N_FFT = 2048
HOP = 512
KERNELS = (3, 11)
FILTERS = 256
DRAWS = 3
# Far from the small numbers that people choose as seeds, so that no render is judged on networks it has seen.
SEED = 0x5EED_0F_6A06E
_BLOCK = 2048


@dataclass(frozen=True)
class StyleDistance:
    """Raw and centred style distance, from 0 (the style's own statistics); 1 is the unchanged content."""

    raw: float
    centred: float


class StyleMeter:
    """Measures many outputs for one content and one style.

    Args:
        content, style: array [channels, samples]
        sample_rate: Hz, of all arrays given here and later
        style_rate: Hz, of the style if it differs
        rate: Hz at which everything is measured; what lies above its half is not seen
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
        self._rate = rate
        self._sample_rate = sample_rate
        self._networks = list(_networks(seed))
        self._style_rate = style_rate or sample_rate
        _check_audible(content, sample_rate, "content")
        _check_audible(style, self._style_rate, "style")
        self._content = self._measure(content, sample_rate)
        self._style = self._measure(style, self._style_rate)
        half = style.shape[-1] // 2
        self._halves = style[:, :half], style[:, half:]

    def distance(self, output: NDArray[np.float64]) -> StyleDistance:
        """Style distance of an output [channels, samples] at the meter's sample rate."""
        _check_audible(output, self._sample_rate, "output")
        return self._compare(self._measure(output, self._sample_rate), self._style)

    def floor(self) -> StyleDistance:
        """Distance between the style's own two halves, on the same scale: no method can be asked for less.

        A half may be silent: a single stroke and its end are a style too.
        """
        first, second = (self._measure(half, self._style_rate) for half in self._halves)
        return self._compare(first, second)

    def _measure(self, samples: NDArray[np.float64], rate: int) -> list[Moments]:
        samples = at_reference(audible(resample(samples, rate, self._rate), self._rate), self._rate)
        with torch.no_grad():
            spectrogram = log_spectrogram(torch.from_numpy(samples).float(), N_FFT, HOP)
            return [gram_by_blocks(_blocks(network, spectrogram)) for network in self._networks]

    def _compare(self, output: list[Moments], style: list[Moments]) -> StyleDistance:
        raw, centred = [], []
        # The scale is always the whole style's distance from the content, also where two halves are compared.
        for out, ref, whole, content in zip(output, style, self._style, self._content, strict=True):
            raw.append((out.gram - ref.gram).norm() / (content.gram - whole.gram).norm())
            centred.append((out.centred - ref.centred).norm() / (content.centred - whole.centred).norm())
        return StyleDistance(float(torch.stack(raw).mean()), float(torch.stack(centred).mean()))


def _check_audible(samples: NDArray[np.float64], rate: int, role: str) -> None:
    if not np.isfinite(loudness(samples, rate)):
        raise InputError(f"the {role} is silent: there are no statistics to compare")


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
