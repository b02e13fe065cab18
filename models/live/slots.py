"""Styles that come and go while the stylizer plays: packed into one piece of memory, and played from there.

Whatever computes a style, another process or this one, packs it; whoever plays puts it into a slot that is not heard,
between two hops. Nothing is computed or copied for it then.

Packed, a style is a header of ten numbers (float64), then the arrays of `models.live.style_bank.StoredStyle`, one after
the other, each from a multiple of eight bytes on.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from ..style import MAX_SECONDS
from .core import Core
from .memory import Bytes, fields_of
from .prepared_style import MOST_PLACES, QUANTILES, WIDE, Layout, PreparedStyle
from .style_bank import StoredStyle

_HEADER = 10
_MAGIC = 20_261_128.0


class StyleSlots(Protocol):
    """Slots whose styles can be replaced while playing; between two blocks, by whoever plays."""

    @property
    def filled(self) -> tuple[bool, ...]:
        """Which slots have a style."""
        ...

    def close(self, slot: int, *, heard: bool = False) -> bool:
        """Empty a slot, whose memory may be written from now on; False, and nothing done, while it is heard.

        With `heard` it is emptied all the same, for whoever resets the chain next.
        """
        ...

    def open(self, slot: int, packed: Bytes) -> None:
        """Put a packed style, whose memory stays as it is until the slot is closed, into a slot, heard or not.

        Raises:
            ValueError: what is packed is no style, or none for these slots; then nothing has changed
        """
        ...


def most_bytes(layout: Layout, samples: int) -> int:
    """Return how long a packed style can be, for clips of up to `samples` samples."""
    bins, bands = layout.bins, layout.bands
    numbers = (
        bins * (3 + QUANTILES) + bands * bands * (3 + len(layout.lags)) + MOST_PLACES * bands + 2 * samples
    )
    numbers += WIDE * (3 + QUANTILES) + WIDE * WIDE * (2 + len(layout.lags)) + 1
    # The arrays' beginnings are rounded up.
    return 8 * _HEADER + 4 * numbers + 8 * len(StoredStyle._fields)


def most_samples(sample_rate: int) -> int:
    """Return how many samples the clip of a style has at most."""
    return int(MAX_SECONDS * sample_rate) + 1


def pack(style: PreparedStyle, layout: Layout, *, most: int) -> Bytes:
    """Pack a style; of a clip that would make it longer than `most` bytes, the end is left out."""
    arrays = {name: getattr(style, name) for name in StoredStyle._fields}
    room = most - most_bytes(layout, 0)
    samples = min(arrays["clip"].size, max(layout.n_fft, room // 8))
    for name in ("clip", "toneless"):
        arrays[name] = arrays[name][:samples]
    # Only places whose frame is in what is left of the clip.
    count = min(arrays["places"].shape[1], (samples - layout.n_fft) // style.stride + 1)
    arrays["places"] = arrays["places"][:, :count]
    header = np.zeros(_HEADER)
    header[:5] = _signature(layout)
    header[5:9] = (count, style.stride, samples, style.top)
    parts = [header.view(np.uint8)]
    for array in arrays.values():
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        parts += [data, np.zeros(-data.size % 8, dtype=np.uint8)]
    return np.concatenate(parts)


def _signature(layout: Layout) -> tuple[float, ...]:
    """Return numbers that are the same only for styles of the same layout."""
    return (_MAGIC, layout.sample_rate, layout.n_fft, layout.hop, float(layout.pair.analysis.sum()))


def put(core: Core, slot: int, packed: Bytes) -> None:
    """Put a packed style into a slot of a core; ValueError, and nothing done, where that does not fit."""
    header = packed[: 8 * _HEADER].view(np.float64)
    if tuple(header[:5].tolist()) != _signature(core.layout):
        raise ValueError("this is no packed style, or one for another rate or window")
    count, stride, samples = (int(number) for number in header[5:8])
    if not (0 < count <= MOST_PLACES and stride > 0 and core.layout.n_fft <= samples < packed.size):
        raise ValueError("what is packed is damaged")
    arrays, start = {}, 8 * _HEADER
    for name, (kind, shape) in fields_of(
        StoredStyle, core.sizes | {"places": count, "samples": samples}
    ).items():
        size = math.prod(shape) * np.dtype(kind).itemsize
        if packed.size < start + size:
            raise ValueError("what is packed is not whole")
        arrays[name] = packed[start : start + size].view(kind).reshape(shape)
        start += size + -size % 8
    core.close_slot(slot)
    core.open_slot(slot, StoredStyle(**arrays), top=float(header[8]), stride=stride)
