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
        self._from = float(opened)
        self._at = 0
        self.opened = opened
        #: the frame from which on it stands still
        self.done = 0

    def set(self, *, opened: bool, at: int) -> None:
        """Begin to open or shut it at frame `at`, from its present gain."""
        if opened == self.opened:
            return
        self._from = float(self._values(at - 1, 1)[0])
        self._at = at
        self.opened = opened
        self.done = at + self._length

    def apply(self, start: int, block: Frames) -> Frames:
        """Return [channels, n], beginning at frame `start`, with the fade; `block` itself where the gate is open."""
        if start >= self.done:
            return block if self.opened else np.zeros_like(block)
        return block * self._values(start, block.shape[1])

    def _values(self, start: int, count: int) -> Frames:
        way = np.arange(start - self._at + 1, start - self._at + 1 + count) / self._length
        way = np.maximum(way, 0.0)
        values = self._from + way if self.opened else self._from - way
        return np.clip(values, 0.0, 1.0).astype(np.float32)
