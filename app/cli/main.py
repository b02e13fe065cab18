"""The command `gramophone`: its subcommands, and how errors and interruptions end it.

Nothing imported here loads torch, so that help and errors in the command line appear at once.
"""

import errno
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ...media.errors import InputError, InputWarning
from ...media.files import shown
from ...realtime.link.descriptors import is_shortage, raise_limit, reason
from .. import console, standard_streams
from ..interruption import EXIT_INTERRUPTED, leave, never_lost
from .batch import batch
from .bench import bench_app
from .bounce import bounce
from .demo import demo
from .devices import devices, ports
from .export import export
from .learn import learn
from .live import live
from .plugins import plugins
from .recipes import recipes
from .render import render
from .score import score
from .several_values import BatchCommand
from .style import style_app
from .texture import texture

EXIT_INPUT = 2
EXIT_BROKEN_PIPE = 141
# A terminal that is closed says so more than once, and the end must not be interrupted by that.
_ONE_ENDING = 2.0


class CommandGroup(TyperGroup):
    """The group of all commands. An error in one of them becomes one line and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  (the order is always the same)
        """Name the commands in the order in which help shows them."""
        return [
            "render",
            "batch",
            "texture",
            "live",
            "learn",
            "bounce",
            "export",
            "devices",
            "plugins",
            "ports",
            "style",
            "score",
            "recipes",
            "bench",
            "demo",
        ]

    def main(self, *args: Any, **options: Any) -> Any:
        """Run, and leave with an exit code."""
        stand_alone = options.get("standalone_mode", True)
        options["standalone_mode"] = False
        console.written.clear()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", InputWarning)
                warnings.showwarning = _shown_by(warnings.showwarning)
                code = super().main(*args, **options)
        except InputError as error:
            code = _failed(str(error))
        except Exception as error:
            # click's own errors; where its classes live differs between versions of Typer.
            describe = getattr(error, "format_message", None)
            file = getattr(error, "filename", None)
            if is_shortage(error) and getattr(error, "errno", None) != errno.ENOSPC:
                code = _failed(f"the system grants no more: {reason(error)}")
            elif isinstance(error, OSError) and isinstance(file, str | bytes):
                # Such as a name that is too long, or lies in a folder that may not be looked into.
                name = shown(os.fsdecode(file))
                code = _failed(f"cannot use {name}: {error.strerror}; check the name and its permissions")
            elif describe is None:
                raise
            else:
                # Without arguments the help has been printed, and there is nothing to add.
                message = describe().rstrip(".")
                code = _failed(f"{message}; see {_path(error)} --help") if message else EXIT_INPUT
        code = code if isinstance(code, int) else 0
        if stand_alone:
            sys.exit(code)
        return code

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the command line; help and version are printed here."""
        with _output_told():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            if signal.getsignal(signal.SIGINT) is leave:
                # From here on there may be something to be undone.
                signal.signal(signal.SIGINT, signal.default_int_handler)
            with _output_told():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            done = ", ".join(map(shown, console.written))
            console.say(f"interrupted, {f'but {done} is complete' if done else 'nothing was written'}")
            raise typer.Exit(EXIT_INTERRUPTED) from None


@contextmanager
def _output_told() -> Iterator[None]:
    """Leave as is usual where standard output cannot be written; what is complete is complete all the same."""
    try:
        yield
        sys.stdout.flush()
    except standard_streams.OutputError as error:
        if error.errno == errno.EPIPE:
            # The reader has gone.
            raise typer.Exit(EXIT_BROKEN_PIPE) from None
        done = ", ".join(map(shown, console.written))
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"standard output cannot be written: {reason}{f'; {done} is complete' if done else ''}"
        ) from None


def _shown_by(usual: Callable[..., None]) -> Callable[..., None]:
    """Return what shows warnings: ours in one line, others as usual."""

    def show(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
        if issubclass(category, InputWarning):
            console.warn(str(message))
        else:
            usual(message, category, *rest, **options)

    return show


def _failed(message: str) -> int:
    console.say(f"error: {message}")
    return EXIT_INPUT


def _path(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "gramophone"


app = typer.Typer(
    name="gramophone",
    cls=CommandGroup,
    help=console.prose("""Play any sound in the style of another.

A content (a song, a voice, a drum loop) is moved until the statistics of its spectrogram are those of a
style (rain, a choir, an old radio). The content's rhythm and course stay; its sound becomes the style's.

$ gramophone demo

$ gramophone render song.wav rain.wav -o song-in-rain.wav

$ gramophone live rain.wav"""),
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        console.out().print(f"gramophone {version('gramophone')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # What --version does is done by its callback, before any command.
    pass


app.add_typer(style_app, name="style")
app.add_typer(bench_app, name="bench")
for command in (render, texture, live, learn, bounce, export, devices, ports, plugins, score, recipes, demo):
    app.command(help=console.prose(command.__doc__))(command)
app.command(help=console.prose(batch.__doc__), cls=BatchCommand)(batch)


class _Ending:
    """Handles the signals that end a program: by an exception, so that half-written files are removed."""

    def __init__(self) -> None:
        self._last = -_ONE_ENDING
        self._raised: SystemExit | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        again, self._last = now - self._last < _ONE_ENDING, now
        if not again:
            self._raised = SystemExit(128 + number)
            raise self._raised

    def again(self, lost: BaseException | None) -> int | None:
        """Be ready for the signal once more, and return its number; None if it is not what raised `lost`."""
        if self._raised is None or lost is not self._raised:
            return None
        self._last = -_ONE_ENDING
        return int(self._raised.code or 0) - 128


def main() -> None:
    """Run the command line and exit: 0 done, 2 wrong input, 130 interrupted, 128 + n where signal n ended it."""
    standard_streams.prepare()
    ending = _Ending()
    # Windows has no SIGHUP, which is what a program gets whose terminal is closed; nohup has it ignored.
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, ending)
    raise_limit()
    # torch's threads wait for each other by spinning; where another program wants a core too, that makes short
    # operations tens of times slower. Asleep they cost next to nothing. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        with (
            console.everything_shown(),
            never_lost(SystemExit, ending.again),
            never_lost(KeyboardInterrupt, lambda _lost: signal.SIGINT),
        ):
            app(prog_name="gramophone")
    finally:
        # All is done; what Python does at its end would answer Ctrl-C with a traceback.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
