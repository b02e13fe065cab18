"""File descriptors, which are limited: raises the limit, and keeps a reserve."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# As many as macOS grants; many more than are ever needed, and few enough for programs that close them all.
_ENOUGH = 10_240
# For a process are needed: its pipes, its memory, and a few files while it is prepared.
_SPARE = 24
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS, errno.ENOSPC})


def is_shortage(error: BaseException) -> bool:
    """Return whether an error is a lack of files, processes or memory, so that a later try may succeed."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in _SHORTAGES)


def reason(error: BaseException) -> str:
    """Return in a few words why something failed, and what helps against a shortage."""
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return f"{text}; close other programs, or raise the limit (ulimit)" if is_shortage(error) else text


def raise_limit() -> None:
    """Allow this program, and those it starts, as many open files as the system grants."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Reserve:
    """Open files in reserve, to be released for something that must not fail. Safe to call from any thread."""

    def __init__(self) -> None:
        self._held: list[int] = []
        self._lock = threading.RLock()

    @contextmanager
    def released(self) -> Iterator[None]:
        """Release the reserve during the block; take it again afterwards, as far as possible."""
        with self._lock:
            while self._held:
                os.close(self._held.pop())
            try:
                yield
            finally:
                with suppress(OSError):
                    while len(self._held) < _SPARE:
                        self._held.append(os.open(os.devnull, os.O_RDONLY))


#: of this process; there is one from the first time on that it was released
reserve = Reserve()
