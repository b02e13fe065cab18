"""The virtual device: files in place of a sound card, through the same rings and the same engine.

At real-time pace, a thread does the work of the device's callback. As fast as possible, the engine itself moves a block
whenever it waits for one. Nothing can then be late, and a run can be repeated bit by bit.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from ...media.decoding import open_sound
from ...media.errors import InputError
from ...media.files import shown, write_error
from ...takes.wavfile import WavWriter
from ..link.engine_settings import VIRTUAL_BLOCKSIZE, EngineSettings, VirtualSettings
from ..link.priority import raise_priority
from .jack_ports import Connections
from .rings import InputRing, OutputRing
from .stream_contract import ring_frames, whole_blocks

Frames = NDArray[np.float32]

_CHUNK = 8192


class FileSource:
    """Frames of a sound file, one block after the other, at the rate and with the channels of the engine.

    Args:
        path: any sound file
        sample_rate: Hz; None is the file's own
        channels: of the engine
        input_channels, capture_channels: as in `EngineSettings`; the captured ones come behind the others
        start: frame to begin with
        seconds: how much of it to play at most

    Raises:
        InputError: the file cannot be read, or does not have the channels
    """

    def __init__(
        self,
        path: Path,
        *,
        sample_rate: int | None,
        channels: int,
        input_channels: tuple[int, ...] | None,
        capture_channels: tuple[int, ...] | None = None,
        start: int = 0,
        seconds: float | None = None,
    ) -> None:
        with ExitStack() as stack:
            self._file = stack.enter_context(open_sound(path))
            self._columns = _columns(path, self._file.channels, channels, input_channels, capture_channels)
            self._stack = stack.pop_all()
        own = self._file.sample_rate
        self.sample_rate = sample_rate or own
        channels = len(self._columns)
        self._resampler = None
        if self.sample_rate != own:
            self._resampler = soxr.ResampleStream(own, self.sample_rate, channels, "float32", "VHQ")
        frames = self._file.frames
        length = math.inf if frames is None else -(-frames * self.sample_rate // own)
        if seconds is not None:
            length = min(length, round(seconds * self.sample_rate))
        self._left = max(0, length - start)
        if start:
            first = start * own // self.sample_rate
            self._file.seek(first if frames is None else min(frames, first))
        self._ahead = np.zeros((0, channels), dtype=np.float32)
        self._place = 0
        self._ended = False

    def read(self, count: int) -> Frames:
        """Return the next frames [n, channels]; fewer than `count` only at the end."""
        count = int(min(count, self._left))
        while self._ahead.shape[0] - self._place < count and not self._ended:
            # The engine turns NaN into silence and counts it, as from any device.
            found = self._file.read(_CHUNK, "float32", finite=False)[:, self._columns]
            self._ended = found.shape[0] < _CHUNK
            if self._resampler is not None:
                found = self._resampler.resample_chunk(np.ascontiguousarray(found), last=self._ended)
            self._ahead, self._place = np.concatenate([self._ahead[self._place :], found]), 0
        out = self._ahead[self._place : self._place + count]
        self._place += out.shape[0]
        self._left -= out.shape[0]
        return out

    @property
    def faults(self) -> list[str]:
        """See `media.decoding.SoundReader`."""
        return self._file.faults

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


def _columns(
    path: Path,
    there: int,
    channels: int,
    wanted: tuple[int, ...] | None,
    captured: tuple[int, ...] | None,
) -> list[int]:
    """Return which of a file's channels, from 0, feeds each of the engine's, and then which are captured."""
    if wanted is None:
        wanted = (1,) if there == 1 else tuple(range(1, channels + 1))
    if max(wanted) > there:
        raise InputError(
            f"{shown(path)} has {there} channels and no {max(wanted)}; give --channels or --input-channels"
        )
    if max(captured or (1,)) > there:
        raise InputError(
            f"{shown(path)} has {there} channels and no {max(captured or ())}; give other --capture-channels"
        )
    played = wanted * channels if len(wanted) == 1 else wanted
    return [channel - 1 for channel in (*played, *(captured or ()))]


class VirtualStream:
    """Files through the rings; a `realtime.audio.stream_contract.Stream`.

    Args:
        settings: whose device is a `VirtualSettings`; the output exists already, empty or left by another engine
            process
        start: frame of the files to begin with

    Raises:
        InputError: a file cannot be used; from `wait` as well, where the output cannot be written any more
    """

    device_latency = 0
    last_connections: Connections | None = None

    def __init__(self, settings: EngineSettings, *, start: int = 0) -> None:
        files = settings.device
        assert isinstance(files, VirtualSettings)
        self.input_name, self.output_name = str(files.input), str(files.output)
        self._source = FileSource(
            files.input,
            sample_rate=settings.sample_rate,
            channels=settings.channels,
            input_channels=settings.input_channels,
            capture_channels=settings.capture_channels,
            start=start,
            seconds=settings.duration,
        )
        self.notes = self._source.faults
        self.sample_rate = self._source.sample_rate
        self._output = files.output
        try:
            self._sink = WavWriter(
                files.written or files.output,
                sample_rate=self.sample_rate,
                channels=settings.channels,
                frame=start,
            )
        except OSError as error:
            raise write_error(self._output, error) from error
        self.period = settings.blocksize or VIRTUAL_BLOCKSIZE
        self.running_start = start > 0
        self.frames = start
        self.xruns = 0
        frames = max(ring_frames(self.sample_rate), ring_frames(4 * self.period))
        self.input = InputRing(frames, settings.channels + len(settings.capture_channels or ()))
        self.output = OutputRing(frames, settings.channels)
        self.finished = False
        self._flowing = True
        self._fast = files.as_fast_as_possible
        self._tail = 0
        self._end: int | None = None
        self._error: BaseException | None = None
        self._stop = threading.Event()
        # Held while a block is moved, so that rings are not cleared while the clock uses them.
        self._moving = threading.Lock()
        self._clock = threading.Thread(target=self._run, name="virtual clock", daemon=True)

    @property
    def flowing(self) -> bool:
        """See `Stream`."""
        return self._flowing

    def start(self, *, latency: float, algorithmic: int) -> int:
        """See `Stream`."""
        buffer = whole_blocks(latency, sample_rate=self.sample_rate, period=self.period)
        self._tail = algorithmic + buffer
        if not self._fast:
            self._clock.start()
        return buffer

    def connections(self) -> None:
        """See `Stream`."""

    def wait(self) -> None:
        """See `Stream`; as fast as possible, this moves the next block."""
        if self._error is not None:
            raise self._error
        if self._fast and not self.finished:
            self._move()
        else:
            self.input.wait(self.period, self.sample_rate)

    def realign(self) -> None:
        """See `Stream`."""
        with self._moving:
            self.input.clear()
            self.output.clear()
            self._flowing = True

    def close(self) -> None:
        """See `Stream`."""
        self._stop.set()
        if self._clock.is_alive():
            self._clock.join()
        self._source.close()
        self._sink.close()

    def _run(self) -> None:
        # Like a sound card, this thread must not be delayed by less urgent work.
        raise_priority()
        period = self.period / self.sample_rate
        due = time.perf_counter()
        while not self._stop.is_set() and not self.finished:
            due += period
            late = time.perf_counter() - due
            if late < 0.0:
                time.sleep(-late)
            elif late > period:
                # A clock that is late goes on from now, and does not catch up.
                due += late
                self.xruns += 1
            try:
                self._move()
            except BaseException as error:
                self._error = error
                return

    def _move(self) -> None:
        """Do what a device's callback does: a block in, a block out."""
        count = self.period if self._end is None else min(self.period, self._end - self.frames)
        block = self._source.read(count)
        if self._end is None and block.shape[0] < count:
            self._end = self.frames + block.shape[0] + self._tail
            count = min(count, self._end - self.frames)
        frames = np.ascontiguousarray(block, dtype=np.float32)
        if block.shape[0] < count:
            frames = np.zeros((count, self.input.channels), dtype=np.float32)
            frames[: block.shape[0]] = block
        heard = np.zeros((count, self.output.channels), dtype=np.float32)
        with self._moving:
            if self._flowing:
                moved = self.input.buffer.write(frames)
                self._flowing = self.output.buffer.readinto(heard) == count == moved
        try:
            self._sink.write(heard)
        except OSError as error:
            raise write_error(self._output, error) from error
        self.frames += count
        self.finished = self._end is not None and self.frames >= self._end
