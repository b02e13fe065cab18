"""Reads sound files through libsndfile: in order, from any place, and within the limits of `media.limits`."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from typing import Any, BinaryIO, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from .callbacks import Stream, callbacks
from .errors import InputError, InputWarning
from .file_lengths import Extent, measure
from .files import shown
from .inputs import opened
from .limits import check_sound
from .spool import Spool

Samples = NDArray[np.float64]

# Frames per call of libsndfile: a frame of FLAC. Where the file is cut off, what was asked for last is lost.
_BLOCK = 1 << 12
_LARGE_BLOCK = 1 << 18
# Bytes that decoders may leave unread behind the sound.
_SLACK = 1 << 14
# What libsndfile says of a length that the file does not.
_UNKNOWN = 2**62
# Formats that `measure` knows, and those that may have chunks behind the sound.
_MEASURED = ("WAV", "WAVEX", "RF64", "AIFF")
_OF_CHUNKS = (*_MEASURED, "CAF", "W64")
# What libsndfile notes where it does not believe a header.
_MENDED = "(should be"
# A clip of stereo at 192 kHz, or of eight channels at 48, may have the 30 s of a style; 128 MiB.
_MOST_IN_CLIP = 2**24


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    Attributes:
        samples: float64 [channels, samples]; full scale is -1 to 1, float files may go beyond.
        sample_rate: Hz.
        format, subtype: libsndfile's names, such as "WAV" and "PCM_24".
    """

    samples: Samples
    sample_rate: int
    format: str
    subtype: str


@dataclass(frozen=True)
class Track:
    """A decoded file of any length, on disk: its sound, Hz, and the rest as in `Audio`."""

    sound: Spool
    sample_rate: int
    format: str
    subtype: str


class _Excerpt:
    """A file as `media.file_lengths.measure` wants it read."""

    def __init__(self, file: BufferedIOBase, extent: Extent) -> None:
        self._file, self._extent = file, extent
        self._size = len(extent.prefix) + file.seek(0, os.SEEK_END) - extent.begin
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that have not been read, if nothing was passed over."""
        return self._size - self._at

    def readinto(self, buffer: memoryview) -> int:
        prefix, (place, patch) = self._extent.prefix, self._extent.patch
        if self._at < len(prefix):
            count = min(len(buffer), len(prefix) - self._at)
            buffer[:count] = prefix[self._at : self._at + count]
        else:
            at = self._at - len(prefix)
            self._file.seek(self._extent.begin + at)
            count = self._file.readinto(buffer)
            first, last = max(at, place), min(at + count, place + len(patch))
            if first < last:
                buffer[first - at : last - at] = patch[first - place : last - place]
        self._at += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, _data: bytes) -> int:
        raise OSError("open for reading only")


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """Does not seek to where it is already after each block: at the end of an unknown length, that fails."""

    def seekable(self) -> bool:
        return False


class SoundReader:
    """The samples of an open sound file, in order; a context manager.

    Args:
        file: Binary and seekable; stays open.
        name: What messages call it.
        extent: Where the sound is in the file, if the caller knows better than its header.

    Attributes:
        sample_rate: Hz.
        channels: 1 to 16.
        frames: Samples of each channel, as far as the file says; None where it does not.
        format, subtype: libsndfile's names.
        faults: Warnings about a length that differs from the header's, one line each; complete after everything has
            been read.

    Raises:
        InputError: It is no sound file, damaged, or of more channels or another rate than `media.limits.check_sound`
            allows.
    """

    def __init__(self, file: BufferedIOBase, name: str, *, extent: Extent | None = None) -> None:
        self._name = name
        if file.seek(0, os.SEEK_END) == 0:
            raise InputError(f"{name} is empty; give a sound file")
        self._extent = extent or measure(cast(BinaryIO, file))
        self._excerpt = _Excerpt(file, self._extent)
        self._stream = Stream(self._excerpt)
        self._done = 0
        self._ended = False
        try:
            with callbacks(self._stream):
                self._sound = _Forward(self._stream, "r")
        except soundfile.LibsndfileError as error:
            advice = "convert it to WAV, FLAC, OGG or MP3"
            raise InputError(f"{name} is not a readable sound file ({reason(error)}); {advice}") from error
        self.sample_rate, self.channels = int(self._sound.samplerate), int(self._sound.channels)
        self.format, self.subtype = str(self._sound.format), str(self._sound.subtype)
        self.frames = None if self._sound.frames > _UNKNOWN else int(self._sound.frames)
        self.faults: list[str] = []
        try:
            check_sound(name, channels=self.channels, sample_rate=self.sample_rate)
        except InputError:
            self.close()
            raise
        self._compare()

    def __enter__(self) -> SoundReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the decoder; the file stays open."""
        self._sound.close()

    def seek(self, frame: int) -> None:
        """Go to a frame, which must not be after the end; InputError if that fails."""
        try:
            with callbacks(self._stream):
                self._sound.seek(frame)
        except soundfile.LibsndfileError as error:
            raise self._damaged(error) from error
        self._done = frame

    def read(self, count: int, dtype: str = "float64", *, finite: bool = True) -> NDArray[Any]:
        """Return the next `count` frames [n, channels]; fewer than `count` only at the end.

        Args:
            count: Frames.
            dtype: "float64" or "float32".
            finite: Whether values that are not finite are refused.

        Raises:
            InputError: The file is damaged, or holds values that are not finite.
        """
        out = np.empty((count, self.channels), dtype=dtype)
        filled = 0
        while filled < count and not self._ended:
            block = self._block(out[filled : filled + _BLOCK])
            if finite and not np.isfinite(block).all():
                raise InputError(
                    f"{self._name} holds values that are not finite numbers (NaN or infinity); export it again"
                )
            filled += len(block)
        return out[:filled]

    def blocks(self, seconds: float | None = None, *, size: int = _BLOCK) -> Iterator[Samples]:
        """Yield what has not been read, [channels, n] with n up to `size`, one block at least.

        Args:
            seconds: Stop after so much of it, or where that has more than 2^24 samples in all, after these; a fault
                tells.

        Raises:
            InputError: As `read`; or there is nothing.
        """
        left = None
        if seconds is not None:
            left = min(int(seconds * self.sample_rate), _MOST_IN_CLIP // self.channels)
        done = 0
        while len(block := self.read(size if left is None else min(size, left + 1 - done))):
            if left is not None and done + len(block) > left:
                yield block[: left - done].T
                kept = f"{left / self.sample_rate:.3g} s"
                self.faults.append(f"{self._name} is longer than {kept}; only its first {kept} are used")
                return
            done += len(block)
            yield block.T
        if not done:
            raise InputError(f"{self._name} holds no samples; give a sound file with sound in it")

    def all(self, seconds: float | None = None) -> Samples:
        """Return what `blocks` yields, [channels, samples]."""
        # Large ones, since only these go back to the system at once when they are let go of.
        pieces = deque(self.blocks(seconds, size=_LARGE_BLOCK))
        samples = np.empty((self.channels, sum(piece.shape[1] for piece in pieces)))
        place = 0
        while pieces:
            piece = pieces.popleft()
            samples[:, place : place + piece.shape[1]] = piece
            place += piece.shape[1]
        return samples

    def _block(self, out: NDArray[Any]) -> NDArray[Any]:
        """Fill an array with the next frames; return that part of it."""
        wanted = len(out) if self.frames is None else min(len(out), self.frames - self._done)
        found = 0
        try:
            with callbacks(self._stream):
                found = len(self._sound.read(wanted, out=out)) if wanted > 0 else 0
        except soundfile.LibsndfileError as error:
            # At the end of the data it is no damage but a recording that was interrupted.
            if not self._done or self._excerpt.left > 0:
                raise self._damaged(error) from error
            self.faults.append(f"{self._name} ends in the middle of a frame; what is before it is used")
            self._ended = True
            return out[:0]
        self._done += found
        if found < len(out):
            self._ended = True
            self._compare_at_end()
        return out[:found]

    def _damaged(self, error: soundfile.LibsndfileError) -> InputError:
        if not self._done:
            advice = "convert it to WAV, FLAC, OGG or MP3"
            return InputError(f"{self._name} is not a readable sound file ({reason(error)}); {advice}")
        return InputError(f"{self._name} is damaged ({reason(error)}); export it again")

    def _compare(self) -> None:
        """Note a difference between the header's length and the real one."""
        said, held = self._extent.said, self._extent.held
        seconds = (self.frames or 0) / self.sample_rate
        if said > held > 0:
            self._cut_off(seconds, seconds * said / held)
        elif held > said > 0:
            self.faults.append(
                f"{self._name} goes on for {held - said} bytes behind the {seconds:.2f} s that its header says; they "
                "are left out"
            )
        elif self._extent.open_ended:
            self.faults.append(
                f"{self._name} has no end: it was cut off, or is unfinished; what is there is used"
            )
        elif self.format not in _MEASURED and _MENDED in self._sound.extra_info:
            self.faults.append(
                f"{self._name} holds more or less than its header says; what can be read is used"
            )

    def _compare_at_end(self) -> None:
        if self.frames is not None and self._done < self.frames:
            self._cut_off(self._done / self.sample_rate, self.frames / self.sample_rate)
        elif self.format not in _OF_CHUNKS and not self._extent.tagged and self._excerpt.left > _SLACK:
            self.faults.append(
                f"{self._name} goes on for {self._excerpt.left} bytes behind the end of its sound; they are left out"
            )

    def _cut_off(self, held: float, said: float) -> None:
        digits = 2 if said - held > 0.01 else 6
        self.faults.append(
            f"{self._name} holds {held:.{digits}f} s where its header says {said:.{digits}f} s: it was cut off, or is "
            "unfinished; what is there is used"
        )


def reason(error: soundfile.LibsndfileError) -> str:
    """Return what libsndfile says is wrong, as part of a sentence."""
    return " ".join(str(error.error_string).split()).rstrip(".")


@contextmanager
def open_sound(path: str | os.PathLike[str]) -> Iterator[SoundReader]:
    """Open a sound file to read it in pieces. Raises as `read_audio`."""
    with opened(path) as file, SoundReader(file, shown(path)) as reader:
        yield reader


def read_audio(path: str | os.PathLike[str], *, seconds: float | None = None) -> Audio:
    """Read a sound file of any kind that libsndfile knows, at its own rate.

    An InputWarning tells where the file holds more or less than it says, and where it is longer than wanted.

    Args:
        path: Of the file.
        seconds: Stop after so much of it, or where that has more than 2^24 samples in all, after these.

    Raises:
        InputError: If the file is missing, a folder, a pipe or device, unreadable, not audio, damaged, without
            samples, of other rates or channels than `media.limits.check_sound` allows, or holds values that are not
            finite.
    """
    with opened(path) as file:
        return _read(file, shown(path), seconds)


def read_audio_bytes(data: bytes, *, name: str, seconds: float | None = None) -> Audio:
    """Read a sound file that is in memory; `name` is what messages call it. For the rest see `read_audio`."""
    return _read(BytesIO(data), shown(name), seconds)


def read_track(path: str | os.PathLike[str], spool: str | os.PathLike[str]) -> Track:
    """Read a sound file of any length onto a spool, which replaces what may be there. Raises as `read_audio`."""
    with opened(path) as file, SoundReader(file, shown(path)) as reader:
        sound = Spool.gather(spool, reader.blocks())
        _warn(reader)
        return Track(sound, reader.sample_rate, reader.format, reader.subtype)


def sound_hash(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a sound file's bytes, hexadecimal. Raises as `read_audio` if there is no such file."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(file: BufferedIOBase, name: str, seconds: float | None) -> Audio:
    with SoundReader(file, name) as reader:
        samples = reader.all(seconds)
        _warn(reader)
        return Audio(samples, reader.sample_rate, reader.format, reader.subtype)


def _warn(reader: SoundReader) -> None:
    for fault in reader.faults:
        warnings.warn(fault, InputWarning, stacklevel=4)
