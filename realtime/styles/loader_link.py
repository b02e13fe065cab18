"""The host's end of the loader process: starts it when it is needed, and again if it dies."""

from __future__ import annotations

import multiprocessing.connection
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING

from ..link.descriptors import reason, reserve
from ..link.spawning import start_process
from .loader_process import Answer, Captured, Request, Saved, run_loader

if TYPE_CHECKING:
    from ..link.trace_board import TraceBoard

_END_SECONDS = 2.0
_PAUSE_SECONDS = 1.0


class LoaderLink:
    """Sends requests to a loader, and takes its answers; for one thread at a time.

    Args:
        context: to spawn with
        board: of the host
        stylizer: fields of `models.live.stylizer.StylizerSettings`
    """

    def __init__(self, context: SpawnContext, board: TraceBoard, stylizer: Mapping[str, object]) -> None:
        self._context = context
        self._board = board
        self._stylizer = dict(stylizer)
        self._died = False
        self._process: SpawnProcess | None = None
        self._pipe: multiprocessing.connection.Connection | None = None
        self._again = 0.0
        # Captures whose files have not been reported.
        self._saving = 0
        #: why the process cannot be started at present; "" if it can
        self.shortage = ""

    def start(self) -> bool:
        """Start the process if it does not run; return False if the system has no room for it, to be tried again.

        It needs some seconds until it answers.
        """
        if self._process is not None and self._process.is_alive():
            return True
        if time.monotonic() < self._again:
            return False
        self.close()
        try:
            with reserve.released():
                self._begin()
        except (OSError, MemoryError) as error:
            self.shortage = reason(error)
            self._again = time.monotonic() + _PAUSE_SECONDS
            return False
        self.shortage = ""
        return True

    def _begin(self) -> None:
        ours, theirs = self._context.Pipe()
        with theirs:
            process = self._context.Process(
                target=run_loader,
                args=(theirs, self._board.slots, self._board.taps, self._stylizer),
                name="gramophone loader",
                # Ends with the host even if that forgets to stop it.
                daemon=True,
            )
            try:
                start_process(process)
            except BaseException:
                ours.close()
                raise
        self._pipe, self._process = ours, process

    def send(self, request: Request) -> bool:
        """Send a request, and start the loader for it; return False if it cannot be started now."""
        if not self.start():
            return False
        assert self._pipe is not None
        # If it has just died, `answers` notices.
        with suppress(OSError):
            self._pipe.send(request)
            self._saving += isinstance(request, Captured)
        return True

    def answers(self) -> list[Answer] | None:
        """Return the answers; None if the loader has died, and all its requests are lost."""
        found: list[Answer] = []
        try:
            while self._pipe is not None and self._pipe.poll():
                found.append(self._pipe.recv())
                self._saving -= isinstance(found[-1], Saved)
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
            # What else it does is for nobody any more.
            if self._saving:
                self._process.join(_END_SECONDS)
            self._saving = 0
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
            self._process = None
