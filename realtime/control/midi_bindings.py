"""Which MIDI controller turns which parameter, and what becomes of its messages.

A controller's position, 0 to 1, is bent as its assignment says and then laid along the parameter's own curve.
Controllers of the same parameter do not know of each other: the last one moved has its way, or, with soft takeover,
the last one that was led to where the parameter stood.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...media.errors import InputError
from ...plugins.knobs import present_name, present_value
from ...plugins.parameter import Parameter, whole_number

NOTE_OFF, NOTE_ON, CONTROL_CHANGE, PROGRAM_CHANGE = 0x80, 0x90, 0xB0, 0xC0
# MIDI 1.0: 120 to 127 are channel mode messages (all sound off, reset, all notes off, ...), no controllers.
FIRST_RESERVED = 120
# MIDI 1.0: controllers 0 to 31 may have their finer seven bits in 32 to 63, in the same order.
FINE = 32

# How a controller's way, 0 to 1, is bent, and the way back.
BENDS: Mapping[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "linear": (lambda x: x, lambda y: y),
    # Fine at the lower end, fine at the upper end, fine at both.
    "slow": (lambda x: x * x, math.sqrt),
    "fast": (lambda x: 1.0 - (1.0 - x) ** 2, lambda y: 1.0 - math.sqrt(1.0 - y)),
    "s": (lambda x: x * x * (3.0 - 2.0 * x), lambda y: 0.5 - math.sin(math.asin(1.0 - 2.0 * y) / 3.0)),
}
# Soft takeover: a controller this near to the parameter (two steps of seven bits) has found it.
_NEAR = 2.0 / 127.0
# Positions that differ by no more are the same, after a way through the parameter's curve and back.
_SAME = 1e-6

# What these controllers are for by the MIDI standard, or by the habit of keyboards, is near what they do here. A
# parameter that the chain does not have is left out.
DEFAULT_MAP = (
    "1=strength",  # modulation wheel
    "7=gain:-60:0",  # volume, which a keyboard has at its end where nothing is to be changed
    "16=style_1", "17=style_2", "18=style_3", "19=style_4",  # general purpose 1 to 4
    "64=freeze",  # sustain pedal
    "66=soundcheck",  # sostenuto pedal
    "67=bypass",  # soft pedal
    "71=adapt",  # timbre
    "72=gate",  # release time
    "74=notes",  # brightness
    "91=mix",  # effects depth
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One controller on one parameter.

    Args:
        controller: 0 to 119.
        fine: The controller with the lower seven bits, `controller` + 32, or None for seven bits in all.
        parameter: What it turns.
        low, high: Values at the controller's two ends; low > high turns it round.
        bend: One of `BENDS`: "linear", "slow" (starts slowly), "fast" (starts fast), "s" (slow at both ends).
        channel: 0 to 15, or None for all.
        takeover: Whether the parameter waits until the controller is led to where it stands. Switches never wait.
    """

    controller: int
    fine: int | None = None
    parameter: Parameter
    low: float
    high: float
    bend: str = "linear"
    channel: int | None = None
    takeover: bool = True

    def value(self, position: float) -> float:
        """Return the parameter's value with the controller at `position`, 0 to 1."""
        start, end = self.parameter.to_unit(self.low), self.parameter.to_unit(self.high)
        # Not by way of the positions where these would round.
        if position in (0.0, 1.0):
            return self.high if position else self.low
        return self.parameter.from_unit(start + (end - start) * BENDS[self.bend][0](position))

    def position(self, value: float) -> float:
        """Return the controller's position at which `value` gives `value`; beyond the range, its nearer end."""
        start, end = self.parameter.to_unit(self.low), self.parameter.to_unit(self.high)
        way = (self.parameter.to_unit(value) - start) / (end - start)
        return BENDS[self.bend][1](min(max(way, 0.0), 1.0))

    def __str__(self) -> str:
        number = f"CC {self.controller}" if self.fine is None else f"CC {self.controller}+{self.fine}"
        whole = (self.low, self.high) == (self.parameter.low, self.parameter.high)
        ends = "" if whole else f" {self.parameter.show(self.low)} to {self.parameter.show(self.high)}"
        return f"{number} {self.parameter.id}{ends}"


def parse_assignment(text: str, parameters: Mapping[str, Parameter]) -> Assignment:
    """Read `N=PARAM[:MIN:MAX]`, or `N+M=PARAM[:MIN:MAX]` for a controller of 14 bits.

    MIN and MAX are values of the parameter, with or without unit: `7=gain:-20 dB:0`.

    Raises:
        InputError: if it is written in another way, the controller is reserved or out of range, or the parameter or a
            value of it does not exist
    """
    numbers, sign, target = text.partition("=")
    identity, *ends = (part.strip() for part in target.split(":"))
    if not sign or not identity or len(ends) not in (0, 2):
        raise InputError(
            f"--cc {text!r} is not an assignment; write --cc N=PARAM or --cc N=PARAM:MIN:MAX, such as 74=mix:0.2:0.8"
        )
    controller, fine = _controllers(numbers, text)
    parameter = parameters.get(present_name(identity))
    if parameter is None:
        raise InputError(
            f"--cc {text!r}: there is no parameter {identity!r}; choose from {', '.join(parameters)}"
        )
    low, high = map(parameter.parse, ends) if ends else (parameter.low, parameter.high)
    low, high = present_value(identity, low), present_value(identity, high)
    if low == high:
        raise InputError(
            f"--cc {text!r}: MIN and MAX are the same; give two values, MIN above MAX to turn it round"
        )
    return Assignment(controller=controller, fine=fine, parameter=parameter, low=low, high=high)


def _controllers(written: str, text: str) -> tuple[int, int | None]:
    coarse, plus, fine = (part.strip() for part in written.partition("+"))
    number, second = whole_number(coarse), whole_number(fine)
    if number is None or (plus and second is None):
        raise InputError(f"--cc {text!r}: {written.strip()!r} is not a controller number; give 0 to 119")
    if number >= FIRST_RESERVED:
        reserved = "is reserved by MIDI for all-notes-off and the like" if number < 128 else "does not exist"
        raise InputError(f"--cc {text!r}: controller {number} {reserved}; give 0 to 119")
    if not plus:
        return number, None
    if number >= FINE or second != number + FINE:
        raise InputError(
            f"--cc {text!r}: a controller of 14 bits is N+M with N from 0 to 31 and M = N + 32, such as 1+33=strength"
        )
    return number, second


class CcMap:
    """The assignments in force, and the state of the controllers of 14 bits.

    >>> knobs = CcMap(["1=mix", "1+33=strength"], LIVE_PARAMETERS)
    >>> knobs.receive([0xB0, 1, 127])
    [('mix', 1.0), ('strength', 1.0)]
    """

    def __init__(self, written: Iterable[str], parameters: Sequence[Parameter]) -> None:
        """Read assignments. Controllers not named in them do what `DEFAULT_MAP` says; `none` clears that.

        Args:
            written: as for `parse_assignment`. A controller named more than once turns several parameters.
            parameters: those that can be turned

        Raises:
            InputError: as `parse_assignment`
        """
        by_id = {parameter.id: parameter for parameter in parameters}
        written = list(written)
        own = [parse_assignment(text, by_id) for text in written if text.strip() != "none"]
        taken = {number for item in own for number in (item.controller, item.fine)}
        defaults = []
        if len(own) == len(written):
            known = [text for text in DEFAULT_MAP if text.partition("=")[2].partition(":")[0] in by_id]
            defaults = [
                item for text in known if (item := parse_assignment(text, by_id)).controller not in taken
            ]
        self.assignments: tuple[Assignment, ...] = (*defaults, *own)
        #: Where controllers stand, 0 to 1, whose parameters (by id) wait to be taken over.
        self.waiting: dict[str, float] = {}
        # By (channel, place of the assignment): where the controller stood last, and the value that it gave, if any.
        self._held: dict[tuple[int, Assignment], tuple[float, float | None]] = {}
        # Last coarse and fine bits by (channel, controller); no fine bits before the first of them arrived.
        self._coarse: dict[tuple[int, int], int] = {}
        self._fine: dict[tuple[int, int], int] = {}

    def assign(self, assignments: Iterable[Assignment]) -> None:
        """Put other assignments in force; where the controllers stand stays known."""
        self.assignments = tuple(assignments)
        self.waiting = {}

    def receive(
        self, message: Sequence[int], present: Callable[[str], float] | None = None
    ) -> list[tuple[str, float]]:
        """Return the parameters that a MIDI message turns, and their new values; nothing for most messages.

        Messages of all 16 channels count, unless an assignment is for one of them.

        Args:
            message: its bytes
            present: where a parameter stands, by id. With it there is soft takeover: whoever moved the parameter
                since, it stays where it is until the controller comes by. Without it every message counts.
        """
        if len(message) != 3 or message[0] & 0xF0 != CONTROL_CHANGE:
            return []
        channel, controller, data = message[0] & 0x0F, message[1], message[2]
        if controller >= FIRST_RESERVED or data > 127:
            return []
        turned = []
        for item in self.assignments:
            if controller not in (item.controller, item.fine) or item.channel not in (None, channel):
                continue
            whole = item.fine is not None
            position = self._position(channel, item.controller, controller, data) if whole else data / 127.0
            value = item.value(position)
            if present is None or self._taken(channel, item, position, value, present):
                turned.append((item.parameter.id, value))
        return turned

    def _taken(
        self,
        channel: int,
        item: Assignment,
        position: float,
        value: float,
        present: Callable[[str], float],
    ) -> bool:
        """Return whether a controller may turn its parameter: it has, or meets it now; note where it is."""
        identity = item.parameter.id
        stands = present(identity)
        before, gave = self._held.get((channel, item), (None, None))
        wanted = item.position(stands)
        taken = (
            not item.takeover
            or item.parameter.curve == "toggle"
            # The parameter is where this controller put it: nobody else has moved it.
            or (gave is not None and abs(item.position(gave) - wanted) <= _SAME)
            or abs(position - wanted) <= _NEAR
            or (before is not None and (before - wanted) * (position - wanted) <= 0.0)
        )
        self._held[channel, item] = (position, value if taken else None)
        if taken:
            self.waiting.pop(identity, None)
        else:
            self.waiting[identity] = position
        return taken

    def _position(self, channel: int, coarse: int, controller: int, data: int) -> float:
        """Return where a controller of 14 bits stands after one half of it arrived.

        The coarse half is sent first, and the fine half follows at once, but the value is used at once as well.
        By the standard the fine half would count as 0 meanwhile, and a fader drawn slowly downwards would jump
        back at every step of the coarse half (0x2000, then 0x1F80, then 0x1FFF). So until it arrives, the fine
        half that is nearest to where the controller was is taken. A controller that never sends a fine half has
        seven bits.
        """
        key = channel, coarse
        before = self._coarse.get(key, 0)
        if controller == coarse:
            self._coarse[key] = data
            if key not in self._fine:
                return data / 127.0
            if data != before:
                self._fine[key] = 0 if data > before else 127
        else:
            self._fine[key] = data
        return (self._coarse.get(key, 0) << 7 | self._fine[key]) / 16383.0
