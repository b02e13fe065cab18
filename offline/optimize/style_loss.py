"""The style loss: Gram matrices of a fresh random network's features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ...models.gram import Moments
from .losses import Block, Sums


@dataclass(frozen=True)
class Sketch:
    """A random convolution of low rank: mix [rank, bins], then weight [filters, rank, kernel] over time.

    The product of two normal matrices replaces filters over all bins at a fraction of their cost. The filters of a
    sketch share its `rank` views of the spectrum; every sketch draws new views.
    """

    mix: Tensor
    weight: Tensor

    @property
    def kernel(self) -> int:
        """Frames that each filter sees."""
        return int(self.weight.shape[-1])

    def to(self, device: torch.device) -> Sketch:
        """The same sketch on a device."""
        return Sketch(self.mix.to(device), self.weight.to(device))

    def __call__(self, spectrogram: Tensor) -> Tensor:
        """Linear features [filters, frames - kernel + 1] of a spectrogram [bins, frames]."""
        # Frames in rows, as they lie in memory: the gradient comes back in the same order.
        mixed = (spectrogram.mT @ self.mix.mT).mT
        missing = self.kernel - mixed.shape[-1]
        if missing > 0:
            mixed = functional.pad(mixed, (0, missing))
        if self.kernel == 1:
            return self.weight[:, :, 0] @ mixed
        return functional.conv1d(mixed[None], self.weight)[0]


def draw_sketch(
    bins: int, kernels: Sequence[int], filters: int, rank: int, *, generator: torch.Generator
) -> Sketch:
    """Draw a sketch with one of the kernel sizes; scaled so that features have the scale of their input."""
    kernel = kernels[int(torch.randint(len(kernels), (1,), generator=generator))]
    mix = torch.randn(rank, bins, generator=generator) / bins**0.5
    weight = torch.randn(filters, rank, kernel, generator=generator) / (rank * kernel) ** 0.5
    return Sketch(mix, weight)


def feature_sums(features: Tensor) -> Sums:
    """F Fᵀ and Σ F over time, of features [filters, frames] and of their positive parts, and the number of frames."""
    count = torch.tensor(float(features.shape[-1]), device=features.device)
    positive = features.relu()
    return (
        features @ features.mT,
        features.sum(dim=-1),
        positive @ positive.mT,
        positive.sum(dim=-1),
        count,
    )


def _moments(sums: Sums) -> tuple[Moments, Moments]:
    """Moments of linear and of rectified features."""
    linear, linear_mean, rectified, rectified_mean, count = sums
    return Moments(linear / count, linear_mean / count), Moments(rectified / count, rectified_mean / count)


def relative_distance(ours: Sums, content: Sums, style: Sums) -> Tensor:
    """Mean of ‖G - G_style‖ / ‖G_content - G_style‖ over raw and centred, linear and rectified features.

    These are norms and not squares: a raw Gram matrix starts nearer to its target than a centred one, and squares would
    neglect it once its distance is small.

    Args:
        ours, content, style: from `feature_sums`
    """
    return mean_distance(_moments(ours), _moments(content), _moments(style))


def mean_distance(ours: Sequence[Moments], content: Sequence[Moments], style: Sequence[Moments]) -> Tensor:
    """The same of moments, of any number of networks."""
    terms: list[Tensor] = []
    for one, there, target in zip(ours, content, style, strict=True):
        for a, b, c in ((one.gram, there.gram, target.gram), (one.centred, there.centred, target.centred)):
            terms.append((a - c).norm() / (b - c).norm().clamp_min(1e-9))
    return torch.stack(terms).mean()


class StyleLoss:
    """Style distance on a network that is drawn afresh at every step; see `relative_distance`.

    Args:
        content: Tensors [bins, frames of each], log-magnitudes: runs of frames of the content. The loss is relative
            to their distance from the style; where they are not the whole content, only this scale is an estimate
        style: Tensor [bins, frames of its own], log-magnitudes
        frames: of the sound that is optimised; longer kernels than that see all of it
        kernels: sizes to draw from
        filters, rank: of the networks
    """

    def __init__(
        self,
        content: Sequence[Tensor],
        style: Tensor,
        *,
        frames: int,
        kernels: Sequence[int],
        filters: int,
        rank: int,
    ) -> None:
        self._content, self._style = content, style
        self._kernels = [min(kernel, frames) for kernel in kernels]
        self._filters, self._rank = filters, rank
        self._network: Sketch | None = None
        self._references: tuple[Sums, Sums] | None = None

    @property
    def context(self) -> int:
        """Half of the present network's kernel: a feature stands at the middle of the frames that it sees."""
        return self._drawn().kernel // 2

    def renew(self, generator: torch.Generator) -> None:
        """Draw a network."""
        drawn = draw_sketch(
            self._style.shape[0], self._kernels, self._filters, self._rank, generator=generator
        )
        self._network = network = drawn.to(self._style.device)
        with torch.no_grad():
            runs = [feature_sums(network(run)) for run in self._content if run.shape[-1] >= network.kernel]
            if not runs:
                runs = [feature_sums(network(self._content[0]))]
            content = tuple(torch.stack(values).double().sum(dim=0) for values in zip(*runs, strict=True))
            style = tuple(value.double() for value in feature_sums(network(self._style)))
        self._references = content, style

    def sums(self, block: Block) -> Sums:
        """Of the features whose middle lies in the core."""
        network = self._drawn()
        before = (network.kernel - 1) // 2
        after = network.kernel - 1 - before
        first, last = max(block.first, before), min(block.last, block.total - after)
        if last <= first:
            return feature_sums(torch.zeros(self._filters, 0, device=block.current.device))
        return feature_sums(network(block.current[:, block.within(first - before, last + after)]))

    def loss(self, sums: Sums) -> Tensor:
        """0 at the style's own statistics, 1 at the content's."""
        assert self._references is not None
        return relative_distance(sums, *self._references)

    def _drawn(self) -> Sketch:
        if self._network is None:
            raise RuntimeError("no network has been drawn: call renew first")
        return self._network
