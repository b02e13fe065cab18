"""The interface of losses for tracks of any length: functions of sums over time.

A Gram matrix is a sum over frames, and so are all other statistics here. The gradient of a whole track then needs no
more memory than that of a block. A first pass adds up the sums of all blocks, which give the loss and its gradient with
respect to these few numbers. In a second pass each block carries that gradient, which is the same for all, back to its
own frames. Nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ...dsp.stft import compress

Sums = tuple[Tensor, ...]


@dataclass(frozen=True)
class Block:
    """Some frames of a sound at the reference level: the core, and the frames around it that exist.

    Attributes:
        magnitude: Tensor [frames of the block, bins]: a leaf, which gradients flow to
        first, last: the core's first frame and the one after its last, counted in the sound
        before: frames of the block before the core
        total: frames of the sound
    """

    magnitude: Tensor
    first: int
    last: int
    before: int
    total: int

    @cached_property
    def current(self) -> Tensor:
        """Log-magnitudes [bins, frames of the block]."""
        return compress(self.magnitude.mT)

    @cached_property
    def power(self) -> Tensor:
        """Squared magnitudes [frames of the block, bins]; one for all terms."""
        return self.magnitude.square()

    def within(self, first: int, last: int) -> slice:
        """The positions of the sound's frames `first` to `last` - 1 in this block."""
        shift = self.before - self.first
        return slice(first + shift, last + shift)


class Loss(Protocol):
    """One loss. Each sum must count every frame exactly once: sums are over the core, the rest is context."""

    @property
    def context(self) -> int:
        """Frames on each side of the core that the sums need; beyond the sound's ends there are none."""

    def renew(self, generator: torch.Generator) -> None:
        """Draw what is random; called before every step."""

    def sums(self, block: Block) -> Sums:
        """The sums of this block, to be added up; differentiable with respect to its magnitudes."""

    def loss(self, sums: Sums) -> Tensor:
        """The loss, a scalar, of the sums of the whole sound, which are of float64."""


@dataclass(frozen=True)
class Weighted:
    """A term with its name and weight."""

    name: str
    term: Loss
    weight: float


def add(totals: list[Sums] | None, sums: Sequence[Sums]) -> list[Sums]:
    """Totals with one more block's sums, in float64."""
    if totals is None:
        return [tuple(value.detach().double() for value in one) for one in sums]
    return [
        tuple(total + value.detach() for total, value in zip(old, new, strict=True))
        for old, new in zip(totals, sums, strict=True)
    ]


def losses_and_slopes(
    terms: Sequence[Weighted], totals: Sequence[Sums]
) -> tuple[dict[str, float], list[Sums]]:
    """Each term's loss, unweighted, and the gradient of their weighted sum with respect to the totals, float32."""
    leaves = [tuple(value.clone().requires_grad_() for value in one) for one in totals]
    losses = [one.term.loss(sums) for one, sums in zip(terms, leaves, strict=True)]
    flat = [value for one in leaves for value in one]
    whole = torch.stack([one.weight * loss for one, loss in zip(terms, losses, strict=True)]).sum()
    slopes = iter(torch.autograd.grad(whole, flat, allow_unused=True))
    grouped = [
        tuple(torch.zeros_like(v).float() if (g := next(slopes)) is None else g.float() for v in one)
        for one in leaves
    ]
    return {one.name: float(loss.detach()) for one, loss in zip(terms, losses, strict=True)}, grouped


def carry_back(sums: Sequence[Sums], slopes: Sequence[Sums]) -> None:
    """Back-propagate the gradient of the totals through one block's sums."""
    parts = [
        (value * slope.to(value.dtype)).sum()
        for one, given in zip(sums, slopes, strict=True)
        for value, slope in zip(one, given, strict=True)
        if value.requires_grad
    ]
    # Of one number: with a gradient given for each value, PyTorch would first import sympy, which takes two seconds.
    torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]
