"""The steps of an optimisation of a whole sound, block by block.

Blocks exchange the sound's samples and their gradient, in memory or in files. A step takes three passes over the
blocks:

1. samples to spectrogram to the sums that the losses are functions of (`offline.optimize.losses`), added up;
2. the gradient of these sums back to the samples; of sounds that are held in memory, what the first pass computed is
   still there, and is not computed again;
3. from the gradient of the samples to that of gains and turns (phase rotations), Adam's step, and the new samples.

Blocks overlap in the samples that they read and in those that they add to, so every gradient is that of the whole
sound, up to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...dsp.frames import Framing
from ..work.block_pool import BlockPool, blocks
from .losses import Block, Sums, Weighted, add, carry_back, losses_and_slopes
from .loudness_normalisation import LoudnessNormalisation
from .optimizer_state import OptimizerState, Overlapping, Samples

_BETAS = 0.9, 0.99
# Of a whole sound's gradient each frame has its share: what Adam adds to the root of its square shrinks as well.
_EPSILON = 1e-5


@dataclass(frozen=True)
class Step:
    """Adam's next step (Kingma and Ba 2015, algorithm 1): its number, from 1, and its sizes for gains and turns."""

    number: int
    gain: float
    turn: float

    def take(self, values: Tensor, slopes: Sequence[Tensor], epsilon: float) -> None:
        """Change the values of an `OptimizerState` by the slopes of gains and turns; in place."""
        for which, (slope, rate) in enumerate(zip(slopes, (self.gain, self.turn), strict=True)):
            moments = values[2 + 2 * which], values[3 + 2 * which]
            adam(values[which], *moments, slope, rate, self.number, epsilon)


def adam(
    value: Tensor, mean: Tensor, square: Tensor, slope: Tensor, rate: float, number: int, epsilon: float
) -> None:
    """Take Adam's step of this number, from 1, and rate; in place. `mean` and `square` are the slopes' moments."""
    first, second = (1.0 - beta**number for beta in _BETAS)
    mean.lerp_(slope, 1.0 - _BETAS[0])
    square.mul_(_BETAS[1]).addcmul_(slope, slope, value=1.0 - _BETAS[1])
    # The corrections of both moments taken together: one factor for all.
    scale = square.sqrt().add_(epsilon * second**0.5)
    value.addcdiv_(mean, scale, value=-rate * second**0.5 / first)


@dataclass
class _Seen:
    """What the first pass over a block computed."""

    spectrum: Tensor
    block: Block
    sums: list[Sums]


@dataclass(frozen=True)
class Sound:
    """The sounds of an optimisation.

    Attributes:
        start: the first sound
        present: the start with the present gains and turns
        slopes: the gradient with respect to `present`, the level held fixed
        level: the gradient of the logarithm of its level
    """

    start: Samples
    present: Samples
    slopes: Samples
    level: Samples


class Descent:
    """The optimisation of one sound.

    Args:
        framing: the sound's frames
        sound: its samples
        unknowns: its gains, turns and moments
        loudness: holds it at the reference level
        pool: works on the blocks
        block: frames of one
        held: whether what is computed of all blocks may stay in memory

    Attributes:
        blocks: first frame, and the one after the last, of each
    """

    def __init__(
        self,
        framing: Framing,
        sound: Sound,
        unknowns: OptimizerState,
        loudness: LoudnessNormalisation,
        pool: BlockPool,
        *,
        block: int,
        held: bool,
    ) -> None:
        self._framing, self._sound, self._unknowns = framing, sound, unknowns
        self.loudness, self._pool, self._held = loudness, pool, held
        self.blocks = blocks(framing.frames, block)
        # Of each block, where they are held: the start's spectrum, and the factors e^{g + iφ}.
        self._bases: dict[int, Tensor] = {}
        self._turned: dict[int, Tensor] = {}
        # The weighted power of each frame, as the last pass over them heard it.
        self._heard = torch.zeros(framing.frames, device=loudness.weights.device)
        # d loss / d log(level).
        self._level_slope = 0.0

    @torch.no_grad()
    def synthesise(self, step: Step | None = None) -> None:
        """Take a step along the gradient, if one is given, and compute the new sound."""

        def work(first: int, last: int) -> tuple[int, Tensor]:
            spectrum = self._base(first, last)
            values = self._unknowns.load(first, last)
            if step is not None:
                turned = self._turned.pop(first) if self._held else _turned(values)
                slopes = self._slopes_of(turned, spectrum, first, last)
                step.take(values, slopes, _EPSILON / self._framing.frames)
                self._unknowns.save(first, values)
            turned = _turned(values)
            if self._held:
                self._turned[first] = turned
            return self._framing.span(first, last)[0], self._framing.synthesise(spectrum * turned, first)

        joined = Overlapping(self._sound.present)
        for start, samples in self._pool.in_order(work, self.blocks):
            joined.add(start, samples)
        joined.close()

    @torch.no_grad()
    def measure_loudness(self) -> None:
        """Measure the loudness that the next step takes for that of the sound."""

        heard = self._heard

        def work(first: int, last: int) -> None:
            heard[first:last] = self._measure(first, last, 0)[2]

        for _ in self._pool.in_order(work, self.blocks):
            pass
        self.loudness.update(heard)

    @torch.no_grad()
    def slopes(self, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Gradient of the gains and turns of a block, both [frames, bins], after `differentiate`."""
        turned = _turned(self._unknowns.load(first, last))
        return self._slopes_of(turned, self._base(first, last), first, last)

    def _slopes_of(self, turned: Tensor, base: Tensor, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Gradient of gains and turns, both [frames, bins].

        With Z = B e^{g + iφ} and the gradient D of Z: dL/dg = Re(D* Z) and dL/dφ = -Im(D* Z), summed over channels.
        """
        span = self._framing.span(first, last)
        samples = self._sound.slopes.read(*span) - self._level_slope * self._sound.level.read(*span)
        spectrum = self._framing.synthesise_adjoint(samples, first)
        products = torch.conj_physical(spectrum, out=spectrum).mul_(base)
        product = products[0]
        for channel in products[1:]:
            product += channel
        product *= turned
        return product.real.contiguous(), -product.imag

    def differentiate(self, terms: Sequence[Weighted]) -> dict[str, float]:
        """Each term's loss; the gradient of their weighted sum with respect to the samples is kept.

        Magnitudes are divided by the level, which grows with them. So the gradient of the logarithm of the level, times
        the derivative of the loss by it, is subtracted from the gradient at a fixed level. This removes the direction
        in which the sound only grows louder.
        """
        totals: list[Sums] | None = None
        seen: dict[int, _Seen] = {}
        context = max(one.term.context for one in terms)

        heard = self._heard

        def measure(first: int, last: int) -> list[Sums]:
            with torch.no_grad():
                spectrum, block, heard[first:last] = self._measure(first, last, context)
            with torch.set_grad_enabled(self._held):
                sums = [one.term.sums(block) for one in terms]
            if self._held:
                seen[first] = _Seen(spectrum, block, sums)
            return sums

        for sums in self._pool.in_order(measure, self.blocks):
            totals = add(totals, sums)
        assert totals is not None
        losses, slopes = losses_and_slopes(terms, totals)
        loud = self.loudness.mean(heard)

        def back(first: int, last: int) -> tuple[tuple[int, Tensor], tuple[int, Tensor], float]:
            if self._held:
                one = seen.pop(first)
            else:
                with torch.no_grad():
                    spectrum, block, _ = self._measure(first, last, context)
                with torch.enable_grad():
                    one = _Seen(spectrum, block, [each.term.sums(block) for each in terms])
            carry_back(one.sums, slopes)
            with torch.no_grad():
                # The second spoils the spectrum.
                return self._level_back(one, loud), *self._back(one)

        joined, joined_level = Overlapping(self._sound.slopes), Overlapping(self._sound.level)
        self._level_slope = 0.0
        for of_level, of_samples, level_slope in self._pool.in_order(back, self.blocks):
            joined.add(*of_samples)
            joined_level.add(*of_level)
            self._level_slope += level_slope
        joined.close()
        joined_level.close()
        self.loudness.update(heard)
        return losses

    def _measure(self, first: int, last: int, context: int) -> tuple[Tensor, Block, Tensor]:
        """Spectrum [channels, frames, bins] of a block, its magnitudes, and the power of the core's frames."""
        begin, end = max(first - context, 0), min(last + context, self._framing.frames)
        spectrum = self._framing.analyse(self._sound.present.read(*self._framing.span(begin, end)))
        # The root has no slope at zero: a floor far below what counts as silence keeps gradients finite.
        power = mean_power(spectrum).add_(1e-16)
        heard = power[first - begin : last - begin] @ self.loudness.weights
        magnitude = power.sqrt_().mul_(self.loudness.factor).requires_grad_()
        block = Block(magnitude, first=first, last=last, before=first - begin, total=self._framing.frames)
        return spectrum, block, heard

    def _back(self, seen: _Seen) -> tuple[tuple[int, Tensor], float]:
        """Where a block's samples begin and their gradient; and the gradient of the logarithm of the level.

        With M = c (Σ |X|² / C)^{1/2} over C channels: dL/dX = dL/dM c² X / (C M).
        """
        block, spectrum = seen.block, seen.spectrum
        slope = block.magnitude.grad
        assert slope is not None
        level_slope = float((slope * block.magnitude).sum(dtype=torch.float64))
        slope.div_(block.magnitude).mul_(self.loudness.factor**2 / spectrum.shape[0])
        spectrum.mul_(slope)
        start = self._framing.span(block.first - block.before, block.last)[0]
        return (start, self._framing.analyse_adjoint(spectrum)), level_slope

    def _level_back(self, seen: _Seen, power: float) -> tuple[int, Tensor]:
        """Where the core's samples begin, and the gradient of log(level) = log(Σ γ_t k_b |X_tb|² / C) / 2 there.

        Args:
            seen: the block
            power: the whole sound's Σ γ_t k_b |X_tb|² / C
        """
        block = seen.block
        spectrum = seen.spectrum[:, block.within(block.first, block.last)]
        shares = self.loudness.gates[block.first : block.last, None] * self.loudness.weights
        slope = spectrum * shares.mul_(1.0 / (power * spectrum.shape[0]))
        return self._framing.span(block.first, block.last)[0], self._framing.analyse_adjoint(slope)

    def _base(self, first: int, last: int) -> Tensor:
        """Spectrum [channels, frames, bins] of the start."""
        if first in self._bases:
            return self._bases[first]
        spectrum = self._framing.analyse(self._sound.start.read(*self._framing.span(first, last)))
        if self._held:
            self._bases[first] = spectrum
        return spectrum


def _turned(values: Tensor) -> Tensor:
    """Factors e^{g + iφ} [frames, bins] of gains and turns."""
    size, turn = values[0].exp(), values[1]
    turned = torch.empty_like(size, dtype=torch.complex64)
    parts = torch.view_as_real(turned)
    # Faster than torch.polar.
    torch.mul(turn.cos(), size, out=parts[..., 0])
    torch.mul(turn.sin(), size, out=parts[..., 1])
    return turned


def mean_power(spectrum: Tensor) -> Tensor:
    """Mean over channels of |X|², [channels, frames, bins] to [frames, bins]."""
    parts = torch.view_as_real(spectrum)
    squares = parts[0] * parts[0]
    for channel in parts[1:]:
        squares.addcmul_(channel, channel)
    return squares[..., 0].add(squares[..., 1]).div_(spectrum.shape[0])
