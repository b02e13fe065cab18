"""Keeps the caller's PyTorch and NumPy settings out of this package's computations, and restores them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# NumPy's own answers to errors of floating point, which a caller may have turned into exceptions.
_ERRORS: dict[str, Any] = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}


@dataclass
class _Process:
    """What PyTorch keeps for the whole process, while calls are inside; there may be several, in several threads."""

    calls: int = 0
    before: tuple[Any, int, bool, bool] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    #: whether this process was forked from one that had loaded PyTorch
    forked: bool = False


_process = _Process()


def _after_fork() -> None:
    global _process
    # Another thread of the parent may have held the lock.
    _process = _Process(forked="torch" in sys.modules)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def own_errors() -> np.errstate:
    """Have NumPy answer to floating-point errors as in a fresh process, where PyTorch has no part; also a decorator."""
    return np.errstate(**_ERRORS)


@contextmanager
def own_torch_state() -> Iterator[None]:
    """Compute as a fresh process would; also a decorator.

    Gradients, inference mode, autocast, default dtype, default device, NumPy's answers to floating-point errors: all
    of it is the package's own inside, and the caller's afterwards, as is the number of threads. Where the caller asks
    for deterministic algorithms, PyTorch warns of those that are not, and raises nothing.

    The threads of OpenMP do not outlive a fork, and PyTorch would wait for them for ever: in a forked process it
    computes in one thread, from the first call on.
    """
    import torch

    with ExitStack() as stack:
        stack.enter_context(_own_process())
        # Not within inference mode: what is kept in caches would be of no use to gradients later.
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.empty(0).device.type != "cpu":
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(own_errors())
        yield


@contextmanager
def _own_process() -> Iterator[None]:
    import torch

    process = _process
    with process.lock:
        if process.forked:
            torch.set_num_threads(1)
        if process.calls == 0:
            process.before = (
                torch.get_default_dtype(),
                torch.get_num_threads(),
                torch.are_deterministic_algorithms_enabled(),
                torch.is_deterministic_algorithms_warn_only_enabled(),
            )
            torch.set_default_dtype(torch.float32)
            if process.before[2]:
                torch.use_deterministic_algorithms(True, warn_only=True)
        process.calls += 1
    try:
        yield
    finally:
        with process.lock:
            process.calls -= 1
            if process.calls == 0 and process.before is not None:
                dtype, threads, deterministic, warn_only = process.before
                torch.set_default_dtype(dtype)
                if torch.get_num_threads() != threads:
                    torch.set_num_threads(threads)
                if deterministic:
                    torch.use_deterministic_algorithms(True, warn_only=warn_only)
