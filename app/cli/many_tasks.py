"""Many tasks at a time, on this machine or on a cluster, and how far they have come: for `batch` and `style make`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ...media.errors import InputError
from .. import console

if TYPE_CHECKING:
    from ...offline.batch.batch import TaskEvent
    from ...offline.batch.processes import Work

R = TypeVar("R")

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        metavar="N",
        help="Files at a time on this machine. Default: as many as cores and memory allow.",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Work on a Dask cluster, such as tcp://host:8786, in place of this machine.",
        show_default=False,
    ),
]


def check_one_place(jobs: int | None, scheduler: str | None) -> None:
    """Raise InputError for a number of processes out of range, or processes here and a cluster at once."""
    if jobs is None:
        return
    console.check_range("--jobs", jobs, 1, 1024, "processes")
    if scheduler is not None:
        raise InputError("--jobs is for this machine and --scheduler for a cluster; give one of the two")


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
