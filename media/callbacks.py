"""Files of Python for libsndfile, whose callbacks must not raise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Binary(Protocol):
    """What libsndfile needs of a file."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill a buffer; return how many bytes."""

    def write(self, data: bytes, /) -> int:
        """Write bytes; return how many."""

    def seek(self, offset: int, whence: int = ..., /) -> int:
        """Go to a place; return it."""

    def tell(self) -> int:
        """Return the place."""


class Stream:
    """A binary file for libsndfile's callbacks.

    An exception in a callback would be printed and lost, KeyboardInterrupt included. It is kept here
    instead, and 0 returned, which libsndfile takes for a failure; `raise_error` brings it back.
    """

    def __init__(self, file: Binary) -> None:
        self._file = file
        self.error: BaseException | None = None

    def readinto(self, buffer: memoryview) -> int:
        """See `Binary`."""
        if self.error is None:
            try:
                return self._file.readinto(buffer)
            except BaseException as error:
                self.error = error
        return 0

    def write(self, data: bytes) -> int:
        """See `Binary`."""
        if self.error is None:
            try:
                return self._file.write(data)
            except BaseException as error:
                self.error = error
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See `Binary`."""
        if self.error is None:
            try:
                return self._file.seek(offset, whence)
            except BaseException as error:
                self.error = error
        return 0

    def tell(self) -> int:
        """See `Binary`."""
        if self.error is None:
            try:
                return self._file.tell()
            except BaseException as error:
                self.error = error
        return 0

    def raise_error(self) -> None:
        """Raise what a callback could not."""
        if self.error is not None:
            raise self.error


@contextmanager
def callbacks(stream: Stream) -> Iterator[Stream]:
    """Yield the stream; its own error takes the place of what libsndfile made of it."""
    try:
        yield stream
    except Exception:
        stream.raise_error()
        raise
    stream.raise_error()
