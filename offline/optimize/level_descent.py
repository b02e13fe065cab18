"""Levels of bands on their way to a style's statistics in time.

A map of single frames knows nothing of how one frame follows another. It leaves a sound's bands with the style's mean,
covariance and distribution, but with the content's rates of movement, and where the style is steady it flattens the
content's attacks. Here the levels are optimised, by losses of the default recipe that see bands in place of bins: Gram
matrices of fresh random networks and the statistics of envelopes on the style's side; band envelopes, onsets and
loudness on the content's. These are 40 numbers a frame and no phase, so a step costs a hundredth of one on the sound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from ...dsp.stft import S0, expand
from ...media.spool import Spool
from ..work.block_pool import BlockPool, blocks
from .content_loss import ContentLoss, LoudnessLoss
from .descent import adam
from .losses import Block, Sums, Weighted, add, carry_back, losses_and_slopes
from .optimizer_state import Overlapping, SamplesOnDisk
from .style_loss import StyleLoss
from .texture_loss import TextureLoss

# Frames of one block, and the most frames of which everything is kept between the two passes of a step.
BLOCK = 2048
_HELD = 32768
_KERNELS = (1, 3, 7, 11, 15)
_FILTERS = 32
_RANK = 16
_RATE = 0.1
_EPSILON = 1e-5
_TEXTURE, _CONTENT, _LOUDNESS = 1.0, 0.3, 0.3


@dataclass(frozen=True)
class Levels:
    """Log-magnitudes of a track's bands.

    Attributes:
        wanted: Spool [bands, frames], where the descent starts; changed in place
        content: Spool [bands, frames], the content's
        sounds: Spool [1, frames], 0 where the content rests and nothing shall sound
        style: Tensor [bands, frames of its own], the style's
        weights: Tensor [bands], how much the square of each level counts in the loudness
    """

    wanted: Spool
    content: Spool
    sounds: Spool
    style: Tensor
    weights: Tensor


def descend(
    levels: Levels,
    *,
    steps: int,
    frame_rate: float,
    generator: torch.Generator,
    workers: BlockPool,
    folder: Path,
    on_block: Callable[[], None] = lambda: None,
) -> None:
    """Move the levels wanted, in place.

    Args:
        levels: of the track
        steps: how many
        frame_rate: Hz
        generator: draws the networks, on the CPU
        workers: work on the blocks
        folder: for temporary files
        on_block: called after each block of each step
    """
    every = _terms(levels, frame_rate=frame_rate)
    state = _State(levels, folder)
    ranges = blocks(state.frames, BLOCK)
    for step in range(1, steps + 1):
        # The statistics of envelopes cost most, and are the same at every step.
        terms = [one for one in every if one.name != "texture" or step % 2]
        for one in terms:
            one.term.renew(generator)
        state.differentiate(terms, workers)
        rate = _RATE * min(1.0, 2.0 * (1.0 - (step - 1) / steps))
        for _ in workers.in_order(partial(state.step, rate=rate, number=step), ranges):
            on_block()
    for first, last in ranges:
        levels.wanted.write(first, state.present(first, last).mT.cpu().numpy())
    state.close()


class _State:
    """Shifts of the levels, Adam's two moments of each, and their gradient, in files."""

    def __init__(self, levels: Levels, folder: Path) -> None:
        self._levels, self._device = levels, levels.style.device
        self._bands, self.frames = levels.wanted.channels, levels.wanted.length
        self._highest = levels.style.amax(dim=1)
        self._files = [
            Spool.create(folder / name, channels=rows, length=self.frames)
            for name, rows in (("shifts.spool", 3 * self._bands), ("shift-slopes.spool", self._bands))
        ]
        self._values, self._slopes = (SamplesOnDisk(file, device=self._device) for file in self._files)

    def close(self) -> None:
        """Remove the files."""
        for file in self._files:
            file.path.unlink()

    def _read(self, spool: Spool, first: int, last: int) -> Tensor:
        return torch.from_numpy(spool.read(first, last)).to(self._device)

    def present(self, first: int, last: int) -> Tensor:
        """The shifted levels of some frames, [frames, bands]: between 0 and the style's largest."""
        shifts = self._values.read(first, last)[: self._bands]
        shifts *= self._read(self._levels.sounds, first, last)
        shifts += self._read(self._levels.wanted, first, last)
        return torch.minimum(shifts.mT.clamp_(min=0.0), self._highest)

    def differentiate(self, terms: list[Weighted], workers: BlockPool) -> None:
        """The gradient of the weighted sum of the terms, with respect to the levels."""
        context = max(one.term.context for one in terms)
        held: dict[int, tuple[Block, list[Sums]]] = {}

        def see(first: int, last: int) -> tuple[Block, list[Sums]]:
            begin, end = max(first - context, 0), min(last + context, self.frames)
            magnitude = expand(self.present(begin, end)).requires_grad_()
            with torch.enable_grad():
                block = Block(magnitude, first=first, last=last, before=first - begin, total=self.frames)
                return block, [one.term.sums(block) for one in terms]

        def measure(first: int, last: int) -> list[Sums]:
            block, sums = see(first, last)
            if self.frames <= _HELD:
                held[first] = block, sums
            return sums

        ranges = blocks(self.frames, BLOCK)
        totals: list[Sums] | None = None
        for sums in workers.in_order(measure, ranges):
            totals = add(totals, sums)
        assert totals is not None
        targets = losses_and_slopes(terms, totals)[1]

        def back(first: int, last: int) -> tuple[int, Tensor]:
            block, sums = held.pop(first) if first in held else see(first, last)
            carry_back(sums, targets)
            slope = block.magnitude.grad
            assert slope is not None
            # From magnitudes to their logarithms.
            return first - block.before, (slope * (block.magnitude.detach() + S0)).mT.contiguous()

        joined = Overlapping(self._slopes)
        for start, slope in workers.in_order(back, ranges):
            joined.add(start, slope)
        joined.close()

    def step(self, first: int, last: int, rate: float, number: int) -> None:
        """Take a step of Adam with some frames."""
        values = self._values.read(first, last)
        slopes = self._slopes.read(first, last)
        slopes *= self._read(self._levels.sounds, first, last)
        shifts, means, squares = torch.tensor_split(values, 3)
        adam(shifts, means, squares, slopes, rate, number, _EPSILON / self.frames)
        self._values.write(first, values)


def _terms(levels: Levels, *, frame_rate: float) -> list[Weighted]:
    style, frames, count = levels.style, levels.content.length, levels.content.channels
    same = torch.eye(count)

    def logs(first: int, last: int) -> Tensor:
        return torch.from_numpy(levels.content.read(first, last)).to(style.device)

    def consecutive() -> Iterator[Tensor]:
        for first, last in blocks(frames, BLOCK):
            yield expand(logs(max(first - 1, 0), last))

    def surrounded(context: int) -> Iterator[Block]:
        for first, last in blocks(frames, BLOCK):
            begin = max(first - context, 0)
            magnitude = expand(logs(begin, min(last + context, frames))).mT
            yield Block(magnitude, first=first, last=last, before=first - begin, total=frames)

    length = min(frames, BLOCK)
    runs = [logs(first, first + length) for first in {0, (frames - length) // 2, frames - length}]
    networks = StyleLoss(runs, style, frames=frames, kernels=_KERNELS, filters=_FILTERS, rank=_RANK)
    texture = TextureLoss(style, frames=frames, frame_rate=frame_rate, bands=same)
    events = ContentLoss(consecutive(), frames=frames, bands=same, device=style.device)
    loudness = LoudnessLoss(consecutive(), frames=frames, weights=levels.weights)
    return [
        Weighted("style", networks, 1.0),
        Weighted("texture", texture.start_from(surrounded(texture.context)), 2.0 * _TEXTURE),
        Weighted("content", events, _CONTENT),
        Weighted("loudness", loudness, _LOUDNESS),
    ]
