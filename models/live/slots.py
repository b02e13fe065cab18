"""Styles that come and go while the stylizer plays: packed into one piece of memory, and written to a slot in parts.

Whatever computes a style, another process or this one, packs it; whoever plays copies half a megabyte at a time,
between two hops, to a slot that is not heard, and opens the slot when all is there. Nothing is computed for it then.

Packed, a style is a header of ten numbers (float64), then its arrays, one after the other, each from a multiple of
eight bytes on.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..style import MAX_SECONDS
from .core import Core
from .memory import Bytes
from .prepared_style import MOST_PLACES, QUANTILES, WIDE, Layout, PreparedStyle
from .style_bank import CLIP, STATISTICS

_HEADER = 10
_MAGIC = 20_261_128.0
#: Bytes that are copied at a time.
PIECE = 2**19


class StyleSlots(Protocol):
    """Slots whose styles can be replaced while playing; between two blocks, by whoever plays."""

    @property
    def filled(self) -> tuple[bool, ...]:
        """Which slots have a style."""
        ...

    def begin(self, slot: int, packed: Bytes) -> bool:
        """Empty a slot, and get ready to write a packed style to it; False, and nothing done, while it is heard.

        Raises:
            ValueError: what is packed is no style, or none for these slots
        """
        ...

    def step(self) -> bool:
        """Write the next piece; return whether that was the last one, and the slot is in use."""
        ...

    def replace(self, slot: int, packed: Bytes) -> None:
        """Write a whole packed style to a slot, heard or not; for whoever is not in a hurry."""
        ...


def most_bytes(layout: Layout, samples: int) -> int:
    """Return how long a packed style can be, for clips of up to `samples` samples."""
    bins, bands = layout.bins, layout.bands
    numbers = (
        bins * (3 + QUANTILES) + bands * bands * (3 + len(layout.lags)) + MOST_PLACES * bands + 2 * samples
    )
    numbers += WIDE * (3 + QUANTILES) + WIDE * WIDE * (2 + len(layout.lags)) + 1
    # The arrays' beginnings are rounded up.
    return 8 * _HEADER + 4 * numbers + 8 * len((*STATISTICS, *CLIP))


def most_samples(sample_rate: int) -> int:
    """Return how many samples the clip of a style has at most."""
    return int(MAX_SECONDS * sample_rate) + 1


def pack(style: PreparedStyle, layout: Layout, *, most: int) -> Bytes:
    """Pack a style; of a clip that would make it longer than `most` bytes, the end is left out."""
    arrays = {name: getattr(style, name) for name in (*STATISTICS, *CLIP)}
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


class SlotWriter:
    """Writes packed styles to the slots of a core, see `StyleSlots`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pieces: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self._slot = -1
        self._open: dict[str, Any] = {}

    def begin(self, slot: int, packed: Bytes) -> None:
        """Close a slot, and get ready; ValueError where what is packed does not fit."""
        header = packed[: 8 * _HEADER].view(np.float64)
        if tuple(header[:5].tolist()) != _signature(self._core.layout):
            raise ValueError("this is no packed style, or one for another rate or window")
        count, stride, samples = (int(number) for number in header[5:8])
        bank = self._core.bank
        targets = [getattr(bank, name)[slot] for name in STATISTICS]
        if self._core.stored:
            if not (0 < count <= bank.places.shape[2] and 0 < samples <= bank.clip.shape[1] and stride > 0):
                raise ValueError("this style is longer than a slot")
            targets += [bank.axes[slot], bank.places[slot, :, :count]]
            targets += [bank.clip[slot, :samples], bank.toneless[slot, :samples]]
        start = 8 * _HEADER
        pieces: list[tuple[NDArray[Any], NDArray[Any]]] = []
        for target in targets:
            start = _plan(pieces, target, packed, start)
        # Not before everything is known to be there.
        self._core.close_slot(slot)
        self._slot, self._pieces = slot, pieces
        self._open = {"top": float(header[8]), "count": count, "stride": stride, "length": samples}

    def step(self) -> bool:
        """Copy up to `PIECE` bytes; return whether the slot is now open, or was so before."""
        left = PIECE
        while self._pieces and left > 0:
            target, source = self._pieces[0]
            if source.nbytes > left:
                return False
            target[...] = source
            left -= source.nbytes
            del self._pieces[0]
        if self._pieces:
            return False
        if self._slot >= 0:
            self._core.open_slot(self._slot, **self._open)
            self._slot = -1
        return True


def _plan(
    pieces: list[tuple[NDArray[Any], NDArray[Any]]], target: NDArray[Any], packed: Bytes, start: int
) -> int:
    """Plan the copying of what is packed from byte `start` on; return where the next array begins."""
    if packed.size < start + target.nbytes:
        raise ValueError("what is packed is not whole")
    source = packed[start : start + target.nbytes].view(target.dtype).reshape(target.shape)
    step = max(1, PIECE * target.shape[0] // target.nbytes)
    pieces += [(target[at : at + step], source[at : at + step]) for at in range(0, target.shape[0], step)]
    return start + target.nbytes + -target.nbytes % 8
