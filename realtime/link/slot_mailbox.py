"""Passes styles to the engine: shared memory for each slot, and rules for who may use it when.

A loader writes a packed style (`models.live.slots`) to a slot's memory and the host offers it under a serial number.
The engine empties its own slot once it is not heard, copies half a megabyte a hop, opens the slot, and confirms the
serial number. Only then may the memory be written again. An engine that takes over copies the last offers before it
plays.
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

# A clip of 30 s, and room for its statistics and places at rates up to 96 kHz. At a rate that is higher than was
# expected, the end of a long clip is left out.
_CLIP_SECONDS = 30.0
_STATISTICS = 2 * 2**20


@cells()
class _Cells(ctypes.Structure):
    """Of one slot.

    Attributes:
        offered: host: serial number of what is in the memory; 0 where nothing has been offered yet
        size: host: how many bytes that are
        taken: engine: serial number of what is in its slot, below 0 if it could not be used
    """

    offered: int
    size: int
    taken: int


@dataclass(frozen=True)
class SlotMailbox:
    """The memory. Passed to engine and loader processes when they are spawned.

    Attributes:
        memory: of each slot, `bytes` long
        cells: of each slot
        flags: engine: 1 if its chain has slots, -1 if it has none, 0 if that is not known yet; and the rate of its
            slots in Hz
    """

    memory: tuple[Doubles, ...]
    cells: ctypes.Array[_Cells]
    flags: Doubles

    @classmethod
    def new(cls, context: SpawnContext, sample_rate: int) -> SlotMailbox:
        """Return empty memory for styles at a rate in Hz."""
        size = _STATISTICS // 8 + round(_CLIP_SECONDS * sample_rate * 4) // 8
        return cls(
            tuple(context.RawArray(ctypes.c_double, size) for _ in range(MAX_STYLES)),
            context.RawArray(_Cells, MAX_STYLES),
            context.RawArray(ctypes.c_double, 2),
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
        """Offer a slot's memory (host); with 0 and 0, withdraw it."""
        self.cells[slot].size = size
        self.cells[slot].offered = serial

    def offered(self, slot: int) -> int:
        """Return the serial number of the style in a slot's memory; 0 if there is none."""
        return self.cells[slot].offered

    def taken(self, slot: int) -> int:
        """Return the serial number of the engine's style in a slot; below 0 if it could not be used."""
        return self.cells[slot].taken

    def take(self, slot: int, serial: int) -> None:
        """Confirm the style in a slot (engine)."""
        self.cells[slot].taken = serial

    def packed(self, slot: int) -> NDArray[np.uint8]:
        """Return the packed style in a slot's memory."""
        return self.bytes(slot)[: self.cells[slot].size]


class SlotFeed:
    """The engine's end: copies offered styles into the chain's slots.

    Args:
        mailbox: of the host
        slots: of the chain; None if it has none
        sample_rate: of the slots, Hz
        hop: samples; one piece is copied in each hop
        note: called with an event and its value, see `realtime.link.changes.ChangeKind`
    """

    def __init__(
        self,
        mailbox: SlotMailbox,
        slots: StyleSlots | None,
        sample_rate: int,
        hop: int,
        note: Callable[[int, float], None],
    ) -> None:
        self._mailbox = mailbox
        self._slots = slots
        self._hop = hop
        self._note = note
        self._next = 0
        self._slot: int | None = None
        self._serial = 0
        # What the cells said when there was nothing to do.
        self._settled = b""
        # Before anything is said of what was offered: for another rate nothing of that fits.
        mailbox.flags[1] = sample_rate
        mailbox.flags[0] = -1.0 if slots is None else 1.0

    def catch_up(self) -> None:
        """Copy all offered styles at once, which takes a while. The chain's first styles are not noted."""
        if self._slots is None:
            return
        for slot in range(MAX_STYLES):
            serial = self._mailbox.offered(slot)
            if serial:
                try:
                    self._slots.replace(slot, self._mailbox.packed(slot))
                except ValueError:
                    self._mailbox.take(slot, -serial)
                    continue
                self._mailbox.take(slot, serial)
                self._note(ChangeKind.SLOT - slot, serial)

    def step(self, fed: int) -> None:
        """Do a piece of work between two blocks; the chain has been fed `fed` samples."""
        if self._slots is None or fed < self._next:
            return
        self._next = fed + self._hop
        if self._slot is not None:
            if self._slots.step():
                self._mailbox.take(self._slot, self._serial)
                self._note(ChangeKind.SLOT - self._slot, self._serial)
                self._slot = None
            return
        told = bytes(self._mailbox.cells)
        if told == self._settled:
            return
        waiting = False
        for slot in range(MAX_STYLES):
            serial = self._mailbox.offered(slot)
            if serial in (0, abs(self._mailbox.taken(slot))):
                continue
            waiting = True
            try:
                begun = self._slots.begin(slot, self._mailbox.packed(slot))
            except ValueError:
                self._mailbox.take(slot, -serial)
                continue
            if begun:
                self._slot, self._serial = slot, serial
                self._note(ChangeKind.SLOT - slot, 0.0)
                return
        if not waiting:
            self._settled = told
