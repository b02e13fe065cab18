"""The sound files of a take, and how they are read, also if the writer was killed.

Up to eight channels are 24-bit FLAC; more are 32-bit float WAV. A take that was not closed has lengths in its headers
that are too short, or none. It is then read to the last whole frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..media.errors import InputError
from ..media.files import native, shown
from ..media.inputs import check_regular
from .header import HEADER, Header

Sound = NDArray[np.float32]

DRY, EXACT, WET = "dry.flac", "dry-exact.wav", "wet.flac"
#: FLAC holds no more.
FLAC_CHANNELS = 8
#: Steps of 24 bits in full scale.
STEPS = 2.0**23

# Where FLAC notes how many samples a block has, and, after four bits of something else, how many there are in all; see
# takes.flacfile.
_BLOCK_SIZE = slice(8, 10)
_TOTAL = range(21, 26)
_NOT_TOTAL = 0xF0
# The header of a WAV file is shorter.
_HEADER_BYTES = 256


def sound_files(channels: int) -> tuple[str, str]:
    """Return the names of the files with the dry and the wet sound."""
    return (DRY, WET) if channels <= FLAC_CHANNELS else ("dry.wav", "wet.wav")


def to_steps(sound: Sound) -> NDArray[np.float64]:
    """Return samples as whole steps of 24 bits, clipped to full scale."""
    return np.clip(np.rint(sound.astype(np.float64) * STEPS), -STEPS, STEPS - 1.0)


def interleaved(sound: Sound) -> bytes:
    """Return [channels, n] as the bytes that a take's hash is of: 32-bit floats, little-endian, no negative zeros."""
    return np.ascontiguousarray((sound + np.float32(0.0)).T, dtype="<f4").tobytes()


def sound_length(path: Path, header: Header) -> int:
    """Return the number of samples of each channel in a file of a take.

    Raises:
        InputError: it cannot be read, or has another rate or other channels
    """
    try:
        with _opened(path, header) as file:
            if header.frames is not None or isinstance(file, _Unsealed):
                return int(file.frames)
            with path.open("rb") as raw:
                size = int.from_bytes(raw.read(_BLOCK_SIZE.stop)[_BLOCK_SIZE], "big")
            count = 0
            # Block by block, since a call that fails returns nothing.
            with suppress(soundfile.LibsndfileError):
                while read := len(file.read(max(1, size), dtype="float32", always_2d=True)):
                    count += read
            return count
    except (soundfile.LibsndfileError, OSError) as error:
        raise damaged(path, error) from None


def sound_blocks(path: Path, header: Header, size: int, frames: int | None) -> Iterator[Sound]:
    """Return a file of a take, [channels, n] with n up to `size`; `frames` is how much of it, None is all.

    Raises:
        InputError: it is damaged, or shorter
    """
    left = frames
    try:
        with _opened(path, header) as file:
            while left is None or left > 0:
                block = file.read(size if left is None else min(size, left), dtype="float32", always_2d=True)
                if not len(block):
                    break
                if not np.isfinite(block).all():
                    raise InputError(f"{shown(path)} holds values that are not finite numbers; it is damaged")
                left = None if left is None else left - len(block)
                yield np.ascontiguousarray(block.T)
    except (soundfile.LibsndfileError, OSError) as error:
        raise damaged(path, error) from None
    if left:
        raise InputError(f"{shown(path)} is {left} frames shorter than {HEADER} says; it is damaged")


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be read."""
    reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or type(error).__name__
    return InputError(
        f"cannot read {shown(path)}: {' '.join(str(reason).split()).rstrip('.')}; is the take whole?"
    )


class _Readable(Protocol):
    @property
    def frames(self) -> int: ...

    def read(self, count: int, *, dtype: str, always_2d: bool) -> Sound: ...


class _Unsealed:
    """A WAV file of 32-bit floats whose header does not say how long it is; read like a `soundfile.SoundFile`."""

    def __init__(self, path: Path, channels: int) -> None:
        with path.open("rb") as file:
            begin = file.read(_HEADER_BYTES)
        start = begin.find(b"data") + 8
        self.frames = max(0, path.stat().st_size - start) // (4 * channels) if start >= 8 else 0
        self._samples: Sound = np.zeros((0, channels), dtype=np.float32)
        if self.frames:
            shape = (self.frames, channels)
            self._samples = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=shape)
        self._next = 0

    def read(self, count: int, *, dtype: str, always_2d: bool) -> Sound:
        del dtype, always_2d
        block = self._samples[self._next : self._next + count]
        self._next += len(block)
        return np.asarray(block)


class _Endless(FileIO):
    """A FLAC file as if it did not say how long it is: a decoder then reads whatever there is."""

    def readinto(self, buffer: Any) -> int:
        start = self.tell()
        count = super().readinto(buffer) or 0
        view = memoryview(buffer).cast("B")
        for place in _TOTAL:
            if start <= place < start + count:
                view[place - start] &= _NOT_TOTAL if place == _TOTAL[0] else 0
        return count


@contextmanager
def _opened(path: Path, header: Header) -> Iterator[_Readable]:
    check_regular(path)
    if header.frames is None and path.suffix == ".wav":
        yield _Unsealed(path, header.channels)
        return
    with ExitStack() as stack:
        source = stack.enter_context(_Endless(path)) if header.frames is None else native(path)
        opened = stack.enter_context(soundfile.SoundFile(source))
        if (opened.samplerate, opened.channels) != (header.sample_rate, header.channels):
            raise InputError(f"{shown(path)} does not fit {HEADER}: rate or channels differ")
        yield opened
