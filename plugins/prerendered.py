"""A rendered sound in the place of the stylizer, so that the rest of the live chain can act on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .knobs import STYLIZER
from .plugin import Plugin
from .ramp import Ramp

Sound = NDArray[np.float32]

_MIX_SECONDS = 0.03


class Prerendered(Plugin):
    """Plays a rendering of its input, without delay. Of its knobs, only `mix` has an effect.

    Args:
        read: returns samples `start` to before `stop` of the rendering, [channels, stop - start]
    """

    name = "stylizer"
    parameters = STYLIZER
    neutral: ClassVar[Mapping[str, float] | None] = {"mix": 0.0}

    def __init__(self, read: Callable[[int, int], Sound]) -> None:
        super().__init__()
        self._read = read
        self._mix = Ramp(self.get("mix"), _MIX_SECONDS)
        self._position = 0

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready to play from the first sample on; see `Plugin.prepare`."""
        del channels
        self._mix.prepare(sample_rate=sample_rate, block=block)
        self._mix.jump(self.get("mix"))
        self._position = 0

    def process(self, block: Sound) -> Sound:
        """Take the next block of the input and return its rendering; see `Plugin.process`."""
        start, self._position = self._position, self._position + block.shape[1]
        wet = self._read(start, self._position)
        mix = self._mix.next(self.get("mix"), block.shape[1])
        if isinstance(mix, float) and mix in (0.0, 1.0):
            return wet if mix else block
        return (block + (wet - block) * mix).astype(np.float32)

    def reset(self) -> None:
        """Jump to the knobs' targets; the position in the sound stays."""
        self._mix.jump(self.get("mix"))
