"""The two rings between the device and the engine, on PortAudio's lock-free ring buffer.

The device writes the input ring and reads the output ring, in C where it is hardware
(`realtime.audio.portaudio_stream`). Both flows begin in the same call of the device and move the same number of frames
in each, so that one count of frames, taken from the input ring, tells the time of both.

The output ring is written *ahead*: its write index is always a whole ring ahead of the reader. In between is silence,
into which the engine writes sound, several times if needed. The device never finds the ring empty unless the engine
stalls for longer than the whole ring.
"""

from __future__ import annotations

import time

import numpy as np
import pa_ringbuffer
from _rtmixer import ffi, lib
from numpy.typing import NDArray

Frames = NDArray[np.float32]

# rtmixer's extension brings the ring buffer along and does not itself need PortAudio, so that the virtual device
# has the same rings where no PortAudio is installed.
_RingBuffer = pa_ringbuffer.init(ffi, lib)
_BYTES = 4
# Seconds. Short enough beside any block; a sleep costs some microseconds of a core.
POLL = 0.00025
_LOOKS = 20


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
        self._seen = (0, 0.0)
        self._out = np.zeros((frames, channels), dtype=np.float32)

    @property
    def position(self) -> int:
        """The number of frames that the device has moved since the flows began."""
        return self._taken + int(self.buffer.read_available)

    @property
    def full(self) -> bool:
        """Whether the ring ran over, so that the flow has ended."""
        return int(self.buffer.write_available) == 0

    def wait(self, period: float) -> None:
        """Wait until the device has moved another block; a few milliseconds at most.

        Args:
            period: seconds between two blocks. After one that was seen to come there will be none for half of it;
                after one that was not, who knows.
        """
        position, at = self._seen
        if position == self.position and (pause := at + 0.5 * period - time.monotonic()) > 0.0:
            time.sleep(pause)
        for _ in range(_LOOKS):
            # Nothing else in between: this is most of what a process does that waits.
            if self.buffer.read_available:
                self._seen = (self.position, time.monotonic())
                return
            time.sleep(POLL)

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
        #: array [frames, channels]; frame n stands at n % frames. Call `publish` when something has been written
        self.memory = np.frombuffer(memory, dtype=np.float32).reshape(frames, channels)
        self.clear()

    @property
    def position(self) -> int:
        """How many frames the device has read since the flows began."""
        return self._written - int(self.buffer.read_available)

    def clear(self) -> None:
        """Start again at frame 0 with silence ahead. Only while the device does not use the ring."""
        self.buffer.flush()
        self.memory[:] = 0.0
        self._written = self.frames
        self.buffer.advance_write_index(self.frames)

    def extend(self, played: int) -> None:
        """Free the frames before `played`, which the device has read, and fill them with silence."""
        free = played + self.frames - self._written
        if free:
            first = self._written & (self.frames - 1)
            straight = min(free, self.frames - first)
            self.memory[first : first + straight] = 0.0
            self.memory[: free - straight] = 0.0
            self._written += free
            self.buffer.advance_write_index(free)

    def row_0(self, start: int) -> int:
        """Return which frame the first row of the memory stands for, for whoever writes from frame `start` on."""
        return start - start % self.frames

    def publish(self) -> None:
        """Let the device's processor see what has been written."""
        # This moves nothing, but is a memory barrier.
        self.buffer.advance_write_index(0)
