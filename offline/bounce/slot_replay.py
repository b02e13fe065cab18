"""The styles of a replay: brought into the slots of the chain at the samples at which the engine took them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...media.errors import InputError
from ...media.files import shown
from ...models.live.prepared_style import live_style
from ...models.live.slots import StyleSlots, most_bytes, most_samples, pack
from ...models.live.stylizer_settings import StylizerSettings, stylizer_layout
from ...takes.automation import Event, StyleChange
from ...takes.reader import Take

Bytes = NDArray[np.uint8]

# Of what was packed for a slot; thirty seconds take 13 MB.
_KEPT = 16


class StyleCache:
    """The styles of a take, packed for slots.

    Args:
        take: whose styles are played
        settings: of its stylizer
    """

    def __init__(self, take: Take, settings: StylizerSettings) -> None:
        self._take = take
        self._layout = stylizer_layout(take.header.sample_rate, settings)
        self._packed = lru_cache(maxsize=_KEPT)(self._pack)

    def packed(self, name: str) -> Bytes:
        """Return a style of the take, packed; InputError if it cannot be loaded."""
        return self._packed(name)

    def _pack(self, name: str) -> Bytes:
        layout, rate = self._layout, self._take.header.sample_rate
        room = max(most_samples(rate), layout.n_fft)
        most = most_bytes(layout, room)
        most = min(most, self._take.header.slot_bytes or most)
        return pack(live_style(self._take.style(name), layout), layout, most=most)


class SlotReplay:
    """Does with a chain's slots what the engine did with them.

    The engine closes a slot that nobody hears, and opens it when another style is there. A take knows when.

    Args:
        slots: of the chain
        take: with the changes
        cache: with the styles
    """

    def __init__(self, slots: StyleSlots, take: Take, cache: StyleCache) -> None:
        self._slots = slots
        self._take = take
        self._cache = cache

    def empty(self, slot: int) -> None:
        """Close a slot that is not heard."""
        if not self._slots.close(slot):
            raise InputError(
                f"{shown(self._take.folder)}: slot {slot + 1} gets another style while it is heard; moves are missing"
            )

    def change(self, event: StyleChange) -> None:
        """Have a change take effect."""
        if event.style:
            self._slots.open(event.slot, self._cache.packed(event.style))
        else:
            self.empty(event.slot)

    def begin_with(self, events: Sequence[Event]) -> None:
        """Have the changes take effect that a chain began with, before it is reset."""
        for event in events:
            if isinstance(event, StyleChange):
                # What was heard before the beginning is not any more.
                self._slots.close(event.slot, heard=True)
                self.change(event)
