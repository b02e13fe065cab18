"""Memory that the host and an engine process share: cells with one writer each, and no locks.

A text has a version number that
is odd while it is being written. The memory has no name in the file system, so killed processes leave nothing behind.
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
from .memory_types import cells

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from typing import TypeAlias

    from .effect_board import EffectBoard
    from .memory_types import Characters, Doubles
    from .trace_board import TraceBoard

    Peaks: TypeAlias = Doubles
    Histogram: TypeAlias = Doubles

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


@cells()
class Orders(ctypes.Structure):
    """What the host writes, for one engine process.

    Attributes:
        play: take the device and play
        stop: fade out and end
        sample_rate: Hz at which to get ready before the device is open; 0 where it is not known yet
        persist: an engine has played before, so that a missing device is waited for
        resume: frame of the files at which the virtual device goes on
    """

    play: bool
    stop: bool
    sample_rate: int
    persist: bool
    resume: int


@cells(Peaks=ctypes.c_double * MAX_CHANNELS, Histogram=ctypes.c_double * BINS)
class Status(ctypes.Structure):
    """What one engine process writes, for the host.

    Attributes:
        state: an `EngineState`
        heartbeat: time.monotonic(), seconds
        frames: that the device moved, counted from the beginning of the files if there are any
        played: frames that this process played
        sample_rate, period, hop, algorithmic, buffer, device: what it plays with; samples, and Hz
        work, load: seconds of work in all, and share of one core of late
        slowest_hop: seconds
        deadlines_missed, faults, ring_empty, xruns, non_finite: see `realtime.engine.stats.Snapshot`
        limiter_at, limited: time.monotonic() at which a limiter last worked; seconds in which one did
        realtime: whether the system granted that priority
        input_error: whether the user can mend the cause of FAILED
        text_version: of `Link.text`
        input_peaks, output_peaks: of each channel
        histogram: of the times of hops, see `realtime.link.histogram`
    """

    state: int
    heartbeat: float
    frames: int
    played: int
    sample_rate: int
    period: int
    hop: int
    algorithmic: int
    buffer: int
    device: int
    work: float
    load: float
    slowest_hop: float
    deadlines_missed: int
    faults: int
    ring_empty: int
    xruns: int
    non_finite: int
    limiter_at: float
    limited: float
    realtime: bool
    input_error: bool
    text_version: int
    input_peaks: Peaks
    output_peaks: Peaks
    histogram: Histogram


@dataclass(frozen=True)
class Link:
    """The memory between the host and one engine process. Passed to the process when it is spawned.

    Attributes:
        parameters: targets, in the order of the host's list; shared by all engine processes of one host
        orders, status: cells
        text: JSON, UTF-8, ends with a zero byte
        board: for the engine's trace, shared by all engines of one host; None for no trace
        effects: for the effects of the chain; None where nobody asks
        errands: what is to be added to the chain, see `realtime.engine.effect_loader`; None for nothing
    """

    parameters: Doubles
    orders: Orders
    status: Status
    text: Characters
    board: TraceBoard | None = None
    effects: EffectBoard | None = None
    errands: Connection | None = None

    @classmethod
    def new(
        cls,
        context: SpawnContext,
        parameters: Doubles,
        board: TraceBoard | None = None,
        effects: EffectBoard | None = None,
        errands: Connection | None = None,
    ) -> Link:
        """Return zeroed memory for one more engine process."""
        return cls(
            parameters,
            context.RawValue(Orders),
            context.RawValue(Status),
            context.RawArray(ctypes.c_char, _TEXT_BYTES),
            board,
            effects,
            errands,
        )

    @property
    def state(self) -> EngineState:
        """The state of the process."""
        return EngineState(self.status.state)

    def enter(self, state: EngineState) -> None:
        """Set the state of the process (engine)."""
        self.status.state = int(state)

    def report(self, text: dict[str, Any]) -> None:
        """Write the text (engine); without the notes, if it is too long."""
        data = json.dumps(text).encode()
        if len(data) >= _TEXT_BYTES:
            data = json.dumps({key: value for key, value in text.items() if key != "notes"}).encode()
        self.status.text_version += 1
        self.text.value = data[: _TEXT_BYTES - 1]
        self.status.text_version += 1

    def last_report(self) -> dict[str, Any]:
        """Return the last complete text (host); empty if there is none."""
        for _ in range(10):
            before = self.status.text_version
            data = bytes(self.text.value)
            if before % 2 == 0 and before == self.status.text_version:
                break
        else:
            return {}
        try:
            found = json.loads(data or b"{}")
        except ValueError:
            # Its writer was killed while it wrote.
            return {}
        return found if isinstance(found, dict) else {}
