"""The host's end of the loader process: starts it when it is first needed, and again if it dies."""

from __future__ import annotations

import multiprocessing.connection
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING

from realtime.loader import Ahead, Answer, Captured, Saved, Wanted, run_loader
from realtime.supervisor import quiet_environment

if TYPE_CHECKING:
    from realtime.board import Board

_END_SECONDS = 2.0


class LoaderLink:
    """Sends requests to a loader, and takes its answers; for one thread at a time.

    Parameters
    ----------
    context
        to spawn with
    board
        of the host
    stylizer
        fields of `models.stylizer.StylizerSettings`
    """

    def __init__(self, context: SpawnContext, board: Board, stylizer: Mapping[str, object]) -> None:
        self._context = context
        self._board = board
        self._stylizer = dict(stylizer)
        self._died = False
        self._process: SpawnProcess | None = None
        self._pipe: multiprocessing.connection.Connection | None = None

    def start(self) -> None:
        """Start the process if it does not run; it needs some seconds until it answers."""
        if self._process is not None and self._process.is_alive():
            return
        self.close()
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(
            target=run_loader,
            args=(other, self._board.slots, self._board.taps, self._stylizer),
            name="gramophone loader",
            # Ends with the host even if that forgets to stop it.
            daemon=True,
        )
        with quiet_environment():
            self._process.start()
        other.close()

    def send(self, request: Wanted | Captured | Ahead) -> None:
        """Send a request; start the loader for it."""
        self.start()
        assert self._pipe is not None
        # If it has just died, `answers` finds out.
        with suppress(OSError):
            self._pipe.send(request)

    def answers(self) -> list[Answer | Saved] | None:
        """Return what has come back; None if the loader has died, and with it all that it was asked for."""
        found: list[Answer | Saved] = []
        try:
            while self._pipe is not None and self._pipe.poll():
                found.append(self._pipe.recv())
        except (EOFError, OSError):
            self.close()
            self._died = True
        if self._died and not found:
            self._died = False
            return None
        return found

    def close(self) -> None:
        """End the loader; one that is saving a style may finish."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.join(_END_SECONDS)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
            self._process = None
