"""`gramophone live --record`: the recorder of a session, and its messages."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...media.files import shown
from .. import console

if TYPE_CHECKING:
    from ...realtime.host import Host
    from ...realtime.recorder import RecorderStatus


class SessionRecorder:
    """Records the whole of a session; a context manager that ends the take on exit, before the host stops.

    Args:
        host: not started yet
        folder: the value of --record; None records nothing

    Raises:
        InputError: the folder cannot be recorded to
    """

    def __init__(self, host: "Host", folder: Path | None) -> None:
        from ...realtime.recorder import Recorder, take_folder

        self._recorder: Recorder | None = None
        self._take: Path | None = None
        self._told = ""
        self._lost = 0.0
        #: whether something of the session is not in its recording
        self.failed = False
        self._moved = ""
        if folder is not None:
            parent, take = take_folder(folder)
            self._recorder = Recorder(host, parent, take=take, whole=True)

    def __enter__(self) -> Self:
        """Begin, as soon as the host has started."""
        if self._recorder is not None:
            self._take = self._recorder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the take and print its folder."""
        if self._recorder is None:
            return
        status = self._recorder.stop()
        for line in self._news(status):
            console.say(line)
        if status.folder is not None and status.seconds:
            minutes, seconds = divmod(int(status.seconds), 60)
            console.out().print(f"recorded {minutes}:{seconds:02d} in {shown(status.folder)}")

    def rows(self) -> dict[str, str]:
        """Return the rows for the display at the start."""
        return {} if self._take is None else {"record": shown(self._take)}

    def news(self) -> list[str]:
        """Return what went wrong since the last call, a line each."""
        return [] if self._recorder is None else self._news(self._recorder.status)

    def _news(self, status: "RecorderStatus") -> list[str]:
        lines = []
        if status.news != self._moved:
            self._moved, self._lost = status.news, 0.0
            lines.append(status.news)
        if status.lost_seconds > self._lost:
            lines.append(
                f"warning: the disk is too slow: {status.lost_seconds:.1f} s are missing in the recording"
            )
            self._lost, self.failed = status.lost_seconds, True
        if status.error and status.error != self._told:
            lines.append(f"warning: {status.error}; the sound goes on")
            self._told, self.failed = status.error, True
        return lines
