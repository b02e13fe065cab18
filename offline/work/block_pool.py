"""Works on a track block by block, on several cores, with results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from ...dsp.in_order import in_order
from .machine import cores

T = TypeVar("T")

# Frames in a block: of stereo, a spectrum of 8 MB, which the caches of a processor still help with, and 6 s of sound.
BLOCK_FRAMES = 512

# Each worker holds a block and what is computed from it, about 80 MB for stereo: no machine needs more of them.
MOST_WORKERS = 8


def blocks(frames: int, size: int = BLOCK_FRAMES, *, first: int = 0) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of each block of the frames `first` to `frames` - 1.

    Borders of blocks are multiples of `size`, whatever `first` is.
    """
    borders = range(first // size * size, frames, size)
    return [(max(first, border), min(border + size, frames)) for border in borders]


class BlockPool:
    """Workers that share out the blocks of a track.

    One core does all the work on a block, since each operation is too short to be split. The result does not depend on
    the number of cores.
    """

    def __init__(self, pool: ThreadPoolExecutor | None, workers: int) -> None:
        self._pool, self._workers = pool, workers

    @contextmanager
    def together(self) -> Iterator[None]:
        """All cores for one operation of the caller's, while no block is worked on."""
        torch.set_num_threads(self._workers)
        try:
            yield
        finally:
            torch.set_num_threads(1 if self._pool is not None else self._workers)

    def in_order(self, work: Callable[[int, int], T], ranges: list[tuple[int, int]]) -> Iterator[T]:
        """Return the result of `work` for each block, in order; few blocks are begun in advance.

        Args:
            work: called with a block's first frame and the one after its last, on any thread
            ranges: the blocks
        """
        if self._pool is None:
            for first, last in ranges:
                yield work(first, last)
            return
        yield from in_order(self._pool, lambda ends: work(*ends), ranges, ahead=self._workers)


@contextmanager
def block_pool(device: torch.device) -> Iterator[BlockPool]:
    """Yield workers for all cores; with a GPU only the caller works."""
    workers = min(cores(), torch.get_num_threads(), MOST_WORKERS)
    if device.type != "cpu" or workers < 2:
        yield BlockPool(None, torch.get_num_threads())
        return
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, thread_name_prefix="gramophone") as pool:
        torch.set_num_threads(1)
        try:
            yield BlockPool(pool, workers)
        finally:
            torch.set_num_threads(threads)
