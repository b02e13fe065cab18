"""The log of changes in the engine, each with its frame of the input, as a recording needs them for a replay.

It is a ring in shared memory with one writer. Each reader has its own position in it, and knows how much it missed.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .memory_types import Doubles

# Twenty parameters in every block of 1.3 ms would fill it in four seconds; a performer, in an hour.
_CAPACITY = 65_536
_FIELDS = 3
# Written ahead of the position that is published; no engine logs as much at a time.
_MARGIN = 256


class ChangeKind(IntEnum):
    """Entries besides parameters, as numbers below zero."""

    #: an engine process begins to play, the chain knows nothing; its parameters follow, each as a change
    BEGIN = -1
    #: the chain forgot its sound after a fault or a stall: from here on, no replay can be the same
    RESET = -2
    #: input was left out, since it was too late for it: nor from here on
    SKIP = -3
    #: the chain was late, and the delayed dry signal was heard instead; the value counts such times
    MISSED = -4
    #: the layout of the engine that begins next, in the units of :class:`takes.header.Header`
    SAMPLE_RATE = -5
    HOP = -6
    ALGORITHMIC = -7
    BUFFER = -8
    DEVICE = -9
    #: and below, down to SLOT - 3: a slot's style has been replaced; the value is its serial number, see `StyleManager`
    SLOT = -10


#: Those that say what the device granted, and what follows from it; see `ChangeKind`.
LAYOUT = (
    ChangeKind.SAMPLE_RATE,
    ChangeKind.HOP,
    ChangeKind.ALGORITHMIC,
    ChangeKind.BUFFER,
    ChangeKind.DEVICE,
)


@dataclass(frozen=True)
class Change:
    """One entry.

    Attributes:
        frame: of the input tap; in force for the chain's input from this frame on
        id: the parameter's, or "slot_1" to "slot_4", or the name of an `ChangeKind` in lower case
        value: in the parameter's unit
    """

    frame: int
    id: str
    value: float


@dataclass(frozen=True)
class ChangeLog:
    """The ring. Passed to engine processes when they are spawned."""

    memory: Doubles
    count: ctypes.c_int64

    @classmethod
    def new(cls, context: SpawnContext) -> ChangeLog:
        """Return an empty log."""
        return cls(
            context.RawArray(ctypes.c_double, _CAPACITY * _FIELDS),
            context.RawValue(ctypes.c_int64),
        )

    @property
    def position(self) -> int:
        """The number of entries so far."""
        return self.count.value

    def add(self, frame: int, index: int, value: float) -> None:
        """Add an entry (engine)."""
        position = self.position
        place = position % _CAPACITY * _FIELDS
        # One by one: an assignment of a slice goes through a list.
        self.memory[place] = frame
        self.memory[place + 1] = index
        self.memory[place + 2] = value
        self.count.value = position + 1


class ChangeReader:
    """Reads the log from where it began to.

    Args:
        log: of the host
        ids: of the parameters, in the order of the host's list
        start: entry to begin with; None is the next one there will be
    """

    def __init__(self, log: ChangeLog, ids: Sequence[str], *, start: int | None = None) -> None:
        self._log = log
        self._ids = tuple(ids)
        self._next = log.position if start is None else start
        #: entries that were overwritten before they were read
        self.lost = 0

    def know(self, ids: Sequence[str]) -> None:
        """Take further ids of parameters, behind those that it has."""
        self._ids = tuple(ids)

    def read(self) -> list[Change]:
        """Return all entries since the last call, the oldest first."""
        position = self._log.position
        found = []
        # Read one by one, and checked at the end: the writer may have overwritten some meanwhile.
        first = self._skip(position)
        for number in range(first, position):
            place = number % _CAPACITY * _FIELDS
            frame, index, value = self._log.memory[place : place + _FIELDS]
            found.append((frame, index, value))
        self._next = first
        late = self._skip(self._log.position) - first
        self._next = max(position, self._next)
        return [Change(int(frame), self._name(int(index)), value) for frame, index, value in found[late:]]

    def _skip(self, position: int) -> int:
        """Move on to what is certainly not overwritten; return where that is."""
        oldest = position + _MARGIN - _CAPACITY
        if self._next < oldest:
            self.lost += oldest - self._next
            self._next = oldest
        return self._next

    def _name(self, index: int) -> str:
        if index >= 0:
            # Of effects that were added since it began.
            return self._ids[index] if index < len(self._ids) else ""
        if index <= ChangeKind.SLOT:
            return f"slot_{ChangeKind.SLOT - index + 1}"
        return ChangeKind(index).name.lower()
