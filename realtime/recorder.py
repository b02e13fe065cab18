"""The recorder: starts and stops the process that writes takes.

This process reads the engine's trace board, off the audio path. A full disk ends the recording, a slow one leaves gaps
in it, and neither touches the sound. For the folder of a take see `takes.reader`.
"""

from __future__ import annotations

import atexit
import multiprocessing
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec

from ..media.errors import InputError
from ..media.files import check_writable, shown
from ..plugins.effects import PlainEffect, to_plain
from ..plugins.live_chain import CHAIN_VERSION
from ..takes.header import HEADER, Header
from ..takes.style_copies import Clip
from .host import Host
from .link.descriptors import reason, reserve
from .link.spawning import start_process
from .recording.recorder_link import RecorderCell, RecorderJob, RecorderLink, RecorderState, make_folder
from .recording.recorder_process import run_recorder

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
        self._context = multiprocessing.get_context("spawn")
        self._process: SpawnProcess | None = None
        self._link = RecorderLink.new(self._context)
        self._take: Path | None = None
        host.board.pace[0] = float(whole)

    def start(self) -> Path:
        """Begin a take; return its folder, which is filled later. Harmless while one is being recorded.

        Raises:
            InputError: the engine does not answer, since it does not play now; the folder cannot be made; or the
                system has no room for another process
        """
        with self._lock:
            if self._recording and self._take is not None:
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
            job = RecorderJob(
                folder=take,
                header=header,
                sources=settings.styles,
                ids=tuple(parameter.id for parameter in host.parameters),
                start=None if state is None else state.frame,
                state=None if state is None else state.arrays,
            )
            # Else a program that forgets to stop it would wait at its end for a process that waits for it.
            atexit.register(self.stop)
            try:
                with reserve.released():
                    questions = self._begin(job)
            except (OSError, MemoryError) as error:
                host.board.pace[0] = 0.0
                with suppress(OSError):
                    take.rmdir()
                raise InputError(f"no recording can begin: {reason(error)}") from None
            threading.Thread(
                target=_answer, args=(questions, host), name="recorder's questions", daemon=True
            ).start()
            self._take, self._next = take, None
            return take

    def _begin(self, job: RecorderJob) -> Connection:
        """Start the process; return where it asks for styles."""
        link = RecorderLink.new(self._context)
        ours, theirs = self._context.Pipe()
        # Its end in this process would keep the other one from noticing that the recorder is gone.
        with theirs:
            process = self._context.Process(
                target=run_recorder,
                args=(job, self._host.board, link, theirs),
                name="gramophone recorder",
                # Not ended with the host, but by it or after it: it still has to close its files.
                daemon=False,
            )
            try:
                start_process(process)
            except Exception:
                ours.close()
                raise
            finally:
                # Where only an interruption was raised, it runs.
                if process.pid is not None:
                    self._link, self._process = link, process
        return ours

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
        if self._process is None:
            return
        self._link.cells[RecorderCell.STOP] = 1.0
        self._process.join(_CLOSE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        if self._process.exitcode and not self._link.text.value:
            self._link.text.value = f"the recorder ended (exit code {self._process.exitcode})".encode()
        self._process.close()
        self._process = None
        if self._take is not None:
            # Where nothing was recorded, it is empty.
            with suppress(OSError):
                self._take.rmdir()
        atexit.unregister(self.stop)
        self._host.board.pace[0] = 0.0

    @property
    def _recording(self) -> bool:
        process = self._process
        return (
            process is not None
            and process.is_alive()
            and self._link.cells[RecorderCell.STATE] < RecorderState.DONE
        )

    def _status(self) -> RecorderStatus:
        cells = self._link.cells
        text = bytes(self._link.text.value).decode(errors="replace")
        process = self._process
        if process is not None and not process.is_alive() and process.exitcode and not text:
            text = f"the recorder ended (exit code {process.exitcode})"
            self._host.board.pace[0] = 0.0
        return RecorderStatus(
            recording=self._recording,
            takes=self._link.takes or (() if self._take is None else (self._take,)),
            seconds=cells[RecorderCell.SECONDS],
            lost_seconds=cells[RecorderCell.LOST],
            error=text,
        )

    def _made(self) -> Path:
        """Make the folder of a take, which is nobody else's from then on, and return it."""
        path = self._next or self._folder / time.strftime("take-%Y%m%d-%H%M%S")
        try:
            if self._next is None:
                return make_folder(path)
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


def _answer(questions: Connection, host: Host) -> None:
    """Tell a recorder's process where styles came from, until it ends."""
    with questions, suppress(EOFError, OSError):
        while True:
            source = host.styles.source(questions.recv())
            if source is None or isinstance(source, Path):
                questions.send(source)
            else:
                questions.send(Clip(source.name, source.samples, source.sample_rate))


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
