"""Values that never jump: ramps for knobs, fades for switches. The result does not depend on the block size."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .state import State, numbers

Values = NDArray[np.float32]


class Ramp:
    """A value that moves to its target in a straight line, from its present value.

    A straight line and not a smooth curve: a moving controller sends a new target every few milliseconds, and a curve
    that starts flat would hardly move before it starts again.

    Args:
        value: at the start
        seconds: the time to a new target
    """

    def __init__(self, value: float, seconds: float) -> None:
        self._seconds = seconds
        self._start = self._target = value
        self._line = np.ones(1, dtype=np.float32)
        self._values = np.zeros(1, dtype=np.float32)
        self._still = np.zeros(1, dtype=np.float32)
        self._length = self._place = 1

    def prepare(self, *, sample_rate: int, block: int) -> None:
        """Get ready for up to `block` values at a time; stand at the target."""
        self._length = max(1, round(self._seconds * sample_rate))
        line = np.arange(1, self._length + 1) / self._length
        self._line = np.concatenate([line, np.ones(block)]).astype(np.float32)
        self._values = np.zeros(block, dtype=np.float32)
        self._place = self._length

    def jump(self, value: float) -> None:
        """Stand at `value` at once."""
        self._start = self._target = value
        self._place = self._length

    @property
    def moving(self) -> bool:
        """Whether it is on the way to its target."""
        return self._place < self._length

    def state(self) -> State:
        """Return where it stands and where it goes; see `plugins.state`."""
        return {"ramp": numbers(self._start, self._target, self._place)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        start, target, place = state["ramp"].tolist()
        self._start, self._target, self._place = start, target, min(int(place), self._length)

    def next(self, target: float, count: int) -> float | Values:
        """Return the next `count` values on the way to `target`: a single number once it is there.

        The array is the same one each time.
        """
        if target != self._target:
            moved = float(self._line[self._place - 1]) if self._place else 0.0
            there = self._place >= self._length
            self._start = self._target if there else self._start + (self._target - self._start) * moved
            self._target = target
            self._place = 0
        if self._place >= self._length:
            return self._target
        values = self._values[:count]
        np.multiply(
            self._line[self._place : self._place + count], np.float32(target - self._start), out=values
        )
        values += np.float32(self._start)
        # From its last step on the value is exactly the target, free of the arithmetic's rounding.
        values[max(0, self._length - 1 - self._place) :] = target
        self._place = min(self._place + count, self._length)
        return values

    def line(self, target: float, count: int) -> Values:
        """Return as `next` does, but an array [1] once it is there."""
        values = self.next(target, count)
        if isinstance(values, float):
            self._still[0] = values
            return self._still
        return values


class Fade:
    """A switch with a fade: 0 to 1 and back along a raised cosine.

    The curve has no corners, and g and 1 - g always add up to 1, as is right for two similar signals. A fade always
    goes on to its end before it goes back, since turning round on the way would make a corner.

    Args:
        on: at the start
        seconds: the time from end to end
    """

    def __init__(self, *, on: bool, seconds: float) -> None:
        self._seconds = seconds
        self._on = on
        self._rise = self._fall = self._values = np.zeros(1, dtype=np.float32)
        self._place = self._length = 1

    def prepare(self, *, sample_rate: int, block: int, on: bool) -> None:
        """Get ready for up to `block` values at a time; stand at one end."""
        self._length = max(1, round(self._seconds * sample_rate))
        rise = 0.5 - 0.5 * np.cos(math.pi * np.arange(1, self._length + 1) / self._length)
        self._rise = rise.astype(np.float32)
        self._fall = (1.0 - rise).astype(np.float32)
        self._values = np.zeros(block, dtype=np.float32)
        self.jump(on=on)

    def jump(self, *, on: bool) -> None:
        """Stand at one end at once."""
        self._on = on
        self._place = self._length

    def rests(self, *, on: bool) -> bool:
        """Whether it stands at 1 or 0, and is to stay there."""
        return self._place == self._length and self._on == on

    def state(self) -> State:
        """Return where it stands and where it goes; see `plugins.state`."""
        return {"fade": numbers(self._on, self._place)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        on, place = state["fade"].tolist()
        self._on, self._place = bool(on), min(int(place), self._length)

    def next(self, count: int, *, on: bool) -> float | Values:
        """Return the next `count` values on the way to 1 or 0: a single 1.0 or 0.0 once it is there.

        The array is the same one each time.
        """
        if self.rests(on=on):
            return float(on)
        values = self._values[:count]
        filled = 0
        while filled < count:
            if self._place == self._length:
                if on == self._on:
                    values[filled:] = on
                    break
                self._on, self._place = on, 0
            curve = self._rise if self._on else self._fall
            some = min(count - filled, self._length - self._place)
            values[filled : filled + some] = curve[self._place : self._place + some]
            filled += some
            self._place += some
        return values
