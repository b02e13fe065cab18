"""Locks for outputs: while one run makes a file, a second run for the same file is refused at once."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError
from .files import check_writable, shown

# Long enough for the last run to end, and short enough for a quick answer.
_WAIT_SECONDS = 0.5
# What locking answers on file systems without locks, such as some that reach over a network.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


@contextmanager
def claimed(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[None]:
    """Keep other runs from making an output during the block; see `alone_at`.

    Args:
        path: the output
        overwrite: whether a file there may be replaced

    Raises:
        InputError: Another run is making it; it exists (without `overwrite`), or cannot be written.
    """
    check_writable(path, overwrite=overwrite)
    with alone_at(path):
        # A run that has just ended may have made it.
        check_writable(path, overwrite=overwrite)
        yield


@contextmanager
def alone_at(path: str | os.PathLike[str]) -> Iterator[None]:
    """Lock a file or folder, which need not exist, against other runs, here and on other machines.

    The operating system holds the lock on a hidden file beside `path`, and releases it when the process ends for any
    reason. If `path` is a symbolic link, its target counts. On a file system without locks, nothing is locked.

    Raises:
        InputError: Another run has the lock, or nothing can be written beside `path`.
    """
    from filelock import FileLock, Timeout

    target = Path(os.path.realpath(path))
    # The target's own name may be as long as a name can be.
    name = hashlib.sha256(os.fsencode(os.path.normcase(target.name))).hexdigest()[:16]
    lock = FileLock(target.with_name(f".making-{name}.lock"), timeout=_WAIT_SECONDS, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(
            f"{shown(path)} is being made by another run; wait until that has ended, or choose another output"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise InputError(
                f"cannot write {shown(path)}: {shown(lock.lock_file)} cannot be locked "
                f"({(error.strerror or str(error)).lower()}); choose another folder"
            ) from error
    try:
        yield
    finally:
        if lock.is_locked:
            # Before the lock is released: a run that has opened the file meanwhile then sees that its name is gone and
            # begins anew. A file removed later might be locked by somebody else. On Windows the library removes it,
            # since nothing open can be removed there.
            with suppress(OSError):
                Path(lock.lock_file).unlink()
            lock.release()
