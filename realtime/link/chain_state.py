"""The state of the chain at one frame, on request, so that a recording can be replayed bit by bit.

The host asks by raising a number. Between two blocks the engine copies the chain's state into shared memory, and
answers with the same number. Only arrays of numbers cross, never objects.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from typing import TYPE_CHECKING, Any

from .memory_types import cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .memory_types import Characters, Doubles

    State = Mapping[str, NDArray[Any]]

# The live chain with 16 channels at 384 kHz takes 7 MB.
_BYTES = 8 * 2**20
_TEXT_BYTES = 2**16
_ALIGNMENT = 16
_POLL_SECONDS = 0.002


@cells()
class _Cells(ctypes.Structure):
    """The number of the newest request (host), of the one that the memory answers, and at which frame (engine)."""

    asked: int
    answered: int
    frame: int


@dataclass(frozen=True)
class ChainState:
    """The chain's state at a frame.

    Attributes:
        frame: of the input tap; the chain had been fed all frames before it
        arrays: what `plugins.chain.Chain.state` returned; empty where a chain has no such method
    """

    frame: int
    arrays: dict[str, NDArray[Any]]


@dataclass(frozen=True)
class StateBox:
    """The shared memory for it. Passed to engine processes when they are spawned."""

    memory: Doubles
    text: Characters
    cells: _Cells

    @classmethod
    def new(cls, context: SpawnContext) -> StateBox:
        """Return an empty box."""
        return cls(
            context.RawArray(ctypes.c_double, _BYTES // 8),
            context.RawArray(ctypes.c_char, _TEXT_BYTES),
            context.RawValue(_Cells),
        )

    def request(self, *, timeout: float) -> ChainState | None:
        """Ask for the state and wait for it (host, one thread at a time); None where no engine answers in time."""
        import numpy as np

        number = self.cells.asked + 1
        self.cells.asked = number
        end = time.monotonic() + timeout
        while self.cells.answered != number:
            if time.monotonic() > end:
                return None
            time.sleep(_POLL_SECONDS)
        arrays = {}
        memory = memoryview(self.memory).cast("B")
        for name, kind, shape, start in json.loads(bytes(self.text.value)):
            size = np.dtype(kind).itemsize * int(np.prod(shape))
            arrays[name] = np.frombuffer(memory[start : start + size], dtype=kind).reshape(shape).copy()
        return ChainState(self.cells.frame, arrays)


class StateWriter:
    """The engine's end of a box.

    Args:
        box: of the host
        state: as it is now: it tells which arrays there are, and they stay
    """

    def __init__(self, box: StateBox, state: State) -> None:
        import numpy as np

        self._box = box
        self._views: dict[str, NDArray[Any]] = {}
        memory = np.frombuffer(memoryview(box.memory), dtype=np.uint8)
        described = []
        start = 0
        for name, array in state.items():
            described.append((name, array.dtype.str, array.shape, start))
            view = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
            self._views[name] = view
            start = -(-(start + array.nbytes) // _ALIGNMENT) * _ALIGNMENT
        text = json.dumps(described).encode()
        if start > _BYTES or len(text) >= _TEXT_BYTES:
            raise ValueError(f"the state of this chain takes {start} bytes; there is room for {_BYTES}")
        box.text.value = text
        # Requests to an earlier engine are not answered.
        self._answered = box.cells.asked

    @property
    def wanted(self) -> bool:
        """Whether there is a request that has not been answered."""
        return self._box.cells.asked != self._answered

    def answer(self, state: State, frame: int) -> None:
        """Copy the state, which is that before `frame`."""
        number = self._box.cells.asked
        for name, view in self._views.items():
            view[...] = state[name]
        self._box.cells.frame = frame
        self._answered = self._box.cells.answered = number
