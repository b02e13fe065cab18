"""The mute at the end of the chain: a fade to silence and back, by frame, so that a replay can repeat it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]

SECONDS = 0.010


class Gate:
    """A straight fade of the output, open to shut and back, by frame.

    Args:
        length: of the fade, in frames
        opened: at the start
    """

    def __init__(self, length: int, *, opened: bool) -> None:
        self._length = length
        #: what `dsp.dry_path.level_at` makes a gain of
        self.line = np.array([float(opened), 0.0, 0.0, length])
        self.opened = opened
        #: the frame from which on it stands still
        self.done = 0

    def set(self, *, opened: bool, at: int) -> None:
        """Begin to open or shut it at frame `at`, from its present gain."""
        if opened == self.opened:
            return
        self.line = np.array([self._values(at - 1, 1)[0], 1.0 if opened else -1.0, at, self._length])
        self.opened = opened
        self.done = at + self._length

    def apply(self, start: int, block: Frames) -> Frames:
        """Return [channels, n], beginning at frame `start`, with the fade; `block` itself where the gate is open."""
        if start >= self.done:
            return block if self.opened else np.zeros_like(block)
        return block * self._values(start, block.shape[1])

    def _values(self, start: int, count: int) -> Frames:
        begin, slope, at, length = self.line
        way = np.maximum(np.arange(start - at + 1, start - at + 1 + count) / length, 0.0)
        values: Frames = np.clip(begin + slope * way, 0.0, 1.0).astype(np.float32)
        return values
