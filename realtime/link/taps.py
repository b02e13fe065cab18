"""Taps: the last forty seconds of input and output, for recorders, captures and displays.

The engine writes, anybody reads, nobody waits. A tap is a ring in shared memory. Its frames are counted from the first
one of the host's first engine, through every engine process that takes over, with silence for gaps between two engines.
Frame n of the output is what the device played while it recorded frame n of the input. A reader copies first and then
checks whether the writer has overwritten the copied part meanwhile.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING

from .engine_settings import EngineSettings
from .memory_types import cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frames = NDArray[np.float32]
    Floats = ctypes.Array[ctypes.c_float]

#: What can be read, at least, and behind it what may be being overwritten: more than an engine writes at a time.
SECONDS = 40.0
_MARGIN_SECONDS = 2.5
# The memory is taken before the device is open. Where nobody asked for a rate, at higher ones it lasts less long.
USUAL_RATE = 48_000


class OverwrittenError(LookupError):
    """The frames have been overwritten.

    Attributes:
        oldest: first frame that can still be read
    """

    def __init__(self, start: int, oldest: int) -> None:
        super().__init__(f"frame {start} has been overwritten; the oldest one left is {oldest}")
        self.oldest = oldest


@cells()
class _Cells(ctypes.Structure):
    """Of one tap: the next frame, the first that holds anything, Hz, the first at that rate, when it last moved."""

    position: int
    first: int
    sample_rate: int
    since: int
    at: float


@dataclass(frozen=True)
class Tap:
    """One ring. Passed to engine processes when they are spawned.

    Attributes:
        memory: channels one after the other, `frames` of each
        cells: where it stands
        channels: of each frame
        frames: how many it holds; the oldest ones may be being overwritten
        margin: how many those are
    """

    memory: Floats
    cells: _Cells
    channels: int
    frames: int
    margin: int

    @classmethod
    def new(cls, context: SpawnContext, channels: int, sample_rate: int) -> Tap:
        """Return an empty tap for a rate in Hz."""
        margin = round(_MARGIN_SECONDS * sample_rate)
        frames = round(SECONDS * sample_rate) + margin
        return cls(
            context.RawArray(ctypes.c_float, channels * frames),
            context.RawValue(_Cells),
            channels,
            frames,
            margin,
        )

    @property
    def position(self) -> int:
        """The frame that will be written next; all before it, back to `oldest`, can be read."""
        return self.cells.position

    @property
    def oldest(self) -> int:
        """The first frame that can be read, for a while."""
        return max(self.cells.first, self.position + self.margin - self.frames)

    @property
    def sample_rate(self) -> int:
        """Hz; 0 before the first engine has opened its device."""
        return self.cells.sample_rate

    @property
    def since(self) -> int:
        """The first frame at the present rate; earlier ones have another rate."""
        return self.cells.since

    @property
    def written_at(self) -> float:
        """Time, of `time.monotonic`, at which the position was last moved."""
        return self.cells.at

    def read(self, start: int, stop: int) -> Frames:
        """Return a copy [channels, stop - start].

        Raises:
            OverwrittenError: frames are older than `oldest`, or were overwritten while they were copied
            ValueError: frames after `position` were asked for, or `stop` is before `start`
        """
        if not start <= stop <= self.position:
            raise ValueError(
                f"frames {start} to {stop} are not there; written are those before {self.position}"
            )
        if start < stop and start < self.oldest:
            raise OverwrittenError(start, self.oldest)
        out = _read(self.array(), start, stop)
        if start < stop and start < self.oldest:
            raise OverwrittenError(start, self.oldest)
        return out

    def begin(self, frame: int, sample_rate: int) -> None:
        """Go on at `frame`, not before `position`; what lies between is silence (writer)."""
        if sample_rate != self.sample_rate:
            self.cells.since = frame
        self.cells.sample_rate = sample_rate
        position = self.position
        if position == 0:
            self.cells.first = frame
            self.cells.position = frame
            return
        memory = self.array()
        gap = min(frame - position, self.frames)
        _write(memory, frame - gap, memory[:, :0], gap)
        self.cells.position = max(position, frame)

    def write(self, start: int, block: Frames) -> int:
        """Write [channels, n] to frames `start` onwards; not seen before `publish`. Returns `start` + n (writer)."""
        count = block.shape[1]
        _write(self.array(), start, block, count)
        end: int = start + count
        return end

    def publish(self, stop: int, now: float) -> None:
        """Make all frames before `stop` readable (writer)."""
        self.cells.at = now
        self.cells.position = stop

    def array(self) -> Frames:
        """Return the memory [channels, frames]; frame n stands at n % frames."""
        import numpy as np

        return np.frombuffer(memoryview(self.memory), dtype=np.float32).reshape(self.channels, self.frames)


@dataclass(frozen=True)
class Taps:
    """Both taps of a host.

    Attributes:
        input: the chain's input channels, then those that are only captured
        output: what the device played
        channels: number of the engine's channels
    """

    input: Tap
    output: Tap
    channels: int

    @classmethod
    def new(cls, context: SpawnContext, settings: EngineSettings) -> Taps:
        """Return empty taps for an engine with these settings."""
        rate = settings.sample_rate or USUAL_RATE
        further = len(settings.capture_channels or ())
        return cls(
            Tap.new(context, settings.channels + further, rate),
            Tap.new(context, settings.channels, rate),
            settings.channels,
        )


def _write(memory: Frames, start: int, block: Frames, count: int) -> None:
    """Write `block`, or where it is empty zeros, to `count` frames of the ring."""
    frames = memory.shape[1]
    first = start % frames
    straight = min(count, frames - first)
    if block.shape[1]:
        memory[:, first : first + straight] = block[:, :straight]
        memory[:, : count - straight] = block[:, straight:]
    else:
        memory[:, first : first + straight] = 0.0
        memory[:, : count - straight] = 0.0


def _read(memory: Frames, start: int, stop: int) -> Frames:
    import numpy as np

    frames = memory.shape[1]
    first = start % frames
    straight = min(stop - start, frames - first)
    out = np.empty((memory.shape[0], stop - start), dtype=np.float32)
    out[:, :straight] = memory[:, first : first + straight]
    out[:, straight:] = memory[:, : stop - start - straight]
    return out
