"""Compares the length in a sound file's header with the real one, which decoders do not check."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from .metadata_chunks import container_of, walk
from .mpeg import length_frame

# ID3v2: ten bytes, the last four of which have seven bits of the size each; a footer of as many bytes may follow.
_TAG = 10
_FOOTER = 0x10
# Written by programs that cannot go back to the header at the end: ffmpeg, arecord and sox do.
_ENDLESS = 0x7FFF0000
_END_BYTES = 1 << 16
_ID3V1 = 128
_APE = b"APETAGEX"
# The header of a page of Ogg; its last byte is the number of lengths that follow.
_PAGE = 27


@dataclass(frozen=True)
class Extent:
    """Where the sound is in a file.

    Attributes:
        begin: bytes before it, such as a tag
        prefix: bytes that it lacks at its beginning
        patch: a place, counted from `begin`, and bytes to be read there instead of the file's
        said, held: bytes of sound by the header, and in fact; equal if the header does not know
        open_ended: it ends in the middle of a stream
        tagged: a tag follows the sound
    """

    begin: int
    prefix: bytes = b""
    patch: tuple[int, bytes] = (0, b"")
    said: int = 1
    held: int = 1
    open_ended: bool = False
    tagged: bool = False


def measure(file: BinaryIO) -> Extent:
    """Measure a sound file; unknown formats are left to the decoder. Takes bounded time and memory."""
    begin = _begin(file)
    file.seek(begin)
    head = file.read(12)
    if kind := container_of(head):
        return _of_chunks(file, begin, "<" if kind == "WAV" else ">")
    if head[:4] == b"OggS":
        return Extent(begin, open_ended=not _ends(file))
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _ID3V1))
    return Extent(begin, prefix=length_frame(file, begin), tagged=_APE in file.read())


def _begin(file: BinaryIO) -> int:
    """Return where the sound begins, behind all ID3v2 tags: libsndfile counts their bytes twice in what is left."""
    place = 0
    while True:
        file.seek(place)
        head = file.read(_TAG)
        if len(head) < _TAG or head[:3] != b"ID3" or max(head[6:]) > 0x7F:
            return place
        size = sum(byte << 7 * (3 - index) for index, byte in enumerate(head[6:]))
        place += _TAG + size + (_TAG if head[5] & _FOOTER else 0)


def _of_chunks(file: BinaryIO, begin: int, order: str) -> Extent:
    end = file.seek(0, os.SEEK_END)
    place = said = long_size = 0
    for name, size in walk(file, order, begin=begin):
        at = file.tell()
        if not place and name in (b"data", b"SSND"):
            place, said = at, size
        elif not place and name == b"ds64":
            long_size = at - begin + 8
        elif place and (at + size > end or not all(0x20 <= letter < 0x7F for letter in name)):
            # No chunk: more sound, or damage.
            break
    else:
        at = end + 8
    if not place:
        return Extent(begin)
    held = end - place
    if not said or (said >= _ENDLESS and said > held):
        # Behind a length of 0 there may be chunks after all.
        if not said and at > end:
            return Extent(begin)
        if long_size:
            return Extent(begin, patch=(long_size, struct.pack("<Q", held)))
        size_at = place - begin - 4
        return Extent(begin, patch=(size_at, struct.pack(order + "I", min(held, 0xFFFFFFFE))))
    if said > held:
        return Extent(begin, said=said, held=held)
    file.seek(at - 8)
    rest = file.read(_END_BYTES)
    old_tag = len(rest) == _ID3V1 and rest.startswith(b"TAG")
    more = end - at + 8 if any(rest) and not old_tag and len(rest) >= 8 else 0
    return Extent(begin, said=said, held=said + more)


def _ends(file: BinaryIO) -> bool:
    """Return whether the last page of an Ogg file is whole, and marked as the last one (RFC 3533, section 6)."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - _END_BYTES - 512))
    rest = file.read()
    page = rest[max(0, rest.rfind(b"OggS")) :]
    if len(page) < _PAGE or not page[5] & 4:
        return False
    lacing = page[_PAGE : _PAGE + page[_PAGE - 1]]
    return len(lacing) == page[_PAGE - 1] and len(page) >= _PAGE + len(lacing) + sum(lacing)
