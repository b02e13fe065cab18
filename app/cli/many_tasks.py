"""Many tasks at a time, on this machine or on a cluster, and how far they have come: for `batch` and `style make`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from .. import console

if TYPE_CHECKING:
    from ...offline.batch.batch import TaskEvent
    from ...offline.batch.processes import Work

R = TypeVar("R")


def run_tasks(
    tasks: Sequence[Work[R]],
    jobs: int | None,
    scheduler: str | None,
    board: Board,
    display: console.Display,
    *,
    memory: float | None = None,
) -> Iterator[R]:
    """Do the tasks and yield what became of each, in the order in which they end.

    Args:
        tasks: none twice
        jobs: processes on this machine; None is as many as fit
        scheduler: address of a cluster that does them instead
        board, display: are told how far they have come
        memory: bytes that one takes, if it is no rendering
    """
    from ...offline.batch import cluster, processes

    if not tasks:
        return
    if scheduler is not None:
        display.stage(f"connecting to {scheduler}")
        with cluster.remote_client(scheduler) as client:
            if not client.nthreads():
                console.warn(f"the cluster at {scheduler} has no workers yet; waiting for the first")
            with console.interruptible() as stopped:
                yield from cluster.run(client, tasks, board, stopped=stopped)
        return
    fitting = processes.usable_jobs(len(tasks), **({} if memory is None else {"memory": memory}))
    count = min(jobs or fitting, len(tasks))
    if count == 1:
        display.stage("loading")
        yield from processes.run_here(tasks, board)
        return
    display.stage(f"starting {count} processes")
    with console.interruptible() as stopped:
        yield from processes.run(tasks, board, jobs=count, stopped=stopped)


class Board:
    """How far all tasks together have come, of what they tell; `unit` is what is counted."""

    def __init__(self, display: console.Display, *, done: int, total: int, unit: str = "") -> None:
        self._display, self._done, self._total = display, done, total
        self._of = f"{total} {unit}".rstrip()
        self._parts: dict[str, float] = {}
        # Tasks tell on a thread of the cluster's client.
        self._lock = threading.Lock()

    def __call__(self, event: TaskEvent) -> None:
        """Note how far a task has come."""
        with self._lock:
            self._parts[event.output] = event.fraction
            self._show()

    def end(self, output: str) -> None:
        """Note that a task has ended."""
        with self._lock:
            self._parts.pop(output, None)
            self._done += 1
            self._show()

    def _show(self) -> None:
        done = min(self._done + sum(self._parts.values()), self._total)
        self._display.part(f"{self._done} of {self._of} done", done, self._total)
