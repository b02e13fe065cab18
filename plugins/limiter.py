"""The limiter as a plugin, at the end of a chain, to protect ears and loudspeakers."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..dsp.live_limiter import limit
from .knobs import LIMITER
from .plugin import Plugin
from .ramp import Ramp
from .state import State, numbers

RAMP_SECONDS = 0.020


def _linear(decibels: float) -> float:
    """Return the largest float32 that is not above the level."""
    exact = 10.0 ** (decibels / 20.0)
    nearest = np.float32(exact)
    return float(nearest if nearest <= exact else np.nextafter(nearest, np.float32(0.0)))


class Limiter(Plugin):
    """Holds the level under a ceiling, without delay; sound below it passes bit for bit."""

    name = "limiter"
    parameters = LIMITER
    neutral: ClassVar[Mapping[str, float] | None] = {}

    def __init__(self) -> None:
        super().__init__()
        self._ceiling = Ramp(_linear(self.get("ceiling")), RAMP_SECONDS)
        self._sample_rate = 48_000
        self._active = False
        self._reduction = 0.0
        self._settle()

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready to play; see `Plugin.prepare`."""
        self._sample_rate = sample_rate
        self._ceiling.prepare(sample_rate=sample_rate, block=block)
        self._held = np.zeros(channels * block, dtype=np.float32)
        self._settle()
        self.reset()

    def reset(self) -> None:
        """Forget all sound; see `Plugin.reset`."""
        self._ceiling.jump(self._target)
        self._reduction = 0.0
        self._active = False

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target; see `Plugin.set`."""
        super().set(id, value)
        self._settle()

    def _settle(self) -> None:
        self._target = _linear(self.get("ceiling"))
        self._release = self.get("release") * 1e-3 * self._sample_rate

    def state(self) -> State:
        """Return what it remembers; see `Plugin.state`."""
        return super().state() | self._ceiling.state() | {"reduction": numbers(self._reduction)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; see `Plugin.restore`."""
        super().restore(state)
        self._ceiling.restore(state)
        self._reduction = float(state["reduction"][0])

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and return one block; see `Plugin.process`."""
        ceiling = self._ceiling.line(self._target, block.shape[1])
        # Always in one piece: of any other form there would be another compiled function.
        whole = np.ascontiguousarray(block, dtype=np.float32)
        held = self._held[: block.size].reshape(block.shape)
        self._reduction, self._active = limit(whole, ceiling, self._release, self._reduction, held)
        return held if self._active else block

    @property
    def limiter_active(self) -> bool:
        """Whether it held the level down in the last block."""
        return self._active
