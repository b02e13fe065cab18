"""What a whole MIDI controller does: knobs, pads and programs, and the readable file in which that is kept.

A map is a JSON object of three parts: "format" and "version", a list "knobs" and a list "pads"::

    {"cc": 21, "parameter": "strength", "low": 0.2, "high": 1.0, "curve": "slow", "takeover": true}
    {"cc": 1, "fine": 33, "channel": 2, "parameter": "mix"}
    {"note": 36, "channel": 10, "press": "capture"}
    {"cc": 64, "press": "freeze", "hold": true}

Channels are counted from 1 as on the controllers; without one all count. `low` and `high` are in the parameter's
unit, and low above high turns it round. What is pressed is a trigger, a switch or `preset:NAME`. Program changes
recall the preset with that program, and need no map.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from ...media.errors import InputError
from ...media.files import shown
from ...media.inputs import fitted
from ...plugins.knobs import present_name, present_value
from ...plugins.parameter import Parameter
from ...plugins.preset import read_json, write_json
from .midi_bindings import (
    BENDS,
    CONTROL_CHANGE,
    FINE,
    FIRST_RESERVED,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM_CHANGE,
    Assignment,
    CcMap,
)

FORMAT = "gramophone MIDI map"

# A controller used as a pad is down from the middle on.
_DOWN = 64
_MOST = 4096
# An entry that is kept, as JSON: names of effects and parameters are shorter.
_LONGEST = 1024
_MEND = "mend it or learn it again"


class Hand(Protocol):
    """What a controller acts on; `realtime.control.control_surface.ControlSurface` is one."""

    def get(self, id: str) -> float:
        """Return where a parameter stands."""

    def set(self, id: str, value: float) -> None:
        """Set a parameter."""

    def can(self, target: str) -> bool:
        """Return whether `press` knows a target."""

    def press(self, target: str, down: bool, *, hold: bool = False) -> None:
        """Press something, or let it go."""

    def program(self, number: int) -> None:
        """Recall the preset of a program."""


@dataclass(frozen=True, kw_only=True)
class Pad:
    """A note, or a controller that is pressed.

    Attributes:
        note, controller: 0 to 127, or 0 to 119; one of them is None
        channel: 0 to 15, or None for all
        target: a trigger, a switch or `preset:NAME`
        hold: a switch is on only while it is held
    """

    note: int | None = None
    controller: int | None = None
    channel: int | None = None
    target: str
    hold: bool = False

    def __str__(self) -> str:
        what = f"note {self.note}" if self.note is not None else f"CC {self.controller}"
        return f"{what} {self.target}{' while held' if self.hold else ''}"


_Controller = Annotated[int, Meta(ge=0, lt=FIRST_RESERVED)]
_Channel = Annotated[int, Meta(ge=1, le=16)]


class _Knob(msgspec.Struct, forbid_unknown_fields=True):
    """A knob as it stands in a file."""

    cc: _Controller
    parameter: str
    fine: _Controller | None = None
    channel: _Channel | None = None
    low: float | None = None
    high: float | None = None
    curve: str = "linear"
    takeover: bool = True


class _Pad(msgspec.Struct, forbid_unknown_fields=True):
    """A pad as it stands in a file."""

    press: Annotated[str, Meta(min_length=1)]
    note: Annotated[int, Meta(ge=0, le=127)] | None = None
    cc: _Controller | None = None
    channel: _Channel | None = None
    hold: bool = False


class MidiMap:
    """Takes every message of a controller, and does what it is for.

    Args:
        parameters: those that can be turned
        knobs: the controllers; `CcMap.assignments` afterwards
        pads: what is pressed
    """

    def __init__(self, parameters: Sequence[Parameter], *, knobs: CcMap, pads: Iterable[Pad] = ()) -> None:
        self.parameters = tuple(parameters)
        self.knobs = knobs
        self.pads: tuple[Pad, ...] = tuple(pads)
        #: knobs of effects that are not loaded, as they stand in the file: they are kept, and do nothing
        self.absent: tuple[dict[str, object], ...] = ()
        self._down: set[tuple[int, int]] = set()

    def receive(self, message: Sequence[int], hand: Hand) -> None:
        """Do what a MIDI message is for; most are for nothing."""
        if not message:
            return
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        data = message[1:]
        if any(not 0 <= byte <= 127 for byte in data):
            return
        if kind == PROGRAM_CHANGE and len(data) == 1:
            hand.program(data[0])
        elif len(data) != 2:
            return
        elif kind in (NOTE_ON, NOTE_OFF):
            # A note-on of velocity 0 is a note-off (MIDI 1.0).
            self._press(hand, channel, note=data[0], down=kind == NOTE_ON and data[1] > 0)
        elif kind == CONTROL_CHANGE:
            self._controller(hand, channel, data[0], data[1])
            for identity, value in self.knobs.receive(message, hand.get):
                hand.set(identity, value)

    def _controller(self, hand: Hand, channel: int, controller: int, data: int) -> None:
        key, down = (channel, controller), data >= _DOWN
        if down == (key in self._down):
            return
        if down:
            self._down.add(key)
        else:
            self._down.discard(key)
        self._press(hand, channel, controller=controller, down=down)

    def _press(
        self, hand: Hand, channel: int, *, note: int | None = None, controller: int | None = None, down: bool
    ) -> None:
        for pad in self.pads:
            if (pad.note, pad.controller) != (note, controller) or pad.channel not in (None, channel):
                continue
            # A map may name what this session does not have, such as a recorder.
            if hand.can(pad.target):
                hand.press(pad.target, down, hold=pad.hold)

    def put(self, item: Assignment | Pad) -> None:
        """Take a knob or pad into the map, in place of whatever its control did before."""
        note, numbers = _control(item)
        self.remove(note=note, controllers=numbers, channel=item.channel)
        if isinstance(item, Pad):
            self.pads = (*self.pads, item)
        else:
            self.knobs.assign((*self.knobs.assignments, item))

    def remove(self, *, note: int | None, controllers: frozenset[int], channel: int | None) -> None:
        """Take out all that a control does; a control of one channel is another than that of all channels."""

        def stays(item: Assignment | Pad) -> bool:
            its_note, numbers = _control(item)
            same = (note is not None and its_note == note) or bool(numbers & controllers)
            return not (same and item.channel in (None, channel))

        self.knobs.assign(item for item in self.knobs.assignments if stays(item))
        self.pads = tuple(pad for pad in self.pads if stays(pad))
        self.absent = tuple(
            entry
            for entry in self.absent
            if controllers.isdisjoint({entry.get("cc"), entry.get("fine")})
            or (channel is not None and entry.get("channel") != channel + 1)
        )

    def know(self, parameters: Sequence[Parameter]) -> None:
        """Turn these parameters from now on, also with what was kept for them."""
        self.parameters = tuple(parameters)
        by_id = {parameter.id: parameter for parameter in parameters}
        absent, self.absent = self.absent, ()
        for entry in absent:
            try:
                knob = parse_knob(entry, by_id, where="the MIDI map")
            except InputError:
                # It was for another effect of that name.
                continue
            if knob is None:
                self.absent = (*self.absent, entry)
            else:
                self.knobs.assign((*self.knobs.assignments, knob))

    def save(self, path: Path) -> None:
        """Write the map in place of the one that is there; InputError where that cannot be."""
        write_json(
            path,
            FORMAT,
            {
                "knobs": [*map(written_knob, self.knobs.assignments), *self.absent],
                "pads": list(map(written_pad, self.pads)),
            },
        )


def _control(item: Assignment | Pad) -> tuple[int | None, frozenset[int]]:
    if isinstance(item, Pad):
        return item.note, frozenset() if item.controller is None else frozenset({item.controller})
    return None, frozenset({item.controller} if item.fine is None else {item.controller, item.fine})


def written_knob(item: Assignment) -> dict[str, object]:
    """Return a knob as it stands in a file."""
    return {
        "cc": item.controller,
        **({} if item.fine is None else {"fine": item.fine}),
        **({} if item.channel is None else {"channel": item.channel + 1}),
        "parameter": item.parameter.id,
        "low": item.low,
        "high": item.high,
        "curve": item.bend,
        "takeover": item.takeover,
    }


def written_pad(pad: Pad) -> dict[str, object]:
    """Return a pad as it stands in a file."""
    return {
        **({"cc": pad.controller} if pad.note is None else {"note": pad.note}),
        **({} if pad.channel is None else {"channel": pad.channel + 1}),
        "press": pad.target,
        "hold": pad.hold,
    }


def read_map(path: Path, parameters: Sequence[Parameter]) -> tuple[MidiMap, list[str]]:
    """Read a map, and what is wrong with entries that are left out, a line each, which names the file and the entry.

    Knobs of parameters that are not there are kept for `save`; see `MidiMap.absent`.

    Raises:
        InputError: it cannot be read, or is no map
    """
    found = read_json(path, FORMAT)
    by_id = {parameter.id: parameter for parameter in parameters}
    knobs, pads, faults = [], [], []
    absent: list[dict[str, object]] = []
    for place, entry in enumerate(_entries(found, "knobs", path), start=1):
        try:
            knob = parse_knob(entry, by_id, where=f"{shown(path)}, knob {place}")
        except InputError as error:
            faults.append(str(error))
        else:
            if knob is not None:
                knobs.append(knob)
            elif len(json.dumps(entry)) <= _LONGEST:
                absent.append(entry)
    for place, entry in enumerate(_entries(found, "pads", path), start=1):
        try:
            pads.append(parse_pad(entry, where=f"{shown(path)}, pad {place}"))
        except InputError as error:
            faults.append(str(error))
    listed = CcMap(["none"], parameters)
    listed.assign(knobs)
    read = MidiMap(parameters, knobs=listed, pads=pads)
    read.absent = tuple(absent)
    return read, faults


def _entries(found: dict[str, Any], key: str, path: Path) -> list[Any]:
    entries = found.get(key, [])
    if not isinstance(entries, list) or len(entries) > _MOST:
        raise InputError(
            f"{shown(path)}: {key!r} is not a list of up to {_MOST}; mend it or move the file away"
        )
    return entries


def parse_knob(entry: object, parameters: dict[str, Parameter], *, where: str) -> Assignment | None:
    """Read a knob as it stands in a file; None where its parameter is not there.

    Raises:
        InputError: something in it is not as it must be; the message begins with `where`
    """
    knob = fitted(entry, _Knob, name=where, advice=_MEND)
    if knob.fine is not None and (knob.cc >= FINE or knob.fine != knob.cc + FINE):
        raise InputError(f'{where}: "fine" must be "cc" + {FINE}, with "cc" from 0 to {FINE - 1}')
    parameter = parameters.get(present_name(knob.parameter))
    if parameter is None:
        return None
    low = parameter.low if knob.low is None else knob.low
    high = parameter.high if knob.high is None else knob.high
    for key, value in (("low", low), ("high", high)):
        if not parameter.low <= value <= parameter.high:
            allowed = f"{parameter.low:g} to {parameter.high:g}"
            raise InputError(f"{where}: {key!r} is {value!r}; give a number from {allowed}")
    if low == high:
        raise InputError(f'{where}: "low" and "high" are the same; give two values')
    if knob.curve not in BENDS:
        raise InputError(f"{where}: the curve {knob.curve!r} is unknown; choose from {', '.join(BENDS)}")
    return Assignment(
        controller=knob.cc,
        fine=knob.fine,
        parameter=parameter,
        low=present_value(knob.parameter, low),
        high=present_value(knob.parameter, high),
        bend=knob.curve,
        channel=_from_zero(knob.channel),
        takeover=knob.takeover,
    )


def parse_pad(entry: object, *, where: str) -> Pad:
    """Read a pad as it stands in a file; raises as `parse_knob`."""
    pad = fitted(entry, _Pad, name=where, advice=_MEND)
    if (pad.note is None) == (pad.cc is None):
        raise InputError(f'{where}: give either "note", 0 to 127, or "cc", 0 to {FIRST_RESERVED - 1}')
    return Pad(
        note=pad.note, controller=pad.cc, channel=_from_zero(pad.channel), target=pad.press, hold=pad.hold
    )


def _from_zero(channel: int | None) -> int | None:
    return None if channel is None else channel - 1
