"""Tasks on this machine: one after another, or in processes of which each has a pool of its own.

A pool of several is broken as a whole when one of its processes dies. In pools of one, a death costs only what that
process was at, and it is known what that was.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Protocol, TypeVar

from ...media.errors import InputError
from ..work.machine import cores, free_memory
from .batch import Listener, TaskEvent

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

# What a rendering may take; see docs/measurements.md.
_MEMORY_PER_JOB = 1.5e9
# How often a task is begun that takes its process with it.
_ATTEMPTS = 4
# How often to look at progress, and for Ctrl-C.
_POLL_SECONDS = 0.1
KILLED = "the process at work on it was killed again and again (memory?); do fewer at a time (--jobs)"


class Work(Protocol[R_co]):
    """A task whose work can be done in any process, here or on a cluster, and any number of times."""

    @property
    def output(self) -> str:
        """What its events call it."""
        ...

    @property
    def identity(self) -> str:
        """A name that no other task of any run has."""
        ...

    def perform(self, listener: Listener | None = None) -> R_co:
        """Do it and return what became of it; never raises for what is the task's own fault."""
        ...

    def failed(self, why: str) -> R_co:
        """Return what is to be said where no process could do it."""
        ...


_progress: Connection[TaskEvent, TaskEvent] | None = None


def usable_jobs(tasks: int, *, memory: float = _MEMORY_PER_JOB) -> int:
    """Return how many tasks fit this machine at a time: by its cores, its free memory, and their number.

    Args:
        tasks: how many there are
        memory: bytes that one takes; by default as much as a rendering
    """
    return max(1, min(cores(), int(free_memory() / memory), tasks))


def run_here(tasks: Sequence[Work[R]], listener: Listener) -> Iterator[R]:
    """Do the tasks one after another in this process."""
    for task in tasks:
        yield task.perform(listener)


class _Worker:
    """A process that does one task at a time, and begins with the first."""

    def __init__(self) -> None:
        self._open()

    def _open(self) -> None:
        context = multiprocessing.get_context("spawn")
        # Each has its own: who is killed while writing to a shared one would leave it locked.
        self.events, sender = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(sender,))

    def submit(self, task: Work[R]) -> Future[R]:
        try:
            with _ignored_interruption(), suppress(BrokenProcessPool):
                return self._pool.submit(_perform_there, task)
            # It was killed while it had nothing to do.
            self.restart()
            with _ignored_interruption():
                return self._pool.submit(_perform_there, task)
        except OSError as error:
            raise InputError(f"cannot start another process: {error}; do fewer at a time (--jobs)") from error

    def restart(self) -> None:
        self.close()
        self._open()

    def close(self) -> None:
        self._pool.shutdown()
        self.events.close()


def run(
    tasks: Sequence[Work[R]], listener: Listener, *, jobs: int, stopped: Callable[[], bool] = lambda: False
) -> Iterator[R]:
    """Do the tasks in `jobs` processes, and yield what became of each, in the order in which they end.

    Args:
        tasks: none twice
        listener: told how far each has come
        jobs: processes, at least 1
        stopped: asked several times a second; when it says so, the tasks that are left are given up

    Raises:
        InputError: A process cannot be started.
        KeyboardInterrupt: It was stopped.
    """
    waiting = deque((task, 1) for task in tasks)
    running: dict[Future[R], tuple[_Worker, Work[R], int]] = {}
    idle = [_Worker() for _ in range(jobs)]
    others = multiprocessing.active_children()
    try:
        while waiting or running:
            while waiting and idle:
                worker, (task, attempt) = idle.pop(), waiting.popleft()
                running[worker.submit(task)] = worker, task, attempt
            ended, _ = wait(running, _POLL_SECONDS, FIRST_COMPLETED)
            for worker, _, _ in running.values():
                while worker.events.poll():
                    listener(worker.events.recv())
            if stopped():
                raise KeyboardInterrupt
            for future in ended:
                worker, task, attempt = running.pop(future)
                if not isinstance(future.exception(), BrokenProcessPool):
                    yield future.result()
                else:
                    worker.restart()
                    if attempt < _ATTEMPTS:
                        waiting.appendleft((task, attempt + 1))
                    else:
                        yield task.failed(KILLED)
                idle.append(worker)
    finally:
        # Nothing that is killed leaves more than temporary files.
        for child in set(multiprocessing.active_children()).difference(others):
            child.kill()
        for worker in (*idle, *(worker for worker, _, _ in running.values())):
            worker.close()


@contextmanager
def _ignored_interruption() -> Iterator[None]:
    """Have a process that is started meanwhile leave Ctrl-C, which a terminal sends to all, to this one."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(sender: Connection[TaskEvent, TaskEvent]) -> None:
    """Make a process ready: on one core, since there are as many of them, and no longer there than who started it."""
    global _progress
    import torch

    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _progress = sender


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _perform_there(task: Work[R]) -> R:
    return task.perform(None if _progress is None else _progress.send)
