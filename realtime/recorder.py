"""The recorder: starts and stops the thread that writes takes.

It reads the engine's trace board, in the host's process, off the audio path. A full disk ends the recording, a slow one
leaves gaps in it, and neither touches the sound. For the folder of a take see `takes.reader`.
"""

from __future__ import annotations

import atexit
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ..media.errors import InputError
from ..media.files import check_writable, free_path, shown
from ..plugins.effects import PlainEffect, to_plain
from ..plugins.live_chain import CHAIN_VERSION
from ..takes.header import HEADER, Header
from ..takes.style_copies import Clip
from .host import Host
from .recording import Recording

_ANSWER_SECONDS = 2.0
# A slow disk may need a while to write the rest of the taps.
_CLOSE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class RecorderStatus:
    """A recorder at one moment.

    Attributes:
        recording: whether it records
        takes: folders of the takes since `start`, the present one last; several if the device came back with another
            rate or latency, which ends one take and begins the next
        seconds: length of the present take so far
        lost_seconds: how much of it is missing, since the disk was too slow
        error: why it ended, in one line; "" if all is well
    """

    recording: bool
    takes: tuple[Path, ...]
    seconds: float
    lost_seconds: float
    error: str

    @property
    def folder(self) -> Path | None:
        """Of the present take; None before the first one."""
        return self.takes[-1] if self.takes else None

    @property
    def news(self) -> str:
        """A line about the take before this one; "" if there is none."""
        if len(self.takes) < 2:
            return ""
        return (
            f"the device has another rate or latency now: {shown(self.takes[-2])} has ended, and the recording goes "
            f"on in {shown(self.takes[-1])}"
        )


class Recorder:
    """Records takes of what a host plays, one after the other. Safe to call from any thread.

    Args:
        host: that is recorded
        folder: for takes, each in a folder `take-YYYYmmdd-HHMMSS`
        take: another folder for the first take; must not exist
        whole: whether the first take begins with the engine's first sample. Create the recorder before the host starts
            and call `start` right after it has. An engine that runs as fast as possible then waits for the recorder.
    """

    def __init__(self, host: Host, folder: Path, *, take: Path | None = None, whole: bool = False) -> None:
        self._host = host
        self._folder = folder
        self._next = take
        self._whole = whole
        self._lock = threading.Lock()
        self._recording: Recording | None = None
        self._thread: threading.Thread | None = None
        self._take: Path | None = None
        host.board.pace[0] = float(whole)
        host.recorders.add(self)

    def start(self) -> Path:
        """Begin a take; return its folder, which is filled later. Harmless while one is being recorded.

        Raises:
            InputError: the engine does not answer, since it does not play now; or the folder cannot be made
        """
        # A take has the effects that there are when it begins.
        with self._lock, self._host.adding:
            if self._status().recording:
                return self._status().takes[-1]
            self._end()
            whole, self._whole = self._whole, False
            host, now = self._host, self._host.snapshot()
            state = None
            if not whole:
                state = host.request_state(timeout=_ANSWER_SECONDS)
                if state is None:
                    raise InputError("nothing can be recorded while the engine does not play; try again")
            take = self._made()
            settings = host.settings
            header = Header(
                sample_rate=now.sample_rate,
                channels=settings.channels,
                hop=now.hop,
                algorithmic=now.algorithmic_latency,
                buffer=now.buffer_latency,
                device=now.device_latency,
                slot_bytes=host.board.slots.bytes(0).size,
                stylizer=dict(settings.stylizer),
                effects=tuple(msgspec.convert(to_plain(one), PlainEffect) for one in settings.effects),
                chain=CHAIN_VERSION,
                values={
                    parameter.id: parameter.clamp(host.get(parameter.id)) for parameter in host.parameters
                },
                started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            )
            recording = Recording(
                take,
                header,
                host.board,
                ids=tuple(parameter.id for parameter in host.parameters),
                sources=settings.styles,
                find=self._source,
                start=state,
            )
            # Else a program that forgets to stop it would leave a take that is not closed.
            atexit.register(self.stop)
            self._thread = threading.Thread(target=recording.run, name="recorder", daemon=True)
            self._recording, self._take, self._next = recording, take, None
            self._thread.start()
            return take

    def _source(self, serial: int) -> Path | Clip | None:
        source = self._host.styles.source(serial)
        if source is None or isinstance(source, Path):
            return source
        return Clip(source.name, source.samples, source.sample_rate)

    def stop(self) -> RecorderStatus:
        """End the take, if there is one; return the status after its files are closed."""
        with self._lock:
            self._end()
            return self._status()

    @property
    def status(self) -> RecorderStatus:
        """The present status."""
        return self._status()

    def _end(self) -> None:
        if self._thread is None or self._recording is None:
            return
        self._recording.stop()
        self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            self._recording.failure = "the disk does not take the rest of the recording"
        self._thread = None
        if self._take is not None:
            # Where nothing was recorded, it is empty.
            with suppress(OSError):
                self._take.rmdir()
        atexit.unregister(self.stop)
        self._host.board.pace[0] = 0.0

    def _status(self) -> RecorderStatus:
        thread, recording = self._thread, self._recording
        return RecorderStatus(
            recording=thread is not None and thread.is_alive(),
            takes=(recording and recording.takes) or (() if self._take is None else (self._take,)),
            seconds=0.0 if recording is None else recording.seconds,
            lost_seconds=0.0 if recording is None else recording.lost,
            error="" if recording is None else recording.failure,
        )

    def _made(self) -> Path:
        """Make the folder of a take, which is nobody else's from then on, and return it."""
        path = self._next or self._folder / time.strftime("take-%Y%m%d-%H%M%S")
        try:
            while self._next is None:
                # Two callers get two folders.
                with suppress(FileExistsError):
                    made = free_path(path)
                    made.mkdir(parents=True)
                    return made
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            raise InputError(
                f"{shown(path)} has been made meanwhile; give another folder for the recording"
            ) from None
        except OSError as error:
            raise InputError(
                f"cannot record to {shown(path)}: {error.strerror or error}; choose another folder"
            ) from None


def take_folder(given: Path) -> tuple[Path, Path | None]:
    """Return the folder for takes and that of the first take, from the value of `--record`.

    An existing folder gets takes in it; a new one becomes the take.

    Raises:
        InputError: it is no folder, or already a take; or nothing can be written there
    """
    if not given.exists():
        check_writable(given, overwrite=False)
        return given.parent, given
    if not given.is_dir():
        raise InputError(f"{shown(given)} is a file; give a folder for the recording")
    if (given / HEADER).exists():
        raise InputError(f"{shown(given)} is a take already; give another folder for the recording")
    check_writable(given / HEADER, overwrite=False)
    return given, None
