"""The style of a sound wherever its notes stand: Gram matrices of networks that slide along frequency as well.

Networks whose channels are bins know absolute frequencies only: to them, a style in D *is* the notes of D, and the
content's own notes are its enemy. Here the spectrogram has a logarithmic frequency axis, and two-dimensional kernels
slide over time and frequency alike. In each octave z the Gram matrix is a mean over time and over the places in it,

    G_z = Σ_{t, b in z} f(t, b) f(t, b)ᵀ / (T |z|),

which forgets where a pattern stands and keeps what it is: colour (octave by octave), grain, noisiness, the spacing of
partials. A sound that is moved by some semitones has nearly the same G.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...dsp.stft import compress, expand
from ...models.gram import Moments
from .losses import Block, Sums
from .style_loss import mean_distance

BINS_PER_OCTAVE = 24
OCTAVES = 8
LOWEST_HZ = 55.0
# Kernels: along frequency in 24ths of an octave, along time in frames. A network has one size of each, and as many
# kernels of each; every one along frequency with every one along time is a filter.
WIDTHS = (5, 9, 15)
LENGTHS = (1, 3, 7, 11, 15)
ACROSS, ALONG = 8, 6
# Every other place in time and frequency tells nearly as much as all of them; each step draws anew which ones.
_STRIDE = 2
# Places next to each other whose patterns one product of matrices gives.
_TOGETHER = 8
# Places in time that are enough to know a style by.
_ENOUGH = 512


class PatternLoss:
    """Style distance on shift-invariant networks that are drawn afresh at every step.

    Args:
        content: Tensors [bins, frames of each], log-magnitudes: runs of frames of the content. The loss is relative to
            their distance from the style
        style: Tensor [bins, frames of its own], log-magnitudes
        frames: of the sound that is optimised; longer kernels than that see all of it
        highest: Hz, of the last bin
    """

    def __init__(self, content: Sequence[Tensor], style: Tensor, *, frames: int, highest: float) -> None:
        self._basis = log_frequency_basis(style.shape[0], highest=highest).to(style.device)
        self._octaves = len(self._basis) // BINS_PER_OCTAVE
        self._lengths = [min(length, frames) for length in LENGTHS]
        self._content = [self._levels(expand(run).mT.square()) for run in content]
        self._style = self._levels(expand(style).mT.square())
        self._phase, self._place = 0, 0
        self._across = self._along = torch.zeros(0)
        self._references: tuple[list[Moments], list[Moments]] | None = None

    @property
    def context(self) -> int:
        """Half of the present kernels' length: a pattern stands at the middle of the frames that it sees."""
        return self._along.shape[-1] // 2

    def renew(self, generator: torch.Generator) -> None:
        """Draw kernels, and which places count."""

        def one(count: int) -> int:
            return int(torch.randint(count, (1,), generator=generator))

        width, length = WIDTHS[one(len(WIDTHS))], self._lengths[one(len(self._lengths))]
        self._phase, self._place = one(_STRIDE), one(_STRIDE)
        across = torch.randn(ACROSS, width, generator=generator) / width**0.5
        along = torch.randn(ALONG if length > 1 else 1, 1, length, generator=generator) / length**0.5
        together = torch.stack(
            [functional.pad(across, (_STRIDE * i, _STRIDE * (_TOGETHER - 1 - i))) for i in range(_TOGETHER)]
        )
        self._across, self._along = together.flatten(0, 1).to(self._style), along.to(self._style)
        with torch.no_grad():
            runs = [self._features(run) for run in self._content if run.shape[-1] >= length]
            if not runs:
                runs = [self._features(self._content[0])]
            content = tuple(torch.stack(values).double().sum(dim=0) for values in zip(*runs, strict=True))
            stride = max(_STRIDE, self._style.shape[-1] // _ENOUGH)
            style = tuple(value.double() for value in self._features(self._style, stride))
        self._references = _moments(content), _moments(style)

    def _levels(self, power: Tensor) -> Tensor:
        """Log-magnitudes [24ths of an octave, frames] of squared magnitudes [frames, bins]."""
        return compress((self._basis @ power.mT + 1e-12).sqrt())

    def _features(self, levels: Tensor, stride: int = _STRIDE) -> Sums:
        """Sums over time and the places in each octave: products and values, linear and rectified; and how many."""
        along, width = self._along, self._across.shape[-1] - _STRIDE * (_TOGETHER - 1)
        levels = levels[self._place :]
        places = (len(levels) - width) // _STRIDE + 1
        groups = -(-places // _TOGETHER)
        below = _STRIDE * (groups * _TOGETHER - 1) + width - len(levels)
        levels = functional.pad(levels, (0, max(0, along.shape[-1] - levels.shape[-1]), 0, max(0, below)))
        # Along time first, which leaves fewer rows; then across, as products of matrices of some places together.
        moved = functional.conv1d(levels[:, None], along, stride=stride)
        seen = moved.flatten(1).unfold(0, self._across.shape[-1], _STRIDE * _TOGETHER)[:groups].mT
        features = (self._across @ seen).reshape(groups * _TOGETHER, -1, moved.shape[-1])[:places]
        rectified = features.relu()
        # A pattern is in the octave in which its middle is.
        middle = self._place + width // 2
        edges = [
            min(max(-(-(octave * BINS_PER_OCTAVE - middle) // _STRIDE), 0), places)
            for octave in range(self._octaves)
        ]
        octave_ends = list(pairwise([*edges, places]))

        def octaves(values: Tensor) -> Tensor:
            return torch.stack([values[first:last].sum(dim=0) for first, last in octave_ends])

        return (
            octaves(_products(features)),
            octaves(features.sum(dim=-1)),
            octaves(_products(rectified)),
            octaves(rectified.sum(dim=-1)),
            levels.new_tensor([float(last - first) * moved.shape[-1] for first, last in octave_ends]),
        )

    def sums(self, block: Block) -> Sums:
        """Of the patterns whose middle lies in the core."""
        length = self._along.shape[-1]
        before = (length - 1) // 2
        after = length - 1 - before
        first, last = max(block.first, before), min(block.last, block.total - after)
        # Which frames count does not depend on where blocks begin.
        first += (self._phase - first) % _STRIDE
        if last <= first:
            count = ACROSS * len(self._along)
            zero = block.magnitude.new_zeros(self._octaves, count)
            gram = zero[:, :, None] * zero[:, None]
            return gram, zero, gram, zero, zero[:, 0]
        return self._features(self._levels(block.power[block.within(first - before, last + after)]))

    def loss(self, sums: Sums) -> Tensor:
        """0 at the style's own statistics, 1 at the content's."""
        assert self._references is not None
        return mean_distance(_moments(sums), *self._references)


class _Products(torch.autograd.Function):
    """F Fᵀ of features [places, filters, frames], [places, filters, filters]; one product on the way back, not two."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        """See above."""
        ctx.save_for_backward(features)
        return features @ features.mT

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        """(S + Sᵀ) F."""
        (features,) = ctx.saved_tensors
        back: Tensor = (slope + slope.mT) @ features
        return back


def _products(features: Tensor) -> Tensor:
    products: Tensor = _Products.apply(features)  # type: ignore[no-untyped-call]
    return products


def _moments(sums: Sums) -> list[Moments]:
    """Moments of linear and of rectified features, of all octaves."""
    linear, linear_mean, rectified, rectified_mean, count = sums
    number = count.clamp_min(1.0)[:, None]
    return [
        Moments(linear / number[..., None], linear_mean / number),
        Moments(rectified / number[..., None], rectified_mean / number),
    ]


def log_frequency_basis(bins: int, *, highest: float) -> Tensor:
    """Triangles [24 an octave, bins] on a logarithmic axis, each of unit sum, for the powers of bins.

    Each side is one and a half bins wide at least. Octaves that reach beyond `highest` Hz are left out, but not the
    first.
    """
    steps = torch.arange(-1, BINS_PER_OCTAVE * OCTAVES + 1, dtype=torch.float64)
    centres = LOWEST_HZ * 2.0 ** (steps / BINS_PER_OCTAVE) / highest * (bins - 1)
    octaves = max(1, int((centres[1:-1] < bins - 1).sum()) // BINS_PER_OCTAVE)
    centres = centres[: octaves * BINS_PER_OCTAVE + 2]
    places, middle = torch.arange(bins, dtype=torch.float64), centres[1:-1, None]
    below = (middle - centres[:-2, None]).clamp_min(1.5)
    above = (centres[2:, None] - middle).clamp_min(1.5)
    rising, falling = (places - middle + below) / below, (middle + above - places) / above
    triangles = torch.minimum(rising, falling).clamp_min(0.0)
    return (triangles / triangles.sum(dim=-1, keepdim=True)).float()
