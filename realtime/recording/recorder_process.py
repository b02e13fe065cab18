"""The recorder's process: writes takes from the engine's trace board to the disk.

It may be slow, since the engine does not wait for it. The taps hold forty seconds; sound that is overwritten before it
was read is missing in the take, and the take's header says so.
"""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from ...plugins.knobs import MAX_STYLES
from ...takes.automation import Event, Move, Restart, StyleChange
from ..link.changes import LAYOUT, Change, ChangeReader
from ..link.trace_board import TraceBoard
from .recorder_link import RecorderCell, RecorderJob, RecorderLink, RecorderState, free_folder

if TYPE_CHECKING:
    from ...takes.header import Header
    from ...takes.style_copies import Clip, StyleKeeper
    from ...takes.writer import TakeWriter
    from ..link.taps import Tap

_POLL_SECONDS = 0.05
_CHECKPOINT = 2.0
# Frames at a time, and how many seconds are given up beyond what is overwritten, to be ahead of the writer again.
_PIECE = 1 << 15
_HEADWAY = 1.0
# Seconds that what has been played last is waited for at the end; it takes some milliseconds.
_PATIENCE = 1.0
_NICE = 5
# What entries of the log about styles begin with; and those about what the device granted.
_SLOT = "slot_"
_LAYOUT = frozenset(event.name.lower() for event in LAYOUT)


def run_recorder(job: RecorderJob, board: TraceBoard, link: RecorderLink, questions: Connection) -> None:
    """Run a recorder's process; errors are written to `link`.

    Args:
        job, board, link: see their classes
        questions: sends serial numbers of styles, gets the sources of these styles
    """
    # Ctrl-C goes to every process of a terminal; the host handles it.
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    failure = ""
    try:
        failure = Recording(job, board, link, lambda serial: _ask(questions, serial)).run()
    except InputError as error:
        failure = str(error)
    except Exception as error:
        failure = f"recording ended: {type(error).__name__}: {error}"
    finally:
        board.pace[0] = 0.0
    link.end(failure)


class Recording:
    """A take while it is being recorded, and further takes after a change of the device's rate or latency."""

    def __init__(
        self,
        job: RecorderJob,
        board: TraceBoard,
        link: RecorderLink,
        find: Callable[[int], Path | Clip | None],
    ) -> None:
        self._job = job
        self._wanted = job.folder
        self._find = find
        self._board = board
        self._link = link
        self._log = ChangeReader(board.changes, job.ids, start=0)
        self._values = dict(job.header.values)
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

    def _first_slots(self) -> list[Path | int]:
        sources = self._job.sources
        return [*sources, *[0] * (MAX_STYLES - len(sources))]

    def run(self) -> str:
        """Record until told to stop; return the error that ended the recording, or ""."""
        while True:
            stopping = bool(self._link.cells[RecorderCell.STOP]) or _orphan()
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
                time.sleep(_POLL_SECONDS)
        return self._close(writer)

    def _close(self, writer: TakeWriter) -> str:
        """End a take; return an error, or ""."""
        if self._log.lost:
            self._notes.append(f"{self._log.lost} changes of parameters were lost")
            self._log.lost = 0
        writer.close(note=writer.failure or "; ".join(self._notes))
        self._notes.clear()
        self._link.cells[RecorderCell.SECONDS] = writer.frames / writer.header.sample_rate
        return writer.failure

    def _await_the_last(self) -> None:
        """Wait until the present input has been played, if the engine goes on."""
        taps = self._board.taps
        last = taps.input.position + self._job.header.buffer
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
        job = self._job
        folder = free_folder(self._wanted)
        self._sound(writer, frame, min(self._board.taps.output.position, frame))
        self._notes.append(f"{reason}; the recording goes on in {folder.name}")
        failure = self._close(writer)
        started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self._job = replace(
            job, folder=folder, header=replace(job.header, started=started), start=None, state=None
        )
        self._writer = None
        return failure

    def _begin(self, changes: list[Change]) -> list[Change]:
        """Begin the take when it is due; return the changes that belong to it."""
        start = self._job.start
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
        from ...takes.reader import write_state
        from ...takes.style_copies import StyleKeeper
        from ...takes.writer import TakeWriter

        header = replace(
            self._job.header,
            **self._layout,  # type: ignore[arg-type]
            values=dict(self._values),
            resumed=self._job.state is not None,
        )
        self._job = replace(self._job, header=header)
        writer = TakeWriter(self._job.folder, header)
        if self._job.state is not None:
            write_state(writer.folder, self._job.state)
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
        self._link.cells[RecorderCell.SECONDS] = self._link.cells[RecorderCell.LOST] = 0.0
        self._link.add_take(writer.folder)
        self._link.cells[RecorderCell.STATE] = RecorderState.RECORDING

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
        heard = min(played, end + self._job.header.buffer)
        with suppress(InputError):
            while self._in < end or self._out < heard:
                self._in = self._copy(taps.input, self._in, end, writer.dry, lose=writer.lose)
                self._out = self._copy(taps.output, self._out, heard, writer.wet)
                self._board.pace[1] = self._in
                self._link.cells[RecorderCell.SECONDS] = writer.frames / writer.header.sample_rate
            if not stopping and time.monotonic() >= self._checkpoint_at:
                self._checkpoint_at = time.monotonic() + _CHECKPOINT
                writer.checkpoint()

    def _copy(self, tap: Tap, start: int, end: int, write: Any, *, lose: Any = None) -> int:
        """Write the next piece of a tap; return where it ends."""
        import numpy as np

        from ..link.taps import OverwrittenError

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
                self._link.cells[RecorderCell.LOST] += count / tap.sample_rate
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


def _ask(questions: Connection, serial: int) -> Path | Clip | None:
    """Ask the host for the source of a style; None if it is unknown, or the host is gone."""
    with suppress(OSError, EOFError):
        questions.send(serial)
        if questions.poll(_PATIENCE):
            found: Path | Clip | None = questions.recv()
            return found
    return None


def _orphan() -> bool:
    parent = parent_process()
    return parent is not None and not parent.is_alive()
