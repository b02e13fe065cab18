"""Tasks on a Dask cluster that is running.

A task is whatever `offline.batch.processes.Work` says. Only as many are handed to the cluster at a time as it has
threads: Dask blames a worker's death on all tasks that the worker was given, not only on the one that it was at.
"""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from .batch import Listener, TaskEvent
from .processes import KILLED, R, Work

if TYPE_CHECKING:
    from distributed import Client, Future

_TOPIC = "gramophone-progress"
# How long to wait for a scheduler to answer.
_CONNECT_SECONDS = 20
# How often to look for tasks that have ended, and for threads that have come.
_POLL_SECONDS = 0.1
_CHECK_SECONDS = 3.0
_LOST = "the connection to the scheduler was lost; run the batch again"


def _silence() -> None:
    """Keep what Dask and Tornado log from the user, until this process ends; what matters is raised."""
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@contextmanager
def remote_client(address: str) -> Iterator[Client]:
    """Yield a client of a scheduler that is running; InputError if there is none at the address."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--scheduler needs Dask, which is not installed; pip install 'gramophone[cluster]'"
        ) from error
    _silence()
    try:
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"no Dask scheduler answers at {address} ({why}); check the address, such as tcp://host:8786"
        ) from error
    with client:
        yield client


def run(
    client: Client,
    tasks: Sequence[Work[R]],
    listener: Listener,
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[R]:
    """Do the tasks on a cluster and yield what became of each, in the order in which they end.

    Args:
        client: of the cluster
        tasks: none twice
        listener: told how far each has come; called on another thread
        stopped: asked several times a second; when it says so, the tasks that are left are given up

    Raises:
        KeyboardInterrupt: If it was stopped.
    """
    client.subscribe_topic(_TOPIC, lambda event: listener(_event(event)))
    waiting = deque(tasks)
    running: dict[Future, Work[R]] = {}
    checked = -math.inf
    try:
        while waiting or running:
            if waiting and time.monotonic() >= checked + _CHECK_SECONDS:
                checked = time.monotonic()
                # A scheduler that has gone is found out by what it was given.
                with suppress(OSError):
                    free = max(1, sum(client.nthreads().values())) - len(running)
                    for _ in range(min(free, len(waiting))):
                        running |= _submitted(client, waiting.popleft())
                if not running:
                    break
            # A future that is lost will be computed again.
            ended = [future for future in running if future.status not in {"pending", "lost"}]
            for future in ended:
                yield _outcome(future, running.pop(future))
                checked = -math.inf
            if stopped():
                raise KeyboardInterrupt
            if not ended:
                time.sleep(_POLL_SECONDS)
        for task in waiting:
            yield task.failed(_LOST)
    finally:
        with suppress(Exception):
            client.cancel(list(running), force=True)


def _submitted(client: Client, task: Work[R]) -> dict[Future, Work[R]]:
    return {client.submit(_perform_there, task, key=f"gramophone-{task.identity}", pure=False): task}


def _event(event: tuple[float, Any]) -> TaskEvent:
    output, fraction, host, pid, begins = event[1]
    return TaskEvent(str(output), float(fraction), (str(host), int(pid)), bool(begins))


def _perform_there(task: Work[R]) -> R:
    """Do a task in a worker."""
    import torch
    from distributed import get_worker

    # There are as many workers as cores: threads of their own would only get in each other's way.
    torch.set_num_threads(1)
    worker = get_worker()

    def report(event: TaskEvent) -> None:
        worker.log_event(_TOPIC, [event.output, event.fraction, *event.worker, event.begins])

    return task.perform(report)


def _outcome(future: Future, task: Work[R]) -> R:
    """Return what became of a task, also where no worker could say it."""
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: R = future.result()
        return outcome
    if future.status == "error":
        error = future.exception()
        why = f"no worker could do it: {type(error).__name__}: {' '.join(str(error).split())}"
        if isinstance(error, KilledWorker):
            why = KILLED
        return task.failed(why)
    return task.failed(_LOST)
