"""Waiting for what happens elsewhere: in another thread, process or client."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Return as soon as `condition` is true; fail after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.002)
