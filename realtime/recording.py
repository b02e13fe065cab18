"""A take while it is being recorded: follows the engine's trace board, and writes to the disk.

The disk may be slow, since the engine does not wait for it. The taps hold forty seconds; sound that is overwritten
before it was read is missing in the take, and the take's header says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..media.errors import InputError
from ..media.files import free_path
from ..plugins.knobs import MAX_STYLES
from ..takes.automation import Event, Move, Restart, StyleChange
from .link.changes import LAYOUT, Change, ChangeReader

if TYPE_CHECKING:
    from ..takes.header import Header
    from ..takes.style_copies import Clip, StyleKeeper
    from ..takes.writer import TakeWriter
    from .link.chain_state import ChainState
    from .link.taps import Tap
    from .link.trace_board import TraceBoard

_POLL_SECONDS = 0.05
_CHECKPOINT = 2.0
# Frames at a time, and how many seconds are given up beyond what is overwritten, to be ahead of the writer again.
_PIECE = 1 << 15
_HEADWAY = 1.0
# Seconds that what has been played last is waited for at the end; it takes some milliseconds.
_PATIENCE = 1.0
# What entries of the log about styles begin with; and those about what the device granted.
_SLOT = "slot_"
_LAYOUT = frozenset(event.name.lower() for event in LAYOUT)


class Recording:
    """A take, and further takes after a change of the device's rate or latency. `run` it in a thread of its own.

    Args:
        folder: of the take: empty, or to be made
        header: with the present `values`; its `styles` are not yet those of the take
        board: what the engine plays
        ids: of the parameters, in the order of the host's list
        sources: files of the engine's first styles, by slot
        find: the source of a style, by its serial number in the log of changes; None if it is unknown
        start: the chain's state before the first sample; None begins with the first sample of the first engine
    """

    def __init__(
        self,
        folder: Path,
        header: Header,
        board: TraceBoard,
        *,
        ids: Sequence[str],
        sources: tuple[Path, ...],
        find: Callable[[int], Path | Clip | None],
        start: ChainState | None,
    ) -> None:
        #: folders of all takes that have been begun, the present one last
        self.takes: tuple[Path, ...] = ()
        #: seconds of the present take that have been written, and that were lost
        self.seconds = self.lost = 0.0
        #: why it ended, in one line; "" if all is well
        self.failure = ""
        self._wanted = self._folder = folder
        self._header = header
        self._board = board
        self._sources = sources
        self._find = find
        self._start = start
        self._stop = threading.Event()
        self._log = ChangeReader(board.changes, ids, start=0)
        self._values = dict(header.values)
        # What the engine that plays was granted, as far as the log says.
        self._layout: dict[str, int] = {}
        # By slot: the file that it began with, or the serial number of what came later; 0 where it is empty.
        self._slots = self._first_slots()
        self._writer: TakeWriter | None = None
        self._keeper: StyleKeeper | None = None
        self._notes: list[str] = []
        # Of the taps: the take's first frame, and how far each of them has been read.
        self._first = 0
        self._in = self._out = 0
        self._checkpoint_at = 0.0

    def stop(self) -> None:
        """Let `run` end the take."""
        self._stop.set()

    def run(self) -> None:
        """Record until told to stop, or until nothing more can be written; see `failure`."""
        try:
            failure = self._record()
        except InputError as error:
            failure = str(error)
        except Exception as error:
            failure = f"recording ended: {type(error).__name__}: {error}"
        finally:
            self._board.pace[0] = 0.0
        self.failure = " ".join(failure.split())

    def _first_slots(self) -> list[Path | int]:
        return [*self._sources, *[0] * (MAX_STYLES - len(self._sources))]

    def _record(self) -> str:
        """Record until told to stop; return the error that ended the recording, or ""."""
        while True:
            stopping = self._stop.is_set()
            if stopping:
                self._await_the_last()
            # Before the log is read: so what another stream plays is not taken for what this one did.
            end, played = self._board.taps.input.position, self._board.taps.output.position
            before = self._in
            failure = self._follow(end if stopping else None)
            if failure:
                return failure
            writer = self._writer
            if writer is None:
                if stopping:
                    return "nothing was recorded: no sound has passed"
            else:
                self._sound(writer, end, played, stopping=stopping)
                if writer.failure or stopping:
                    break
            if self._in - before < _PIECE:
                self._stop.wait(_POLL_SECONDS)
        return self._close(writer)

    def _close(self, writer: TakeWriter) -> str:
        """End a take; return an error, or ""."""
        if self._log.lost:
            self._notes.append(f"{self._log.lost} changes of parameters were lost")
            self._log.lost = 0
        writer.close(note=writer.failure or "; ".join(self._notes))
        self._notes.clear()
        self.seconds = writer.frames / writer.header.sample_rate
        return writer.failure

    def _await_the_last(self) -> None:
        """Wait until the present input has been played, if the engine goes on."""
        taps = self._board.taps
        last = taps.input.position + self._header.buffer
        end = time.monotonic() + _PATIENCE
        position, moved = taps.output.position, time.monotonic()
        while position < last and time.monotonic() < min(end, moved + 0.2):
            time.sleep(0.002)
            if taps.output.position != position:
                position, moved = taps.output.position, time.monotonic()

    # ---- what was turned

    def _follow(self, end: int | None) -> str:
        """Write the logged changes up to a frame; return an error, or ""."""
        changes = deque(self._begin(self._log.read()) if self._writer is None else self._log.read())
        while changes and self._writer is not None:
            change = changes.popleft()
            if end is not None and change.frame >= end:
                continue
            if change.id == "begin" and (news := self._news(self._writer.header)):
                failure = self._end(self._writer, change.frame, news)
                if failure:
                    return failure
                changes = deque(self._begin([change, *changes]))
                continue
            with suppress(InputError):
                self._note(self._writer, change)
        return ""

    def _news(self, header: Header) -> str:
        """Describe how the device now differs from that of the take; "" if it does not."""
        before = {name: getattr(header, name) for name in self._layout}
        if before == self._layout:
            return ""
        rate, latency = self._layout["sample_rate"], self._layout["algorithmic"] + self._layout["buffer"]
        if rate != header.sample_rate:
            return f"the device came back at {rate} Hz"
        return f"the device came back with a latency of {1000.0 * latency / rate:.1f} ms"

    def _end(self, writer: TakeWriter, frame: int, reason: str) -> str:
        """End a take before a frame, and prepare the next one; return an error, or ""."""
        folder = free_path(self._wanted)
        self._sound(writer, frame, min(self._board.taps.output.position, frame))
        self._notes.append(f"{reason}; the recording goes on in {folder.name}")
        failure = self._close(writer)
        self._folder, self._start, self._writer = folder, None, None
        self._header = replace(self._header, started=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        return failure

    def _begin(self, changes: list[Change]) -> list[Change]:
        """Begin the take when it is due; return the changes that belong to it."""
        start = None if self._start is None else self._start.frame
        for place, change in enumerate(changes):
            if start is not None and change.frame >= start:
                self._open(start)
                return changes[place:]
            if start is None and change.id == "begin":
                after = place + 1
                while after < len(changes) and changes[after].frame == change.frame:
                    # All parameters, and what another engine found in its slots.
                    self._stand(changes[after])
                    after += 1
                self._open(change.frame)
                return changes[after:]
            self._stand(change)
        if start is not None:
            self._open(start)
        return []

    def _stand(self, change: Change) -> None:
        """Note a value from before the take."""
        if change.id in self._values:
            self._values[change.id] = change.value
        elif change.id in _LAYOUT:
            if change.id == "sample_rate" and self._layout.get(change.id, change.value) != change.value:
                # Nothing that was loaded for another rate is in the slots of this engine.
                self._slots = self._first_slots()
            self._layout[change.id] = int(change.value)
        elif change.id.startswith(_SLOT):
            self._slots[_slot(change.id)] = int(change.value)

    def _open(self, first: int) -> None:
        from ..takes.reader import write_state
        from ..takes.style_copies import StyleKeeper
        from ..takes.writer import TakeWriter

        self._header = header = replace(
            self._header,
            **self._layout,  # type: ignore[arg-type]
            values=dict(self._values),
            resumed=self._start is not None,
        )
        writer = TakeWriter(self._folder, header)
        if self._start is not None:
            write_state(writer.folder, self._start.arrays)
        self._keeper = StyleKeeper(writer.folder, self._find)
        styles = [self._style(has) for has in self._slots]
        while styles and not styles[-1]:
            styles.pop()
        writer.header = replace(writer.header, styles=tuple(styles))
        writer.checkpoint()
        self._writer = writer
        self._first = self._in = first
        # In time with what comes in: later by all that the sound takes from the one tap to the other.
        self._out = first + header.algorithmic + header.buffer
        self.seconds = self.lost = 0.0
        self.takes += (writer.folder,)

    def _note(self, writer: TakeWriter, change: Change) -> None:
        frame = max(0, change.frame - self._first)
        event: Event
        if change.id == "missed":
            writer.mark("missed", frame)
        elif change.id == "skip":
            writer.mark("skipped", frame)
        elif change.id in ("begin", "reset"):
            event = Restart(frame, change.id)
            writer.event(event)
        elif change.id.startswith(_SLOT):
            writer.event(StyleChange(frame, _slot(change.id), self._style(int(change.value))))
        elif change.id in _LAYOUT:
            self._stand(change)
        elif change.id in self._values:
            event = Move(frame, change.id, change.value)
            writer.event(event)

    def _style(self, source: Path | int) -> str:
        """Return the name in the take of a style from a file or by its serial number; "" for 0, or if lost."""
        if not source or self._keeper is None:
            return ""
        try:
            return self._keeper.file(source) if isinstance(source, Path) else self._keeper.number(source)
        except InputError as error:
            if str(error) not in self._notes:
                self._notes.append(str(error))
            return ""

    # ---- what was heard

    def _sound(self, writer: TakeWriter, end: int, played: int, *, stopping: bool = False) -> None:
        """Write what there is, to frame `end` of the input, of which everything before `played` has been heard."""
        taps = self._board.taps
        # What was played of what came in before that frame.
        heard = min(played, end + self._header.buffer)
        with suppress(InputError):
            while self._in < end or self._out < heard:
                self._in = self._copy(taps.input, self._in, end, writer.dry, lose=writer.lose)
                self._out = self._copy(taps.output, self._out, heard, writer.wet)
                self._board.pace[1] = self._in
                self.seconds = writer.frames / writer.header.sample_rate
            if not stopping and time.monotonic() >= self._checkpoint_at:
                self._checkpoint_at = time.monotonic() + _CHECKPOINT
                writer.checkpoint()

    def _copy(self, tap: Tap, start: int, end: int, write: Any, *, lose: Any = None) -> int:
        """Write the next piece of a tap; return where it ends."""
        import numpy as np

        from .link.taps import OverwrittenError

        stop = min(end, start + _PIECE)
        channels = self._board.taps.channels
        if stop <= start:
            return start
        try:
            block = tap.read(start, stop)[:channels]
        except OverwrittenError as error:
            count = min(end, error.oldest + round(_HEADWAY * tap.sample_rate)) - start
            if lose is not None:
                lose(count)
                self.lost += count / tap.sample_rate
            stop = start + count
            # Silence replaces lost sound, so that the rest stays in time.
            for place in range(start, stop, _PIECE):
                write(np.zeros((channels, min(_PIECE, stop - place)), dtype=np.float32))
            return stop
        write(block)
        return stop


def _slot(id: str) -> int:
    """Return the slot, from 0, that an entry of the log is about."""
    return int(id.removeprefix(_SLOT)) - 1
