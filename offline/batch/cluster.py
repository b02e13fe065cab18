"""Tasks on several processes or machines, through Dask.

Every task is one call of `offline.batch.batch.perform`. Only as many are handed to the cluster at a time as it has
threads: Dask blames a worker's death on all tasks that the worker was given, not only on the one that it was at.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from .batch import Listener, Outcome, Task, TaskEvent, perform

if TYPE_CHECKING:
    from distributed import Client, Future

# What a rendering may take; see docs/measurements.md.
MEMORY_PER_JOB = 1.5e9
_TOPIC = "gramophone-progress"
# How long to wait for a scheduler to answer, and for workers to stop.
_CONNECT_SECONDS = 20
_STOP_SECONDS = 2
# How often to look for tasks that have ended, and for threads that have come.
_POLL_SECONDS = 0.1
_CHECK_SECONDS = 3.0
_LOST = "the connection to the scheduler was lost; run the batch again"
_INSTALL = "pip install 'gramophone[batch]'"


def check_installed() -> None:
    """Raise InputError if Dask is missing."""
    try:
        import cryptography  # noqa: F401  (for the keys of the local cluster)
        import distributed  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"several processes need Dask, which is not installed; {_INSTALL}, "
            "or render one after another with --jobs 1"
        ) from error


def usable_jobs(tasks: int) -> int:
    """Return how many renderings fit this machine at a time: by its cores, its free memory, and their number."""
    import psutil
    from distributed.system import CPU_COUNT, MEMORY_LIMIT

    # The limit is that of a container, if there is one.
    free = min(psutil.virtual_memory().available, MEMORY_LIMIT)
    return max(1, min(int(CPU_COUNT), int(free / MEMORY_PER_JOB), tasks))


def run_here(tasks: Sequence[Task], listener: Listener) -> Iterator[Outcome]:
    """Do the tasks one after another in this process; no Dask is needed."""
    for task in tasks:
        yield perform(task, listener)


@contextmanager
def local_client(jobs: int) -> Iterator[Client]:
    """Yield a client of a cluster of `jobs` processes on this machine, with a thread each.

    It listens on the loopback device only, encrypted and with keys of its own, since whoever can talk to a Dask
    scheduler can run anything; it has no dashboard.
    """
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    settings = {
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        # Of its own memory a worker keeps nothing that could be spilled to disk.
        "distributed.worker.memory.spill": False,
        "distributed.worker.memory.pause": False,
        "distributed.worker.memory.target": False,
    }
    # Dask's own silence ends when the cluster does; what was on its way then is said afterwards, with tracebacks.
    _silence()
    with dask.config.set(settings), ExitStack() as stack:
        try:
            cluster = LocalCluster(
                n_workers=jobs,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                security=Security.temporary(),
                # Nothing is served there, but Dask opens the port in any case: a free one.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        except RuntimeError as error:
            raise InputError(f"cannot start {jobs} processes: {error}; try --jobs 1") from error
        stack.push(partial(_close, cluster))
        client = stack.enter_context(Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False))
        client.register_plugin(_own_plugin())
        yield client


def _silence() -> None:
    """Keep what Dask and Tornado log from the user, until this process ends; what matters is raised."""
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _close(cluster: Any, kind: type[BaseException] | None, *_: object) -> None:
    """Stop a local cluster; at once, if an exception is on its way."""
    if kind is not None:
        # Dask would wait for what is being rendered. Nothing that is killed leaves more than temporary files.
        for nanny in list(cluster.workers.values()):
            with suppress(Exception):
                nanny.auto_restart = False
                os.kill(nanny.pid, signal.SIGKILL)
    with suppress(Exception):
        cluster.close(timeout=_STOP_SECONDS)


def _own_plugin() -> Any:
    from distributed.diagnostics.plugin import WorkerPlugin

    class Deaf(WorkerPlugin):  # type: ignore[misc]
        """Leaves Ctrl-C, which a terminal sends to all its processes, to the one that has started them."""

        name = "gramophone-deaf"

        def setup(self, worker: Any) -> None:  # noqa: ARG002
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    return Deaf()


@contextmanager
def remote_client(address: str) -> Iterator[Client]:
    """Yield a client of a scheduler that is running; InputError if there is none at the address."""
    from distributed import Client

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


def total_threads(client: Client) -> Callable[[], int]:
    """Return what says how many tasks a running cluster can do at a time, now."""

    def count() -> int:
        return sum(int(threads) for threads in client.nthreads().values())

    return count


def run(
    client: Client,
    tasks: Sequence[Task],
    listener: Listener,
    *,
    threads: Callable[[], int],
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Do the tasks on a cluster and yield what became of each, in the order in which they end.

    Args:
        client: of the cluster
        tasks: none twice
        listener: told how far each has come; called on another thread
        threads: how many tasks the cluster can do at a time, now
        stopped: asked several times a second; when it says so, the tasks that are left are given up

    Raises:
        KeyboardInterrupt: If it was stopped.
    """
    client.subscribe_topic(_TOPIC, lambda event: listener(_event(event)))
    waiting = deque(tasks)
    running: dict[Future, Task] = {}
    checked = -math.inf
    try:
        while waiting or running:
            if waiting and time.monotonic() >= checked + _CHECK_SECONDS:
                checked = time.monotonic()
                # A scheduler that has gone is found out by what it was given.
                with suppress(OSError):
                    for _ in range(max(1, threads()) - len(running)):
                        running.update(_submitted(client, waiting))
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
            yield Outcome(task.output, "failed", _LOST)
    finally:
        with suppress(Exception):
            client.cancel(list(running), force=True)


def _submitted(client: Client, waiting: deque[Task]) -> dict[Future, Task]:
    """Hand the next of the waiting tasks to the cluster."""
    if not waiting:
        return {}
    task = waiting.popleft()
    key = f"gramophone-{task.shared.run}-{hashlib.sha256(task.output.encode()).hexdigest()[:16]}"
    return {client.submit(_perform_there, task, key=key, pure=False): task}


def _event(event: tuple[float, Any]) -> TaskEvent:
    output, fraction, host, pid, begins = event[1]
    return TaskEvent(str(output), float(fraction), (str(host), int(pid)), bool(begins))


def _perform_there(task: Task) -> Outcome:
    """Do a task in a worker."""
    import torch
    from distributed import get_worker

    # There are as many workers as cores: threads of their own would only get in each other's way.
    torch.set_num_threads(1)
    worker = get_worker()

    def report(event: TaskEvent) -> None:
        worker.log_event(_TOPIC, [event.output, event.fraction, *event.worker, event.begins])

    return perform(task, report)


def _outcome(future: Future, task: Task) -> Outcome:
    """Return what became of a task, also where no worker could say it."""
    from distributed import KilledWorker

    if future.status == "finished":
        outcome: Outcome = future.result()
        return outcome
    if future.status == "error":
        error = future.exception()
        if isinstance(error, KilledWorker):
            why = "the process that rendered it was killed again and again (memory?); render fewer at a time (--jobs)"
        else:
            why = f"no worker could do it: {type(error).__name__}: {' '.join(str(error).split())}"
        return Outcome(task.output, "failed", why)
    return Outcome(task.output, "failed", _LOST)
