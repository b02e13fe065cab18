"""What the host and a recorder's process tell each other."""

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
    from ..link.memory import Characters, Doubles

_TEXT_BYTES = 4096
_TAKES_BYTES = 1 << 17


class RecorderState(IntEnum):
    """What a recorder's process is doing."""

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
    """The memory between the host and a recorder's process. Travels to the process when that is spawned.

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
        """Say that a take has been begun (recorder)."""
        self.folders.value += json.dumps(str(folder)).encode() + b"\n"
        self.cells[RecorderCell.TAKES] += 1.0

    def end(self, failure: str) -> None:
        """Say that nothing more is written, and why, if that was not as it was meant (recorder)."""
        self.text.value = " ".join(failure.split()).encode(errors="backslashreplace")[: _TEXT_BYTES - 1]
        self.cells[RecorderCell.STATE] = RecorderState.FAILED if failure else RecorderState.DONE

    @property
    def takes(self) -> tuple[Path, ...]:
        """The folders of all takes that have been begun, the present one last."""
        lines = bytes(self.folders.value).split(b"\n")
        return tuple(Path(json.loads(line)) for line in lines[: int(self.cells[RecorderCell.TAKES])])


@dataclass(frozen=True, kw_only=True)
class RecorderJob:
    """What is to be recorded.

    Attributes:
        folder: of the take: empty, or to be made
        header: what the host knows; `values` are those of now, `styles` not yet those of the take
        sources: files of the styles that the engine was started with, by slot
        ids: of the parameters, in the order of the host's list
        start: frame of the input tap to begin with; None is where the first engine begins to play
        state: what the chain remembered before that frame
    """

    folder: Path
    header: Header
    sources: tuple[Path, ...]
    ids: tuple[str, ...]
    start: int | None
    state: dict[str, NDArray[Any]] | None


def free_folder(wanted: Path) -> Path:
    """Return a name for a take that nothing bears yet: `wanted`, or with a number behind it."""
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.name}-{number}")
    return path


def make_folder(wanted: Path) -> Path:
    """Make the folder of a take, as `free_folder` calls it, and return it: of two that ask, each gets its own."""
    while True:
        with suppress(FileExistsError):
            path = free_folder(wanted)
            path.mkdir(parents=True)
            return path
