"""Parameters: their range, curve and unit, and how a value is written and read.

MIDI, presets, the command line's help and the display all read the same list. Importing this needs neither
numpy nor torch.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ..media.errors import InputError

CURVES = ("linear", "log", "toggle", "integer")

# The part behind a dot is a parameter's own, of a plugin that is hosted.
_ID = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)?")
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z%]*)", re.IGNORECASE)
_WORDS = {"on": 1.0, "yes": 1.0, "true": 1.0, "off": 0.0, "no": 0.0, "false": 0.0}

# What may be written behind a number, and what it is worth, for each unit in which a parameter is kept.
_SUFFIXES: dict[str, dict[str, float]] = {
    "": {},
    "%": {"%": 0.01},
    "dB": {"db": 1.0},
    "s": {"s": 1.0, "ms": 1e-3},
    "ms": {"ms": 1.0, "s": 1e3},
    "Hz": {"hz": 1.0, "khz": 1e3},
}
UNITS = tuple(_SUFFIXES)
# So many texts are listed where something else was written.
_MOST_CHOICES = 8


def whole_number(text: str) -> int | None:
    """Return the number that decimal digits are; None for other text, and where there are more than nine of them."""
    return int(text) if text.isdecimal() and len(text) <= 9 else None


class ContractError(ValueError):
    """A plugin or parameter is not what it must be; the message names it, says what is wrong and what to do."""


@lru_cache(maxsize=1024)
def _numbers(texts: tuple[str, ...]) -> tuple[float, ...]:
    """Return the numbers that texts begin with, all with one unit behind them; empty where they are no numbers."""
    found = [_NUMBER.fullmatch(text) for text in texts]
    numbers = [(float(match[1]), match[2]) for match in found if match]
    if len(numbers) < len(texts) or len({unit for _, unit in numbers}) > 1:
        return ()
    return tuple(number for number, _ in numbers)


def _between(texts: tuple[str, ...], place: float) -> str:
    """Return the text at a place between texts; between two numbers there are others, unless there are few."""
    left = min(int(place), len(texts) - 2)
    numbers = _numbers(texts)
    if not numbers or len(texts) <= _MOST_CHOICES:
        return texts[round(place)]
    number = numbers[left] + (numbers[left + 1] - numbers[left]) * (place - left)
    unit = texts[left].partition(" ")[2]
    return f"{round(number, 3) + 0.0:.4g} {unit}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One knob.

    Args:
        id: How it is called in files, MIDI maps and on the command line, `[a-z][a-z0-9_]*`; never changes. Those of
            hosted plugins have the plugin's name in front, and a dot.
        name: How it is called on a display.
        unit: One of `UNITS`. With "%" the value is a fraction, and only shown and read as percent.
        low, high, default: The range and where it stands at first, in `unit`.
        curve: How a controller's travel maps to the range: "linear"; "log" (equal steps are equal factors; low > 0);
            "toggle" (0 or 1, the upper half is on); "integer" (linear, rounded).
        description: One line that tells a performer what it does to the sound.
        texts: What a hosted plugin writes at equal steps from low to high; then values are shown and read so.

    Raises:
        ContractError: if any of this does not hold
    """

    id: str
    name: str
    unit: str = ""
    low: float
    high: float
    default: float
    curve: str = "linear"
    description: str = ""
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ContractError(
                f"parameter id {self.id!r}: use a letter a-z, then letters, digits and underscores"
            )
        if self.unit not in UNITS:
            raise ContractError(
                f"parameter {self.id}: unit {self.unit!r} is unknown; use one of {', '.join(map(repr, UNITS))}"
            )
        if self.curve not in CURVES:
            raise ContractError(
                f"parameter {self.id}: curve {self.curve!r} is unknown; use one of {', '.join(CURVES)}"
            )
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ContractError(
                f"parameter {self.id}: the range {self.low:g} to {self.high:g} is empty or endless; "
                "low must be below high"
            )
        if self.curve == "log" and self.low <= 0.0:
            raise ContractError(
                f"parameter {self.id}: a log curve cannot start at {self.low:g}; low must be above 0"
            )
        if self.curve == "toggle" and (self.low, self.high) != (0.0, 1.0):
            raise ContractError(f"parameter {self.id}: a toggle has the range 0 to 1")
        if not self.low <= self.default <= self.high or self.clamp(self.default) != self.default:
            raise ContractError(
                f"parameter {self.id}: the default {self.default:g} is not one of its values, "
                f"{self.low:g} to {self.high:g}"
            )

    def clamp(self, value: float) -> float:
        """Return the nearest value that the parameter can have; NaN gives the default."""
        if math.isnan(value):
            return self.default
        value = min(max(float(value), self.low), self.high)
        if self.curve == "toggle":
            return 1.0 if value >= 0.5 else 0.0
        if self.curve == "integer":
            return min(max(float(round(value)), math.ceil(self.low)), math.floor(self.high))
        return value

    def from_unit(self, position: float) -> float:
        """Return the value at a controller's position, 0 (low) to 1 (high), clamped."""
        position = 0.0 if math.isnan(position) else min(max(position, 0.0), 1.0)
        # The ends are met exactly, whatever the arithmetic between them rounds to.
        if position in (0.0, 1.0):
            return self.clamp(self.high if position else self.low)
        if self.curve == "log":
            return self.clamp(self.low * (self.high / self.low) ** position)
        return self.clamp(self.low + (self.high - self.low) * position)

    def to_unit(self, value: float) -> float:
        """Return the position 0 to 1 at which `from_unit` gives `value`, clamped."""
        value = self.clamp(value)
        if self.curve == "log":
            return min(max(math.log(value / self.low) / math.log(self.high / self.low), 0.0), 1.0)
        return (value - self.low) / (self.high - self.low)

    def parse(self, text: str) -> float:
        """Read a value as people write it: `0.5`, `50%`, `-6 dB`, `300 ms`, `on`.

        Raises:
            InputError: if it is no number, has another unit, or lies outside of the range
        """
        written = text.strip().replace("\N{MINUS SIGN}", "-")
        if self.curve == "toggle" and written.lower() in _WORDS:
            return _WORDS[written.lower()]
        if self.texts:
            return self._position(written)
        match = _NUMBER.fullmatch(written)
        factor = None
        if match:
            factor = _SUFFIXES[self.unit].get(match[2].lower()) if match[2] else 1.0
        if match is None or factor is None:
            raise InputError(f"{self.id} cannot be {text.strip()!r}; give {self._range()}")
        value = float(match[1]) * factor
        # Written in another unit, an end of the range may miss it by rounding.
        slack = 1e-9 * (self.high - self.low)
        if not self.low - slack <= value <= self.high + slack:
            raise InputError(f"{self.id} cannot be {text.strip()!r}: out of range; give {self._range()}")
        return self.clamp(value)

    def show(self, value: float) -> str:
        """Return the value as it is written on a display; `parse` reads it."""
        if self.texts:
            return _between(self.texts, self.to_unit(value) * (len(self.texts) - 1))
        if self.curve == "toggle":
            return "on" if self.clamp(value) else "off"
        if self.curve == "integer":
            number = f"{value:.0f}"
        elif self.unit == "%":
            return f"{100.0 * value:.0f} %"
        elif self.unit == "dB":
            # Adding 0 makes of -0.0, which would show a sign, 0.0.
            number = f"{round(value, 1) + 0.0:.1f}"
        else:
            number = f"{value:.3g}" if abs(value) < 1000.0 else f"{value:.0f}"
        return f"{number} {self.unit}".rstrip()

    def _position(self, written: str) -> float:
        """Read what `texts` say; between two numbers there lie others."""
        words = [text.lower() for text in self.texts]
        last = len(words) - 1
        if written.lower() in words:
            place: float = words.index(written.lower())
            return self.clamp(self.low + (self.high - self.low) * place / last)
        given, numbers = _NUMBER.match(written), _numbers(self.texts)
        if given and numbers:
            for left, right in pairwise(range(last + 1)):
                low, high, value = numbers[left], numbers[right], float(given[1])
                if min(low, high) <= value <= max(low, high):
                    place = left + ((value - low) / (high - low) if high != low else 0.0)
                    return self.clamp(self.low + (self.high - self.low) * place / last)
        few = list(dict.fromkeys(self.texts))
        choice = ", ".join(few) if len(few) <= _MOST_CHOICES else f"{few[0]} to {few[-1]}"
        raise InputError(f"{self.id} cannot be {written!r}; give {choice}")

    def _range(self) -> str:
        if self.curve == "toggle":
            return "on or off"
        kind = "a whole number from" if self.curve == "integer" else "a number from"
        percent = " (or 0.0 to 1.0)" if self.unit == "%" and (self.low, self.high) == (0.0, 1.0) else ""
        return f"{kind} {self.show(self.low)} to {self.show(self.high)}{percent}"
