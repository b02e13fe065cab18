"""What the record button and the desk do with takes: record, stop, bounce."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from ...media.files import shown
from ..formatting import clock
from .bounce_jobs import Bouncer

if TYPE_CHECKING:
    from ...realtime.control.control_surface import ControlSurface
    from ...realtime.host import Host
    from ...realtime.recorder import Recorder

_MOST_TAKES = 20


class TakeShelf:
    """Recording and bouncing of one session.

    Args:
        host: what is recorded
        folder: for takes; made when the first one begins
        recorder: None makes a new one
    """

    def __init__(self, host: Host, folder: Path, recorder: Recorder | None = None) -> None:
        from ...realtime.recorder import Recorder

        self._folder = folder
        self._recorder = recorder or Recorder(host, folder)
        self._surface: ControlSurface | None = None
        self._bouncer = Bouncer(self._notify)
        self._error = self._news = ""
        self._done: list[Path] = []

    def attach(self, surface: ControlSurface) -> None:
        """Set the surface that gets messages."""
        self._surface = surface

    def close(self) -> None:
        """End the recording and stop rendering."""
        self._recorder.stop()
        self._bouncer.close()

    def press(self, down: bool) -> None:
        """Begin a take, or end it."""
        if not down:
            return
        if self._recorder.status.recording:
            self._ended()
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot make the folder {shown(self._folder)}: {error.strerror or error}"
            ) from None
        take = self._recorder.start()
        self._notify(f"recording: {shown(take)}")

    def _ended(self) -> None:
        status = self._recorder.stop()
        if status.folder is None:
            return
        self._done[:0] = reversed(status.takes)
        lost = f"; {status.lost_seconds:.1f} s are missing" if status.lost_seconds else ""
        self._notify(f"recorded {clock(status.seconds)}: {shown(status.folder)}{lost}")

    def _notify(self, line: str) -> None:
        if self._surface is not None:
            self._surface.notify(line)

    def notify(self) -> None:
        """Report if a recording has ended by itself; to be called now and then, from one thread."""
        status = self._recorder.status
        if status.error and status.error != self._error:
            self._notify(f"error: the recording has ended: {status.error}")
        if status.news and status.news != self._news:
            self._notify(status.news)
        self._error, self._news = status.error, status.news

    def lists(self) -> list[dict[str, Any]]:
        """Return the state of the recording, for the desk."""
        status = self._recorder.status
        busy = self._bouncer.busy
        return [
            {
                "type": "recorder",
                "on": status.recording,
                "clock": clock(status.seconds),
                "takes": [take.name for take in self._done[:_MOST_TAKES]],
                "bouncing": None if busy is None else busy.name,
            }
        ]

    def handle(self, asked: dict[str, Any]) -> Callable[[], object] | None:
        """See `CommandHandler.handle`."""
        if asked.get("do") != "bounce":
            return None
        take = next((one for one in self._done if one.name == asked.get("take")), None)
        quality = asked.get("quality", "full")
        if take is None or quality not in ("full", "live"):
            raise InputError("there is no such take to bounce; record one first")
        self._bouncer.start(take, quality=quality)
        self._notify(f"bouncing {take.name}, quality {quality}")
        return None
