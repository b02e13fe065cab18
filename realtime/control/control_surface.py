"""The control surface: everything a performer can do, by MIDI, OSC, the desk or the keys.

All of these use one `ControlSurface`. It passes parameters to the engine at once. Triggers may take a while; a thread
does them one after the other, so that the caller never waits.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ...media.errors import InputError
from ...plugins.effects import KeptState
from ...plugins.knobs import MAX_STYLES
from ...plugins.parameter import Parameter
from ...plugins.preset import Preset, PresetFolder, summary

#: The prefix of a preset's name as a trigger: ``preset:rain``.
PRESET = "preset:"
_LINES = 64
# Most pending jobs, so that a flood of messages cannot fill the memory.
_MOST_JOBS = 256
_SLOT_WEIGHTS = frozenset(f"style_{place + 1}" for place in range(MAX_STYLES))
_GONE = 5.0


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """An action that can be pressed.

    Attributes:
        id: as in files and OSC addresses
        name: as on a display
        description: one line for a performer
        hold: whether the release counts too (a capture lasts from press to release)
    """

    id: str
    name: str
    description: str
    hold: bool = False


TRIGGERS = (
    Trigger(
        id="panic", name="Dry, now", description="Your own sound at once, whatever goes on; again: back."
    ),
    Trigger(id="next_style", name="Next style", description="The next sound of the folder of styles."),
    Trigger(id="previous_style", name="Previous style", description="The one before it."),
    Trigger(
        id="capture",
        name="Capture",
        description="What sounds while it is held becomes a style, and plays.",
        hold=True,
    ),
    Trigger(
        id="capture_second",
        name="Capture second input",
        description="The same, of the second input: a microphone in the room.",
        hold=True,
    ),
    Trigger(id="record", name="Record", description="Starts a recording; again: ends it."),
)


class Knobs(Protocol):
    """The part of the host that the surface uses."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that can be turned."""

    def get(self, id: str) -> float:
        """Return a parameter's target."""

    def set(self, id: str, value: float) -> None:
        """Set a parameter's target."""


class Mixture(Protocol):
    """Styles by name, whichever slots they are in."""

    def styles(self) -> dict[str, float]:
        """Return the present weights by name."""

    def blend(self, styles: Mapping[str, float]) -> None:
        """Fade to these weights."""


class Effects(Protocol):
    """The effects of the chain that have states of their own."""

    def states(self) -> dict[str, KeptState]:
        """Return what they call their states, by key."""

    def restore(self, states: Mapping[str, KeptState]) -> list[str]:
        """Give them their states back; return a line for each that is not the same plugin, or cannot take it."""


class ControlSurface:
    """Parameters and triggers of one host. Safe to call from any thread.

    Args:
        engine: the host
        presets: the folder of presets
        actions: of triggers, by id: called with True for a press, False for a release, in this object's thread. An
            InputError becomes a line of `news`. "panic" is done at once.
        mixture: the styles for presets; with None, presets have only the weights of the slots
    """

    def __init__(
        self,
        engine: Knobs,
        *,
        presets: PresetFolder,
        actions: Mapping[str, Callable[[bool], object]] | None = None,
        mixture: Mixture | None = None,
    ) -> None:
        self._engine = engine
        self._mixture = mixture
        self.presets = presets
        self.parameters: tuple[Parameter, ...] = ()
        self._known: dict[str, Parameter] = {}
        self.renew()
        self._actions = dict(actions or {})
        self.triggers = tuple(item for item in TRIGGERS if item.id in self._actions or item.id == "panic")
        #: for presets; None where effects have no states
        self.effects: Effects | None = None
        #: name of the preset that was recalled last
        self.preset: str | None = None
        self._lines: deque[tuple[int, str]] = deque(maxlen=_LINES)
        self._said = 0
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(_MOST_JOBS)
        self._thread = threading.Thread(target=self._work, name="surface", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Take over the engine's parameters: there are more where an effect has been added."""
        self._known = {parameter.id: parameter for parameter in self._engine.parameters}
        self.presets.know(self._engine.parameters)
        self.parameters = self._engine.parameters

    def close(self) -> None:
        """Finish pending jobs, for some seconds at most, and stop."""
        while True:
            try:
                self._jobs.put_nowait(None)
                break
            except queue.Full:
                with suppress(queue.Empty):
                    self._jobs.get_nowait()
        self._thread.join(_GONE)

    def get(self, id: str) -> float:
        """Return a parameter's value, in its unit; InputError if there is none."""
        return self._engine.get(id)

    def set(self, id: str, value: float) -> None:
        """Set a parameter, in its unit; InputError if there is none."""
        self._engine.set(id, value)

    def unit(self, id: str) -> float:
        """Return a parameter's position, 0 to 1."""
        return self._parameter(id).to_unit(self._engine.get(id))

    def set_unit(self, id: str, position: float) -> None:
        """Set a parameter's position, clamped to 0 to 1; NaN counts as 0."""
        self._engine.set(id, self._parameter(id).from_unit(position))

    def can(self, target: str) -> bool:
        """Return whether `press` knows this: a trigger, a switch or a preset."""
        if target.startswith(PRESET):
            return len(target) > len(PRESET)
        known = self._known.get(target)
        return any(item.id == target for item in self.triggers) or (
            known is not None and known.curve == "toggle"
        )

    def press(self, target: str, down: bool, *, hold: bool = False) -> None:
        """Press or release a trigger, a switch (by its parameter's id) or a preset (`preset:NAME`).

        Args:
            target: InputError unless `can` knows it
            down: False is a release, which only counts for triggers with `hold`, and for switches with `hold`
            hold: a switch is on while it is held; otherwise each press toggles it
        """
        if not self.can(target):
            known = ", ".join(item.id for item in self.triggers)
            raise InputError(f"there is no trigger {target!r}; choose from {known}, a switch, or preset:NAME")
        if target.startswith(PRESET):
            if down:
                self.recall(target.removeprefix(PRESET))
        elif target == "panic":
            # Not behind whatever the other thread is busy with.
            if down:
                self._engine.set("bypass", 1.0 - self._engine.get("bypass"))
        elif target in self._actions:
            action = self._actions[target]
            self.later(lambda: action(down))
        elif hold:
            self._engine.set(target, float(down))
        elif down:
            self._engine.set(target, 1.0 - self._engine.get(target))

    def recall(self, name: str) -> None:
        """Recall a preset by name, soon; errors become lines of `news`."""
        self.later(lambda: self._apply(self.presets.load(name)))

    def program(self, number: int) -> None:
        """Recall the preset with this program number, 0 to 127, soon; without one nothing happens."""

        def find() -> None:
            found = self.presets.by_program(number)
            if found is not None:
                self._apply(found)

        self.later(find)

    def store(self, name: str) -> Preset:
        """Save the present values as a preset; raises InputError if it cannot be saved."""
        values = {parameter.id: self._engine.get(parameter.id) for parameter in self.parameters}
        styles = None if self._mixture is None else self._mixture.styles()
        states = None if self.effects is None else self.effects.states()
        preset = self.presets.save(name, values, styles=styles, states=states)
        self.preset = preset.name
        return preset

    def _apply(self, preset: Preset) -> None:
        if self.effects is not None and preset.states:
            for line in self.effects.restore(preset.states):
                self.notify(f"error: preset {preset.name}: {line}")
        named = self._mixture is not None and bool(preset.styles)
        for identity, value in preset.values.items():
            # The slots may have other styles by now, so styles are found by name.
            if identity in self._known and not (named and identity in _SLOT_WEIGHTS):
                self._engine.set(identity, value)
        self.preset = preset.name
        if self._mixture is not None and named:
            self._mixture.blend(preset.styles)
        self.notify(f"preset {preset.name}")
        if preset.faults:
            self.notify(f"error: preset {preset.name}: {summary(preset.faults)}; save it again")

    def later(self, job: Callable[[], object]) -> None:
        """Do a job after all pending ones, in this object's thread; dropped if far too many are pending."""
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            self.notify("error: more is asked for than can be done; something was left out")

    def notify(self, line: str) -> None:
        """Add a line to `news`."""
        self._said += 1
        self._lines.append((self._said, " ".join(line.split())))

    def news(self, after: int = 0) -> list[tuple[int, str]]:
        """Return the lines after number `after`, with their numbers."""
        return [line for line in list(self._lines) if line[0] > after]

    def _parameter(self, id: str) -> Parameter:
        try:
            return self._known[id]
        except KeyError:
            raise InputError(f"there is no parameter {id!r}; choose from {', '.join(self._known)}") from None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except InputError as error:
                self.notify(f"error: {error}")
            except Exception as error:
                # An error in one job must not stop the next.
                self.notify(f"error: {type(error).__name__}: {error}")
            # A burst of presses must leave the interpreter to other threads.
            time.sleep(0.0)
