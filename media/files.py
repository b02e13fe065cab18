"""Files that appear whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError
from .escaping import escaped

# Advice for each way in which writing fails; {folder} is the folder of the target.
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file grew past the largest size allowed there; choose another disk or a smaller format",
    errno.EACCES: "no permission to write there; choose another folder",
    errno.EPERM: "no permission to write there; choose another folder",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "the folder {folder} does not exist; create it first",
    errno.ENOTDIR: "{folder} is not a folder; choose another one",
    errno.EISDIR: "it is a folder; give the name of a file",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its symbolic links go round in a circle; choose another name",
}

# What os.link answers where the file system, or the sandbox, has no hard links.
_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK}


def shown(path: str | os.PathLike[str]) -> str:
    """Return `path` as it is printed in a one-line message: line breaks and odd bytes are escaped, in quotes then."""
    text = os.fspath(path)
    return text if escaped(text) == text else repr(text)


def native(path: str | os.PathLike[str]) -> str | bytes:
    """Return `path` for C libraries, which cannot encode a name that is not UTF-8."""
    return os.fspath(path) if os.name == "nt" else os.fsencode(path)


def free_path(wanted: Path) -> Path:
    """Return a name that nothing has yet: `wanted`, or with a number behind its stem."""
    path, number = wanted, 1
    while path.exists():
        number += 1
        path = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}")
    return path


def write_error(path: Path, error: OSError) -> InputError:
    """Return the error for a file that could not be written."""
    reason = error.strerror or str(error) or type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, f"{reason[:1].lower()}{reason[1:]}; choose another folder")
    return InputError(f"cannot write {shown(path)}: {remedy.format(folder=shown(path.parent))}")


def _exists_error(path: Path) -> InputError:
    return InputError(f"{shown(path)} already exists; choose another name or allow overwriting")


def _resolve(path: Path, *, overwrite: bool) -> tuple[Path, int | None]:
    """Return where `path` leads through symbolic links, and the permissions of a file that is there."""
    if "\0" in str(path):
        raise InputError(f"cannot write {shown(path)}: a name must not contain a NUL character")
    # The rename replaces whatever bears the name; through a link, that must be the file, not the link.
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return target, None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not overwrite:
        raise _exists_error(path)
    if not stat.S_ISREG(mode):
        # Renaming onto /dev/null would, for root, replace the device by a file.
        raise InputError(f"cannot write {shown(path)}: it is not a regular file; give the name of a file")
    if not os.access(target, os.W_OK):
        raise InputError(f"cannot write {shown(path)}: the file is read-only; choose another name")
    return target, stat.S_IMODE(mode)


def _create_temporary(target: Path) -> Path:
    while True:
        # The target's own name is left out: with it, a long name would become too long.
        temporary = target.with_name(f".part-{os.getpid()}-{secrets.token_hex(6)}{target.suffix}")
        with suppress(FileExistsError):
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            return temporary


def publish(temporary: Path, target: Path, *, overwrite: bool) -> None:
    """Give the finished temporary file its name; FileExistsError if, without overwrite, it is taken."""
    # Some file systems report a full disk only now, when the data really goes there.
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
    if overwrite:
        temporary.replace(target)
        return
    try:
        # Unlike a rename, a link fails if the name has been taken since the check on entry.
        os.link(temporary, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        temporary.rename(target)


@contextmanager
def replacing(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[Path]:
    """Write a file under a temporary name and give it its own name once it is complete.

    Args:
        path: The file to write. A symbolic link is followed; its target is what is replaced.
        overwrite: Whether an existing file may be replaced; it keeps its permissions, and stays unchanged until the new
            one is complete. Otherwise a file that appears at `path` meanwhile is not touched either.

    Yields:
        Path An empty hidden file in the same folder, with the same suffix, for the caller to fill. It is gone when
        the block is left by any exception, KeyboardInterrupt included.

    Raises:
        InputError: If `path` exists (without overwrite), is a folder or cannot be written, now or at the end; also in
            place of an OSError from inside the block, unless that one names some other file.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        target, permissions = _resolve(path, overwrite=overwrite)
        temporary = _create_temporary(target)
        yield temporary
        if permissions is not None:
            temporary.chmod(permissions)
        publish(temporary, target, overwrite=overwrite)
    except FileExistsError as error:
        raise _exists_error(path) from error
    except OSError as error:
        if error.filename is not None and temporary is not None and not _names(error, temporary):
            raise
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _names(error: OSError, path: Path) -> bool:
    return isinstance(error.filename, str | bytes) and os.fsdecode(error.filename) == str(path)


def check_writable(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise the InputError that `replacing` would raise on entry; leave nothing behind.

    A file is really created and removed beside `path`. This finds missing permissions, read-only disks and folders such
    as /proc for every user, including the superuser.
    """
    path = Path(path)
    try:
        target, _ = _resolve(path, overwrite=overwrite)
        _create_temporary(target).unlink()
    except OSError as error:
        raise write_error(path, error) from error
