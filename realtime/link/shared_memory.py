"""Memory that the host and an engine process share: cells with one writer each, and no locks.

A cell is one aligned float64, which every processor that Python runs on reads and writes whole. Counters are exact up
to 2^53. A text has a version number that is odd while it is being written. The memory has no name in the file system,
so killed processes leave nothing behind.
"""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass
from enum import IntEnum, auto
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Any

from .engine_settings import MAX_CHANNELS
from .histogram import BINS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .effect_board import EffectBoard
    from .memory_types import Characters, Doubles
    from .trace_board import TraceBoard

_TEXT_BYTES = 16_384


class EngineState(IntEnum):
    """What an engine process is doing."""

    LOADING = 0
    #: everything is loaded and warm; waits to be told to play
    READY = auto()
    OPENING = auto()
    RUNNING = auto()
    #: the device is not there; tried again every second
    LOST = auto()
    FINISHED = auto()
    #: cannot go on; the text says why
    FAILED = auto()


class Order(IntEnum):
    """Cells that the host writes, for one engine process."""

    #: 1: take the device and play
    PLAY = 0
    #: 1: fade out and end
    STOP = auto()
    #: Hz at which to get ready before the device is open; 0 where it is not known yet
    SAMPLE_RATE = auto()
    #: 1: an engine has played before, so that a missing device is waited for
    PERSIST = auto()
    #: frame of the files at which the virtual device goes on
    RESUME = auto()


class Cell(IntEnum):
    """Cells that one engine process writes, for the host."""

    STATE = 0
    #: time.monotonic(), seconds
    HEARTBEAT = auto()
    #: frames that the device moved, counted from the beginning of the files if there are any
    FRAMES = auto()
    #: frames that this process played
    PLAYED = auto()
    SAMPLE_RATE = auto()
    PERIOD = auto()
    HOP = auto()
    ALGORITHMIC = auto()
    BUFFER = auto()
    DEVICE = auto()
    #: seconds of work in all, and share of one core of late
    WORK = auto()
    LOAD = auto()
    SLOWEST_HOP = auto()
    DEADLINES_MISSED = auto()
    FAULTS = auto()
    RING_EMPTY = auto()
    XRUNS = auto()
    NON_FINITE = auto()
    #: time.monotonic() at which a limiter last worked; seconds in which one did
    LIMITER_AT = auto()
    LIMITED = auto()
    REALTIME = auto()
    #: 1 if the user can mend the cause of FAILED
    INPUT_ERROR = auto()
    TEXT_VERSION = auto()


# Behind the cells: a peak for each channel of input and output, and the histogram of times.
INPUT_PEAKS = len(Cell)
OUTPUT_PEAKS = INPUT_PEAKS + MAX_CHANNELS
HISTOGRAM = OUTPUT_PEAKS + MAX_CHANNELS


@dataclass(frozen=True)
class Link:
    """The memory between the host and one engine process. Passed to the process when it is spawned.

    Attributes:
        parameters: targets, in the order of the host's list; shared by all engine processes of one host
        orders: indexed by `Order`
        status: indexed by `Cell`; then the peaks and the histogram
        text: JSON, UTF-8, ends with a zero byte
        board: for the engine's trace, shared by all engines of one host; None for no trace
        effects: for the effects of the chain; None where nobody asks
    """

    parameters: Doubles
    orders: Doubles
    status: Doubles
    text: Characters
    board: TraceBoard | None = None
    effects: EffectBoard | None = None

    @classmethod
    def new(
        cls,
        context: SpawnContext,
        parameters: Doubles,
        board: TraceBoard | None = None,
        effects: EffectBoard | None = None,
    ) -> Link:
        """Return zeroed memory for one more engine process."""
        return cls(
            parameters,
            context.RawArray(ctypes.c_double, len(Order)),
            context.RawArray(ctypes.c_double, HISTOGRAM + BINS),
            context.RawArray(ctypes.c_char, _TEXT_BYTES),
            board,
            effects,
        )

    def cells(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the parameters and the status as arrays (engine): views of the same memory."""
        import numpy as np

        return (
            np.frombuffer(memoryview(self.parameters), dtype=np.float64),
            np.frombuffer(memoryview(self.status), dtype=np.float64),
        )

    @property
    def state(self) -> EngineState:
        """The state of the process."""
        return EngineState(int(self.status[Cell.STATE]))

    def enter(self, state: EngineState) -> None:
        """Set the state of the process (engine)."""
        self.status[Cell.STATE] = float(state)

    def count(self, cell: Cell) -> int:
        """Return a cell that holds a whole number."""
        return int(self.status[cell])

    def report(self, text: dict[str, Any]) -> None:
        """Write the text (engine); without the notes, if it is too long."""
        data = json.dumps(text).encode()
        if len(data) >= _TEXT_BYTES:
            data = json.dumps({key: value for key, value in text.items() if key != "notes"}).encode()
        self.status[Cell.TEXT_VERSION] += 1.0
        self.text.value = data[: _TEXT_BYTES - 1]
        self.status[Cell.TEXT_VERSION] += 1.0

    def last_report(self) -> dict[str, Any]:
        """Return the last complete text (host); empty if there is none."""
        for _ in range(10):
            before = self.status[Cell.TEXT_VERSION]
            data = bytes(self.text.value)
            if before % 2.0 == 0.0 and before == self.status[Cell.TEXT_VERSION]:
                break
        else:
            return {}
        try:
            found = json.loads(data or b"{}")
        except ValueError:
            # Its writer was killed while it wrote.
            return {}
        return found if isinstance(found, dict) else {}
