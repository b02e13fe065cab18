"""Starts the processes beside the host: their signals, threads and environment."""

from __future__ import annotations

import atexit
import multiprocessing.util  # noqa: F401  (what it does at the exit has to come after what we do)
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnProcess
from weakref import WeakSet

# Read by libraries as they are loaded, which is before any function of the process runs. More threads would wait for
# each other, actively, and so take the engine's core.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_started: WeakSet[SpawnProcess] = WeakSet()
_one_at_a_time = threading.Lock()


def start_process(process: SpawnProcess) -> None:
    """Start a process that ignores the signals which the host handles.

    A terminal sends Ctrl-C and its own end to all of its processes; a service manager ends them all. Ours are ended by
    the host, or after it: an engine fades out first, a recorder closes its files.

    An interruption of the host is raised after the process has started, since a half-started one would end with a
    traceback.

    Raises:
        OSError: the system refuses; see `realtime.link.descriptors.is_shortage`
    """
    failures: list[BaseException] = []

    def start() -> None:
        try:
            with _one_at_a_time, _inherited():
                process.start()
            if process.daemon:
                _started.add(process)
        except BaseException as error:
            failures.append(error)

    # In a thread of its own, since exceptions of signals are raised in the main one.
    thread = threading.Thread(target=start, name="start of a process")
    interruption: BaseException | None = None
    try:
        thread.start()
    except BaseException as error:
        interruption = error
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:
            interruption = error
    for found in (*failures, interruption):
        if found is not None:
            raise found


@contextmanager
def _inherited() -> Iterator[None]:
    """Set what a process inherits that this thread, which then ends, starts meanwhile."""
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update(_ENVIRONMENT)
    try:
        if sys.platform != "win32":
            from multiprocessing import resource_tracker

            ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
            signal.pthread_sigmask(signal.SIG_BLOCK, ours)
            # Python starts it with the first process, and takes Ctrl-C out of the mask again when it has done so.
            resource_tracker.ensure_running()
            signal.pthread_sigmask(signal.SIG_BLOCK, ours)
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _end_forgotten() -> None:
    # Python would ask those that are left to end, in a way that they do not hear, and wait.
    for process in list(_started):
        with suppress(ValueError):
            process.kill()


atexit.register(_end_forgotten)
