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
from typing import TYPE_CHECKING, TypeAlias

from ...media.errors import InputError, noted
from ...media.files import shown
from ...plugins.knobs import MAX_STYLES
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
# Live styles of long clips take 13 MB each.
_KEPT_BYTES = 192 * 2**20
# A capture is written to its file once it is in its slot, or that has not come about for so long.
_SAVE_SECONDS = 1.0


@dataclass(frozen=True)
class LoadRequest:
    """A request to make a style ready.

    Attributes:
        job: number of the request, in the answer too
        source: a file, or a style
        sample_rate: Hz
    """

    job: int
    source: Path | Clip
    sample_rate: int


@dataclass(frozen=True)
class Captured:
    """A request to make a style of a piece of the input tap ready, and save it.

    Attributes:
        job, sample_rate: as in `LoadRequest`
        path: of the new file
        recorded_rate: Hz, of the piece; the engine's may have changed since
        start, stop: frames of the tap
        rows: channels of the tap, first and behind the last
    """

    job: int
    path: Path
    sample_rate: int
    recorded_rate: int
    start: int
    stop: int
    rows: tuple[int, int]


@dataclass(frozen=True)
class WriteRequest:
    """A request to write a style that is ready to a slot's memory.

    Attributes:
        job: of the request to make it ready
        slot: whose memory nobody reads
    """

    job: int
    slot: int


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
        problem: the error in one line, or "" where it is ready
        note: a new message for the user, or ""
    """

    job: int
    problem: str = ""
    note: str = ""


@dataclass(frozen=True)
class Written:
    """The answer to a `WriteRequest`.

    Attributes:
        job: its number
        size: bytes in the slot's memory; 0 where there was nothing to write
    """

    job: int
    size: int


@dataclass(frozen=True)
class Saved:
    """The answer about the file of a capture.

    Attributes:
        path: of the file, which is not there where nothing could be made of the capture
        problem: the error in one line, or ""
    """

    path: Path
    problem: str


Request: TypeAlias = LoadRequest | Captured | WriteRequest | Prefetch
Answer: TypeAlias = LoadResult | Written | Saved


def run_loader(requests: Connection, slots: SlotMailbox, taps: Taps, stylizer: dict[str, object]) -> None:
    """Run the loader process until the other end of `requests` is closed.

    Args:
        requests: gives `LoadRequest`, `Captured`, `WriteRequest` and `Prefetch`; takes a `LoadResult` for each of the
            first two, a `Written` for the third, and in the end, for a capture, a `Saved`
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
            if loader.unsaved and not requests.poll(_SAVE_SECONDS):
                requests.send(loader.save())
            if ahead and not requests.poll():
                _be_nice(usual + _NICENESS)
                loader.make_ahead(ahead.pop(0), rate)
                continue
            wanted = requests.recv()
            if isinstance(wanted, Prefetch):
                ahead, rate = list(wanted.sources), wanted.sample_rate
                continue
            _be_nice(usual)
            if isinstance(wanted, WriteRequest):
                requests.send(loader.write(wanted))
            # Once it sounds, since a disk may be slow.
            if loader.unsaved:
                requests.send(loader.save())
            if not isinstance(wanted, WriteRequest):
                requests.send(loader.answer(wanted))
                if isinstance(wanted, Captured) and not loader.unsaved:
                    requests.send(Saved(wanted.path, ""))
    if loader.unsaved:
        loader.save()


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
    """Packs styles, and caches those of files as long as there is room.

    Attributes:
        unsaved: the last capture and its sound, until it is saved
    """

    def __init__(self, slots: SlotMailbox, taps: Taps, stylizer: dict[str, object]) -> None:
        from ...models.live.stylizer_settings import StylizerSettings

        self._slots = slots
        self._taps = taps
        self._settings = StylizerSettings(**stylizer)  # type: ignore[arg-type]
        self.unsaved: tuple[Captured, NDArray[np.float64]] | None = None
        self._notes: dict[Path, str] = {}
        self._kept: OrderedDict[tuple[Path, int, int, int], Bytes] = OrderedDict()
        # By job: what may have to be written yet.
        self._ready: OrderedDict[int, Bytes] = OrderedDict()

    def answer(self, wanted: LoadRequest | Captured) -> LoadResult:
        """Make a style ready; errors go into the answer."""
        note = ""
        try:
            if isinstance(wanted, Captured):
                packed = self._capture(wanted)
            elif isinstance(wanted.source, Path):
                packed = self._of_file(wanted.source, wanted.sample_rate)
                note = self._notes.pop(wanted.source, "")
            else:
                packed = self._pack(wanted.source, wanted.sample_rate)
            self._ready[wanted.job] = packed
            # Each slot waits for one at most; those before them nobody asks for any more.
            while len(self._ready) > MAX_STYLES:
                self._ready.popitem(last=False)
            return LoadResult(wanted.job, note=note)
        except InputError as error:
            return LoadResult(wanted.job, str(error))
        except Exception as error:
            return LoadResult(wanted.job, f"the style cannot be made ready ({type(error).__name__}: {error})")

    def write(self, wanted: WriteRequest) -> Written:
        """Write a style that is ready to a slot's memory."""
        packed = self._ready.pop(wanted.job, None)
        if packed is None:
            # Another loader had made it ready, which has ended.
            return Written(wanted.job, 0)
        self._slots.bytes(wanted.slot)[: packed.size] = packed
        return Written(wanted.job, packed.size)

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

    def save(self) -> Saved:
        """Write the last capture to its file."""
        from ...models.style import Style

        assert self.unsaved is not None
        (wanted, sound), self.unsaved = self.unsaved, None
        try:
            Style.from_audio(sound, wanted.recorded_rate, name=wanted.path.stem).save(wanted.path)
        except Exception as error:
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            return Saved(wanted.path, f"{reason}; the captured style sounds, but is kept nowhere")
        return Saved(wanted.path, "")

    def _capture(self, wanted: Captured) -> Bytes:
        import numpy as np

        from ...models.style import clip_at, kept_clip

        first, last = wanted.rows
        sound = self._taps.input.read(wanted.start, wanted.stop)[first:last].astype(np.float64)
        # Rounded to the 24 bits of the file, so that both sound the same.
        kept = kept_clip(sound, wanted.recorded_rate, name=wanted.path.stem)
        packed = self._pack_clip(clip_at(kept, wanted.recorded_rate, wanted.sample_rate), wanted.sample_rate)
        self.unsaved = wanted, sound
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
