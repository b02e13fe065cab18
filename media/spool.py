"""Sound on disk (spools), so that tracks of any length are processed in pieces and never held in memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .files import shown

# What the file begins with: eight letters, the number of channels and the length. Samples follow, interleaved.
_MAGIC = b"gmspool1"
_HEADER = struct.Struct("<8sQQ")
_SAMPLE = np.dtype("<f4")

Block = NDArray[np.float64] | NDArray[np.float32]


class Source(Protocol):
    """A sound that can be read from any place: a `Spool`, or an array that is `Held`."""

    @property
    def channels(self) -> int:
        """How many."""
        ...

    @property
    def length(self) -> int:
        """Samples per channel."""
        ...

    def read(self, start: int, stop: int) -> Block:
        """Samples [channels, stop - start], silence before 0 and after the end."""
        ...


class Sink(Protocol):
    """The target for a sound of known length."""

    def write(self, start: int, samples: Block) -> None:
        """Put samples [channels, n] at a place."""
        ...


class Held:
    """An array [channels, samples] float64 with the interface of a spool."""

    def __init__(self, samples: NDArray[np.float64]) -> None:
        self.samples = samples
        self.channels, self.length = samples.shape

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """See `Spool.read`."""
        first, last = max(start, 0), min(stop, self.length)
        inside = self.samples[:, first : max(first, last)]
        if first == start and last == stop:
            return inside
        out = np.zeros((self.channels, stop - start))
        out[:, first - start : first - start + inside.shape[1]] = inside
        return out

    def write(self, start: int, samples: Block) -> None:
        """See `Spool.write`; all of `samples` must lie within."""
        self.samples[:, start : start + samples.shape[1]] = samples


@dataclass(frozen=True)
class Spool:
    """Samples float32 [channels, length] in a file, read and written in pieces of any place and length.

    Every access opens and closes the file. So threads do not disturb each other, nothing has to be closed, and no page
    of the file counts as memory of this process, as those of a mapped file would. A new spool is silent, and takes only
    as much of the disk as was written.

    Attributes:
        path: the file
        channels, length: of the sound; `length` in samples per channel
    """

    path: Path
    channels: int
    length: int

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, channels: int, length: int) -> Self:
        """Make a silent spool, in place of what may be at `path`; InputError where that cannot be written."""
        if channels < 1 or length < 0:
            raise ValueError(f"no spool has {channels} channels and {length} samples")
        path = Path(path)
        try:
            with path.open("wb") as file:
                file.write(_HEADER.pack(_MAGIC, channels, length))
                file.truncate(_HEADER.size + channels * length * _SAMPLE.itemsize)
        except OSError as error:
            raise _cannot("written", path, error) from error
        return cls(path, channels, length)

    @classmethod
    def gather(cls, path: str | os.PathLike[str], pieces: Iterable[Block]) -> Self:
        """Make a spool of pieces [channels, n], one at least, one after the other; InputError as for `create`."""
        path = Path(path)
        channels = length = 0
        try:
            with path.open("wb") as file:
                file.write(_HEADER.pack(_MAGIC, 0, 0))
                for piece in pieces:
                    channels, count = piece.shape
                    length += count
                    file.write(np.ascontiguousarray(piece.T, dtype=_SAMPLE).data)
                file.seek(0)
                file.write(_HEADER.pack(_MAGIC, channels, length))
        except OSError as error:
            raise _cannot("written", path, error) from error
        return cls(path, channels, length)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a spool; InputError where it is missing, is none, or is shorter than it says."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                header = file.read(_HEADER.size)
            size = path.stat().st_size
        except OSError as error:
            raise _cannot("read", path, error) from error
        if len(header) == _HEADER.size:
            magic, channels, length = _HEADER.unpack(header)
            if magic == _MAGIC and channels and size == _HEADER.size + channels * length * _SAMPLE.itemsize:
                return cls(path, channels, length)
        raise InputError(f"{shown(path)} is not a whole spool of samples: remove it and begin again")

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """Samples [channels, stop - start], a view of [samples, channels]; silence before 0 and after the end.

        Args:
            start, stop: in samples, `stop` not before `start`; either may lie outside the sound
        """
        if stop < start:
            raise ValueError(f"cannot read backwards, from {start} to {stop}")
        out = np.zeros((stop - start, self.channels), dtype=_SAMPLE)
        first, last = max(start, 0), min(stop, self.length)
        if first >= last:
            return out.T
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._offset(first))
                view = out[first - start : last - start].data.cast("B")
                while view and (count := file.readinto(view)):
                    view = view[count:]
        except OSError as error:
            raise _cannot("read", self.path, error) from error
        if view:
            raise InputError(f"{shown(self.path)} has lost its end: remove it and begin again")
        return out.T

    def write(self, start: int, samples: Block) -> None:
        """Write samples [channels, n] from `start` on; what would fall before 0 or after the end is left out."""
        if samples.ndim != 2 or samples.shape[0] != self.channels:
            raise ValueError(f"samples of shape {samples.shape} do not fit {self.channels} channels")
        first, last = max(start, 0), min(start + samples.shape[1], self.length)
        if first >= last:
            return
        data = np.ascontiguousarray(samples[:, first - start : last - start].T, dtype=_SAMPLE)
        view = data.data.cast("B")
        try:
            with self.path.open("r+b", buffering=0) as file:
                file.seek(self._offset(first))
                while view:
                    view = view[file.write(view) :]
        except OSError as error:
            raise _cannot("written", self.path, error) from error

    def _offset(self, sample: int) -> int:
        return _HEADER.size + sample * self.channels * _SAMPLE.itemsize


def _cannot(what: str, path: Path, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(f"{shown(path)} cannot be {what}: {reason}; free some space or choose another folder")
