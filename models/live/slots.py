"""Styles that come and go while the stylizer plays: packed into one piece of memory, and written to a slot in parts.

Whatever computes a style, another process or this one, packs it; whoever plays copies half a megabyte at a time,
between two hops, to a slot that is not heard, and opens the slot when all is there. Nothing is computed for it then.

Packed, a style is a header of ten numbers (float64), then its arrays, one after the other, each from a multiple of
eight bytes on.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..style import MAX_SECONDS
from . import carrier, style_bank
from .prepared_style import MOST_PLACES, Layout, PreparedStyle, quantile_levels

Bytes = NDArray[np.uint8]

_HEADER = 10
_MAGIC = 20_250_301.0
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


def most_bytes(layout_bins: int, bands: int, lags: int, samples: int) -> int:
    """Return how long a packed style can be, for clips of up to `samples` samples."""
    levels = quantile_levels().shape[0]
    numbers = layout_bins * (3 + levels) + bands * bands * (2 + lags) + MOST_PLACES * (bands + 1) + samples
    # The arrays' beginnings are rounded up.
    return 8 * _HEADER + 4 * numbers + 8 * 9


def most_samples(sample_rate: int) -> int:
    """Return how many samples the clip of a style has at most."""
    return int(MAX_SECONDS * sample_rate) + 1


def pack(style: PreparedStyle, layout: Layout, *, most: int) -> Bytes:
    """Pack a style; of a clip that would make it longer than `most` bytes, the end is left out."""
    arrays = {name: getattr(style, name).numpy() for name in (*style_bank.PARTS, *carrier.PARTS)}
    room = most - most_bytes(layout.bins, layout.basis.shape[1], len(layout.lags), 0)
    samples = min(arrays["clip"].size, max(layout.n_fft, room // 4))
    arrays["clip"] = arrays["clip"][:samples]
    # Only places whose frame is in what is left of the clip.
    count = min(arrays["places"].shape[0], (samples - layout.n_fft) // style.stride + 1)
    arrays["places"], arrays["norms"] = arrays["places"][:count], arrays["norms"][:count]
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
    return (_MAGIC, layout.sample_rate, layout.n_fft, layout.hop, float(layout.pair.analysis.double().sum()))


class SlotWriter:
    """Writes packed styles to the slots of a core, see `StyleSlots`; in inference mode, like the core's tensors.

    Args:
        core: a `models.live.core.StylizerCore`, compiled or not
        layout: its layout
    """

    def __init__(self, core: Any, layout: Layout) -> None:
        self._core = core
        self._signature = _signature(layout)
        self._pieces: list[tuple[Tensor, Tensor]] = []
        self._slot = -1
        self._open: tuple[float, int, int, int] = (0.0, 0, 1, 0)

    def begin(self, slot: int, packed: Bytes) -> None:
        """Close a slot, and get ready; ValueError where what is packed does not fit."""
        header = packed[: 8 * _HEADER].view(np.float64)
        count, stride, samples = (int(number) for number in header[5:8])
        if tuple(header[:5].tolist()) != self._signature:
            raise ValueError("this is no packed style, or one for another rate or window")
        voice = self._core.voice
        if voice.stored and (count > voice.room or samples > voice.clip.shape[1]):
            raise ValueError("this style is longer than a slot")
        targets = [getattr(self._core.bank, f"each_{name}")[slot] for name in style_bank.PARTS]
        if voice.stored:
            places = slice(slot * voice.room, slot * voice.room + count)
            targets += [voice.places[places], voice.norms[places], voice.clip[slot, :samples]]
        start = 8 * _HEADER
        pieces: list[tuple[Tensor, Tensor]] = []
        for target in targets:
            start = _plan(pieces, target, packed, start)
        # Not before everything is known to be there.
        self._core.close_slot(slot)
        self._slot, self._pieces = slot, pieces
        self._open = (float(header[8]), count, stride, samples)

    def step(self) -> bool:
        """Copy up to `PIECE` bytes; return whether the slot is now open, or was so before."""
        left = PIECE
        while self._pieces and left > 0:
            target, source = self._pieces[0]
            size = source.numel() * source.element_size()
            if size > left:
                return False
            target.copy_(source)
            left -= size
            del self._pieces[0]
        if self._pieces:
            return False
        if self._slot >= 0:
            self._core.open_slot(self._slot, *self._open)
            self._slot = -1
        return True


def _plan(pieces: list[tuple[Tensor, Tensor]], target: Tensor, packed: Bytes, start: int) -> int:
    """Plan the copying of what is packed from byte `start` on; return where the next array begins."""
    size = target.numel() * target.element_size()
    kind = np.float64 if target.dtype == torch.float64 else np.float32
    source = torch.from_numpy(packed[start : start + size].view(kind))
    flat = target.reshape(-1)
    if source.numel() != flat.numel():
        raise ValueError("what is packed is not whole")
    step = PIECE // target.element_size()
    pieces += zip(torch.split(flat, step), torch.split(source, step), strict=True)
    return start + size + -size % 8
