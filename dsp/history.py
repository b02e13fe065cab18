"""The last frames of a sound, from which it is heard again later: the one memory of every delayed dry signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]


class History:
    """A ring that keeps the last frames of a sound.

    Args:
        frames: how many it holds at least
        channels: of each frame

    Attributes:
        memory: array [channels, size], size a power of two; frame n stands at n % size
        position: how many frames have come in
    """

    def __init__(self, frames: int, channels: int) -> None:
        self.memory: Frames = np.zeros((channels, 1 << (frames - 1).bit_length()), dtype=np.float32)
        self.position = 0

    def push(self, block: Frames) -> None:
        """Add [channels, n], n at most the whole history."""
        size = self.memory.shape[1]
        first = self.position & (size - 1)
        straight = min(block.shape[1], size - first)
        self.memory[:, first : first + straight] = block[:, :straight]
        if straight < block.shape[1]:
            self.memory[:, : block.shape[1] - straight] = block[:, straight:]
        self.position += block.shape[1]

    def get(self, start: int, stop: int) -> Frames:
        """Return a copy [channels, stop - start]; zeros before the first frame. `stop` is at most `position`."""
        size = self.memory.shape[1]
        first, count = start & (size - 1), stop - start
        if start >= 0 and first + count <= size:
            return self.memory[:, first : first + count].copy()
        out: Frames = self.memory.take(np.arange(start, stop) & (size - 1), axis=1)
        out[:, : max(0, -start)] = 0.0
        return out

    def begin(self, frame: int) -> None:
        """Forget everything; the next frame is `frame`."""
        self.memory[:] = 0.0
        self.position = frame
