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
from functools import partial

import numpy as np
import pa_ringbuffer
from _rtmixer import ffi, lib
from numpy.typing import NDArray

Frames = NDArray[np.float32]

# rtmixer's extension brings the ring buffer along and does not itself need PortAudio, so that the virtual device
# has the same rings where no PortAudio is installed.
_RingBuffer = pa_ringbuffer.init(ffi, lib)
_BYTES = 4
# Seconds. Short enough beside any block; a sleep costs up to 40 microseconds of a core.
POLL = 0.00025
_LOOKS = 20
# By how much sooner a block is looked for at first, where the last one was there already; see `InputRing.wait`.
_SOONER = 0.00002


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
        # Asked a thousand times a second.
        self._available = partial(lib.PaUtil_GetRingBufferReadAvailable, self.buffer._ptr)
        self._advance = partial(lib.PaUtil_AdvanceRingBufferReadIndex, self.buffer._ptr)
        self._taken = 0
        # When a block is taken to have come last, behind which frame, and how long it was.
        self._seen = (0.0, 0, 0)
        self._sooner = _SOONER
        # While the ring is empty, one write region spans all of its memory.
        _, memory, _ = self.buffer.get_write_buffers(frames)
        #: array [frames, channels]; frame n stands at n % frames
        self.memory: Frames = np.frombuffer(memory, dtype=np.float32).reshape(frames, channels)

    @property
    def position(self) -> int:
        """The number of frames that the device has moved since the flows began."""
        taken: int = self._taken + self._available()
        return taken

    @property
    def full(self) -> bool:
        """Whether the ring ran over, so that the flow has ended."""
        return int(self.buffer.write_available) == 0

    def wait(self, period: int, sample_rate: int) -> None:
        """Wait until the device has moved another block; at most a block and five milliseconds.

        Devices keep time: the next block is expected as long after the last one as that was. A sleep costs more than
        a look, so the first look is only then, and finds nearly every block. How long that has been there, nobody
        knows: so each time the next one is looked for sooner, and by more and more, until one was not there yet.

        Args:
            period: the longest block, frames
            sample_rate: Hz
        """
        at, position, count = self._seen
        here = self._taken
        pause = at + (here - position + count) / sample_rate - time.monotonic()
        if 0.0 < pause < period / sample_rate + POLL:
            time.sleep(pause)
        for look in range(_LOOKS):
            # Nothing else in between: this is most of what a process does that waits.
            if available := self._available():
                expected = at + (here - position + available) / sample_rate
                if look:
                    came, self._sooner = time.monotonic() - 0.5 * POLL, _SOONER
                    # One late block does not move the device's clock: too soon costs a look, too late a deadline.
                    if 0.0 < came - expected < period / sample_rate:
                        came = expected + min(came - expected, POLL)
                else:
                    came = expected - self._sooner
                    self._sooner *= 2.0
                self._seen = (came, here + available, min(available, period))
                return
            time.sleep(POLL)

    def see(self) -> None:
        """Let this processor see what the device has written, as far as `position`."""
        # This moves nothing, but is a memory barrier.
        self._advance(0)

    def advance(self, count: int) -> None:
        """Give the next `count` frames, which must exist, back to the device."""
        self._advance(count)
        self._taken += count

    def clear(self) -> None:
        """Start again at frame 0, empty. Only while the device does not use the ring."""
        self.buffer.flush()
        self._taken = 0
        self._seen = (0.0, 0, 0)


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
        self._available = partial(lib.PaUtil_GetRingBufferReadAvailable, self.buffer._ptr)
        self._advance = partial(lib.PaUtil_AdvanceRingBufferWriteIndex, self.buffer._ptr)
        self._written = 0
        _, memory, _ = self.buffer.get_write_buffers(frames)
        #: array [frames, channels]; frame n stands at n % frames. Call `publish` when something has been written
        self.memory = np.frombuffer(memory, dtype=np.float32).reshape(frames, channels)
        self.clear()

    @property
    def position(self) -> int:
        """How many frames the device has read since the flows began."""
        played: int = self._written - self._available()
        return played

    def clear(self) -> None:
        """Start again at frame 0 with silence ahead. Only while the device does not use the ring."""
        self.buffer.flush()
        self.memory[:] = 0.0
        self._written = self.frames
        self.buffer.advance_write_index(self.frames)

    @property
    def kept(self) -> int:
        """The first frame that has not been freed yet."""
        return self._written - self.frames

    def free(self, played: int) -> None:
        """Free the frames before `played`, which the device has read, and which are silence again."""
        count = played - self.kept
        self._written += count
        self._advance(count)

    def row_0(self, start: int) -> int:
        """Return which frame the first row of the memory stands for, for whoever writes from frame `start` on."""
        return start - start % self.frames

    def publish(self) -> None:
        """Let the device's processor see what has been written."""
        # This moves nothing, but is a memory barrier.
        self._advance(0)
