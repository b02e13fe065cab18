"""Automation: the changes of a take, as a file of lines (`moves.jsonl`) and as functions of time.

There is one line of JSON for each change, in the order in which they took effect; frames count from the beginning of
the take. A parameter gets a new value, in its own unit; a slot of the stylizer gets another style; or the chain loses
its state, because another engine took over ("begin": the values of all parameters follow) or a plugin failed
("reset"):

    {"frame": 4800, "id": "strength", "value": 0.5}
    {"frame": 96000, "slot": 2, "style": "styles/choir.style"}
    {"frame": 144000, "event": "reset"}

Importing this needs no torch.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from ..media.inputs import parse_json
from ..plugins.knobs import MAX_STYLES, present_name, present_value
from ..plugins.parameter import Parameter

Frames = NDArray[np.int64]
Values = NDArray[np.float64]

# The time of a knob to a new value: as in the plugins, which take 20 or 30 ms.
RAMP_SECONDS = 0.03
# A line is some dozen characters; one that is far longer is damage, and parsing it could take any time.
_LONGEST_LINE = 4096
_LAST_FRAME = 2**53


@dataclass(frozen=True)
class Move:
    """A parameter's new target, in its own unit, from a frame on."""

    frame: int
    id: str
    value: float


@dataclass(frozen=True)
class StyleChange:
    """Another style in a slot of the stylizer (counted from 0) from a frame on; "" empties the slot."""

    frame: int
    slot: int
    style: str


@dataclass(frozen=True)
class Restart:
    """The chain lost its state at a frame; see `RESTARTS`."""

    frame: int
    kind: str


Event = Move | StyleChange | Restart
RESTARTS = ("begin", "reset")


def to_line(event: Event) -> str:
    """Return an event as a line of JSON, without its end; the value is exact."""
    if isinstance(event, Move):
        return json.dumps({"frame": event.frame, "id": event.id, "value": event.value}, allow_nan=False)
    if isinstance(event, StyleChange):
        return json.dumps({"frame": event.frame, "slot": event.slot, "style": event.style})
    return json.dumps({"frame": event.frame, "event": event.kind})


def read_lines(data: bytes, parameters: Sequence[Parameter], *, name: str) -> tuple[Event, ...]:
    """Read lines that `to_line` wrote; a last line without an end was cut off, and is ignored.

    Args:
        data: the file's content
        parameters: those that can be moved
        name: what messages call the file

    Raises:
        InputError: A line is not an event, its frame is before that of the line above, its parameter is unknown or
            its value out of range; the message says which line.
    """
    known = {parameter.id: parameter for parameter in parameters}
    events: list[Event] = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            event = _event(line, known)
        except (ValueError, TypeError, KeyError) as error:
            reason = (
                error.args[0] if isinstance(error, _LineError) else "it is no change of a parameter or style"
            )
            raise InputError(f"{name}, line {number}: {reason}; remove the line to do without it") from None
        if events and event.frame < events[-1].frame:
            raise InputError(
                f"{name}, line {number}: frame {event.frame} comes after frame {events[-1].frame}; sort the lines"
            )
        events.append(event)
    return tuple(events)


class _LineError(ValueError):
    """What is wrong with a line, in words for the user."""


def _event(line: bytes, known: Mapping[str, Parameter]) -> Event:
    if len(line) > _LONGEST_LINE:
        raise _LineError("it is far too long")
    found = parse_json(line)
    frame = _whole(found["frame"], _LAST_FRAME, "frame")
    if "event" in found:
        if found["event"] not in RESTARTS:
            raise _LineError(f"there is no event {found['event']!r}")
        return Restart(frame, found["event"])
    if "slot" in found:
        style = found["style"]
        if not isinstance(style, str):
            raise _LineError("the style is no file name")
        return StyleChange(frame, _whole(found["slot"], MAX_STYLES - 1, "slot"), style)
    former, value = found["id"], found["value"]
    identity = present_name(former)
    if identity not in known:
        raise _LineError(f"there is no parameter {former!r}")
    return Move(frame, identity, present_value(former, check_value(known[identity], value)))


def _whole(value: object, highest: int, what: str) -> int:
    # To Python, true is a number too.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= highest:
        raise _LineError(f"{what} {value!r} is not a whole number from 0 to {highest}")
    return value


def check_value(parameter: Parameter, value: object) -> float:
    """Return what was read as a parameter's value; ValueError, in words for the user, unless it can have it."""
    if (
        not isinstance(value, int | float)
        or isinstance(value, bool)
        or not math.isfinite(value)
        or parameter.clamp(value) != value
    ):
        raise _LineError(f"{parameter.id} cannot be {value!r}")
    return float(value)


class Automation:
    """All parameters as functions of time.

    Args:
        parameters: those that are automated
        values: before the first move, by id; others have their defaults
        events: in the order in which they take effect; only moves count here
        sample_rate: Hz, of the frames
    """

    def __init__(
        self,
        parameters: Iterable[Parameter],
        *,
        values: Mapping[str, float],
        events: Sequence[Event],
        sample_rate: int,
    ) -> None:
        self._parameters = {parameter.id: parameter for parameter in parameters}
        self._first = {key: values.get(key, known.default) for key, known in self._parameters.items()}
        self._sample_rate = sample_rate
        self._moves: dict[str, list[Move]] = {key: [] for key in self._parameters}
        for event in events:
            if isinstance(event, Move):
                self._moves[event.id].append(event)

    def targets(self, id: str, frames: Frames) -> Values:
        """Return a parameter's targets at `frames` (any shape). KeyError if it is unknown."""
        moves = self._moves[id]
        at = np.array([move.frame for move in moves], dtype=np.int64)
        values = np.array([self._first[id], *(move.value for move in moves)])
        return values[np.searchsorted(at, frames, side="right")]

    def values(self, id: str, frames: Frames, *, seconds: float = RAMP_SECONDS) -> Values:
        """Return a parameter's values at `frames` (any shape), on straight lines to its targets.

        Each line takes `seconds` from the present value, as in `plugins.ramp.Ramp`. Switches and whole numbers jump, as
        in `targets`. KeyError if there is no such parameter.
        """
        if self._parameters[id].curve in ("toggle", "integer"):
            return self.targets(id, frames)
        length = max(1, round(seconds * self._sample_rate))
        places, heights = [-1.0], [self._first[id]]
        # The line that is under way: from (begin, start) to (begin + length, target).
        begin, start, target = -1.0 - length, self._first[id], self._first[id]
        for move in self._moves[id]:
            if move.value == target:
                continue
            # The frame of the move is the first one on the new line.
            corner = move.frame - 1.0
            way = min(1.0, (corner - begin) / length)
            if begin + length < corner:
                _bend(places, heights, begin + length, target)
            begin, start, target = corner, start + (target - start) * way, move.value
            _bend(places, heights, begin, start)
        _bend(places, heights, begin + length, target)
        return np.interp(frames, places, heights)

    def moved(self, id: str) -> bool:
        """Whether a parameter ever changes; KeyError if it is unknown."""
        return any(move.value != self._first[id] for move in self._moves[id])


def _bend(places: list[float], heights: list[float], place: float, height: float) -> None:
    """Add a corner of a line; one at the same place takes the other's."""
    if place <= places[-1]:
        heights[-1] = height
    else:
        places.append(place)
        heights.append(height)


def between(events: Sequence[Event], start: int, stop: int) -> Sequence[Event]:
    """Return the events at frames from `start` to before `stop`; `events` are sorted by frame."""
    first, last = (bisect_left(events, frame, key=lambda event: event.frame) for frame in (start, stop))
    return events[first:last]
