"""Files that live elsewhere: addresses such as `s3://bucket/song.flac`, read and written through fsspec.

Whatever is read is copied to a temporary file first, and whatever is written is made in one: sound files are read
and written with seeks, which few servers are good at. Names of local files pass through everything here untouched.
"""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .errors import InputError
from .files import shown
from .inputs import opened

# Called with how many bytes have been moved, and of how many (None where the server does not say).
Meter = Callable[[int, int | None], None]

# What fsspec takes: a protocol, or several chained ones (`zip://song.wav::s3://bucket/album.zip`). A protocol has
# two letters at least, so that the drives of Windows are none.
_ADDRESS = re.compile(r"(?:[a-z0-9+.-]+::)*[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_LOCAL = ("file", "local")
# The package that brings a protocol's driver, where fsspec does not bring it itself.
_DRIVERS = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp",
    "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "adl": "adlfs", "sftp": "paramiko", "ssh": "paramiko",
    "smb": "smbprotocol", "webdav": "webdav4", "dav": "webdav4", "hf": "huggingface_hub", "oci": "ocifs",
    "oss": "ossfs", "hdfs": "pyarrow", "github": "requests", "webhdfs": "requests", "dropbox": "dropboxdrivefs",
    "box": "boxfs", "gdrive": "gdrive_fsspec",
}  # fmt: skip
# Here an object appears with its last byte, and moving it would copy it: nothing is gained by another name first.
_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "memory"})
# fsspec would send a form to the web server in place of a file.
_READ_ONLY = frozenset({"http", "https"})
_BLOCK = 1 << 20


def is_address(text: str | os.PathLike[str]) -> bool:
    """Return whether `text` is an address, and not the name of a local file. A `file://` one is an address."""
    return isinstance(text, str) and _ADDRESS.match(text) is not None


def shown_address(address: str | os.PathLike[str]) -> str:
    """Return an address or a name as messages and records show it: without passwords and signatures."""
    if not is_address(address) or "::" in str(address):
        return shown(address)
    parts = urlsplit(str(address))
    place = parts.netloc.rpartition("@")[2]
    # Only of web addresses is a query no part of the name.
    query = "" if parts.scheme.lower() in _READ_ONLY else parts.query
    return shown(urlunsplit((parts.scheme, place, parts.path, query, "")))


def name_of(address: str | os.PathLike[str]) -> str:
    """Return the last part of an address or of a path, such as `song.flac`."""
    if not is_address(address):
        return Path(address).name
    first = str(address).partition("::")[0]
    path = urlsplit(first).path or urlsplit(first).netloc
    name = PurePosixPath(path).name
    # What a server writes as %2F would be a folder here.
    return PurePosixPath(unquote(name)).name if protocol(first) in _READ_ONLY else name


def protocol(address: str) -> str:
    """Return the (first) protocol of an address, in small letters."""
    return re.split("::|://", address, maxsplit=1)[0].lower()


def as_local(address: str | os.PathLike[str]) -> Path | None:
    """Return the path of a local file, given by name or by a `file://` address; None if it lives elsewhere."""
    if not is_address(address):
        return Path(address)
    if protocol(str(address)) in _LOCAL and "::" not in str(address):
        _, path = filesystem(str(address))
        return Path(path)
    return None


def filesystem(address: str) -> tuple[Any, str]:
    """Return fsspec's file system for an address, and the path within it.

    Raises:
        InputError: If the protocol is unknown, or its driver is not installed (the message names the package).
    """
    from fsspec.core import url_to_fs

    kind = protocol(address)
    try:
        opened, path = url_to_fs(address)
    except ImportError as error:
        package = _DRIVERS.get(kind)
        advice = f"pip install {package}" if package else reason(error, address)
        raise InputError(
            f"{shown_address(address)}: no driver for {kind}:// is installed; {advice}"
        ) from error
    except ValueError as error:
        if "not known" in str(error):
            known = "file, http, https, s3, gs, az, sftp, smb, memory, or any other of fsspec's"
            raise InputError(f"{shown_address(address)}: {kind}:// is unknown; use {known}") from error
        raise InputError(f"{shown_address(address)}: {reason(error, address)}; check the address") from error
    except Exception as error:
        raise cannot("open", address, error) from error
    return opened, str(path)


def reason(error: Exception, address: str) -> str:
    """Return what an error says in one line, without what the address keeps secret."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.replace(address, shown_address(address))
    query = urlsplit(address).query
    return (text.replace(query, "...") if query else text).rstrip(".")


def cannot(verb: str, address: str, error: Exception) -> InputError:
    """Return the InputError for what a driver raised while it was to `verb` an address.

    Drivers raise errors of every kind, those of their own libraries included.
    """
    name = shown_address(address)
    if isinstance(error, InputError):
        return error
    if isinstance(error, FileNotFoundError):
        return InputError(f"{name} does not exist; check the address")
    if isinstance(error, PermissionError):
        return InputError(f"cannot {verb} {name}: no permission; check the credentials that its driver uses")
    if isinstance(error, NotImplementedError):
        return InputError(
            f"cannot {verb} {name}: {protocol(address)}:// does not allow it; use another place"
        )
    why = reason(error, address)
    return InputError(f"cannot {verb} {name}: {why}; check the address, the connection and the credentials")


def _callback(meter: Meter | None) -> Any:
    from fsspec.callbacks import DEFAULT_CALLBACK, Callback

    if meter is None:
        return DEFAULT_CALLBACK
    tell = meter
    return Callback(hooks={"meter": lambda size, value, **_: tell(int(value or 0), size)})


@contextmanager
def local_copy(address: str | os.PathLike[str], *, meter: Meter | None = None) -> Iterator[Path]:
    """Yield a local file with what is at an address; for a local file, that file itself.

    A copy bears the name of the original and is gone when the block is left. Messages of an InputError raised in the
    block call it by its address.

    Raises:
        InputError: If there is nothing at the address, or it cannot be read.
    """
    path = as_local(address)
    if path is not None:
        yield path
        return
    address = str(address)
    with tempfile.TemporaryDirectory(prefix="gramophone-") as folder:
        copy = Path(folder, name_of(address) or "file")
        place, inner = filesystem(address)
        try:
            place.get_file(inner, str(copy), callback=_callback(meter))
        except Exception as error:
            raise cannot("read", address, error) from error
        with called(copy, address):
            yield copy


@contextmanager
def called(path: Path, name: str) -> Iterator[None]:
    """Let messages of an InputError raised in the block call a file by another name or address."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(shown(path), shown_address(name))) from error


def size(address: str) -> int | None:
    """Return how many bytes there are at an address; None if nothing is there.

    Raises:
        InputError: If that cannot be found out.
    """
    place, inner = filesystem(address)
    try:
        info = place.info(inner)
    except FileNotFoundError:
        return None
    except Exception as error:
        raise cannot("look at", address, error) from error
    return int(info.get("size") or 0)


def check_writable_address(address: str) -> None:
    """Raise InputError where nothing can be written by its protocol; asks no server."""
    if protocol(address) in _READ_ONLY:
        raise InputError(
            f"{shown_address(address)}: web addresses can only be read; write to a file, s3://, sftp:// or the like"
        )
    filesystem(address)


def upload(source: Path, address: str, *, overwrite: bool, meter: Meter | None = None) -> None:
    """Copy a local file to an address, where it appears whole or not at all.

    Raises:
        InputError: If there is something already (without `overwrite`), or the place cannot be written to.
    """
    check_writable_address(address)
    place, inner = filesystem(address)
    if not overwrite and size(address) is not None:
        raise InputError(f"{shown_address(address)} already exists; choose another name or allow overwriting")
    callback = _callback(meter)
    if protocol(address) in _WHOLE_OBJECTS:
        try:
            place.put_file(str(source), inner, callback=callback)
        except Exception as error:
            raise cannot("write", address, error) from error
        return
    folder, _, name = inner.rpartition("/")
    beside = f"{folder}/.part-{secrets.token_hex(6)}{PurePosixPath(name).suffix}"
    try:
        place.put_file(str(source), beside, callback=callback)
        _move(place, beside, inner, overwrite=overwrite)
    except BaseException as error:
        with suppress(Exception):
            place.rm_file(beside)
        if not isinstance(error, Exception):
            raise
        raise cannot("write", address, error) from error


def _move(place: Any, beside: str, inner: str, *, overwrite: bool) -> None:
    try:
        place.mv(beside, inner)
    except Exception:
        # Some servers (FTP, SMB) rename onto nothing only.
        if not overwrite or not place.exists(inner):
            raise
        place.rm_file(inner)
        place.mv(beside, inner)


def digest(address: str | os.PathLike[str], *, meter: Meter | None = None) -> str:
    """Return the SHA-256 of what is at an address or in a local file, hexadecimal.

    Raises:
        InputError: If it cannot be read.
    """
    path = as_local(address)
    if path is not None:
        with opened(path) as stream:
            return _digest(stream, path.stat().st_size, meter)
    try:
        place, inner = filesystem(str(address))
        with place.open(inner, "rb") as stream:
            return _digest(stream, None, meter)
    except Exception as error:
        raise cannot("read", str(address), error) from error


def _digest(stream: IO[bytes], total: int | None, meter: Meter | None) -> str:
    done, sums = 0, hashlib.sha256()
    while block := stream.read(_BLOCK):
        sums.update(block)
        done += len(block)
        if meter is not None:
            meter(done, total)
    return sums.hexdigest()
