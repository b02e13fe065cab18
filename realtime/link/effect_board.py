"""What an engine process tells of the effects in its chain while they work, so that a dead one's last can be named."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING

from ...plugins.effects import MAX_EFFECTS

if TYPE_CHECKING:
    from .memory_types import Doubles


@dataclass(frozen=True)
class EffectBoard:
    """Shared memory. Passed to the engine process when it is spawned.

    Attributes:
        out: for each effect, 1 if it is not to be used any more; shared by all engine processes of one host. Whoever
            finds that it fails sets it, and nobody clears it.
        working: the effect that works just now, counted from 1, 0 for none; how often one has begun; and whether it
            is being loaded, which may take a while
        seconds: of work, for each effect
        load: of one core, for each effect, over about the last second
        latency: samples, for each effect
        added: for each effect that was added while it played: 1 when it is in the chain, -1 if it cannot be; and,
            behind them, the effect that is being loaded for that, counted from 1
    """

    out: Doubles
    working: Doubles
    seconds: Doubles
    load: Doubles
    latency: Doubles
    added: Doubles

    @classmethod
    def new(cls, context: SpawnContext, out: Doubles) -> EffectBoard:
        """Return the memory of one more engine process."""
        made = [context.RawArray(ctypes.c_double, size) for size in (3, *(MAX_EFFECTS,) * 3, MAX_EFFECTS + 1)]
        return cls(out, *made)

    @classmethod
    def none_out(cls, context: SpawnContext) -> Doubles:
        """Return the cells that all engine processes of a host share."""
        return context.RawArray(ctypes.c_double, MAX_EFFECTS)

    @property
    def culprit(self) -> int | None:
        """The place of the effect that worked when the process was looked at; None if none did."""
        place = int(self.working[0] or self.added[MAX_EFFECTS])
        return place - 1 if place else None
