"""Standard input, output and error, which may be closed, full, or no longer read."""

import errno
import io
import os
import sys
from typing import Any


class OutputError(OSError):
    """Standard output cannot be written. This is raised once; later output is dropped."""


class _Stream(io.FileIO):
    """What lies under a standard stream. Of failures, a strict one tells the first one, and others none."""

    def __init__(self, number: int, *, strict: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._strict = strict
        self._failed = False

    def write(self, data: Any, /) -> int:
        if not self._failed:
            try:
                return super().write(data)
            except OSError as error:
                self._failed = True
                # EIO is a terminal that was closed: as with standard error, the work matters more.
                if self._strict and error.errno != errno.EIO:
                    raise OutputError(error.errno, error.strerror) from None
        return memoryview(data).nbytes


def prepare() -> None:
    """Replace the standard streams by ones that can print any name and fail only with `OutputError`.

    Streams that were closed before the program began are opened on the null device. Otherwise the next files would get
    their numbers, and the output of libraries.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for name, strict in (("stdout", True), ("stderr", False)):
        stream = getattr(sys, name)
        buffer = getattr(stream, "buffer", None)
        # Consoles of Windows are something else, and so is what stands in for a stream in tests.
        if type(getattr(buffer, "raw", buffer)) is io.FileIO:
            raw = io.BufferedWriter(_Stream(stream.fileno(), strict=strict))
            stream = io.TextIOWrapper(raw, encoding=stream.encoding, line_buffering=True)
            setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            # A file's name may hold anything; printing it must not fail, whatever the terminal's encoding is.
            stream.reconfigure(errors="backslashreplace")
