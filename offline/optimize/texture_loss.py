"""The texture loss: statistics of band envelopes and their modulations, 5 to 40 Hz, which measure how a style moves.

The networks of the style loss see a sixth of a second, with all bins alike. They hardly measure how sparse a band is,
how deeply and how fast it moves, and which bands move together. This loss takes the statistics of McDermott and
Simoncelli 2011 (`models.networks.texture_model`) on the spectrogram's own frames: moments of compressed envelopes,
their correlations across bands, and power and correlations across bands in octaves of modulation.

Modulations slower than 5 Hz have no term of their own, since they belong to the content. They are part of the moments
and correlations all the same, so this loss costs some content. Modulations faster than half the frame rate, 43 Hz in
the default layout, do not show in the spectrogram.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...dsp.stft import expand
from ...models.networks.texture_model import COMPRESSION
from .losses import Block, Sums, add

# Hz, of the octaves of modulation; those that a sound's frame rate or length has no place for are left out.
OCTAVES = (2.7, 5.4, 10.8, 21.5, 36.0)
# Seconds. Two periods of 5.4 Hz; the slowest octave has one: blocks need as much context as the longest filter.
LONGEST = 0.37
# Power added to each band, full scale ±1, at the reference level of -23 LUFS.
_FLOOR = 1e-10
# Bands in which the style is this far below its loudest one are inaudible, and do not count.
_AUDIBLE_DB = -60.0
# Root mean square differences between unrelated sounds: variation, skewness, kurtosis, correlation, modulation power
# and correlation by octaves; see benchmarks/texture_distance.py. Where content and style differ by less than this
# share of them, they are alike, and no finer scale is taken.
_SCALES = (0.29, 1.05, 0.89, 0.45, 0.14, 0.39)
_ALIKE = 0.3


class TextureLoss:
    """Mean over six kinds of statistics of ‖s - s_style‖ / ‖s_content - s_style‖.

    Args:
        style: Tensor [bins, frames of its own], log-magnitudes
        frames: of the sound that is optimised
        frame_rate: Hz
        bands: Tensor [bands, bins], the share of each bin's power in each band
    """

    def __init__(self, style: Tensor, *, frames: int, frame_rate: float, bands: Tensor) -> None:
        device = style.device
        self._bands = bands.to(device)
        self._octaves = [
            (octave.to(device), stride)
            for octave, stride in _octave_filters(frame_rate, min(frames, style.shape[-1]))
        ]
        # Sums of powers are taken about a value nearby, so that no digits are lost when means are subtracted.
        self._origin = torch.zeros(self._bands.shape[0], 1, device=device)
        magnitude, count = expand(style).mT, style.shape[-1]
        with torch.no_grad():
            mean = self._envelopes(magnitude.square()).mean(dim=-1)
            self._origin = mean[:, None]
            least = 10.0 ** (COMPRESSION * _AUDIBLE_DB / 20.0)
            self._heard = torch.nonzero(mean >= least * mean.max())[:, 0]
            whole = Block(magnitude, first=0, last=count, before=0, total=count)
            self._style = self._statistics(tuple(value.double() for value in self.sums(whole)))
        self._scales = [
            _ALIKE * scale * max(values.numel(), 1) ** 0.5
            for scale, values in zip(_SCALES, self._style, strict=True)
        ]

    def start_from(self, content: Iterable[Block]) -> TextureLoss:
        """Set the scale so that the content, given by all its blocks, has the distance 1; return this term."""
        totals: list[Sums] | None = None
        with torch.no_grad():
            for block in content:
                totals = add(totals, [self.sums(block)])
            if totals is not None:
                theirs = self._statistics(totals[0])
                distances = [float((a - b).norm()) for a, b in zip(theirs, self._style, strict=True)]
                self._scales = [max(*both) for both in zip(self._scales, distances, strict=True)]
        return self

    @property
    def context(self) -> int:
        """Half the length of the slowest filter."""
        return max((octave.shape[-1] // 2 for octave, _ in self._octaves), default=0)

    def renew(self, generator: torch.Generator) -> None:
        """Nothing here is random."""

    def _envelopes(self, power: Tensor) -> Tensor:
        """Compressed [bands, frames], of squared magnitudes [frames, bins]."""
        return (self._bands @ power.mT + _FLOOR) ** (0.5 * COMPRESSION) - self._origin

    def sums(self, block: Block) -> Sums:
        """Of the envelopes: frames, powers one, three and four, products of bands; the same products in each octave."""
        reach = self.context
        first, last = max(block.first - reach, 0), min(block.last + reach, block.total)
        envelope = self._envelopes(block.power[block.within(first, last)])
        core = envelope[:, block.first - first : block.last - first]
        square = core.square()
        products, counts = [], []
        for octave, stride in self._octaves:
            # A filter's output stands at its middle; near the sound's ends it has none. Which places count does not
            # depend on where blocks begin.
            half = octave.shape[-1] // 2
            start, end = -(-max(block.first, half) // stride) * stride, min(block.last, block.total - half)
            counts.append(float(max(-(-(end - start) // stride), 0)))
            if end <= start:
                products.append(core.new_zeros(core.shape[0], core.shape[0]))
                continue
            seen = envelope[:, start - half - first : end + half - first]
            # A product of matrices: PyTorch's convolution of single channels takes several times as long.
            passed = (seen.unfold(1, octave.shape[-1], stride) @ octave.mT).flatten(1)
            products.append(passed @ passed.mT)
        return (
            core.new_tensor([float(core.shape[-1]), *counts]),
            core.sum(dim=-1),
            (square * core).sum(dim=-1),
            square.square().sum(dim=-1),
            core @ core.mT,
            torch.stack(products) if products else core.new_zeros(0, core.shape[0], core.shape[0]),
        )

    def loss(self, sums: Sums) -> Tensor:
        """0 at the style's own statistics; 1 at the content's, where these are not all but the style's."""
        parts = [
            (ours - style).norm() / scale
            for ours, style, scale in zip(self._statistics(sums), self._style, self._scales, strict=True)
            if style.numel()
        ]
        return torch.stack(parts).mean()

    def _statistics(self, sums: Sums) -> tuple[Tensor, ...]:
        """Variation, skewness, kurtosis, correlation, modulation power and its correlation, of the bands heard."""
        counts, first, third, fourth, products, passed = sums
        heard = self._heard
        first, third, fourth = first[heard] / counts[0], third[heard] / counts[0], fourth[heard] / counts[0]
        products = products[heard][:, heard] / counts[0]
        second = products.diagonal()
        deviation = (second - first.square()).clamp_min(1e-10).sqrt()
        # Central moments from those about the origin.
        skewness = (third - 3.0 * first * second + 2.0 * first**3) / deviation**3
        kurtosis = fourth - 4.0 * first * third + 6.0 * first.square() * second - 3.0 * first**4
        correlation = (products - torch.outer(first, first)) / torch.outer(deviation, deviation)
        passed = passed[:, heard][:, :, heard] / counts[1:, None, None].clamp_min(1.0)
        power = passed.diagonal(dim1=1, dim2=2)
        roots = (power + 1e-12).sqrt()
        return (
            deviation / (first + self._origin[heard, 0]),
            skewness.asinh(),
            (kurtosis / deviation**4).clamp_min(1.0).log(),
            correlation,
            # Roots of shares; the small addend gives a band that does not move at this rate a slope.
            (power / deviation.square() + 1e-4).sqrt(),
            passed / (roots[:, :, None] * roots[:, None, :]),
        )


def _octave_filters(frame_rate: float, frames: int) -> list[tuple[Tensor, int]]:
    """Even and odd filter [2, length] of each octave, periods under a Hann window, of no mean and unit energy.

    And the places from one output that counts to the next: a slow filter's output says little new from frame to frame.
    """
    found = []
    for hertz in OCTAVES:
        length = max(int(min(2.0 / hertz, LONGEST) * frame_rate) // 2 * 2 + 1, 5)
        # Of frames further apart, only the slower octaves show.
        if length > frames or hertz >= 0.45 * frame_rate:
            continue
        phase = 2.0 * torch.pi * hertz / frame_rate * (torch.arange(length) - (length - 1) / 2)
        window = torch.hann_window(length + 2, periodic=False)[1:-1]
        pair = window * torch.stack([phase.cos(), phase.sin()])
        pair -= pair.mean(dim=-1, keepdim=True)
        found.append((pair / pair.norm(dim=-1, keepdim=True), max(1, length // 8)))
    return found
