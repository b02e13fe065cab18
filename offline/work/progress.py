"""The progress, losses and times of a render."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """How far a render has come."""

    stage: str
    step: int
    steps: int
    loss: float | None
    fraction: float


@dataclass(frozen=True)
class LossPoint:
    """Style loss at one step of one stage."""

    stage: str
    step: int
    loss: float


@dataclass
class ProgressLog:
    """Keeps the losses and the time of each stage, and reports progress to a listener.

    `shares` are the stages in order with the share of the whole time that each is expected to take.
    """

    shares: Mapping[str, float]
    listener: Callable[[Progress], None] | None
    losses: list[LossPoint] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _since: float = 0.0

    def begin(self, stage: str) -> None:
        """Close the stage before and open the next."""
        self.end()
        self._stage, self._since = stage, time.perf_counter()
        self.step(0, 1)

    def end(self) -> None:
        """Close the open stage."""
        if self._stage:
            spent = time.perf_counter() - self._since
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
            self._stage = ""

    def step(self, step: int, steps: int, loss: float | None = None) -> None:
        """Note one step of the open stage."""
        if loss is not None:
            self.losses.append(LossPoint(self._stage, step, loss))
        if self.listener is not None:
            names = list(self.shares)
            before = sum(self.shares[name] for name in names[: names.index(self._stage)])
            done = before + self.shares[self._stage] * step / max(steps, 1)
            self.listener(Progress(self._stage, step, steps, loss, done / sum(self.shares.values())))
