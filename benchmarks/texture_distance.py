"""The texture distance: how far a sound's movements in time are from a style's.

    distance = ‖s_output - s_style‖ / ‖s_content - s_style‖

over the time-averages of McDermott and Simoncelli 2011 (`models.networks.texture_model`), without their means: 1 is the
unchanged content, 0 the style. `models.measures.style_distance` sees a quarter of a second at most; this one sees
envelopes from half a second to five milliseconds. Three classes count alike:

- *moments*: how sparse, how skewed and how peaked each band's envelope is;
- *modulation*: how its variance is spread over rates of 0.6 to 180 Hz;
- *correlations*: which bands move together, on the whole and in each octave of modulation.

**The mean spectrum is taken out.** Envelopes are compressed by a power, so that a band's gain is a factor on its
envelope, to which all three classes are blind. An equaliser is left with what it changes inside a band.

**Classes are brought to one scale** by what they differ by between unrelated sounds, fixed numbers below, rather than
by the content's own difference: where content and style happen to be alike in one class, that class would decide.

No loss is taken on these filters: centres, bandwidths and rates are not those of any recipe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gramophone.dsp.level import at_reference, loudness
from gramophone.media.audiofile import resample
from gramophone.media.errors import InputError
from gramophone.models.networks.texture_model import (
    COMPRESSION,
    TextureLayout,
    TextureStatistics,
    texture_statistics,
)

RATE = 44100
LAYOUT = TextureLayout(
    bands=26, lowest=67.0, highest=11500.0, modulations=18, slowest=0.6, fastest=180.0, octave=88.0
)
# Root mean square differences between all pairs of 21 sounds (the clips of benchmarks/pairs.py, 10 s each).
_SCALES = {
    "variation": 0.29,
    "skewness": 1.05,
    "kurtosis": 0.89,
    "modulation": 0.14,
    "correlation": 0.45,
    "octaves": 0.39,
}
_Classes = list[list[Tensor]]
# Bands in which the style is this far below its loudest one are not heard, and do not count.
_AUDIBLE_DB = -60.0


@dataclass(frozen=True)
class TextureDistance:
    """Distances from 0 (the style's own movements) over 1 (the content's): the three classes, and all together."""

    overall: float
    moments: float
    modulation: float
    correlations: float


class TextureMeter:
    """Measures many outputs for one content and one style.

    Args:
        content, style: array [channels, samples], full scale ±1; a second at least, better ten
        sample_rate: Hz, of all arrays given here and later
        style_rate: Hz, of the style if it differs

    Raises:
        InputError: One of the sounds is silent, or too short to have a texture.
    """

    def __init__(
        self,
        content: NDArray[np.float64],
        style: NDArray[np.float64],
        sample_rate: int,
        *,
        style_rate: int | None = None,
    ) -> None:
        self._sample_rate = sample_rate
        rate = style_rate or sample_rate
        whole = _measured(style, rate, "style")
        least = 10.0 ** (COMPRESSION * _AUDIBLE_DB / 20.0)
        self._heard = whole.mean >= least * whole.mean.max()
        self._style = _classes(whole, self._heard)
        self._content = _classes(_measured(content, sample_rate, "content"), self._heard)
        half = style.shape[-1] // 2
        self._halves = [
            part if np.isfinite(loudness(part, rate)) else None for part in (style[:, :half], style[:, half:])
        ]
        self._style_rate = rate

    def distance(self, output: NDArray[np.float64]) -> TextureDistance:
        """Texture distance of an output [channels, samples] at the meter's sample rate."""
        return self._compare(
            _classes(_measured(output, self._sample_rate, "output"), self._heard), self._style
        )

    def floor(self) -> TextureDistance | None:
        """Distance between the style's own two halves, on the same scale; None where a half is silent."""
        first, second = self._halves
        if first is None or second is None:
            return None
        parts = [
            _classes(_measured(half, self._style_rate, "style"), self._heard) for half in (first, second)
        ]
        return self._compare(*parts)

    def _compare(self, output: _Classes, style: _Classes) -> TextureDistance:
        moved, whole = _squares(output, style), _squares(self._content, self._style)
        ratios = [(m / max(w, 1e-12)) ** 0.5 for m, w in zip(moved, whole, strict=True)]
        return TextureDistance((sum(moved) / max(sum(whole), 1e-12)) ** 0.5, *ratios)


def _squares(first: _Classes, second: _Classes) -> list[float]:
    """Mean square difference in each class: within it, every kind of statistic counts alike, however many there are."""
    return [
        float(np.mean([float((a - b).square().mean()) for a, b in zip(x, y, strict=True)]))
        for x, y in zip(first, second, strict=True)
    ]


def _measured(samples: NDArray[np.float64], rate: int, role: str) -> TextureStatistics:
    if not np.isfinite(loudness(samples, rate)):
        raise InputError(f"the {role} is silent: there are no statistics to compare")
    level = at_reference(resample(samples, rate, RATE), RATE)
    with torch.no_grad():
        return texture_statistics(torch.from_numpy(level).float(), RATE, layout=LAYOUT)


def _classes(s: TextureStatistics, heard: Tensor) -> _Classes:
    """Moments, modulation and correlations of the bands that count, every statistic of one scale.

    Skewness and kurtosis enter by their logarithms, or else a single click in a silent band would decide. Of
    modulation power it is the root: shares of a whole are compared by the roots of the shares (Hellinger), so that
    neither the strongest rate nor the weakest decides.
    """
    first, second = torch.triu_indices(int(heard.sum()), int(heard.sum()), offset=1)
    moments = {
        "variation": s.variation[heard],
        "skewness": s.skewness[heard].asinh(),
        "kurtosis": s.kurtosis[heard].clamp_min(1.0).log(),
    }
    modulation = {"modulation": s.modulation_power[heard].clamp_min(0.0).sqrt()}
    correlations = {
        "correlation": s.correlation[heard][:, heard][first, second],
        "octaves": s.c1[:, heard][:, :, heard][:, first, second],
    }
    classes = (moments, modulation, correlations)
    return [[values / _SCALES[name] for name, values in group.items()] for group in classes]
