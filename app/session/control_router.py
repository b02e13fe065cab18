"""Routes knobs, triggers and MIDI messages of one host, with the controller's map and MIDI learn."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ...media.errors import InputError
from ...media.files import shown
from ...plugins.parameter import Parameter
from ...plugins.preset import PresetFolder, summary
from ...realtime.control.control_surface import ControlSurface, Knobs, Mixture
from ...realtime.control.learn import Learner
from ...realtime.control.midi_bindings import Assignment, CcMap
from ...realtime.control.midi_map import MidiMap, Pad, parse_knob, parse_pad, read_map
from .settings_folder import set_aside


def starting_map(
    parameters: Sequence[Parameter], cc: Sequence[str], path: Path | None
) -> tuple[MidiMap, str | None]:
    """Return the MIDI map that a session starts with, and a message if its file was broken.

    Args:
        parameters: those that can be turned
        cc: the values of --cc, which replace the file's entries for their controllers
        path: the file; if it is None or does not exist, the default map is used

    Raises:
        InputError: `cc` cannot be read
    """
    typed = CcMap(cc, parameters)
    if path is None or not path.exists():
        return MidiMap(parameters, knobs=typed), None
    try:
        saved, faults = read_map(path, parameters)
    except InputError as error:
        return MidiMap(parameters, knobs=typed), f"{error}; {set_aside(path)}, and the usual map is in force"
    line = None
    if faults:
        line = f"{summary(faults)}; {set_aside(path)}, and the rest of the map is in force"
        if not path.exists():
            with suppress(InputError):
                saved.save(path)
    if not cc:
        return saved, line
    own = CcMap(["none", *(text for text in cc if text.strip() != "none")], parameters).assignments
    numbers = {number for item in own for number in (item.controller, item.fine)}
    kept = [item for item in saved.knobs.assignments if not {item.controller, item.fine} - {None} & numbers]
    saved.knobs.assign((*(() if "none" in {text.strip() for text in cc} else kept), *own))
    return saved, line


class ControlRouter:
    """The controls of one host. Safe to call from any thread.

    Args:
        engine: the host
        midi: the controller's map
        map_path: the file for the map after a change; None keeps it for this session
        presets: the folder of presets
        actions, mixture: see `ControlSurface`
    """

    def __init__(
        self,
        engine: Knobs,
        *,
        midi: MidiMap,
        map_path: Path | None,
        presets: Path,
        actions: Mapping[str, Callable[[bool], object]] | None = None,
        mixture: Mixture | None = None,
    ) -> None:
        self.surface = ControlSurface(
            engine, presets=PresetFolder(presets, engine.parameters), actions=actions, mixture=mixture
        )
        self.midi = midi
        self.learner = Learner(engine.parameters)
        self._map_path = map_path
        # The controller's thread reads the map; learning and editing write it.
        self._lock = threading.RLock()

    def renew(self) -> None:
        """Have every control know what there is to turn: an effect has been added."""
        self.surface.renew()
        with self._lock:
            self.learner.know(self.surface.parameters)
            self.midi.know(self.surface.parameters)

    def close(self) -> None:
        """Finish pending work."""
        self.surface.close()

    def handle_midi(self, message: Sequence[int]) -> None:
        """Handle a message of the controller: learn from it, or act on it."""
        with self._lock:
            if self.learner.active:
                waiting = self.learner.target is not None
                made = self.learner.handle_midi(message)
                if made is not None:
                    self._learnt(made)
                # A control that is moved to be learnt does not act yet.
                if made is not None or waiting:
                    return
            self.midi.receive(message, self.surface)

    def touch(self, target: str) -> None:
        """Touch a knob or a trigger in learn mode."""
        if not self.surface.can(target) and all(one.id != target for one in self.surface.parameters):
            raise InputError(f"there is nothing called {target!r} to learn")
        with self._lock:
            made = self.learner.touch(target)
            if made is not None:
                self._learnt(made)

    def _learnt(self, made: Assignment | Pad) -> None:
        self.midi.put(made)
        self.surface.notify(f"learnt: {made}")
        self._changed()

    def items(self) -> list[Assignment | Pad]:
        """Return all of the map, knobs first."""
        with self._lock:
            return [*self.midi.knobs.assignments, *self.midi.pads]

    def forget(self, place: int) -> None:
        """Remove one of `items` from the map; InputError if it does not exist."""
        with self._lock:
            self._replace(place, None)

    def edit(self, place: int, entry: object) -> None:
        """Replace one of `items` by a knob or pad, written as in a map's file.

        Raises:
            InputError: there is no such item, or `entry` is wrong
        """
        with self._lock:
            item = self._item(place)
            where = f"{item}"
            if isinstance(item, Pad):
                self._replace(place, parse_pad(entry, where=where))
            else:
                by_id = {parameter.id: parameter for parameter in self.midi.parameters}
                self._replace(place, parse_knob(entry, by_id, where=where))

    def _item(self, place: int) -> Assignment | Pad:
        items = self.items()
        if not 0 <= place < len(items):
            raise InputError(f"there is no assignment {place + 1}; there are {len(items)}")
        return items[place]

    def _replace(self, place: int, item: Assignment | Pad | None) -> None:
        self._item(place)
        items = [item if n == place else one for n, one in enumerate(self.items())]
        self.midi.knobs.assign(one for one in items if isinstance(one, Assignment))
        self.midi.pads = tuple(one for one in items if isinstance(one, Pad))
        self._changed()

    def _changed(self) -> None:
        if self._map_path is not None:
            path = self._map_path
            self.surface.later(lambda: self._save(path))

    def _save(self, path: Path) -> None:
        try:
            with self._lock:
                self.midi.save(path)
        except InputError as error:
            raise InputError(f"the MIDI map is not saved to {shown(path)}: {error}") from error
