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

# Of what was packed for a slot; thirty seconds take 7 MB.
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

    The engine closes a slot that nobody hears, writes it in pieces, and opens it when all is there. A take knows when
    it was closed and when it was opened.

    Args:
        slots: of the chain
        take: with the changes
        cache: with the styles
    """

    def __init__(self, slots: StyleSlots, take: Take, cache: StyleCache) -> None:
        self._slots = slots
        self._take = take
        self._cache = cache
        self._changes = [event for event in take.events if isinstance(event, StyleChange)]
        self._place = 0
        self._closed: set[int] = set()

    def empty(self, slot: int) -> None:
        """Close a slot that is not heard; what will be written to it, the next change says."""
        later = (change for change in self._changes[self._place :] if change.slot == slot and change.style)
        coming = next(later, None)
        # Of a slot that stays closed it does not matter for what.
        name = self._take.style_files()[0] if coming is None else coming.style
        if not self._slots.begin(slot, self._cache.packed(name)):
            raise InputError(
                f"{shown(self._take.folder)}: slot {slot + 1} gets another style while it is heard; moves are missing"
            )
        self._closed.add(slot)

    def change(self, event: StyleChange) -> None:
        """Have a change take effect."""
        self._place += 1
        if not event.style:
            self.empty(event.slot)
        elif event.slot in self._closed:
            self._closed.discard(event.slot)
            while not self._slots.step():
                pass
        else:
            self._slots.replace(event.slot, self._cache.packed(event.style))

    def begin_with(self, events: Sequence[Event]) -> None:
        """Have the changes take effect that a chain began with."""
        for event in events:
            if isinstance(event, StyleChange):
                self.change(event)
