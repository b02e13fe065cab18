"""MIDI learn: move a control and touch a knob, in either order, to assign one to the other.

It stays on until `leave`. MIDI's reserved controllers (120 to 127) cannot be assigned.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...plugins.parameter import Parameter
from .midi_bindings import CONTROL_CHANGE, FINE, FIRST_RESERVED, NOTE_ON, Assignment
from .midi_map import Pad

# Messages of one control with shorter pauses are one movement; once it is learnt, the rest of it is ignored.
_MOVEMENT = 0.5
# The finer half of a controller of 14 bits follows the coarser one at once.
_HALVES = 0.02


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control that was moved: a controller, or a note. `channel` is 0 to 15, or None for all."""

    controller: int | None = None
    note: int | None = None
    fine: int | None = None
    channel: int | None = None

    def __str__(self) -> str:
        where = "" if self.channel is None else f", channel {self.channel + 1}"
        if self.note is not None:
            return f"note {self.note}{where}"
        return f"CC {self.controller}{'' if self.fine is None else f'+{self.fine}'}{where}"


class Learner:
    """Pairs controls with targets. Safe to call from any thread.

    Args:
        parameters: those that can be learnt; other targets are triggers
        by_channel: whether the same control on another channel is another one
        clock: returns seconds
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        by_channel: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.know(parameters)
        self._by_channel = by_channel
        self._clock = clock
        self._lock = threading.Lock()
        self.active = False
        #: the target that waits for a control
        self.target: str | None = None
        #: the control that waits for a target
        self.control: Control | None = None
        self._bound: Control | None = None
        self._bound_target: str | None = None
        self._moved = 0.0

    def know(self, parameters: Sequence[Parameter]) -> None:
        """Learn these parameters from now on."""
        self._known: Mapping[str, Parameter] = {parameter.id: parameter for parameter in parameters}

    def start(self) -> None:
        """Begin to learn; nothing is touched or moved yet."""
        with self._lock:
            self.active = True
            self.target = self.control = self._bound = self._bound_target = None

    def leave(self) -> None:
        """End learning."""
        with self._lock:
            self.active = False
            self.target = self.control = None

    def touch(self, target: str) -> Assignment | Pad | None:
        """Touch a knob or a trigger; return the new assignment, or None until a control is moved.

        A second touch cancels the first.
        """
        with self._lock:
            if not self.active:
                return None
            if self.target == target:
                self.target = None
                return None
            self.target = target
            return self._bind()

    def handle_midi(self, message: Sequence[int]) -> Assignment | Pad | None:
        """Handle a message of a controller; return the new assignment, if there is one."""
        with self._lock:
            control = self._control(message) if self.active else None
            if control is None:
                return None
            now = self._clock()
            same = self._bound is not None and _same(self._bound, control)
            pause, self._moved = now - self._moved, now
            if self._bound is not None and _halves(self._bound, control) and pause < _HALVES:
                self._bound = replace(self._bound, fine=control.controller)
                assert self._bound_target is not None
                return self._made(self._bound, self._bound_target)
            if same and pause < _MOVEMENT:
                return None
            if self.control is not None and _halves(self.control, control) and pause < _HALVES:
                control = replace(self.control, fine=control.controller)
            elif self.control is not None and self.control.fine is not None and _same(self.control, control):
                control = self.control
            self.control = control
            return self._bind()

    def _control(self, message: Sequence[int]) -> Control | None:
        if len(message) != 3 or any(not 0 <= byte <= 127 for byte in message[1:]):
            return None
        kind, number, data = message[0] & 0xF0, message[1], message[2]
        channel = message[0] & 0x0F if self._by_channel else None
        if kind == CONTROL_CHANGE and number < FIRST_RESERVED:
            return Control(controller=number, channel=channel)
        if kind == NOTE_ON and data > 0:
            return Control(note=number, channel=channel)
        return None

    def _bind(self) -> Assignment | Pad | None:
        if self.target is None or self.control is None:
            return None
        if self.control.note is not None and not self._pressed(self.target):
            # A note turns nothing; the knob goes on waiting for a controller.
            self.control = None
            return None
        self._bound, self._bound_target = self.control, self.target
        self.control = self.target = None
        return self._made(self._bound, self._bound_target)

    def _pressed(self, target: str) -> bool:
        known = self._known.get(target)
        return known is None or known.curve == "toggle"

    def _made(self, control: Control, target: str) -> Assignment | Pad:
        parameter = self._known.get(target)
        if control.note is not None or parameter is None:
            return Pad(
                note=control.note, controller=control.controller, channel=control.channel, target=target
            )
        assert control.controller is not None
        return Assignment(
            controller=control.controller,
            fine=control.fine,
            channel=control.channel,
            parameter=parameter,
            low=parameter.low,
            high=parameter.high,
        )


def _halves(coarse: Control, other: Control) -> bool:
    """Whether `other` would be the finer half of `coarse`, by the numbers that MIDI 1.0 gives such pairs."""
    return (
        coarse.controller is not None
        and coarse.fine is None
        and coarse.controller < FINE
        and other.controller == coarse.controller + FINE
        and coarse.channel == other.channel
    )


def _same(one: Control, other: Control) -> bool:
    if one.channel != other.channel:
        return False
    if one.note is not None or other.note is not None:
        return one.note == other.note
    return other.controller in (one.controller, one.fine)
