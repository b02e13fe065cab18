"""What every style distance shares: one loudness, Gram matrices on networks that nothing else uses, and a scale.

    distance = ‖G_output - G_style‖ / ‖G_content - G_style‖        (Frobenius norms)

1 means that nothing happened, 0 that the output has the style's own statistics. A distance has two parts. *Raw* takes
the Gram matrices as they are, and can be lowered a long way by an equaliser alone; *centred* first removes each
feature's mean over time, which is what an equaliser sets. Both are means over several networks. All sounds are
brought to one loudness before they are measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.audible import audible
from ...dsp.level import at_reference, loudness
from ...media.audiofile import resample
from ...media.errors import InputError

RATE = 44100
# Far from the small numbers that people choose as seeds, so that no render is judged on networks it has seen.
SEED = 0x5EED_0F_6A06E


@dataclass(frozen=True)
class StyleDistance:
    """Raw and centred style distance, from 0 (the style's own statistics); 1 is the unchanged content."""

    raw: float
    centred: float


class Grams(NamedTuple):
    """What one network says of a sound: Gram matrices of its features, as they are and centred, of equal shape."""

    raw: Tensor
    centred: Tensor


class GramMeter(ABC):
    """Measures many outputs for one content and one style.

    Args:
        content, style: array [channels, samples]
        sample_rate: Hz, of all arrays given here and later
        style_rate: Hz, of the style if it differs
        rate: Hz at which everything is measured; what lies above its half is not seen

    Raises:
        InputError: One of the sounds is silent.
    """

    def __init__(
        self,
        content: NDArray[np.float64],
        style: NDArray[np.float64],
        sample_rate: int,
        *,
        style_rate: int | None = None,
        rate: int = RATE,
    ) -> None:
        self._rate = rate
        self._sample_rate = sample_rate
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

    @abstractmethod
    def _grams(self, samples: Tensor) -> list[Grams]:
        """What each network says of samples [channels, samples] at the meter's rate and the reference level."""

    def _measure(self, samples: NDArray[np.float64], rate: int) -> list[Grams]:
        samples = at_reference(audible(resample(samples, rate, self._rate), self._rate), self._rate)
        with torch.no_grad():
            return self._grams(torch.from_numpy(samples).float())

    def _compare(self, output: list[Grams], style: list[Grams]) -> StyleDistance:
        raw, centred = [], []
        # The scale is always the whole style's distance from the content, also where two halves are compared.
        for out, ref, whole, content in zip(output, style, self._style, self._content, strict=True):
            raw.append((out.raw - ref.raw).norm() / (content.raw - whole.raw).norm())
            centred.append((out.centred - ref.centred).norm() / (content.centred - whole.centred).norm())
        return StyleDistance(float(torch.stack(raw).mean()), float(torch.stack(centred).mean()))


def _check_audible(samples: NDArray[np.float64], rate: int, role: str) -> None:
    if not np.isfinite(loudness(samples, rate)):
        raise InputError(f"the {role} is silent: there are no statistics to compare")
