"""Loads effects that are added while the engine plays: in a thread beside it, and mostly without Python's lock."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...plugins.effects import MAX_EFFECTS, Effect
from .effect_watch import EffectWatch, failed_line

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ...plugins.slot import EffectSlot
    from ..audio.stream_contract import ChainLike
    from ..link.effect_board import EffectBoard

# A fade takes a hundredth of it.
_LEAVING_SECONDS = 1.0
_POLL_SECONDS = 0.003


@dataclass(frozen=True)
class Errand:
    """What the host asks for.

    Attributes:
        effect: that is to be added
        place: its number in the settings
        ids: of all parameters from now on
        again: whether it is in the chain already, and is only to take this state
    """

    effect: Effect
    place: int
    ids: tuple[str, ...]
    again: bool = False


@dataclass(frozen=True)
class Added:
    """What came of it: an effect that is ready, or the reason why it cannot be used."""

    errand: Errand
    slot: EffectSlot | None
    reason: str
    sample_rate: int


class EffectLoader:
    """Gets effects ready. Loading is the library's work, without Python's lock; little is left that needs it.

    Args:
        errands: from the host
        board: of this process
        watch: of the chain's effects
        block: the largest number of samples
        channels: of the chain
    """

    def __init__(
        self, errands: Connection, board: EffectBoard, watch: EffectWatch, *, block: int, channels: int
    ) -> None:
        self._errands = errands
        self._board = board
        self._watch = watch
        #: whether the chain works
        self.playing = False
        self._block, self._channels = block, channels
        self._sample_rate = 0
        self._done: deque[Added] = deque()
        self._thread: threading.Thread | None = None

    def begin(self, sample_rate: int) -> None:
        """Load what is asked for from now on, for this rate, in Hz."""
        self._sample_rate = sample_rate
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="effect loader", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        from ..link.priority import raise_behind

        raise_behind()
        while True:
            try:
                errand = self._errands.recv()
            except (EOFError, OSError):
                return
            self._done.append(self._restate(errand) if errand.again else self._load(errand))

    def _restate(self, errand: Errand) -> Added:
        """Give an effect another state; where it plays, it leaves the chain for that."""
        slot, reason = self._watch.slot(errand.place), ""
        take_state = None if slot is None else getattr(slot.effect, "take_state", None)
        if slot is None or take_state is None or self._board.out[errand.place]:
            return Added(errand, None, "", self._sample_rate)
        slot.resting = True
        end = time.monotonic() + _LEAVING_SECONDS
        while self.playing and not slot.out_of_chain and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
        self._board.added[MAX_EFFECTS] = errand.place + 1.0
        try:
            take_state(errand.effect.state)
        except Exception as error:
            reason = f"{errand.effect.title} does not take its state: {error}"
        finally:
            self._board.added[MAX_EFFECTS] = 0.0
            slot.resting = False
        return Added(errand, None, reason, self._sample_rate)

    def _load(self, errand: Errand) -> Added:
        from ...plugins.hosted import make_slot

        rate = self._sample_rate
        if self._board.out[errand.place]:
            return Added(errand, None, "it has failed in another process", rate)
        self._board.added[MAX_EFFECTS] = errand.place + 1.0
        try:
            slot = make_slot(errand.effect, beside=True)
            slot.set(f"{slot.name}_on", 0.0)
            slot.prepare(sample_rate=rate, block=self._block, channels=self._channels)
        except Exception as error:
            return Added(errand, None, f"{type(error).__name__}: {error}", rate)
        finally:
            self._board.added[MAX_EFFECTS] = 0.0
        return Added(errand, slot, "", rate)

    def put(self, chain: ChainLike) -> Added | None:
        """Put one effect that is ready into the chain, out of it at first; return it, or None where there is none."""
        if not self._done:
            return None
        added = self._done.popleft()
        if added.errand.again:
            if added.reason:
                self._watch.tell(added.reason)
            return None
        place, reason = added.errand.place, added.reason
        if added.sample_rate != self._sample_rate:
            reason = "the device has another rate now"
        elif added.slot is not None:
            try:
                chain.add(added.slot)  # type: ignore[attr-defined]
                self._watch.add(place, added.slot)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
        if reason:
            self._board.out[place] = 1.0
            self._watch.tell(failed_line(added.errand.effect.title, reason))
        self._board.added[place] = -1.0 if reason else 1.0
        return added
