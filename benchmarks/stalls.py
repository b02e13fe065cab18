"""Detects when the machine itself stalls, as virtual machines on shared processors do.

On each core a process of the highest real-time priority sleeps for two milliseconds, over and over. Nothing on this
system may keep it from waking up, so where it wakes up late, the core was not there: no program could have met a
deadline then. Linux only; without the right to such a priority nothing is watched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PRIORITY = 95
_SLEEP = 0.002
# Seconds: what a core may be late by without being reported.
_LATE = 0.001


@dataclass
class Stalls:
    """What was seen; complete when the watch is over.

    Attributes:
        watched: whether anything was
        seen: when (as `time.monotonic` tells it) and for how many seconds a core stood still
    """

    watched: bool = False
    seen: list[tuple[float, float]] = field(default_factory=list)

    def longest(self, first: float, last: float) -> float:
        """Seconds of the longest that ended between two times; 0 if there is none."""
        return max((late for when, late in self.seen if first <= when <= last), default=0.0)


@contextmanager
def watching() -> Iterator[Stalls]:
    """Watch all cores meanwhile."""
    stalls = Stalls()
    if not hasattr(os, "sched_getaffinity"):
        yield stalls
        return
    watchers = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stalls", str(core)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for core in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield stalls
    finally:
        for watcher in watchers:
            # Closing its input ends it.
            out, _ = watcher.communicate()
            if out:
                stalls.watched = True
                stalls.seen += [tuple(one) for one in json.loads(out)]


def _watch(core: int) -> None:
    os.sched_setaffinity(0, {core})
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
        os.set_blocking(sys.stdin.fileno(), False)
        seen = []
        while sys.stdin.buffer.read(1) != b"":
            before = time.monotonic()
            time.sleep(_SLEEP)
            late = time.monotonic() - before - _SLEEP
            if late > _LATE:
                seen.append((time.monotonic(), late))
        print(json.dumps(seen))


if __name__ == "__main__":
    _watch(int(sys.argv[1]))
