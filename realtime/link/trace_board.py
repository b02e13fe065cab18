"""The trace board: memory of all engine processes of one host with taps, the log of changes, and the chain's state.

The playing engine writes here; one that stands by only reads. A recorder or capture does not notice that another engine
has taken over, unless it reads the log.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING

from .chain_state import StateBox
from .changes import ChangeLog
from .engine_settings import EngineSettings
from .slot_mailbox import SlotMailbox
from .taps import USUAL_RATE, Taps

if TYPE_CHECKING:
    from .memory_types import Doubles


@dataclass(frozen=True)
class TraceBoard:
    """Shared memory of a host. Passed to engine processes when they are spawned.

    Attributes:
        taps, changes, state, slots: see there
        pace: whether an engine that runs as fast as possible must wait for a reader of the taps, and the input frame
            that this reader has reached
    """

    taps: Taps
    changes: ChangeLog
    state: StateBox
    slots: SlotMailbox
    pace: Doubles

    @classmethod
    def new(cls, context: SpawnContext, settings: EngineSettings) -> TraceBoard:
        """Return an empty board for an engine with these settings."""
        return cls(
            Taps.new(context, settings),
            ChangeLog.new(context),
            StateBox.new(context),
            SlotMailbox.new(context, settings.sample_rate or USUAL_RATE),
            context.RawArray(ctypes.c_double, 2),
        )
