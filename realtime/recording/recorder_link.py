"""Memory that the host and a recorder's process share."""

from __future__ import annotations

import ctypes
import json
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, auto
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...takes.header import Header
    from ..link.memory_types import Characters, Doubles

_TEXT_BYTES = 4096
_TAKES_BYTES = 1 << 17


class RecorderState(IntEnum):
    """The state of a recorder's process."""

    WAITING = 0
    RECORDING = auto()
    DONE = auto()
    #: nothing more can be written; the text says why
    FAILED = auto()


class RecorderCell(IntEnum):
    """Cells between the host and a recorder's process."""

    #: 1: end the take (host)
    STOP = 0
    STATE = auto()
    #: seconds of the present take that have been written, and that were lost
    SECONDS = auto()
    LOST = auto()
    #: how many takes have been begun
    TAKES = auto()


@dataclass(frozen=True)
class RecorderLink:
    """The memory between the host and a recorder's process. Passed to the process when it is spawned.

    Attributes:
        cells: indexed by `RecorderCell`
        text: why it ended, in one line
        folders: of the takes, a line of JSON each; only ever appended to
    """

    cells: Doubles
    text: Characters
    folders: Characters

    @classmethod
    def new(cls, context: SpawnContext) -> RecorderLink:
        """Return zeroed memory."""
        return cls(
            context.RawArray(ctypes.c_double, len(RecorderCell)),
            context.RawArray(ctypes.c_char, _TEXT_BYTES),
            context.RawArray(ctypes.c_char, _TAKES_BYTES),
        )

    def add_take(self, folder: Path) -> None:
        """Note that a take has begun (recorder)."""
        self.folders.value += json.dumps(str(folder)).encode() + b"\n"
        self.cells[RecorderCell.TAKES] += 1.0

    def end(self, failure: str) -> None:
        """Note the end of the recording, with the reason if it was unplanned (recorder)."""
        self.text.value = " ".join(failure.split()).encode(errors="backslashreplace")[: _TEXT_BYTES - 1]
        self.cells[RecorderCell.STATE] = RecorderState.FAILED if failure else RecorderState.DONE

    @property
    def takes(self) -> tuple[Path, ...]:
        """The folders of all takes that have been begun, the present one last."""
        lines = bytes(self.folders.value).split(b"\n")
        return tuple(Path(json.loads(line)) for line in lines[: int(self.cells[RecorderCell.TAKES])])


@dataclass(frozen=True, kw_only=True)
class RecorderJob:
    """The task of a recorder's process.

    Attributes:
        folder: of the take: empty, or to be made
        header: with the present `values`; its `styles` are not yet those of the take
        sources: files of the engine's first styles, by slot
        ids: of the parameters, in the order of the host's list
        start: first frame of the input tap; None is the first frame of the first engine
        state: the chain's state before that frame
    """

    folder: Path
    header: Header
    sources: tuple[Path, ...]
    ids: tuple[str, ...]
    start: int | None
    state: dict[str, NDArray[Any]] | None


def free_folder(wanted: Path) -> Path:
    """Return an unused name for a take: `wanted`, or with a number behind it."""
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")
    return path


def make_folder(wanted: Path) -> Path:
    """Make a folder named by `free_folder` and return it; two callers get two folders."""
    while True:
        with suppress(FileExistsError):
            path = free_folder(wanted)
            path.mkdir(parents=True)
            return path
