"""The engine's side of `realtime.link.effect_board`: measures the effects, and names those that fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...plugins.effects import MAX_EFFECTS
from ..link.effect_board import EffectBoard

if TYPE_CHECKING:
    from ...plugins.slot import EffectSlot

#: Lines with this hold for the whole session.
TAKEN_OUT = "was taken out of the chain"
_LOAD_SECONDS = 1.0


class EffectWatch:
    """Watches the effects of one chain; see `plugins.slot.Watch`.

    Args:
        board: of this process
        effects: of the chain
    """

    def __init__(self, board: EffectBoard, effects: Sequence[EffectSlot]) -> None:
        self._board = board
        self._effects: dict[int, EffectSlot] = {}
        self._samples = [0] * MAX_EFFECTS
        self._before = [0.0] * MAX_EFFECTS
        self.sample_rate = 48_000
        #: called with a line for the user; kept until somebody listens
        self.say: Callable[[str], None] | None = None
        self._said: list[str] = []
        for place, slot in enumerate(effects):
            self.add(place, slot)

    def add(self, place: int, slot: EffectSlot) -> None:
        """Watch one more effect, number `place` of the settings."""
        self._effects[place] = slot
        slot.watched(self, place)

    @property
    def watching(self) -> bool:
        """Whether there is any effect."""
        return bool(self._effects)

    def slot(self, place: int) -> EffectSlot | None:
        """Return an effect of the chain; None where there is none of that number."""
        return self._effects.get(place)

    def listen(self, say: Callable[[str], None]) -> None:
        """Have `say` called with what there is to tell, from now on and so far."""
        self.say = say
        for line in self._said:
            say(line)
        self._said.clear()

    def enter(self, place: int, *, loading: bool = False) -> None:
        """An effect begins to work."""
        working = self._board.working
        working[1] += 1.0
        working[2] = float(loading)
        working[0] = place + 1.0

    def leave(self, place: int, seconds: float, samples: int) -> None:
        """It has ended."""
        board = self._board
        board.working[0] = 0.0
        if not samples:
            return
        board.seconds[place] += seconds
        self._samples[place] += samples
        if self._samples[place] >= _LOAD_SECONDS * self.sample_rate:
            done = board.seconds[place] - self._before[place]
            board.load[place] = done * self.sample_rate / self._samples[place]
            self._before[place], self._samples[place] = board.seconds[place], 0

    def is_out(self, place: int) -> bool:
        """Whether an effect is not to be used any more."""
        return self._board.out[place] != 0.0

    def take_out(self, place: int, reason: str) -> None:
        """An effect is not to be used any more."""
        if self._board.out[place]:
            # Another process has found it before, and said so.
            return
        self._board.out[place] = 1.0
        self.tell(failed_line(self._effects[place].title, reason))

    def tell(self, line: str) -> None:
        """Say something to the user."""
        if self.say is None:
            self._said.append(line)
        else:
            self.say(line)

    def publish(self) -> None:
        """Write down the latencies."""
        for place, slot in self._effects.items():
            self._board.latency[place] = slot.latency_samples
            if slot.out_of_chain:
                self._board.load[place] = 0.0


def failed_line(title: str, reason: str) -> str:
    """Return what a user is told of an effect that failed."""
    return f"{title} {TAKEN_OUT}: {' '.join(reason.split())}; it stays out until the next start"
