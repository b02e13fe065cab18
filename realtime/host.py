"""The host: starts and steers the engine, which plays in a process of its own."""

from __future__ import annotations

import ctypes
import multiprocessing
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from ..media.errors import InputError
from ..media.files import replacing
from ..media.output_lock import claimed
from ..models.live.first_run import compile_first
from ..plugins.effects import MAX_EFFECTS, MAX_STATE, Effect, check_effects
from ..plugins.live_chain import live_parameters
from ..plugins.parameter import Parameter
from ..takes.wavfile import seal
from .engine.stats import Snapshot, figures, take_snapshot
from .engine.supervisor import Supervisor
from .link.changes import Change, ChangeReader
from .link.engine_settings import MUTE, EngineSettings, VirtualSettings
from .link.trace_board import TraceBoard
from .styles.style_manager import StyleManager

if TYPE_CHECKING:
    from .engine.process import BuildChain
    from .link.chain_state import ChainState
    from .link.taps import Taps


_PIECE = 0.5
# Some effects read gigabytes of sound when they are loaded.
_ADDING_SECONDS = 60.0
_ADDING_POLL = 0.02
# An effect has up to 128 parameters of its own, and five of its slot.
MOST_KNOBS = 133


class EngineError(RuntimeError):
    """The engine process failed, and the user's input is not the reason."""


class Host:
    """The engine as its user sees it; a context manager that starts on entry and stops on exit.

    Safe to call from any thread. Neither torch nor PortAudio is loaded in the process of the host.

    Args:
        settings: of the engine
        build_chain: makes the chain in the engine process; a function of a module, since it is sent there by name.
            None is `plugins.live_chain.live_chain` with the styles of the settings.
        parameters: those of the chain; None is those of the live chain with the effects of the settings

    Raises:
        InputError: an initial value is for no parameter
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        build_chain: BuildChain | None = None,
        parameters: Sequence[Parameter] | None = None,
    ) -> None:
        self._settings = settings
        self._build_chain = build_chain
        known = live_parameters(settings.effects) if parameters is None else parameters
        self.parameters: tuple[Parameter, ...] = (*known, MUTE)
        self._places = {parameter.id: place for place, parameter in enumerate(self.parameters)}
        context = multiprocessing.get_context("spawn")
        # With room for the knobs of effects that are added while it plays.
        room = MAX_EFFECTS * MOST_KNOBS if build_chain is None else 0
        self._cells = context.RawArray(ctypes.c_double, len(self.parameters) + room)
        for place, parameter in enumerate(self.parameters):
            self._cells[place] = parameter.default
        for name, value in settings.parameters.items():
            self.set(name, value)
        if settings.muted:
            self.set(MUTE.id, 1.0)
        self._context = context
        self._board = TraceBoard.new(context, settings)
        self._changes = self.change_reader()
        self._asking = threading.Lock()
        #: held while an effect is added
        self.adding = threading.Lock()
        #: what records this host; see `realtime.recorder`
        self.recorders: WeakSet[Any] = WeakSet()
        self._styles = StyleManager(context, settings, self._board, get=self.get, put=self.set)
        self._supervisor: Supervisor | None = None
        self._files = ExitStack()
        self._output: Path | None = None
        self._closing = threading.Lock()

    def __enter__(self) -> Self:
        """Start; see `start`."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; see `stop`."""
        self.stop()

    def start(self) -> None:
        """Start the engine; return when sound passes. Once only. The first time of all takes up to a minute more.

        Raises:
            InputError: a device, a style or a file cannot be used
            EngineError: the engine process failed
        """
        settings = self._settings
        if self._build_chain is None:
            compile_first()
        if isinstance(settings.device, VirtualSettings):
            # The host holds the file, and gives it its name at the end, whichever engine processes wrote it.
            overwrite = settings.device.overwrite
            self._files.enter_context(claimed(settings.device.output, overwrite=overwrite))
            self._output = self._files.enter_context(replacing(settings.device.output, overwrite=overwrite))
            settings = replace(settings, device=replace(settings.device, written=self._output))
        ids = [parameter.id for parameter in self.parameters]
        self._supervisor = Supervisor(
            self._context, settings, self._cells, ids, self._build_chain, self._board
        )
        try:
            self._supervisor.start()
            if not self._supervisor.has_played and self._supervisor.failure is not None:
                raise _exception(*self._supervisor.failure)
        except BaseException as error:
            self._supervisor.stop()
            self._files.__exit__(type(error), error, error.__traceback__)
            self._output = None
            raise

    def stop(self) -> None:
        """Fade out, end the engine, give the output file its name. Harmless when stopped already.

        Raises:
            InputError: the output file cannot be given its name
        """
        self._styles.stop()
        if self._supervisor is not None:
            self._supervisor.stop()
        with self._closing:
            if self._output is not None:
                seal(self._output)
                self._output = None
            self._files.close()

    def set(self, id: str, value: float) -> None:
        """Set a parameter's target in its own unit; values beyond its range are held at its ends.

        Raises:
            InputError: there is no such parameter
        """
        place = self._place(id)
        self._cells[place] = self.parameters[place].clamp(value)

    def get(self, id: str) -> float:
        """Return a parameter's target; InputError if there is no such parameter."""
        return float(self._cells[self._place(id)])

    def add_effect(self, effect: Effect) -> None:
        """Add an effect to the chain while it plays; return when it is there, and comes in with a crossfade.

        It is loaded beside the sound. Its knobs join `parameters`, `<key>_place` says where it stands.

        Args:
            effect: from `plugins.found.find_effect`, with a key that no other has

        Raises:
            InputError: it cannot be loaded here; there are too many; a take is being recorded; or the chain is another
                than the live one
        """
        with self.adding:
            place, now = self._announce(effect), time.monotonic()
            while not (outcome := self._supervisor.link.effects.added[place]):  # type: ignore[union-attr]
                if self.finished or time.monotonic() - now > _ADDING_SECONDS:
                    break
                time.sleep(_ADDING_POLL)
            if outcome <= 0.0:
                raise InputError(
                    f"{effect.title} cannot be added while it plays; name it at the start, with --before or --after"
                )

    def set_effect_state(self, key: str, state: bytes) -> None:
        """Give an effect what its plugin calls its state, soon; its knobs stay. It leaves the chain for a moment.

        Raises:
            InputError: there is no such effect; the state is too large; or a take is being recorded
        """
        with self.adding:
            supervisor, effects = self._supervisor, list(self._settings.effects)
            place = next((place for place, one in enumerate(effects) if one.key == key), None)
            if supervisor is None or place is None:
                raise InputError(f"there is no effect {key!r} that plays")
            if effects[place].state == state:
                return
            if not 0 < len(state) <= MAX_STATE:
                raise InputError(
                    f"a state of {key} of {len(state)} bytes is impossible; up to {MAX_STATE} are"
                )
            if any(recorder.status.recording for recorder in self.recorders):
                raise InputError(f"{key} keeps its state until the recording has ended")
            effects[place] = replace(effects[place], state=state)
            supervisor.restate(place, effects[place])
            self._settings = replace(self._settings, effects=tuple(effects))

    def _announce(self, effect: Effect) -> int:
        """Give an effect its knobs and its number, and tell the engines of it; return the number."""
        supervisor, settings = self._supervisor, self._settings
        if supervisor is None or self.finished or self._build_chain is not None:
            raise InputError("an effect can be added only while the live chain plays")
        if any(recorder.status.recording for recorder in self.recorders):
            raise InputError(
                "a take has the same effects from start to end; end the recording, then add another"
            )
        check_effects((*settings.effects, effect))
        known = {parameter.id for parameter in self.parameters}
        effects = (*settings.effects, effect)
        added = [parameter for parameter in live_parameters(effects) if parameter.id not in known]
        everything = (*self.parameters, *added)
        if len(everything) > len(self._cells):
            raise InputError(f"{effect.title} has too many parameters to be added while it plays")
        for place, parameter in enumerate(added, start=len(self.parameters)):
            self._cells[place] = parameter.default
        place = supervisor.add(effect, [parameter.id for parameter in everything])
        self._settings = replace(settings, effects=effects)
        self._changes.know([parameter.id for parameter in everything])
        self._places = {parameter.id: place for place, parameter in enumerate(everything)}
        self.parameters = everything
        return place

    def _place(self, id: str) -> int:
        try:
            return self._places[id]
        except KeyError:
            known = ", ".join(self._places)
            raise InputError(f"there is no parameter {id!r}; choose from {known}") from None

    @property
    def settings(self) -> EngineSettings:
        """The settings of the engine."""
        return self._settings

    @property
    def board(self) -> TraceBoard:
        """The memory with the engine's trace, for readers in other processes."""
        return self._board

    @property
    def taps(self) -> Taps:
        """The last 40 s of input and output; see `realtime.link.taps`."""
        return self._board.taps

    @property
    def styles(self) -> StyleManager:
        """Loads, switches, mixes and captures styles; see `realtime.styles.style_manager`."""
        return self._styles

    def changes(self) -> list[Change]:
        """Return the engine's changes since the last call, the oldest first. For one caller."""
        return self._changes.read()

    def change_reader(self) -> ChangeReader:
        """Return a reader of the log of changes, from now on."""
        return ChangeReader(self._board.changes, [parameter.id for parameter in self.parameters])

    def request_state(self, *, timeout: float = 1.0) -> ChainState | None:
        """Return the chain's state after some block from now on; None if none comes within `timeout` seconds."""
        with self._asking:
            return self._board.state.request(timeout=timeout)

    def snapshot(self) -> Snapshot:
        """Return the engine's present state: cheap, meant for ten times a second."""
        values = {parameter.id: float(self._cells[n]) for n, parameter in enumerate(self.parameters)}
        return take_snapshot(self._supervisor, values, self._settings)

    @property
    def finished(self) -> bool:
        """Whether the engine has ended: at the end of the file or duration, by `stop`, or by a failure."""
        return self._supervisor is not None and self._supervisor.ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until finished (then True) or `timeout` seconds are over. Ctrl-C interrupts it."""
        if self._supervisor is None:
            return False
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # In pieces: on Windows nothing interrupts a wait.
            left = _PIECE if end is None else min(_PIECE, end - time.monotonic())
            if self._supervisor.ended.wait(max(0.0, left)):
                return True
            if end is not None and time.monotonic() >= end:
                return False

    def stats(self) -> dict[str, Any]:
        """Return the figures of the whole run so far, for --stats; also after `stop`. Needs `start`."""
        if self._supervisor is None:
            raise RuntimeError("start must come first")
        return figures(self._supervisor)


def _exception(message: str, mendable: bool, trace: str) -> Exception:
    if mendable:
        return InputError(message)
    error = EngineError(message)
    if trace:
        error.add_note(trace)
    return error
