"""Gain: a volume knob."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .knobs import GAIN
from .plugin import Plugin
from .ramp import Ramp
from .state import State

RAMP_SECONDS = 0.020


class Gain(Plugin):
    """Amplifies by some decibels, moving there sample by sample; the lowest position is silence."""

    name = "gain"
    parameters = GAIN
    neutral: ClassVar[Mapping[str, float] | None] = {}

    def __init__(self) -> None:
        super().__init__()
        self._ramp = Ramp(1.0, RAMP_SECONDS)
        self._factor = 1.0

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready to play; see `Plugin.prepare`."""
        self._out = np.zeros((channels, block), dtype=np.float32)
        self._ramp.prepare(sample_rate=sample_rate, block=block)
        self.reset()

    def reset(self) -> None:
        """Forget all sound; see `Plugin.reset`."""
        self._ramp.jump(self._factor)

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target; see `Plugin.set`."""
        super().set(id, value)
        decibels = self.get("gain")
        self._factor = 10.0 ** (decibels / 20.0) if decibels > GAIN[0].low else 0.0

    def state(self) -> State:
        """Return what it remembers; see `Plugin.state`."""
        return super().state() | self._ramp.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; see `Plugin.restore`."""
        super().restore(state)
        self._ramp.restore(state)

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and return one block; see `Plugin.process`."""
        factor = self._ramp.next(self._factor, block.shape[1])
        # At 0 dB the sound passes bit for bit, and for nothing.
        if isinstance(factor, float) and factor == 1.0:
            return block
        return np.multiply(block, factor, out=self._out[:, : block.shape[1]], dtype=np.float32)
