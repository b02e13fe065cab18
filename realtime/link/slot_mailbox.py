"""Passes styles to the engine: shared memory for each slot, and rules for who may use it when.

Where a style is ready, the host withdraws what is in a slot; the engine empties the slot once it is not heard, and says
so. Only then does a loader write the packed style (`models.live.slots`) to the slot's memory, which the host offers
under a serial number. The engine plays it from there. An engine that takes over has at once all that was offered.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING

from ...plugins.knobs import MAX_STYLES
from .changes import ChangeKind
from .memory_types import cells

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models.live.slots import StyleSlots
    from .memory_types import Doubles

# Twice a clip of 30 s, whole and without its tones, and room for its statistics and places at rates up to 96 kHz. At a
# rate that is higher than was expected, the end of a long clip is left out.
_SOUND_SECONDS = 2.0 * 30.0
_STATISTICS = 2 * 2**20
_NOTHING = -1


@cells()
class _Cells(ctypes.Structure):
    """Of one slot.

    Attributes:
        offered: host: serial number of what is in the memory; -1 where the slot is to be empty, 0 where it may stay as
            an engine begins
        size: host: how many bytes that are
        taken: engine: what its slot has: a serial number, -1 for nothing, 0 for what it began with
        refused: engine: whether that could not be used
    """

    offered: int
    size: int
    taken: int
    refused: bool


@dataclass(frozen=True)
class SlotMailbox:
    """The memory. Passed to engine and loader processes when they are spawned.

    Attributes:
        memory: of each slot, `bytes` long
        cells: of each slot
        flags: engine: 1 if its chain has slots, -1 if it has none, 0 if that is not known yet; and the rate of its
            slots in Hz. Host: the rate in Hz of what it offers
    """

    memory: tuple[Doubles, ...]
    cells: ctypes.Array[_Cells]
    flags: Doubles

    @classmethod
    def new(cls, context: SpawnContext, sample_rate: int) -> SlotMailbox:
        """Return empty memory for styles at a rate in Hz."""
        size = _STATISTICS // 8 + round(_SOUND_SECONDS * sample_rate * 4) // 8
        return cls(
            tuple(context.RawArray(ctypes.c_double, size) for _ in range(MAX_STYLES)),
            context.RawArray(_Cells, MAX_STYLES),
            context.RawArray(ctypes.c_double, 3),
        )

    def bytes(self, slot: int) -> NDArray[np.uint8]:
        """Return the memory of a slot."""
        import numpy as np

        return np.frombuffer(memoryview(self.memory[slot]), dtype=np.uint8)

    @property
    def possible(self) -> bool | None:
        """Whether the playing chain has slots; None if none has played yet (host)."""
        flag = self.flags[0]
        return None if flag == 0.0 else flag > 0.0

    @property
    def sample_rate(self) -> int:
        """Hz, for which the engine's slots are; 0 before the first engine has opened its device."""
        return int(self.flags[1])

    def offer(self, slot: int, serial: int, size: int) -> None:
        """Offer the style in a slot's memory under a serial number, from 1 on (host)."""
        self.cells[slot].size = size
        self.cells[slot].offered = serial

    def withdraw(self, slot: int) -> bool:
        """Have a slot emptied; return whether its memory may be written (host)."""
        self.cells[slot].offered = _NOTHING
        return self.cells[slot].taken == _NOTHING

    def forget(self, sample_rate: int) -> None:
        """Leave to an engine of another rate in Hz which styles it has (host)."""
        for slot in self.cells:
            slot.offered = 0
        self.flags[2] = sample_rate

    def taken(self, slot: int, serial: int) -> bool:
        """Return whether the engine has the style of a serial number, or has refused it (host)."""
        return self.cells[slot].taken == serial

    def refused(self, slot: int) -> bool:
        """Return whether the engine could not use what it took last (host)."""
        return self.cells[slot].refused

    def due(self, slot: int) -> int | None:
        """Return the serial number of what a slot is to have, 0 for nothing; None where it may stay (engine)."""
        offered = self.cells[slot].offered
        other_rate = self.flags[1] != self.flags[2]
        return None if other_rate or offered in (0, self.cells[slot].taken) else max(offered, 0)

    def begin(self, slot: int) -> None:
        """Say that a slot has what its engine began with (engine)."""
        self.cells[slot].taken = 0

    def take(self, slot: int, serial: int, *, refused: bool = False) -> None:
        """Confirm that a slot has this now, with 0, nothing (engine)."""
        self.cells[slot].refused = refused
        self.cells[slot].taken = serial or _NOTHING

    def packed(self, slot: int) -> NDArray[np.uint8]:
        """Return the packed style in a slot's memory."""
        return self.bytes(slot)[: self.cells[slot].size]


class SlotFeed:
    """The engine's end: puts offered styles into the chain's slots.

    Args:
        mailbox: of the host
        slots: of the chain; None if it has none
        sample_rate: of the slots, Hz
        note: called with an event and its value, see `realtime.link.changes.ChangeKind`
    """

    def __init__(
        self,
        mailbox: SlotMailbox,
        slots: StyleSlots | None,
        sample_rate: int,
        note: Callable[[int, float], None],
    ) -> None:
        self._mailbox = mailbox
        self._slots = slots
        self._note = note
        # What the cells said when there was nothing to do.
        self._settled = b""
        # Before anything is said of what was offered: for another rate nothing of that fits.
        mailbox.flags[1] = sample_rate
        mailbox.flags[0] = -1.0 if slots is None else 1.0

    def catch_up(self) -> None:
        """Take all offered styles, heard or not, before the chain is reset. Its first styles are not noted."""
        if self._slots is None:
            return
        for slot in range(MAX_STYLES):
            self._mailbox.begin(slot)
            serial = self._mailbox.due(slot)
            if serial:
                self._open(slot, serial)
            elif serial is not None:
                self._slots.close(slot, heard=True)
                self._note(ChangeKind.SLOT - slot, 0.0)
                self._mailbox.take(slot, 0)

    def step(self) -> None:
        """See between two blocks whether there is anything to do."""
        if self._slots is None:
            return
        told = bytes(self._mailbox.cells)
        if told == self._settled or self._mailbox.flags[1] != self._mailbox.flags[2]:
            return
        waiting = False
        for slot in range(MAX_STYLES):
            serial = self._mailbox.due(slot)
            if serial is None:
                continue
            if self._slots.filled[slot]:
                if not self._slots.close(slot):
                    waiting = True
                    continue
                self._note(ChangeKind.SLOT - slot, 0.0)
            if serial:
                self._open(slot, serial)
            else:
                self._mailbox.take(slot, 0)
        if not waiting:
            self._settled = told

    def _open(self, slot: int, serial: int) -> None:
        assert self._slots is not None
        try:
            self._slots.open(slot, self._mailbox.packed(slot))
        except ValueError:
            self._mailbox.take(slot, serial, refused=True)
            return
        # Nobody writes there before the slot has been closed.
        self._mailbox.take(slot, serial)
        self._note(ChangeKind.SLOT - slot, serial)
