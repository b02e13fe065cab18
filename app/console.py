"""How the commands print, show progress, and check their arguments before they work.

All printing goes through this module, so that no name or message from elsewhere can steer the terminal.
"""

import inspect
import logging
import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.segment import Segment
from rich.text import Text

from ..media.errors import InputError
from ..media.escaping import escaped
from ..media.files import check_writable, shown
from .formatting import clock
from .interruption import never_lost

if TYPE_CHECKING:
    from ..offline.render.render import Progress as RenderProgress

# Without a terminal a line now and then is enough; the first one soon, so that a log shows that work has
# begun.
_FIRST_LINE = 2.0
_NEXT_LINES = 15.0
# Packets from the network can cause any number of errors, and long ones.
_FAULT_SECONDS = 1.0
_LONGEST_FAULT = 400

# Files this run has finished: what an interruption has to tell of.
written: list[Path] = []


class _PlainConsole(Console):
    """Shows text as it is: escaped, and without markup or emoji. What is to have a colour is a rich Text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escaped(text, keep="\n"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if (
            isinstance(renderable, Text)
            and (plain := escaped(renderable.plain, keep="\n")) != renderable.plain
        ):
            renderable = Text(
                plain, renderable.style, justify=renderable.justify, overflow=renderable.overflow
            )
        return super().render(renderable, options)


def out() -> Console:
    """Return a console on standard output, as it is now (tests and pipes replace it)."""
    return _PlainConsole(soft_wrap=True)


def err() -> Console:
    """Return a console on standard error, as it is now."""
    return _PlainConsole(stderr=True)


def prose(text: str | None) -> str:
    """Turn plain text into help: one line per paragraph, `words` in bold, $ examples in colour."""
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n")]
    return "\n\n".join(
        f"[cyan]{escape(part)}[/cyan]"
        if part.startswith("$ ")
        else re.sub("`(.+?)`", r"[bold]\1[/bold]", part)
        for part in paragraphs
    )


def say(message: str) -> None:
    """Print one line on standard error after the program's name."""
    print("gramophone:", escaped(" ".join(message.split())), file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Print one line of warning on standard error."""
    say(f"warning: {message}")


def show_trace(trace: str) -> None:
    """Print a traceback on standard error, for an error that the user cannot mend."""
    err().print(trace.rstrip("\n"), soft_wrap=True)


class Faults:
    """Says one line a second at most, and with the next line how many there were in between; for any thread.

    Args:
        tell: prints a line
        seconds: from one line to the next
    """

    def __init__(self, tell: Callable[[str], object], *, seconds: float = _FAULT_SECONDS) -> None:
        self._tell = tell
        self._seconds = seconds
        self._lock = threading.Lock()
        self._resting = False
        self._held: list[str] = []
        self._more = 0

    def __call__(self, message: str) -> None:
        """Say a line now, or in a moment if it is still the last one then."""
        with self._lock:
            self._more += len(self._held)
            self._held = [message if len(message) <= _LONGEST_FAULT else f"{message[:_LONGEST_FAULT]} ..."]
            if not self._resting:
                self._say()

    def _say(self) -> None:
        self._resting = bool(self._held)
        if not self._held:
            return
        more = f" (and {self._more} more that are not shown)" if self._more else ""
        line = f"{self._held.pop()}{more}"
        self._more = 0
        timer = threading.Timer(self._seconds, self._go_on)
        timer.daemon = True
        timer.start()
        # Where nobody can be told, the rest goes on all the same.
        with suppress(OSError, ValueError):
            self._tell(line)

    def _go_on(self) -> None:
        with self._lock:
            self._say()


fault = Faults(say)


class _LogLines(logging.Handler):
    """What this program and its libraries write to their logs, as faults."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = f": {type(error).__name__}: {error}" if error is not None else ""
        fault(f"{record.levelname.lower()}: {record.getMessage()}{reason}")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (so called in logging)
        """Leave a record alone that cannot be shown."""


@contextmanager
def everything_shown() -> Iterator[None]:
    """Have shown here what libraries would print themselves: logs, warnings, and tracebacks, which end the program."""
    logging.basicConfig(handlers=[_LogLines()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = lambda dead: show_trace("".join(traceback.format_exception(dead.exc_value)))
    try:
        yield
    except Exception as error:
        show_trace("".join(traceback.format_exception(error)))
        raise SystemExit(1) from None


class Display:
    """Progress on standard error: a bar on a terminal, sparse plain lines elsewhere.

    A context manager. `stage` names work without steps; the object itself is what `render` calls with its
    progress.
    """

    def __init__(self) -> None:
        self._console = err()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._next = 0.0
        self._start: float | None = None
        self._fraction = 0.0

    def __enter__(self) -> Self:
        self._next = time.monotonic() + _FIRST_LINE
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[detail]}", markup=False),
                console=self._console,
                transient=True,
                expand=True,
            )
            self._task = self._bar.add_task("starting", total=None, detail="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def stage(self, name: str) -> None:
        """Say what is being done, where it is not known how long it takes."""
        if self._bar is not None:
            self._bar.update(self._task, description=name, total=None, detail="")
        else:
            self._line(name)

    def __call__(self, progress: "RenderProgress") -> None:
        """Show a step of a rendering."""
        details = [f"step {progress.step}/{progress.steps}"] if progress.steps > 1 else []
        if progress.loss is not None and math.isfinite(progress.loss):
            details.append(f"style loss {progress.loss:.3g}")
        self._show(progress.stage, progress.fraction, details)

    def part(self, name: str, done: float, total: float | None) -> None:
        """Show how much of some work has been done; in which units does not matter."""
        if total:
            self._show(name, min(1.0, done / total), [])
        else:
            self.stage(name)

    def _show(self, name: str, fraction: float, details: list[str]) -> None:
        now = time.monotonic()
        if self._start is None or fraction < self._fraction:
            # Each rendering tells its time left from its own beginning.
            self._start = now
        self._fraction = fraction
        elapsed = now - self._start
        if fraction > 0.02 and elapsed > 1.0:
            details.append(f"{clock(elapsed * (1.0 / fraction - 1.0))} left")
        detail = ", ".join(details)
        if self._bar is not None:
            self._bar.update(self._task, description=name, total=1.0, completed=fraction, detail=detail)
        else:
            self._line(f"{name}: {detail}" if detail else name)

    def _line(self, text: str) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _NEXT_LINES
            say(text)


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Yield what says whether Ctrl-C was pressed, in place of an exception; a second Ctrl-C raises it all the same.

    Where objects of other libraries come and go all the time, the exception would now and then be raised in one of
    their finalisers, and be lost there.
    """
    pressed = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def note(_signal: int, _frame: FrameType | None) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def closing_whole(message: str) -> Iterator[Callable[[], None]]:
    """Let the first Ctrl-C raise KeyboardInterrupt, and every further one only print `message`.

    So what the first one ends is closed as it must be, however impatient someone is. What is yielded says that there is
    nothing to end any more, and has the first one do no more than the others.
    """
    before = signal.getsignal(signal.SIGINT)

    def hold(_signal: int, _frame: FrameType | None) -> None:
        # Not through sys.stderr, which may be in use where this interrupts it.
        os.write(2, f"gramophone: {message}\n".encode())

    def first(_signal: int, _frame: FrameType | None) -> None:
        close()
        raise KeyboardInterrupt

    def close() -> None:
        signal.signal(signal.SIGINT, hold)

    def again(_lost: BaseException | None) -> int:
        signal.signal(signal.SIGINT, first)
        return signal.SIGINT

    signal.signal(signal.SIGINT, first)
    try:
        with never_lost(KeyboardInterrupt, again):
            yield close
    finally:
        signal.signal(signal.SIGINT, before)


def check_output(path: Path, *, overwrite: bool, inputs: tuple[Path, ...] = ()) -> None:
    """Raise InputError if `path` cannot be written, exists (without overwrite), or is one of the inputs."""
    for other in inputs:
        if same_file(path, other):
            raise InputError(f"{shown(path)} is also an input, and would be lost; choose another output")
    if path.is_file() and not overwrite:
        raise InputError(f"{shown(path)} already exists; choose another name or add --overwrite")
    check_writable(path, overwrite=overwrite)


def same_file(one: Path, other: Path) -> bool:
    """Return whether two names lead to one file, also where it does not exist yet."""
    try:
        return one.samefile(other)
    except OSError:
        return one.resolve() == other.resolve()


def check_range(option: str, value: float, low: float, high: float, meaning: str) -> None:
    """Raise InputError unless low <= value <= high (NaN is never within)."""
    if not low <= value <= high:
        # Whole numbers may be too long for a float.
        written = f"{value:g}" if isinstance(value, float) else str(value)
        raise InputError(f"{option} {written} is out of range; give {low:g} to {high:g}, {meaning}")
