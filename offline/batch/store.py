"""The folder of a batch: finished outputs, and beside them a record of how each was made.

Records are small JSON files in the subfolder `.gramophone`, one for each output. A record is written before its
output gets its name, so that no output that a batch has made can be without one, whenever a process is killed. It
says which bytes it belongs to; so an output that somebody has replaced or changed is never taken for a finished one.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...media import addresses
from ...media.errors import InputError
from ...media.files import check_writable, publish, replacing, shown
from ...media.inputs import parse_json, read_bytes
from ...media.output_lock import alone_at

RECORDS = ".gramophone"
# What processes that were killed have left half-written is removed by a later batch, once it is as old as this.
# A record is some hundred letters, and names.
_LARGEST = 2**20
_STALE_SECONDS = 24 * 3600.0

Record = dict[str, Any]


class Store(ABC):
    """A folder of outputs; `name` is an output's name in it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @abstractmethod
    def prepare(self, run: str) -> None:
        """Make the folder ready for the batch called `run`; InputError where it cannot be written to."""

    @abstractmethod
    def clean(self, run: str) -> None:
        """Remove what killed processes of the batch called `run` have left half-written."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether there is an output of this name."""

    @abstractmethod
    def shown(self, name: str) -> str:
        """How messages call an output."""

    @abstractmethod
    @contextmanager
    def working(self, run: str) -> Iterator[Path]:
        """Yield a local folder, in which an output can be prepared."""

    @abstractmethod
    def publish(self, made: Path, name: str, *, overwrite: bool) -> None:
        """Give a finished output its name at once and whole; FileExistsError if it is taken, without overwrite."""

    @abstractmethod
    def _records(self, prefix: str) -> list[str]:
        """Names of the records that begin so."""

    @abstractmethod
    def _read(self, record: str) -> bytes: ...

    @abstractmethod
    def _write(self, record: str, data: bytes) -> None: ...

    @abstractmethod
    def _remove(self, record: str) -> None: ...

    @abstractmethod
    def _matches(self, name: str, record: Record, *, alone: bool) -> bool:
        """Whether an output is the one that a record tells of; `alone` if there is no other record of it."""

    def record(self, name: str) -> Record | None:
        """Return the record of an output that is there; None if there is no output, or it is not a batch's."""
        if not self.exists(name):
            return None
        found = [record for text in self._records(_prefix(name)) if (record := self._parse(text)) is not None]
        return next((one for one in found if self._matches(name, one, alone=len(found) == 1)), None)

    def _parse(self, record: str) -> Record | None:
        try:
            parsed = parse_json(self._read(record))
        except (ValueError, InputError, OSError):
            return None
        return parsed if isinstance(parsed, dict) else None

    def finish(self, made: Path, name: str, record: Record, *, overwrite: bool) -> Record:
        """Write a record, then give the output its name; return the record. FileExistsError as `publish`."""
        size, digest = made.stat().st_size, addresses.digest(made)
        whole = {**record, "output": name, "size": size, "sha256": digest}
        own = f"{_prefix(name)}{record['fingerprint'][:16]}.json"
        self._write(own, json.dumps(whole, indent=1, sort_keys=True).encode())
        self.publish(made, name, overwrite=overwrite)
        for other in self._records(_prefix(name)):
            if other != own:
                with suppress(OSError, InputError):
                    self._remove(other)
        return whole


def _prefix(name: str) -> str:
    # Not the output's name itself, which may be as long as a name can be.
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16] + "-"


class LocalStore(Store):
    """A folder on this machine, or one that all machines of a cluster share."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._folder = Path(folder)
        self._hidden = self._folder / RECORDS
        self._run = ExitStack()

    def prepare(self, run: str) -> None:
        """Make the folder, and one for the work of this run."""
        try:
            self._folder.mkdir(exist_ok=True)
            work = self._work(run)
            work.mkdir(parents=True)
        except FileExistsError:
            raise InputError(f"{shown(self._folder)} is not a folder; choose another one") from None
        except FileNotFoundError:
            raise InputError(
                f"cannot make {shown(self._folder)}: the folder {shown(self._folder.parent)} does not exist; "
                "create it first"
            ) from None
        except OSError as error:
            raise InputError(
                f"cannot write to {shown(self._folder)}: {error.strerror}; choose another folder"
            ) from error
        check_writable(work / "probe", overwrite=False)
        self._run.enter_context(alone_at(work))
        for left in self._hidden.glob("work-*"):
            with suppress(OSError, InputError):
                # Old, and nobody's: a long task of a batch that still runs may well be as old.
                if time.time() - left.stat().st_mtime > _STALE_SECONDS:
                    with alone_at(left):
                        shutil.rmtree(left)

    def clean(self, run: str) -> None:
        """Remove the folder for the work of this run."""
        shutil.rmtree(self._work(run), ignore_errors=True)
        self._run.close()
        with suppress(OSError):
            # Gone unless there are records in it.
            self._hidden.rmdir()

    def exists(self, name: str) -> bool:
        """Whether there is an output of this name."""
        return (self._folder / name).is_file()

    def shown(self, name: str) -> str:
        """How messages call an output."""
        return shown(self._folder / name)

    @contextmanager
    def working(self, run: str) -> Iterator[Path]:
        """Yield a folder beside the outputs, on the same disk."""
        work = self._work(run)
        work.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=work) as folder:
            yield Path(folder)

    def publish(self, made: Path, name: str, *, overwrite: bool) -> None:
        """Rename."""
        publish(made, self._folder / name, overwrite=overwrite)

    def _work(self, run: str) -> Path:
        return self._hidden / f"work-{run}"

    def _records(self, prefix: str) -> list[str]:
        return sorted(path.name for path in self._hidden.glob(f"{prefix}*.json"))

    def _read(self, record: str) -> bytes:
        return read_bytes(self._hidden / record, most=_LARGEST, what="record")

    def _write(self, record: str, data: bytes) -> None:
        with replacing(self._hidden / record, overwrite=True) as beside:
            beside.write_bytes(data)

    def _remove(self, record: str) -> None:
        (self._hidden / record).unlink(missing_ok=True)

    def _matches(self, name: str, record: Record, *, alone: bool) -> bool:  # noqa: ARG002  (bytes tell)
        path = self._folder / name
        return record.get("size") == path.stat().st_size and record.get("sha256") == addresses.digest(path)


class RemoteStore(Store):
    """A folder at an address."""

    def __init__(self, folder: str) -> None:
        super().__init__(folder.rstrip("/"))
        self._listed: dict[str, list[str]] = {}

    def prepare(self, run: str) -> None:  # noqa: ARG002  (work is done in temporary folders)
        """See that the place can be written to; it has no folders to make, or makes them itself."""
        addresses.check_writable_address(self.folder)

    def clean(self, run: str) -> None:
        """Do nothing: what is half-written is in temporary folders."""

    def exists(self, name: str) -> bool:
        """Whether there is an output of this name."""
        return addresses.size(self._at(name)) is not None

    def shown(self, name: str) -> str:
        """How messages call an output."""
        return addresses.shown_address(self._at(name))

    @contextmanager
    def working(self, run: str) -> Iterator[Path]:  # noqa: ARG002  (a folder for each output)
        """Yield a temporary folder."""
        with TemporaryDirectory(prefix="gramophone-") as folder:
            yield Path(folder)

    def publish(self, made: Path, name: str, *, overwrite: bool) -> None:
        """Upload."""
        if not overwrite and self.exists(name):
            raise FileExistsError(name)
        addresses.upload(made, self._at(name), overwrite=True)

    def _at(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def _records(self, prefix: str) -> list[str]:
        place, inner = addresses.filesystem(self._at(RECORDS))
        try:
            # Drivers remember listings; other workers write here as well.
            place.invalidate_cache()
            names = place.ls(inner, detail=False)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise addresses.cannot("look at", self._at(RECORDS), error) from error
        found = (str(name).rstrip("/").rpartition("/")[2] for name in names)
        return sorted(name for name in found if name.startswith(prefix) and name.endswith(".json"))

    def _read(self, record: str) -> bytes:
        with addresses.local_copy(self._at(f"{RECORDS}/{record}")) as copy:
            return read_bytes(copy, most=_LARGEST, what="record")

    def _write(self, record: str, data: bytes) -> None:
        with TemporaryDirectory(prefix="gramophone-") as folder:
            source = Path(folder, record)
            source.write_bytes(data)
            addresses.upload(source, self._at(f"{RECORDS}/{record}"), overwrite=True)

    def _remove(self, record: str) -> None:
        place, inner = addresses.filesystem(self._at(f"{RECORDS}/{record}"))
        with suppress(Exception):
            place.rm_file(inner)

    def _matches(self, name: str, record: Record, *, alone: bool) -> bool:
        # To read an output back may take long; that is done only where its size does not tell.
        if record.get("size") != addresses.size(self._at(name)):
            return False
        return alone or record.get("sha256") == addresses.digest(self._at(name))


def open_store(folder: str) -> Store:
    """Return the store for a folder's name or address."""
    path = addresses.as_local(folder)
    return LocalStore(str(path)) if path is not None else RemoteStore(folder)
