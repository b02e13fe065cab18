"""A 24-bit FLAC file that stays readable if its writer is killed.

An encoder usually writes the length into the header only at the end, and most readers refuse a file without it. Here it
is written now and then. If the disk gets full, an incomplete frame is cut off.

The format: "fLaC", then the STREAMINFO block, whose 36 bits of total samples begin with the lower half of byte 21;
each frame begins with fourteen bits of synchronisation (RFC 9639, sections 8.2 and 9.1).
"""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from .sound import to_steps

_TOTAL = 21
_BLOCK_SIZE = slice(8, 10)
_LARGEST_TOTAL = 2**36 - 1
_SYNC = (b"\xff\xf8", b"\xff\xf9")
# libsndfile takes integers at the top of its 32 bits.
_SHIFT = 8


class _Sink:
    """The file under libsndfile: keeps the error that its callbacks must not raise, and counts whole frames."""

    def __init__(self, file: FileIO) -> None:
        self.file = file
        self.error: OSError | None = None
        #: frames of the format, not samples, that are whole in the file; and where the last one ends
        self.blocks = 0
        self.end = 0

    def write(self, data: bytes) -> int:
        if self.error is not None:
            return 0
        try:
            at = self.file.tell()
            view = memoryview(data)
            while view:
                view = view[self.file.write(view) or 0 :]
        except OSError as error:
            self.error = error
            return 0
        if at >= self.end:
            self.end = at + len(data)
            self.blocks += data[:2] in _SYNC
        return len(data)

    def readinto(self, buffer: memoryview) -> int:
        return self.file.readinto(buffer) or 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def tell(self) -> int:
        return self.file.tell()


class FlacWriter:
    """Writes a new file.

    Args:
        path: must not exist
        sample_rate: Hz
        channels: 1 to 8, see `takes.sound.FLAC_CHANNELS`

    Raises:
        OSError: here, and in every method: nothing more can be written. The file stays readable.
    """

    def __init__(self, path: Path, *, sample_rate: int, channels: int) -> None:
        self._path = path
        self._sink = _Sink(FileIO(path, "x+"))
        self._sound = soundfile.SoundFile(
            self._sink, "w", samplerate=sample_rate, channels=channels, format="FLAC", subtype="PCM_24"
        )
        self._written = 0

    def write(self, sound: NDArray[np.float32]) -> None:
        """Write [channels, n], rounded to 24 bits."""
        steps = to_steps(sound).astype(np.int32)
        try:
            self._sound.write(np.ascontiguousarray(steps.T << _SHIFT))
        except Exception:
            self._raise_error()
            raise
        self._raise_error()
        self._written += sound.shape[1]

    def _raise_error(self) -> None:
        if self._sink.error is not None:
            raise self._sink.error

    @property
    def whole(self) -> int:
        """The number of samples of each channel that are safely in the file."""
        if not self._sink.blocks:
            return 0
        with self._path.open("rb") as file:
            size = int.from_bytes(file.read(_BLOCK_SIZE.stop)[_BLOCK_SIZE], "big")
        return min(self._written, self._sink.blocks * size)

    def checkpoint(self) -> None:
        """Write the present length into the header."""
        self._note(self.whole)

    def close(self) -> int:
        """End the file; return the number of samples of each channel in it, without what the disk did not take."""
        # After an error, the encoder writes nothing more.
        with suppress(Exception):
            self._sound.close()
        self._sink.file.close()
        if self._sink.error is None:
            return self._written
        whole = self.whole
        with self._path.open("r+b") as file:
            file.truncate(self._sink.end)
        self._note(whole)
        return whole

    def _note(self, samples: int) -> None:
        if not self._sink.blocks:
            return
        with self._path.open("r+b", buffering=0) as file:
            file.seek(_TOTAL)
            # The first four bits belong to the number of bits of a sample.
            kept = int.from_bytes(file.read(5), "big") >> 36 << 36
            file.seek(_TOTAL)
            file.write((kept | min(samples, _LARGEST_TOTAL)).to_bytes(5, "big"))
