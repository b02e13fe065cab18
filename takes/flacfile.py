"""A 24-bit FLAC file that stays readable if its writer is killed.

An encoder usually writes the length into the header only at the end, and most readers refuse a file without it. Here it
is written now and then. If the disk gets full, an incomplete frame is cut off.

The format: "fLaC", then the STREAMINFO block, whose 36 bits of total samples begin with the lower half of byte 21;
each frame begins with fourteen bits of synchronisation (RFC 9639, sections 8.2 and 9.1).
"""

from __future__ import annotations

from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..media.callbacks import Stream, callbacks
from .sound import to_steps

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_TOTAL = 21
_BLOCK_SIZE = slice(8, 10)
_LARGEST_TOTAL = 2**36 - 1
_SYNC = (b"\xff\xf8", b"\xff\xf9")
# libsndfile takes integers at the top of its 32 bits.
_SHIFT = 8


class _BlockFile(FileIO):
    """A new file that counts the frames of the format that are whole in it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "x+")
        #: frames of the format, not samples; and where the last one ends
        self.blocks = 0
        self.end = 0

    def write(self, data: ReadableBuffer) -> int:
        """Write all of it."""
        at, view = self.tell(), memoryview(data)
        count = len(view)
        while view:
            view = view[super().write(view) or 0 :]
        if at >= self.end:
            self.end = at + count
            self.blocks += bytes(memoryview(data)[:2]) in _SYNC
        return count


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
        self._file = _BlockFile(path)
        self._stream = Stream(self._file)
        self._sound = soundfile.SoundFile(
            self._stream, "w", samplerate=sample_rate, channels=channels, format="FLAC", subtype="PCM_24"
        )
        self._written = 0

    def write(self, sound: NDArray[np.float32]) -> None:
        """Write [channels, n], rounded to 24 bits."""
        steps = to_steps(sound).astype(np.int32)
        with callbacks(self._stream):
            self._sound.write(np.ascontiguousarray(steps.T << _SHIFT))
        self._written += sound.shape[1]

    @property
    def whole(self) -> int:
        """The number of samples of each channel that are safely in the file."""
        if not self._file.blocks:
            return 0
        with self._path.open("rb") as file:
            size = int.from_bytes(file.read(_BLOCK_SIZE.stop)[_BLOCK_SIZE], "big")
        return min(self._written, self._file.blocks * size)

    def checkpoint(self) -> None:
        """Write the present length into the header."""
        self._note(self.whole)

    def close(self) -> int:
        """End the file; return the number of samples of each channel in it, without what the disk did not take."""
        # After an error, the encoder writes nothing more.
        with suppress(Exception):
            self._sound.close()
        self._file.close()
        if self._stream.error is None:
            return self._written
        whole = self.whole
        with self._path.open("r+b") as file:
            file.truncate(self._file.end)
        self._note(whole)
        return whole

    def _note(self, samples: int) -> None:
        if not self._file.blocks:
            return
        with self._path.open("r+b", buffering=0) as file:
            file.seek(_TOTAL)
            # The first four bits belong to the number of bits of a sample.
            kept = int.from_bytes(file.read(5), "big") >> 36 << 36
            file.seek(_TOTAL)
            file.write((kept | min(samples, _LARGEST_TOTAL)).to_bytes(5, "big"))
