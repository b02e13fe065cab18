"""What all engine processes of one host share beside the parameters: taps, the log of changes, the chain's state.

Whichever engine plays writes here; one that stands by only reads. So whoever records or captures does not notice
that another engine has taken over, unless it looks into the log.
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
    from .memory import Doubles


@dataclass(frozen=True)
class TraceBoard:
    """Shared memory of a host. Travels to engine processes when they are spawned.

    Attributes:
        taps, changes, state, slots: see there
        pace: whether an engine that runs as fast as possible must wait for a reader of the taps, and the frame of the
            input that this reader has come to
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
