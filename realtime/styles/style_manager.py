"""Styles while the engine plays: which ones are in its slots, and the fade from one to another.

A thread does the work: it has the loader prepare styles, waits until the engine has them, and moves the weights. These
are the parameters style_1 to style_4, as if someone turned those knobs, so a recording of the knobs is enough to play
it again. Callers never wait; `events` says what became of a request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import TYPE_CHECKING

from ...media.errors import InputError
from ...plugins.knobs import MAX_STYLES
from ..link.engine_settings import EngineSettings
from ..link.trace_board import TraceBoard
from .loader_link import LoaderLink
from .loader_process import Captured
from .slot_policy import LOADING, READY, SlotPolicy
from .style_library import StyleLibrary
from .style_tasks import StyleEvent, StyleTasks

if TYPE_CHECKING:
    from ...models.style import Style

#: What can be captured.
SOURCES = ("main", "second")

_TICK = 0.005
# How long the thread sleeps where there is nothing to do.
_REST = 0.25
# In this time a capture takes over once it is ready.
_CAPTURE_SECONDS = 0.03
_LONGEST_CAPTURE = 30.0
_SHORTEST_CAPTURE = 0.1


@dataclass(frozen=True)
class SlotInfo:
    """What is in a slot.

    Attributes:
        name: of the style; empty where there is none
        weight: target, 0 to 1
        state: "empty", "loading" or "ready"
        source: file; None where there is none, or the style came from elsewhere
        serial: number under which the log of changes has it; 0 for what was there from the start
    """

    name: str
    weight: float
    state: str
    source: Path | None
    serial: int


class StyleManager:
    """Changes styles while the engine plays. Safe to call from any thread; never waits.

    Args:
        context: to spawn the loader with
        settings: of the engine
        board: shared with it
        get, put: read and write a parameter's target
    """

    def __init__(
        self,
        context: SpawnContext,
        settings: EngineSettings,
        board: TraceBoard,
        *,
        get: Callable[[str], float],
        put: Callable[[str, float], None],
    ) -> None:
        self._settings = settings
        self._board = board
        self._loader = LoaderLink(context, board, settings.stylizer)
        self._library = StyleLibrary()
        keys = [self._library.key(path) for path in settings.styles]
        self._policy = SlotPolicy(
            keys,
            MAX_STYLES,
            get=lambda place: get(f"style_{place + 1}"),
            put=lambda place, value: put(f"style_{place + 1}", value),
        )
        self._work = StyleTasks(board, self._loader, self._policy, self._library)
        # Source and first frame of the capture that is under way.
        self._capture: tuple[str, int] | None = None
        self._lock = threading.RLock()
        self._wake = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    @property
    def slots(self) -> list[SlotInfo]:
        """What is in each slot."""
        with self._lock:
            found = []
            for place, slot in enumerate(self._policy.slots):
                key = slot.coming or slot.key
                name = self._library.names.get(key, "")
                weight = self._policy.weight(place)
                found.append(SlotInfo(name, weight, slot.state, self._library.path(key), slot.serial))
            return found

    def source(self, serial: int) -> Path | Style | None:
        """Return where the style came from that has a serial number in the log of changes; None if nobody knows."""
        with self._lock:
            return self._library.sources.get(self._work.played.get(serial, ""))

    @property
    def names(self) -> list[str]:
        """The styles of the folder, in alphabetical order, then those captured and loaded from elsewhere."""
        with self._lock:
            return [self._library.names[key] for key in self._library.listed]

    @property
    def current(self) -> str:
        """The style with the largest weight; empty where nothing is loaded."""
        slots = [slot for slot in self.slots if slot.state == READY]
        return max(slots, key=lambda slot: slot.weight).name if slots else ""

    @property
    def capturing(self) -> str | None:
        """What is being captured, "main" or "second"; None where nothing is."""
        capture = self._capture
        return None if capture is None else capture[0]

    @property
    def captures(self) -> Path:
        """Where captured styles are saved while no folder has been chosen."""
        return self._library.captures

    @captures.setter
    def captures(self, path: Path) -> None:
        self._library.captures = path

    def events(self) -> list[StyleEvent]:
        """Return what has happened since the last call, the oldest first. For one caller."""
        with self._lock:
            found, self._work.events = self._work.events, []
            return found

    def folder(self, path: Path) -> list[str]:
        """List the styles of a folder, which become known by name, and make them ready ahead; return the names.

        What is captured from now on is saved there.

        Raises:
            InputError: there is no such folder, or it cannot be read
        """
        with self._lock:
            self._work.ahead = self._library.list_folder(path)
            self._start()
            return self.names

    def load(self, source: Path | Style, *, slot: int | None = None) -> int:
        """Have a style brought to a slot, where it is not heard until it gets a weight.

        Args:
            source: file, or a style
            slot: 0 to 3, which must not be the only one that is heard; None is one that is not heard

        Returns:
            int, the slot; where it is there already, that one

        Raises:
            InputError: there is no such slot, or all are heard
        """
        with self._lock:
            self._check_chain()
            key = self._library.key(source)
            present = self._policy.holds(key)
            if present is not None and slot in (None, present):
                return present
            if slot is None:
                slot = self._policy.free()
                if slot is None:
                    raise InputError("all slots are heard; take the weight of one to 0 first")
            elif not 0 <= slot < MAX_STYLES:
                raise InputError(f"there is no slot {slot}; give 0 to {MAX_STYLES - 1}")
            elif self._policy.slots[slot].state == LOADING:
                raise InputError("this slot is being loaded; wait until it is ready")
            elif not any(self._policy.weight(other) for other in range(MAX_STYLES) if other != slot):
                raise InputError("no other slot is heard; give another one a weight first")
            self._library.show(key)
            self._work.begin(slot, key)
            self._start()
            return slot

    def switch(self, name: str | Path, *, seconds: float = 0.05) -> None:
        """Go over to one style, by name or path, in so many seconds once it is ready; InputError if there is none."""
        self.blend({name: 1.0}, seconds=seconds)

    def blend(
        self, weights: Mapping[str | Path, float] | Mapping[str, float], *, seconds: float = 0.05
    ) -> None:
        """Go over to a mixture of up to four styles, by name or path; all others fall silent.

        Args:
            weights: 0 to 1 each, not all 0
            seconds: how long the weights take, once all are ready; it takes the place of what was wanted before

        Raises:
            InputError: there is no such style, or too many, or a weight is out of range
        """
        if not 1 <= len(weights) <= MAX_STYLES:
            raise InputError(f"{len(weights)} styles cannot be mixed; give 1 to {MAX_STYLES}")
        if not all(0.0 <= weight <= 1.0 for weight in weights.values()) or not any(weights.values()):
            raise InputError("weights must be from 0 to 1, and not all 0")
        with self._lock:
            self._check_chain()
            wish = {self._library.find(name): weight for name, weight in weights.items()}
            for key in wish:
                self._library.show(key)
            self._policy.want(wish, max(0.0, seconds))
            self._start()

    def next(self, *, step: int = 1, seconds: float = 0.05) -> None:
        """Switch to the style after the present one in the list, in a circle; before it, where `step` is -1."""
        with self._lock:
            names = self.names
            if not names:
                raise InputError("there is no list of styles; choose a folder")
            wanted = next(iter(self._policy.wished), None)
            at = self.current if wanted is None else self._library.names[wanted]
            place = names.index(at) + step if at in names else 0
            self.switch(names[place % len(names)], seconds=seconds)

    def capture_begin(self, source: str = "main") -> None:
        """Begin to capture what comes in now.

        Args:
            source: "main" is what the chain gets, "second" the further channels of the device (`capture_channels`)

        Raises:
            InputError: there is no such source, or nothing plays yet
        """
        if source not in SOURCES:
            raise InputError(f"{source!r} cannot be captured; give {' or '.join(SOURCES)}")
        if source == SOURCES[1] and not self._settings.capture_channels:
            raise InputError("there is no second input; start with --capture-channels")
        with self._lock:
            self._check_chain()
            tap = self._board.taps.input
            if not tap.sample_rate:
                raise InputError("nothing plays yet; capture when there is sound")
            self._capture = (source, tap.position)
            # What is made ahead must not be in the way at the end.
            self._work.hold = True
            self._start()

    def capture_end(self, name: str | None = None) -> Path:
        """Make a style of what has come in since `capture_begin`, switch to it, and save it.

        Of more than 30 s, the last 30.

        Args:
            name: of the style; None is made of date and time. Where there is such a file, a number is added

        Returns:
            Path, of the file that will be there in a moment; `events` tell when, and what went wrong if anything does

        Raises:
            InputError: nothing was being captured, it was too short, or the name cannot be one of a file
        """
        with self._lock:
            if self._capture is None:
                raise InputError("nothing is being captured; begin first")
            (source, start), self._capture = self._capture, None
            taps = self._board.taps
            rate, stop = taps.input.sample_rate, taps.input.position
            self._work.hold = False
            start = max(start, stop - round(_LONGEST_CAPTURE * rate), taps.input.oldest, taps.input.since)
            if stop - start < _SHORTEST_CAPTURE * rate:
                raise InputError(f"that was too short for a style; hold for {_SHORTEST_CAPTURE:g} s at least")
            path = self._library.new_file(name)
            key = self._library.key(path)
            rows = (0, taps.channels) if source == SOURCES[0] else (taps.channels, taps.input.channels)
            self._work.captured[key] = Captured(0, path, rate, rate, start, stop, rows)
            self._library.show(key)
            self._policy.want({key: 1.0}, _CAPTURE_SECONDS)
            self._start()
            return path

    def wait(self, timeout: float) -> bool:
        """Wait until all that was asked for is done; False if it is not after `timeout` seconds."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with self._lock:
                if not self._work.busy:
                    return True
            time.sleep(_TICK)
        return False

    def stop(self) -> None:
        """End the thread and the loader. Harmless when they do not run."""
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        self._loader.close()

    def _start(self) -> None:
        """Have the thread go on, and the loader be there."""
        self._loader.start()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="styles", daemon=True)
            self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            self._wake.wait(_REST)
            self._wake.clear()
            while not self._ended:
                with self._lock:
                    try:
                        self._work.step(time.monotonic())
                    except Exception as error:
                        # Whatever this was about, what is asked for next is still to be done.
                        self._work.fail(error)
                        break
                    if not self._work.busy:
                        break
                time.sleep(_TICK)

    def _check_chain(self) -> None:
        if self._board.slots.possible is False:
            raise InputError("this chain has no stylizer; its styles cannot be changed")
