"""The work of the style manager's thread: it passes styles between the loader, the slot policy and the engine."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

from ...media.files import shown
from ..link.trace_board import TraceBoard
from .loader_link import LoaderLink
from .loader_process import Answer, Captured, LoadRequest, Prefetch, Request, Saved, WriteRequest, Written
from .slot_policy import SlotPolicy
from .style_library import StyleLibrary

_MOST_EVENTS = 200


@dataclass(frozen=True)
class StyleEvent:
    """Something that has happened.

    Attributes:
        kind: "ready" (a style is in a slot), "switched" (the weights are where they were wanted), "saved" (the file
            of a captured style is there), "note" (what the user should know of a style), or "error"
        text: one line
    """

    kind: str
    text: str


@dataclass
class _Load:
    """A style on its way to a slot.

    Attributes:
        place: the slot
        key: of the style
        ready: whether the loader has it ready; then the slot is emptied
        writing: whether it is being written to the slot's memory
    """

    place: int
    key: str
    ready: bool = False
    writing: bool = False


class StyleTasks:
    """The loads that are under way. Every caller holds the style manager's lock.

    Args:
        board: shared with the engine
        loader, policy, library: of the style manager
    """

    def __init__(
        self, board: TraceBoard, loader: LoaderLink, policy: SlotPolicy, library: StyleLibrary
    ) -> None:
        self._board = board
        self._loader = loader
        self._policy = policy
        self._library = library
        self.events: list[StyleEvent] = []
        #: captures that have not been sent to the loader, by key
        self.captured: dict[str, Captured] = {}
        #: files to be made ready when there is nothing else to do, and whether that has to wait
        self.ahead: tuple[Path, ...] = ()
        self.hold = False
        self._ahead_sent: tuple[Path, ...] = ()
        #: keys of all that the engine was ever offered, by the serial number that the log of changes has
        self.played: dict[int, str] = {}
        # By job; and by slot, the serial number of what the engine is to take.
        self._loads: dict[int, _Load] = {}
        self._offered: dict[int, int] = {}
        self._requests: deque[LoadRequest | Captured] = deque()
        self._number = 0
        # Hz, for which styles are made ready; and the keys that every engine begins with.
        self._rate = 0
        self._first = [slot.key for slot in policy.slots if slot.key]
        self._shortage = ""

    @property
    def busy(self) -> bool:
        """Whether anything is still to be done."""
        return self._policy.busy or bool(self._loads) or bool(self._offered)

    def step(self, now: float) -> None:
        """Go on, a little; `now` is the time in seconds."""
        rate = self._board.slots.sample_rate
        if rate != self._rate:
            self._begin_again(rate)
        # Before the engine has opened its device nobody knows for which rate.
        while rate and self._requests:
            if not self._send(replace(self._requests[0], sample_rate=rate)):
                break
            self._requests.popleft()
        wanted_ahead = () if self.hold or self.busy else self.ahead
        if rate and self._ahead_sent != wanted_ahead and self._send(Prefetch(wanted_ahead, rate)):
            self._ahead_sent = wanted_ahead
        answers = self._loader.answers()
        if answers is None:
            self._notify("error", "the loader of styles has ended; what it was loading is given up")
            for load in self._loads.values():
                self._policy.failed(load.place, emptied=load.ready)
            self._loads.clear()
        for answer in answers or ():
            self._handle(answer)
        for job, load in self._loads.items():
            # The engine may be playing from the slot's memory.
            if load.ready and not load.writing and self._board.slots.withdraw(load.place):
                load.writing = self._send(WriteRequest(job, load.place))
        for place, serial in list(self._offered.items()):
            if self._board.slots.taken(place, serial) and self._board.slots.sample_rate == rate:
                self._taken(place, serial)
        if rate and self._board.slots.possible:
            wanted = self._policy.step(now)
            if wanted is not None:
                self.begin(*wanted)
        if names := self._policy.arrived():
            self._notify("switched", ", ".join(self._library.names[key] for key in names))

    def _begin_again(self, rate: int) -> None:
        """Have everything made ready for another rate: there an engine has only the styles that it starts with."""
        self._rate = rate
        self._board.slots.forget(rate)
        if not self._number:
            return
        # A capture that is under way is saved all the same, and then comes from its file.
        self._requests = deque(one for one in self._requests if isinstance(one, Captured))
        self._loads.clear()
        self._offered.clear()
        self._policy.restart(self._first)

    def _send(self, request: Request) -> bool:
        """Send a request; return False if it has to wait, which is reported once."""
        sent = self._loader.send(request)
        if self._shortage != self._loader.shortage:
            self._shortage = self._loader.shortage
            if self._shortage:
                self._notify(
                    "error", f"styles have to wait, since no process can be started: {self._shortage}"
                )
        return sent

    def begin(self, place: int, key: str) -> None:
        """Have a style loaded to a slot."""
        self._policy.begin(place, key)
        self._number += 1
        self._loads[self._number] = _Load(place, key)
        captured = self.captured.pop(key, None)
        if captured is not None:
            self._requests.append(replace(captured, job=self._number))
        else:
            self._requests.append(LoadRequest(self._number, self._library.sources[key], 0))

    def _handle(self, answer: Answer) -> None:
        if isinstance(answer, Saved):
            if answer.problem:
                self._notify("error", answer.problem)
            elif answer.path.exists():
                self._notify("saved", shown(answer.path))
            return
        load = self._loads.get(answer.job)
        if load is None:
            return
        if isinstance(answer, Written):
            del self._loads[answer.job]
            if not answer.size:
                self._notify(
                    "error", f"{self._library.names[load.key]} was lost on its way; ask for it again"
                )
                self._policy.failed(load.place, emptied=True)
                return
            self.played[answer.job] = load.key
            self._board.slots.offer(load.place, answer.job, answer.size)
            self._offered[load.place] = answer.job
        elif answer.problem:
            del self._loads[answer.job]
            self._notify("error", answer.problem)
            self._policy.failed(load.place)
            self._library.listed.pop(load.key, None)
        else:
            if answer.note:
                self._notify("note", answer.note)
            load.ready = True

    def _taken(self, place: int, serial: int) -> None:
        """Go on when the engine has what it was offered."""
        del self._offered[place]
        if self._board.slots.refused(place):
            self._notify(
                "error",
                f"{self._library.names[self._policy.slots[place].coming]} does not fit the engine's slot",
            )
            self._policy.failed(place, emptied=True)
            return
        self._policy.loaded(place, serial)
        self._notify("ready", self._library.names[self._policy.slots[place].key])

    def fail(self, error: Exception) -> None:
        """Tell of a step that could not be done."""
        self._notify("error", f"styles: {type(error).__name__}: {error}")

    def _notify(self, kind: str, text: str) -> None:
        self.events = [*self.events[1 - _MOST_EVENTS :], StyleEvent(kind, text)]
