"""The engine's side of the trace board: writes down what it gets, plays and does, at the frames at which it does it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from ..audio.stream_contract import ChainLike, Stream
from ..link.chain_state import StateWriter
from ..link.changes import ChangeKind
from ..link.slot_mailbox import SlotFeed
from ..link.trace_board import TraceBoard


class EngineTrace:
    """Writes to a board, for one engine.

    Args:
        board: None where nobody wants to know
        chain: prepared
        stream: open
        fast: whether no time passes but in the stream itself

    Attributes:
        input, output: memories of the taps, [channels, frames]; of no frames where nobody wants to know
        origin: frame of the taps at which the rings' frame 0 is
    """

    def __init__(self, board: TraceBoard | None, chain: ChainLike, stream: Stream, *, fast: bool) -> None:
        self._board = board
        self._stream = stream
        self._chain = chain
        self._fast = fast
        # At first, the origin is that of the files.
        self._first = stream.frames
        self.origin = 0
        self.input = self.output = np.zeros((0, 0), dtype=np.float32)
        if board is not None:
            self.input, self.output = board.taps.input.array(), board.taps.output.array()
        self._missed = 0
        state = getattr(chain, "state", None)
        self._state = state if callable(state) else dict
        self._writer = None if board is None else StateWriter(board.state, self._state())
        # The chain's frame before which whatever is noted happens.
        self._frame = 0
        self._feed = None if board is None else self._slot_feed(board)

    def renew(self) -> None:
        """The chain has more in it now."""
        if self._board is None:
            return
        try:
            self._writer = StateWriter(self._board.state, self._state())
        except ValueError:
            # Only what begins with the engine can be recorded then.
            self._writer = None

    def begin(
        self, start: int, values: Sequence[float] | None, layout: Mapping[ChangeKind, float] | None = None
    ) -> None:
        """Begin with frame `start` of the rings, which have just been emptied.

        Args:
            values: of all parameters, where an engine begins to play; None where it goes on after a stall
            layout: what it plays with; see `realtime.link.changes.LAYOUT`
        """
        board, stream = self._board, self._stream
        if board is None:
            return
        taps, rate = board.taps, stream.sample_rate
        self._frame = start
        gap = 0.0
        # Between two rates no number of frames is right for the time that has passed.
        if taps.input.position and taps.input.sample_rate == rate and not self._fast:
            gap = max(0.0, time.monotonic() - taps.input.written_at)
        written = max(taps.input.position, taps.output.position)
        # Files know where they are; a device does not, and its time goes on.
        self.origin = max(self._first, written + round(gap * rate) if written else 0)
        taps.input.begin(self.origin + start, rate)
        taps.output.begin(self.origin, rate)
        self._missed = 0
        if values is None:
            board.changes.add(self.origin + start, ChangeKind.RESET, 0.0)
            return
        for event, value in (layout or {}).items():
            board.changes.add(self.origin + start, event, value)
        board.changes.add(self.origin + start, ChangeKind.BEGIN, 0.0)
        for place, value in enumerate(values):
            board.changes.add(self.origin + start, place, value)
        for slot, serial in self._caught_up:
            board.changes.add(self.origin + start, slot, serial)

    def _slot_feed(self, board: TraceBoard) -> SlotFeed:
        slots = getattr(self._chain, "style_slots", None)
        # What the engine before had, this one has before it plays.
        self._caught_up: list[tuple[int, float]] = []
        rate = self._stream.sample_rate
        SlotFeed(board.slots, slots, rate, lambda *change: self._caught_up.append(change)).catch_up()
        if self._caught_up:
            # It begins by expecting input like the styles that it has, and not like those that it had been made with.
            self._chain.reset()
        return SlotFeed(board.slots, slots, rate, lambda *change: self.event(self._frame, *change))

    def publish(self, taken: int, played: int, now: float) -> None:
        """Let readers see what is in the taps; to be called after something that orders memory, as with the rings.

        Args:
            taken, played: the rings' frames before which all is there
            now: time, of `time.monotonic`
        """
        if self._board is not None:
            self._board.taps.input.publish(self.origin + taken, now)
            self._board.taps.output.publish(self.origin + played, now)

    def changed(self, frame: int, place: int, value: float) -> None:
        """Write down that a parameter has a new target from the chain's frame `frame` on."""
        if self._board is not None:
            self._board.changes.add(self.origin + frame, place, value)

    def event(self, frame: int, event: int, value: float = 0.0) -> None:
        """Write down what happened to the chain before its frame `frame`."""
        if self._board is not None:
            self._board.changes.add(self.origin + frame, event, value)

    def missed(self, frame: int, count: int) -> None:
        """Write down that `count` deadlines have been missed in all, if those are more than before."""
        if count > self._missed:
            self.event(frame, ChangeKind.MISSED, count - self._missed)
        self._missed = count

    @property
    def ahead_of_reader(self) -> bool:
        """Whether the engine, as fast as possible, has gone so far that a reader of the taps could miss something."""
        board = self._board
        if board is None or not self._fast or not board.pace[0]:
            return False
        tap = board.taps.input
        return tap.position - board.pace[1] > tap.frames // 2

    def poll(self, frame: int) -> None:
        """Do what the host asks for, between two blocks; the chain has been fed all frames before `frame`."""
        self._frame = frame
        if self._feed is not None:
            self._feed.step()
        if self._writer is not None and self._writer.wanted:
            self._writer.answer(self._state(), self.origin + frame)
