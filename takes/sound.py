"""The sound files of a take, and how they are read, also if the writer was killed.

Up to eight channels are 24-bit FLAC; more are 32-bit float WAV. A take that was not closed has lengths in its headers
that are too short, or none. It is then read to the last whole frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..media.decoding import SoundReader
from ..media.errors import InputError
from ..media.file_lengths import Extent
from ..media.files import shown
from ..media.inputs import opened
from .header import HEADER, Header
from .wavfile import header_bytes

Sound = NDArray[np.float32]

DRY, EXACT, WET = "dry.flac", "dry-exact.wav", "wet.flac"
#: FLAC holds no more.
FLAC_CHANNELS = 8
#: Steps of 24 bits in full scale.
STEPS = 2.0**23

# Where FLAC notes how many samples there are in all, after four bits of something else; see takes.flacfile.
_TOTAL, _NOT_TOTAL = 21, 0xF0
# Samples in a frame of FLAC: of a read that fails nothing comes back.
_FRAME = 4096


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
    with _opened(path, header) as reader:
        if reader.frames is not None:
            return reader.frames
        count = 0
        with suppress(InputError):
            while read := len(reader.read(_FRAME, "float32", finite=False)):
                count += read
        return count


def sound_blocks(path: Path, header: Header, size: int, frames: int | None) -> Iterator[Sound]:
    """Return a file of a take, [channels, n] with n up to `size`; `frames` is how much of it, None is all.

    Raises:
        InputError: it is damaged, or shorter
    """
    left = frames
    with _opened(path, header) as reader:
        while left is None or left > 0:
            block = reader.read(size if left is None else min(size, left), "float32", finite=False)
            if not len(block):
                break
            if not np.isfinite(block).all():
                raise InputError(f"{shown(path)} holds values that are not finite numbers; it is damaged")
            left = None if left is None else left - len(block)
            yield np.ascontiguousarray(block.T)
    if left:
        raise InputError(f"{shown(path)} is {left} frames shorter than {HEADER} says; it is damaged")


def damaged(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be read."""
    reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or type(error).__name__
    return InputError(
        f"cannot read {shown(path)}: {' '.join(str(reason).split()).rstrip('.')}; is the take whole?"
    )


@contextmanager
def _opened(path: Path, header: Header) -> Iterator[SoundReader]:
    try:
        with opened(path) as file:
            extent = _to_the_end(file, path, header) if header.frames is None else None
            with SoundReader(file, shown(path), extent=extent) as reader:
                if (reader.sample_rate, reader.channels) != (header.sample_rate, header.channels):
                    raise InputError(f"{shown(path)} does not fit {HEADER}: rate or channels differ")
                yield reader
    except InputError as error:
        if isinstance(error.__cause__, soundfile.LibsndfileError):
            raise damaged(path, error.__cause__) from None
        raise


def _to_the_end(file: BufferedReader, path: Path, header: Header) -> Extent:
    """Return how a file that was not closed is read to its end: with the right length, or (FLAC) without one."""
    if path.suffix == ".wav":
        fits = header_bytes(path.stat().st_size, sample_rate=header.sample_rate, channels=header.channels)
        return Extent(0, patch=(0, fits))
    file.seek(_TOTAL)
    (first,) = file.read(1) or b"\0"
    return Extent(0, patch=(_TOTAL, bytes([first & _NOT_TOTAL, 0, 0, 0, 0])))
