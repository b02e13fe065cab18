"""A 32-bit float WAV file that survives its writer: any process can go on where another one stopped.

Frames are written straight to their place. The sizes in the header are set at the end, from the file's length, by
`seal`. A chunk of padding in the header becomes the 64-bit sizes of an RF64 file (EBU Tech 3306) if 32 bits do not do.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

from ..media.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# RIFF, size, WAVE; JUNK or ds64, 28 bytes; fmt, 16 bytes; fact, 4 bytes; data, size.
_HEADER = struct.Struct("<4sI4s 4sI28s 4sIHHIIHH 4sII 4sI")
_DS64 = struct.Struct("<QQQI")
_FLOAT = 3
_BYTES = 4
_MOST = 2**32 - 1


class WavWriter:
    """Writes frames to a file that exists already, beginning at a frame.

    Args:
        path: empty, or left by another writer with the same channels and rate
        sample_rate: Hz
        channels: of each frame
        frame: to begin with; missing frames before it are silence

    Raises:
        OSError: the file cannot be written
        InputError: the file has other channels, or another rate
    """

    def __init__(self, path: Path, *, sample_rate: int, channels: int, frame: int = 0) -> None:
        # Unbuffered: what has been written stays written, whatever happens to this process.
        self._file = path.open("r+b", buffering=0)
        begun = self._file.read(_HEADER.size)
        if len(begun) == _HEADER.size and _HEADER.unpack(begun)[9:11] != (channels, sample_rate):
            self._file.close()
            raise InputError(
                f"the sound goes on with {channels} channels at {sample_rate} Hz, unlike its file; begin a new one"
            )
        self._file.seek(0)
        self._file.write(_header(sample_rate=sample_rate, channels=channels, size=0))
        self._file.seek(frame * channels * _BYTES, os.SEEK_CUR)

    def write(self, frames: NDArray[np.float32]) -> None:
        """Write [frames, channels]."""
        import numpy as np

        data = np.ascontiguousarray(frames, dtype="<f4").reshape(-1).view(np.uint8).data
        while data:
            data = data[self._file.write(data) or 0 :]

    def close(self) -> None:
        """Close the file; it still has to be sealed."""
        self._file.close()


def seal(path: Path) -> int:
    """Set the sizes in the header of a file that was written by `WavWriter`; return how many frames it holds."""
    with path.open("r+b") as file:
        found = file.read(_HEADER.size)
        if len(found) < _HEADER.size:
            return 0
        fields = _HEADER.unpack(found)
        channels, rate = fields[9], fields[10]
        size = _sound_bytes(path.stat().st_size, channels)
        file.seek(0)
        file.write(_header(sample_rate=rate, channels=channels, size=size))
        file.truncate(_HEADER.size + size)
    return int(size // (channels * _BYTES))


def header_bytes(file_bytes: int, *, sample_rate: int, channels: int) -> bytes:
    """Return the header that fits a file of so many bytes, its header included."""
    return _header(sample_rate=sample_rate, channels=channels, size=_sound_bytes(file_bytes, channels))


def _sound_bytes(file_bytes: int, channels: int) -> int:
    # A frame that was cut off does not count.
    frame = channels * _BYTES
    return max(0, file_bytes - _HEADER.size) // frame * frame


def _header(*, sample_rate: int, channels: int, size: int) -> bytes:
    frame = channels * _BYTES
    whole = size + _HEADER.size - 8
    large = whole > _MOST
    frames = size // frame
    return _HEADER.pack(
        b"RF64" if large else b"RIFF",
        _MOST if large else whole,
        b"WAVE",
        b"ds64" if large else b"JUNK",
        28,
        _DS64.pack(whole, size, frames, 0) if large else b"",
        b"fmt ",
        16,
        _FLOAT,
        channels,
        sample_rate,
        sample_rate * frame,
        frame,
        8 * _BYTES,
        b"fact",
        4,
        min(frames, _MOST),
        b"data",
        _MOST if large else size,
    )
