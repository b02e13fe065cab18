"""Counts the frames of an MP3 file that does not give their number itself.

An encoder of variable bitrate notes the number in a frame of its own, which the Xing Corporation introduced and Layer
III decoders know. Files that were cut, or recorded from a stream, lack it; decoders then guess from the first frames,
and stop there. Headers: ISO/IEC 11172-3, section 2.4.2.3, and 13818-3, 2.4.2.3.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_BITRATES = {
    True: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
# Sync, version, layer and rate: the same in all frames of a stream. Bitrate and padding are not.
_SAME = 0xFFFE0C00
_LAYER_3 = 1
_LARGEST_BITRATE = 14
_NO_PROTECTION = 1 << 16
_BLOCK = 1 << 16


def _size(header: int) -> int:
    """Return the bytes of a Layer III frame with this header, its own four included; 0 if it is none."""
    version, layer = header >> 19 & 3, header >> 17 & 3
    bitrate, rate = header >> 12 & 15, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer != _LAYER_3 or not 1 <= bitrate <= 14 or rate == 3:
        return 0
    first = version == 3
    hertz = _RATES[rate] >> (0 if first else 1 if version == 2 else 2)
    return (144 if first else 72) * _BITRATES[first][bitrate - 1] * 1000 // hertz + (header >> 9 & 1)


def length_frame(file: BinaryIO, begin: int) -> bytes:
    """Return a frame that tells decoders the length, to stand before the first; b"" if there is one, or it is no MP3.

    Args:
        file: seekable
        begin: where the first frame is
    """
    file.seek(begin)
    head = file.read(192)
    header = int.from_bytes(head[:4], "big")
    if not _size(header) or b"Xing" in head or b"Info" in head or b"VBRI" in head:
        return b""
    count = _count(file, begin, header & _SAME)
    large = header & ~0xF200 | _LARGEST_BITRATE << 12 | _NO_PROTECTION
    mono = header >> 6 & 3 == 3
    side = (17 if mono else 32) if header >> 19 & 3 == 3 else (9 if mono else 17)
    info = struct.pack(">I", large) + bytes(side) + b"Xing" + struct.pack(">II", 1, count)
    return info.ljust(_size(large), b"\0")


def _count(file: BinaryIO, begin: int, kind: int) -> int:
    """Return how many frames of a kind there are, passing over what is between them."""
    end = file.seek(0, os.SEEK_END)
    place, count = begin, 0
    while place + 4 <= end:
        file.seek(place)
        header = int.from_bytes(file.read(4), "big")
        size = _size(header) if header & _SAME == kind else 0
        if size:
            count += place + size <= end
            place += size
            continue
        file.seek(place + 1)
        block = file.read(_BLOCK)
        found = block.find(kind.to_bytes(4, "big")[:1])
        place += 1 + (found if found >= 0 else len(block))
    return count
