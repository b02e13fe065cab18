"""A process that may open no more files, as when something else has taken them all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_limits = pytest.mark.skipif(sys.platform != "linux", reason="sets limits as Linux has them")


@contextmanager
def no_room(*, reserve: bool) -> Iterator[None]:
    """Let this process open no more files; with `reserve`, as many as it has kept back."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A limit is one on the numbers of files: what is open already stays so.
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1 if reserve else 3, before[1]))
    filling = []
    try:
        with suppress(OSError):
            while True:
                filling.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for number in filling:
            os.close(number)
