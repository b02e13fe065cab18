"""Bounces started from the desk: the command line's own `bounce`, in a process of low priority."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ...media.errors import InputError
from ...media.files import free_path, shown
from ...realtime.link.descriptors import reason, reserve

_GONE = 5.0
_PRIORITY = 10


class Bouncer:
    """Renders takes, one at a time, without disturbing the playing engine.

    Args:
        tell: called with a line when one is done, from a thread of this object
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._take: Path | None = None

    @property
    def busy(self) -> Path | None:
        """The take that is being rendered."""
        return self._take

    def start(self, take: Path, *, quality: str = "full") -> Path:
        """Begin to render a take; return the output file, beside the take's folder.

        Raises:
            InputError: another one is being rendered, or no process can be started for it
        """
        with self._lock:
            if self._take is not None:
                raise InputError(f"{shown(self._take.name)} is still being rendered; wait for it")
            out = free_path(take.with_name(f"{take.name}-{quality}.flac"))
            command = [
                sys.executable,
                "-m",
                "gramophone",
                "bounce",
                "-o",
                str(out),
                "--quality",
                quality,
                # Whatever the take is called, it is no option.
                "--",
                str(take),
            ]
            if os.name == "posix":
                command = ["nice", "-n", str(_PRIORITY), *command]
            # One thread: the engine needs the others more.
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
            flags = 0
            if sys.platform == "win32":
                flags = subprocess.BELOW_NORMAL_PRIORITY_CLASS
            try:
                with reserve.released():
                    self._process = subprocess.Popen(
                        command,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.PIPE,
                        text=True,
                        errors="replace",
                        creationflags=flags,
                    )
            except OSError as error:
                raise InputError(f"{shown(take.name)} cannot be rendered now: {reason(error)}") from None
            self._take = take
            threading.Thread(target=self._wait, args=(self._process, out), name="bounce", daemon=True).start()
            return out

    def close(self) -> None:
        """Stop rendering and remove the unfinished file."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_GONE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _wait(self, process: subprocess.Popen[str], out: Path) -> None:
        _, err = process.communicate()
        lines = [line for line in err.splitlines() if "error" in line] or err.splitlines()[-1:]
        if process.returncode == 0:
            self._tell(f"bounced: {shown(out)}")
        elif process.returncode > 0:
            self._tell(f"error: not bounced: {' '.join(lines).removeprefix('gramophone: error: ')}")
        with self._lock:
            self._process = self._take = None
