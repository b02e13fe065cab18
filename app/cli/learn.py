"""`gramophone learn`: put a controller's knobs and pads on parameters, without sound."""

import queue
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer
from rich.table import Table

from ...media.errors import InputError
from ...media.files import shown
from .. import console
from ..live import session_settings as live_settings

if TYPE_CHECKING:
    from ...realtime.control.learn import Learner
    from ...realtime.control.midi_bindings import Assignment
    from ...realtime.control.midi_map import MidiMap, Pad

# Between two polls, so that Ctrl-C is noticed.
_POLL_SECONDS = 0.1
_HALVES = 0.2


def learn(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PARAM...]",
            help="What to learn, one after the other. Default: it asks, until you are done.",
            show_default=False,
        ),
    ] = None,
    midi: Annotated[
        str | None,
        typer.Option(
            metavar="PORT|virtual",
            help="Controller: number or part of the name. Default: the only one there is.",
            show_default=False,
        ),
    ] = None,
    midi_api: Annotated[
        str | None,
        typer.Option(
            metavar="alsa|jack|coremidi|winmm", help="Default: the first that runs.", show_default=False
        ),
    ] = None,
    path: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="FILE.json",
            help="The map to learn into. Default: the one that gramophone live takes.",
            show_default=False,
        ),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the map, and where it is, and exit.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Begin with an empty map.")] = False,
) -> None:
    """Learn what the knobs and pads of a MIDI controller do.

    Name a parameter, move a control, done; and again, until you press return on an empty line. Pads press
    `capture`, `next_style`, `record`, `panic` or `preset:NAME`, and turn switches such as `bypass` over. All of it
    is kept in a readable file. While playing, the desk (`gramophone live ... --desk`) learns too.

    $ gramophone learn

    $ gramophone learn strength notes mix --midi nanokontrol

    $ gramophone learn --show
    """
    from ...realtime.control.learn import Learner
    from ...realtime.control.midi import NONE
    from ..session.control_router import starting_map
    from ..session.settings_folder import map_file

    file = path or map_file()
    known = live_settings.parameters()
    assigned, line = starting_map(known, ("none",) if clear else (), None if clear else file)
    if line is not None:
        console.warn(line)
    if show:
        _print(assigned, file)
        return
    wanted = [check_target(target) for target in targets or ()]
    if midi == NONE:
        raise InputError("learning needs a controller; `gramophone ports` lists them")
    learner = Learner(known)
    learner.start()
    with _Listener(learner, midi, midi_api) as listener:
        console.say(f"MIDI: {listener}")
        for target in _targets(wanted):
            made = listener.learn(target)
            assigned.put(made)
            assigned.save(file)
            console.out().print(f"{made}")
    console.say(f"the map is {shown(file)}")


def _targets(typed: Sequence[str] | None) -> Iterator[str]:
    """Yield what is to be learnt: what was typed, or what is answered until an empty line."""
    if typed:
        yield from typed
        return
    console.say(
        "learn what? A parameter such as strength, a trigger such as capture, preset:NAME; return ends"
    )
    while True:
        console.err().print("> ", end="")
        answer = sys.stdin.readline().strip()
        if not answer:
            return
        try:
            yield check_target(answer)
        except InputError as error:
            console.say(f"{error}")


def check_target(target: str) -> str:
    """Return a target that can be learnt; InputError for others."""
    from ...realtime.control.control_surface import PRESET, TRIGGERS

    known = [*(one.id for one in live_settings.parameters()), *(one.id for one in TRIGGERS)]
    if target in known or (target.startswith(PRESET) and len(target) > len(PRESET)):
        return target
    raise InputError(
        f"there is nothing called {target!r} to learn; choose from {', '.join(known)} or preset:NAME"
    )


class _Listener:
    """A controller, and what is learnt from it; a context manager."""

    def __init__(self, learner: "Learner", port: str | None, api: str | None) -> None:
        from ...realtime.control.midi import MidiInput

        self._learner = learner
        self._made: queue.SimpleQueue[Assignment | Pad] = queue.SimpleQueue()
        self._input = MidiInput(self._handle, wanted=port, api=api)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._input.close()

    def __str__(self) -> str:
        return str(self._input)

    def _handle(self, message: list[int]) -> None:
        made = self._learner.handle_midi(message)
        if made is not None:
            self._made.put(made)

    def learn(self, target: str) -> "Assignment | Pad":
        """Wait for a control to be moved for `target`; return what was learnt."""
        self._learner.leave()
        self._learner.start()
        self._learner.touch(target)
        console.say(f"{target}: move a control")
        while True:
            if self._input.deaf:
                self._input.reopen()
            # In pieces: on Windows nothing interrupts a wait.
            with suppress(queue.Empty):
                made = self._made.get(timeout=_POLL_SECONDS)
                # A controller of 14 bits shows itself a moment later.
                with suppress(queue.Empty):
                    made = self._made.get(timeout=_HALVES)
                return made


def _print(assigned: "MidiMap", file: Path) -> None:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("control", "does", "from", "to", "curve", ""):
        grid.add_column(heading)
    for item in assigned.knobs.assignments:
        number = f"CC {item.controller}" + ("" if item.fine is None else f"+{item.fine}")
        where = "" if item.channel is None else f" (channel {item.channel + 1})"
        show = item.parameter.show
        waits = "soft takeover" if item.takeover and item.parameter.curve != "toggle" else ""
        grid.add_row(number + where, item.parameter.id, show(item.low), show(item.high), item.bend, waits)
    for pad in assigned.pads:
        what = f"note {pad.note}" if pad.note is not None else f"CC {pad.controller}"
        where = "" if pad.channel is None else f" (channel {pad.channel + 1})"
        grid.add_row(what + where, pad.target, "", "", "", "while held" if pad.hold else "")
    out = console.out()
    out.print(grid)
    out.print(f"{shown(file)}{'' if file.exists() else ' (not written yet)'}")
