"""Works on the pieces of a sound ahead of who takes the results, which come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[A], T], pieces: Iterable[A], *, ahead: int = 2
) -> Iterator[T]:
    """Return the result of `work` for each piece, in order.

    Args:
        pool: its threads work; with a single one, pieces are worked on one after the other
        work: called with a piece
        pieces: taken as they are needed
        ahead: how many are begun in advance: each is held in memory
    """
    begun: deque[Future[T]] = deque()
    try:
        for piece in pieces:
            begun.append(pool.submit(work, piece))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        # After an error or an interruption, no piece begins, and pieces at work must end before their files go.
        for future in begun:
            future.cancel()
        for future in begun:
            if not future.cancelled():
                future.exception()
