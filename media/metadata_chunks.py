"""The metadata chunks of WAV and AIFF files, from recorders, editors and libraries.

Both formats are a sequence of chunks, each with four letters, its size in 32 bits, and as many bytes, filled up to an
even number (IBM and Microsoft 1991, Multimedia Programming Interface; Apple 1989, AIFF 1.3). WAV counts in
little-endian, AIFF in big-endian. RF64 (EBU Tech 3306) keeps sizes beyond 32 bits in a chunk of its own.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_BEGINNINGS = {
    (b"RIFF", b"WAVE"): "WAV",
    (b"RF64", b"WAVE"): "WAV",
    (b"FORM", b"AIFF"): "AIFF",
    (b"FORM", b"AIFC"): "AIFF",
}
# What says how the samples are stored, or holds them, or nothing, or would be false of other samples. The rest is
# about the sound as a whole, or counts samples, of which the result has as many.
_OF_THE_SAMPLES = frozenset(
    {
        b"fmt ",
        b"data",
        b"fact",
        b"PEAK",
        b"ds64",
        b"levl",
        b"JUNK",
        b"junk",
        b"PAD ",
        b"FLLR",
        b"filr",
        b"wavl",
        b"slnt",
    }
    | {b"COMM", b"SSND", b"FVER"}
)
# What is more than this, in bytes or in chunks, is no tags.
_LARGEST = 64 * 2**20
_MOST = 4096


@dataclass(frozen=True)
class Chunk:
    """Four letters and the data after them."""

    name: bytes
    data: bytes


def container(path: Path) -> str:
    """Return "WAV" or "AIFF", or "" for files that are neither."""
    with path.open("rb") as file:
        return container_of(file.read(12))


def container_of(head: bytes) -> str:
    """Return what `container` does of a file that begins with these 12 bytes."""
    return _BEGINNINGS.get((head[:4], head[8:12]), "")


def read_chunks(path: Path) -> list[Chunk]:
    """Return the chunks that do not describe the samples; none if the file is neither WAV nor AIFF.

    Of a damaged file, those before the damage.
    """
    kind = container(path)
    found: list[Chunk] = []
    left = _LARGEST
    if kind:
        with path.open("rb") as file:
            for name, size in walk(file, "<" if kind == "WAV" else ">"):
                if name not in _OF_THE_SAMPLES and size <= left:
                    data = file.read(size)
                    if len(data) == size:
                        found.append(Chunk(name, data))
                        left -= size
    return found


def walk(file: BinaryIO, order: str, *, begin: int = 0) -> Iterator[tuple[bytes, int]]:
    """Yield name and size of each chunk, with the file at the beginning of its data; of very many, the first.

    Args:
        file: seekable
        order: of bytes, as for `struct`
        begin: where the WAV or AIFF file begins in it
    """
    end = file.seek(0, os.SEEK_END)
    place, long_data = begin + 12, 0
    for _ in range(_MOST):
        if place + 8 > end:
            return
        file.seek(place)
        name, size = struct.unpack(order + "4sI", file.read(8))
        if name == b"ds64" and size >= 16:
            # RF64: the sizes of the file and of the samples, 64 bits each.
            long_data = struct.unpack("<QQ", file.read(16))[1]
            file.seek(place + 8)
        if name == b"data" and size == 0xFFFFFFFF:
            size = long_data
        yield name, size
        place += 8 + size + size % 2


def append_chunks(path: Path, chunks: list[Chunk]) -> None:
    """Write chunks behind those of a WAV or AIFF file, in place.

    Raises:
        ValueError: If the file is neither, or would grow beyond what its header can say.
    """
    kind = container(path)
    if not kind:
        raise ValueError(f"{path} is neither WAV nor AIFF")
    order = "<" if kind == "WAV" else ">"
    with path.open("rb+") as file:
        long = file.read(4) == b"RF64"
        end = file.seek(0, os.SEEK_END)
        added = b"\0" * (end % 2) + b"".join(
            struct.pack(order + "4sI", chunk.name, len(chunk.data))
            + chunk.data
            + b"\0" * (len(chunk.data) % 2)
            for chunk in chunks
        )
        size = end + len(added) - 8
        if size > 0xFFFFFFFF and not long:
            raise ValueError(f"{path} would be larger than its header can say")
        file.write(added)
        if long:
            # The first chunk of RF64 is ds64, which begins with the size of the whole.
            file.seek(20)
            file.write(struct.pack("<Q", size))
        else:
            file.seek(4)
            file.write(struct.pack(order + "I", size))
