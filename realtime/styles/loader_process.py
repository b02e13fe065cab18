"""The loader: a process of low priority that prepares styles for the engine's slots, from files or captured sound.

It caches prepared styles, so that a style comes back at once. When idle, it prepares those of the folder in advance. It
never disturbs the sound: it writes to memory that the engine does not read until the host offers it.
"""

from __future__ import annotations

import os
import signal
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from ...media.errors import InputError, noted
from ...media.files import shown
from ..link.slot_mailbox import SlotMailbox
from ..link.taps import USUAL_RATE, Taps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...models.style import Clip

    Bytes = NDArray[np.uint8]

# Below sound and display, even if the engine got no real-time priority. While a player waits for a style, it is
# higher, if the system lets a process lower its niceness again.
_NICENESS = 10
# Live styles of long clips take 7 MB each.
_KEPT_BYTES = 192 * 2**20


@dataclass(frozen=True)
class LoadRequest:
    """A request to write a style to a slot's memory.

    Attributes:
        job: number of the request, in the answer too
        source: a file, or a style
        slot: with the memory to write
        sample_rate: Hz
    """

    job: int
    source: Path | Clip
    slot: int
    sample_rate: int


@dataclass(frozen=True)
class Captured:
    """A request to make a style of a piece of the input tap, save it, and write it to a slot's memory.

    Attributes:
        job, slot, sample_rate: as in `LoadRequest`
        path: of the new file
        recorded_rate: Hz, of the piece; the engine's may have changed since
        start, stop: frames of the tap
        rows: channels of the tap, first and behind the last
    """

    job: int
    path: Path
    slot: int
    sample_rate: int
    recorded_rate: int
    start: int
    stop: int
    rows: tuple[int, int]


@dataclass(frozen=True)
class Prefetch:
    """A list of files to prepare when idle; replaces the last list.

    Attributes:
        sources: the more urgent ones first
        sample_rate: Hz
    """

    sources: tuple[Path, ...]
    sample_rate: int


@dataclass(frozen=True)
class LoadResult:
    """The answer to a `LoadRequest` or a `Captured`.

    Attributes:
        job: its number
        size: bytes in the slot's memory; 0 after a failure
        problem: the error in one line, or ""
        note: a new message for the user, or ""
    """

    job: int
    size: int
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Saved:
    """The answer about the file of a capture.

    Attributes:
        path: of the file
        problem: the error in one line, or ""
    """

    path: Path
    problem: str


def run_loader(requests: Connection, slots: SlotMailbox, taps: Taps, stylizer: dict[str, object]) -> None:
    """Run the loader process until the other end of `requests` is closed.

    Args:
        requests: gives `LoadRequest`, `Captured` and `Prefetch`; takes a `LoadResult` for each of the first two, and
            then, for a capture, a `Saved`
        stylizer: fields of `models.live.stylizer.StylizerSettings`
    """
    with suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    usual = _niceness()
    _be_nice(usual + _NICENESS)
    loader = _Loader(slots, taps, stylizer)
    loader.warm_up()
    ahead: list[Path] = []
    rate = 0
    with suppress(EOFError, OSError):
        while True:
            if ahead and not requests.poll():
                _be_nice(usual + _NICENESS)
                loader.make_ahead(ahead.pop(0), rate)
                continue
            wanted = requests.recv()
            if isinstance(wanted, Prefetch):
                ahead, rate = list(wanted.sources), wanted.sample_rate
            else:
                _be_nice(usual)
                requests.send(loader.answer(wanted))
                if isinstance(wanted, Captured):
                    requests.send(loader.save(wanted))


def _niceness() -> int:
    try:
        return int(getattr(os, "getpriority")(getattr(os, "PRIO_PROCESS"), 0))  # noqa: B009
    except (OSError, AttributeError):
        return 0


def _be_nice(value: int) -> None:
    """Set the niceness of this process, as far as the system has any and allows it."""
    with suppress(OSError, AttributeError):
        # By name, since type checkers on other systems do not know these.
        getattr(os, "setpriority")(getattr(os, "PRIO_PROCESS"), 0, value)  # noqa: B009


class _Loader:
    """Packs styles, and caches those of files as long as there is room."""

    def __init__(self, slots: SlotMailbox, taps: Taps, stylizer: dict[str, object]) -> None:
        from ...models.live.stylizer_settings import StylizerSettings

        self._slots = slots
        self._taps = taps
        self._settings = StylizerSettings(**stylizer)  # type: ignore[arg-type]
        self._captured: NDArray[np.float64] | None = None
        self._notes: dict[Path, str] = {}
        self._kept: OrderedDict[tuple[Path, int, int, int], Bytes] = OrderedDict()

    def answer(self, wanted: LoadRequest | Captured) -> LoadResult:
        """Handle a request; errors go into the answer."""
        note = ""
        try:
            if isinstance(wanted, Captured):
                packed = self._capture(wanted)
            elif isinstance(wanted.source, Path):
                packed = self._of_file(wanted.source, wanted.sample_rate)
                note = self._notes.pop(wanted.source, "")
            else:
                packed = self._pack(wanted.source, wanted.sample_rate)
            self._slots.bytes(wanted.slot)[: packed.size] = packed
            return LoadResult(wanted.job, packed.size, note=note)
        except InputError as error:
            return LoadResult(wanted.job, 0, str(error))
        except Exception as error:
            return LoadResult(
                wanted.job, 0, f"the style cannot be made ready ({type(error).__name__}: {error})"
            )

    def warm_up(self) -> None:
        """Load everything that the first style needs."""
        import numpy as np

        from ...models.style import clip_at, kept_clip

        noise = 0.1 * np.random.default_rng(0).standard_normal((1, USUAL_RATE // 4))
        kept = kept_clip(noise, USUAL_RATE, name="noise")
        self._pack_clip(clip_at(kept, USUAL_RATE, USUAL_RATE), USUAL_RATE)

    def make_ahead(self, path: Path, sample_rate: int) -> None:
        """Prepare a style that may be asked for soon; its errors are reported when it is."""
        with suppress(Exception):
            self._of_file(path, sample_rate)

    def save(self, wanted: Captured) -> Saved:
        """Write the last capture to its file. This comes after it sounds, since a disk may be slow."""
        from ...models.style import Style

        sound, self._captured = self._captured, None
        if sound is None:
            return Saved(wanted.path, "")
        try:
            Style.from_audio(sound, wanted.recorded_rate, name=wanted.path.stem).save(wanted.path)
        except Exception as error:
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            return Saved(wanted.path, f"{reason}; the captured style sounds, but is kept nowhere")
        return Saved(wanted.path, "")

    def _capture(self, wanted: Captured) -> Bytes:
        import numpy as np

        from ...models.style import clip_at, kept_clip

        self._captured = None
        first, last = wanted.rows
        sound = self._taps.input.read(wanted.start, wanted.stop)[first:last].astype(np.float64)
        # Rounded to the 24 bits of the file, so that both sound the same.
        kept = kept_clip(sound, wanted.recorded_rate, name=wanted.path.stem)
        packed = self._pack_clip(clip_at(kept, wanted.recorded_rate, wanted.sample_rate), wanted.sample_rate)
        self._captured = sound
        return packed

    def _of_file(self, path: Path, sample_rate: int) -> Bytes:
        from ...models.style import load_clip

        try:
            found = path.stat()
        except OSError as error:
            raise InputError(f"{shown(path)} cannot be read: {error.strerror}; check the name") from None
        key = (path, found.st_mtime_ns, found.st_size, sample_rate)
        if key not in self._kept:
            with noted() as notes:
                style = load_clip(path)
            self._notes[path] = "; ".join(notes)
            self._kept[key] = self._pack(style, sample_rate)
            while len(self._kept) > 1 and sum(one.size for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _pack(self, style: Clip, sample_rate: int) -> Bytes:
        return self._pack_clip(style.at(sample_rate), sample_rate)

    def _pack_clip(self, clip: NDArray[np.float64], sample_rate: int) -> Bytes:
        """Pack what a stylizer needs of a clip [channels, samples] at its rate and the reference level."""
        from ...models.live.prepared_style import live_clip
        from ...models.live.slots import pack
        from ...models.live.stylizer_settings import stylizer_layout

        layout = stylizer_layout(sample_rate, self._settings)
        return pack(live_clip(clip, layout), layout, most=self._slots.bytes(0).size)
