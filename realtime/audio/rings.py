"""The two rings between the device and the engine, on PortAudio's lock-free ring buffer.

The device writes the input ring and reads the output ring, in C where it is hardware
(`realtime.audio.portaudio_stream`). Both flows begin in the same call of the device and move the same number of frames
in each, so that one count of frames, taken from the input ring, tells the time of both.

The output ring is written *ahead*: its write index is always a whole ring ahead of the reader. In between is silence,
into which the engine writes sound, several times if needed. The device never finds the ring empty unless the engine
stalls for longer than the whole ring.
"""

from __future__ import annotations

import numpy as np
import pa_ringbuffer
from _rtmixer import ffi, lib
from numpy.typing import NDArray

Frames = NDArray[np.float32]

# rtmixer's extension brings the ring buffer along and does not itself need PortAudio, so that the virtual device
# has the same rings where no PortAudio is installed.
_RingBuffer = pa_ringbuffer.init(ffi, lib)
_BYTES = 4


class InputRing:
    """From the device to the engine.

    Args:
        frames: how many it holds, a power of two
        channels: of each frame
    """

    def __init__(self, frames: int, channels: int) -> None:
        self.frames = frames
        self.channels = channels
        #: what the device writes to
        self.buffer = _RingBuffer(_BYTES * channels, frames)
        self._taken = 0
        self._out = np.zeros((frames, channels), dtype=np.float32)

    @property
    def position(self) -> int:
        """The number of frames that the device has moved since the flows began."""
        return self._taken + int(self.buffer.read_available)

    @property
    def full(self) -> bool:
        """Whether the ring ran over, so that the flow has ended."""
        return int(self.buffer.write_available) == 0

    def take(self, count: int) -> Frames:
        """Return the next `count` frames [frames, channels], which must exist; valid until the next call."""
        out = self._out[:count]
        self.buffer.readinto(out)
        self._taken += count
        return out

    def clear(self) -> None:
        """Start again at frame 0, empty. Only while the device does not use the ring."""
        self.buffer.flush()
        self._taken = 0


class OutputRing:
    """From the engine to the device, written ahead.

    Args:
        frames: how many it holds, a power of two
        channels: of each frame
    """

    def __init__(self, frames: int, channels: int) -> None:
        self.frames = frames
        self.channels = channels
        #: what the device reads from
        self.buffer = _RingBuffer(_BYTES * channels, frames)
        self._written = 0
        # While the ring is empty, one write region spans all of its memory.
        _, memory, _ = self.buffer.get_write_buffers(frames)
        self._memory = np.frombuffer(memory, dtype=np.float32).reshape(frames, channels)
        self.clear()

    @property
    def position(self) -> int:
        """How many frames the device has read since the flows began."""
        return self._written - int(self.buffer.read_available)

    def clear(self) -> None:
        """Start again at frame 0 with silence ahead. Only while the device does not use the ring."""
        self.buffer.flush()
        self._memory[:] = 0.0
        self._written = self.frames
        self.buffer.advance_write_index(self.frames)

    def extend(self, played: int) -> None:
        """Free the frames before `played`, which the device has read, and fill them with silence."""
        free = played + self.frames - self._written
        if free:
            self._write(self._written, np.zeros((1, self.channels), dtype=np.float32), free)
            self._written += free
            self.buffer.advance_write_index(free)

    def write(self, start: int, block: Frames) -> None:
        """Write [channels, n] to frames `start` onwards, all of them within the ring's length of the reader."""
        self._write(start, block.T, block.shape[1])
        # This moves nothing, but is a memory barrier: other processors then see the samples.
        self.buffer.advance_write_index(0)

    def read(self, start: int, count: int) -> Frames:
        """Return `count` frames [channels, count] from `start` on that the device has not read yet."""
        places = np.arange(start, start + count) & (self.frames - 1)
        return np.ascontiguousarray(self._memory[places].T)

    def _write(self, start: int, rows: Frames, count: int) -> None:
        """Write `count` rows; a single row stands for all."""
        first = start & (self.frames - 1)
        straight = min(count, self.frames - first)
        if rows.shape[0] == 1:
            self._memory[first : first + straight] = rows
            self._memory[: count - straight] = rows
        else:
            self._memory[first : first + straight] = rows[:straight]
            self._memory[: count - straight] = rows[straight:]
