"""The controls of a live session besides the keys: MIDI controller, OSC, the desk, and the last session's settings."""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...media.errors import InputError
from ...media.files import shown
from ...plugins.knobs import MAX_STYLES
from .. import console
from ..repeated_task import Task
from ..session.effect_shelf import EffectShelf
from ..session.settings_folder import map_file, presets_folder, state_file, takes_folder
from ..session.style_shelf import StyleShelf
from ..session.take_shelf import TakeShelf
from . import session_settings as live_settings

if TYPE_CHECKING:
    from ...plugins.effects import Effect
    from ...realtime.control.midi import MidiInput
    from ...realtime.control.osc import OscControl
    from ...realtime.host import Host
    from ...realtime.link.engine_settings import EngineSettings
    from ..desk.server import Desk, DeskSettings
    from ..session.session_state import SessionState

# How often the knobs' values are saved, if they changed: a power cut loses no more than this.
_REMEMBER_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class ControlOptions:
    """The options of a session's controls.

    Attributes:
        port, midi_api: as for `MidiInput`; "none" goes without a controller
        cc: as for `CcMap`
        map_path: the file of the map; None learns for this session only
        osc, osc_to: addresses as typed, or None
        desk: where the desk is, or None
        folder: of styles to switch among, or None
        takes: the folder for recordings that are started while playing; None is the music folder
        remember: whether the next session starts where this one ended
    """

    port: str | None = None
    midi_api: str | None = None
    cc: tuple[str, ...] = ()
    map_path: Path | None = None
    osc: str | None = None
    osc_to: str | None = None
    desk: "DeskSettings | None" = None
    folder: Path | None = None
    takes: Path | None = None
    remember: bool = False


def remembered(*, safe: bool, files: bool, effects: "Sequence[Effect]" = ()) -> "SessionState":
    """Return the last session's state; an empty one with --safe, and for files, whose result must not depend on it."""
    from ..session.session_state import SessionState, load_state

    if safe or files:
        return SessionState()
    state, line = load_state(state_file(), live_settings.parameters(effects))
    if line is not None:
        console.warn(line)
    return state


def styles_or_remembered(styles: Sequence[Path], state: "SessionState") -> list[Path]:
    """Return the styles that were typed, or those of the last session that are still there.

    Raises:
        InputError: there are none
    """
    # Unlike a Path, these say of every text whether there is such a file.
    found = list(styles) or [Path(text) for text in state.styles if os.path.exists(text)][:MAX_STYLES]  # noqa: PTH110
    if not found:
        raise InputError(
            "no style is given, and none of the last time is left; give a sound file or .style file"
        )
    return found


def folder_or_remembered(typed: Path | None, state: "SessionState") -> Path | None:
    """Return the folder of styles that was typed, or that of the last session if it is still there."""
    if typed is not None:
        if not typed.is_dir():
            raise InputError(f"--styles {shown(typed)} is no folder; give a folder of styles")
        return typed.resolve()
    return Path(state.folder) if state.folder is not None and os.path.isdir(state.folder) else None  # noqa: PTH112


def map_path(typed: Path | None, *, safe: bool) -> Path | None:
    """Return the file of the MIDI map; with --safe only one that was typed."""
    if typed is not None:
        return typed
    return None if safe else map_file()


def desk_settings(wanted: bool, host: str, port: int, token: str | None) -> "DeskSettings | None":
    """Return the desk's settings; None if no desk is wanted. InputError if it cannot run."""
    if not wanted:
        return None
    from ..desk.server import DeskSettings, check_desk

    check_desk()
    return DeskSettings(host=host, port=port, token=token)


class LiveControls:
    """Controller, OSC and desk of one host; a context manager.

    Args:
        host: not started yet
        settings: of its engine
        options: what was asked for

    Raises:
        InputError: on entry: a port, an address or a map that was typed cannot be used
    """

    def __init__(self, host: "Host", settings: "EngineSettings", options: ControlOptions) -> None:
        from ..session.control_router import ControlRouter, starting_map

        self._host = host
        self._settings = settings
        self._options = options
        midi, line = starting_map(host.parameters, options.cc, options.map_path)
        if line is not None:
            console.warn(line)
        takes = (options.takes or takes_folder()).expanduser()
        self._takes = TakeShelf(host, takes)
        self._shelf = StyleShelf(
            host.styles,
            folder=options.folder,
            captures=takes,
            second=settings.capture_channels is not None,
        )
        self.router = ControlRouter(
            host,
            midi=midi,
            map_path=options.map_path,
            presets=presets_folder(),
            actions={**self._shelf.actions, "record": self._takes.press},
            mixture=self._shelf,
        )
        self._effects = EffectShelf(host, self.router)
        self._takes.attach(self.router.surface)
        self._shelf.attach(self.router.surface)
        self.controller: MidiInput | None = None
        self._osc: OscControl | None = None
        self._desk: Desk | None = None
        self._stack = ExitStack()
        self._told = 0
        self._saved: SessionState | None = None
        self._next = time.monotonic() + _REMEMBER_SECONDS

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.router.close)
            stack.callback(self._takes.close)
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or not issubclass(kind, Exception):
            Task("remembering where this session ends", self.remember)(now=True)
        self._stack.close()

    def _open(self, stack: ExitStack) -> None:
        from ...realtime.control.midi import NONE, MidiInput

        options = self._options
        if options.port != NONE:
            self.controller = MidiInput(self.router.handle_midi, wanted=options.port, api=options.midi_api)
            stack.callback(self.controller.close)
        if options.osc is not None:
            from ...realtime.control.osc import OscControl, parse_address

            feedback = None if options.osc_to is None else parse_address(options.osc_to, option="--osc-to")
            self._osc = OscControl(
                self.router.surface, parse_address(options.osc), feedback=feedback, add=self._effects.add
            )
            stack.callback(self._osc.close)
        elif options.osc_to is not None:
            raise InputError("--osc-to needs --osc, the port to listen on; give both")
        if options.desk is not None:
            from ..desk.commands import Commands
            from ..desk.server import Desk

            self._desk = Desk(
                self.router,
                self._host,
                options.desk,
                Commands(self.router, self._shelf, self._takes, self._effects),
            )
            stack.callback(self._desk.close)

    def addresses(self) -> dict[str, str]:
        """Return the addresses of OSC and the desk, by name."""
        return {
            **({} if self._osc is None else {"OSC": str(self._osc)}),
            **({} if self._desk is None else {"desk": self._desk.address}),
        }

    def news(self) -> list[str]:
        """Return the messages since the last call, including those of styles and takes."""
        self._shelf.notify()
        self._takes.notify()
        lines = self.router.surface.news(self._told)
        if lines:
            self._told = lines[-1][0]
        return [line for _, line in lines]

    def remember(self, *, now: bool = False) -> None:
        """Save the session's state now and then, or `now`; InputError if it cannot be saved."""
        from ..session.session_state import SessionState, save_state

        if not self._options.remember or not (now or time.monotonic() >= self._next):
            return
        values = {one.id: self._host.get(one.id) for one in self._host.parameters}
        sources = self._shelf.sources()
        # The next session has them in the first slots.
        values |= {f"style_{place + 1}": weight for place, (_, weight) in enumerate(sources)}
        state = SessionState(
            values=values,
            styles=tuple(os.path.realpath(source) for source, _ in sources),
            folder=None if self._options.folder is None else str(self._options.folder),
            preset=self.router.surface.preset,
        )
        if state != self._saved:
            save_state(state_file(), state)
            self._saved = state
        self._next = time.monotonic() + _REMEMBER_SECONDS
