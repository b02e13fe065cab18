"""What a batch is made of: names, folders and addresses become tasks."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...media import addresses
from ...media.errors import InputError
from ...media.files import shown
from ...media.formats import EXTENSIONS
from ...media.inputs import check_regular
from .batch import BatchSettings, Task
from .names import clashing, labels, outputs

# In a folder, these are taken for sounds and styles.
_SUFFIXES = frozenset({*EXTENSIONS, ".style", ".caf", ".au", ".w64", ".opus", ".oga"})
_MAGIC = frozenset("*?[")


class Show(Protocol):
    """How work of known size is shown."""

    def __call__(self, name: str, done: float, total: float | None) -> None:
        """Take the name of the work, and how much of it is done."""


@dataclass(frozen=True)
class InputFile:
    """One content or style: how the user calls it, where to read it, and the SHA-256 of its bytes."""

    name: str
    place: str
    sha256: str


def expand(names: Sequence[str], *, deep: bool = False) -> list[str]:
    """Return files and addresses, each once, of names that may be folders or patterns.

    A folder stands for the sounds and styles directly in it, in alphabetical order; `*` and `?` in an address are
    looked up where it points to (in names of files the shell has done so).

    Args:
        names: of files and folders, and addresses
        deep: whether a folder, here or at an address, stands for the sounds (and not styles) at any depth

    Raises:
        InputError: If a file does not exist, a folder holds nothing of use, or a pattern finds nothing.
    """
    found: dict[str, str] = {}
    for name in names:
        for one in _expanded(name, deep=deep):
            local = addresses.as_local(one)
            found.setdefault(one if local is None else str(local.resolve()), one)
    return list(found.values())


def _expanded(name: str, *, deep: bool) -> list[str]:
    path = addresses.as_local(name)
    if path is None and deep and (inside := _below(name)):
        return inside
    if path is None:
        return _matches(name) if _MAGIC & set(addresses.name_of(name)) and "?" not in _query(name) else [name]
    if not path.is_dir():
        check_regular(path)
        return [str(path)]
    files = path.rglob("*") if deep else path.iterdir()
    inside = sorted(str(file) for file in files if _is_sound(file) and not (deep and _is_style(file)))
    if not inside:
        raise InputError(f"{shown(path)} holds no sound files; give their names, or another folder")
    return inside


def _query(address: str) -> str:
    # Of web addresses a question mark begins the query.
    return "?" if addresses.protocol(address) in {"http", "https"} and "?" in address else ""


def _is_sound(file: Path) -> bool:
    return file.suffix.lower() in _SUFFIXES and not file.name.startswith(".") and file.is_file()


def _is_style(file: Path) -> bool:
    return file.suffix.lower() == ".style"


def _below(address: str) -> list[str]:
    """Addresses of the sounds at any depth of a folder at an address; none where it is no folder."""
    place, inner = addresses.filesystem(address)
    if addresses.protocol(address) in {"http", "https"} or _MAGIC & set(inner):
        return []
    try:
        found = (
            sorted(place.unstrip_protocol(path) for path in place.find(inner)) if place.isdir(inner) else []
        )
    except Exception as error:
        raise addresses.cannot("look at", address, error) from error
    suffixes = _SUFFIXES - {".style"}
    return [str(one) for one in found if Path(addresses.name_of(one)).suffix.lower() in suffixes]


def _matches(pattern: str) -> list[str]:
    place, inner = addresses.filesystem(pattern)
    try:
        found = sorted(place.unstrip_protocol(path) for path in place.glob(inner))
    except Exception as error:
        raise addresses.cannot("look at", pattern, error) from error
    if not found:
        raise InputError(f"{addresses.shown_address(pattern)} matches nothing; check the address")
    return [str(one) for one in found]


def check_places(inputs: Sequence[str], folder: str, *, jobs: int | None, scheduler: str | None) -> None:
    """Raise InputError for places that the processes of a batch cannot share, or cannot write to."""
    alone = scheduler is None and jobs == 1
    for address in [folder] if scheduler is None else [*inputs, folder]:
        if addresses.is_address(address) and addresses.protocol(address) == "memory" and not alone:
            raise InputError(
                f"{addresses.shown_address(address)} is in the memory of one process; render with --jobs 1, "
                "or use another place"
            )
    if addresses.as_local(folder) is None:
        addresses.check_writable_address(folder)


def absolute(name: str) -> str:
    """Return a name as it is valid in other processes; addresses stay as they are."""
    path = addresses.as_local(name)
    return name if path is None else os.path.abspath(path)  # noqa: PTH100  (keeps symbolic links)


def read(names: Sequence[str], *, stack: ExitStack, fetch: bool, show: Show) -> list[InputFile]:
    """Read every input once: for its hash, and so that what is missing is found before any work.

    Args:
        names: file names and addresses
        stack: closes what is opened here
        fetch: whether to copy what lives elsewhere to this machine, until the stack is closed
        show: is told how far this has come
    """
    sources: list[InputFile] = []
    for name in names:
        # An address may hold a password; the name of a file is what it is, and only escaped when it is printed.
        called = addresses.shown_address(name) if addresses.is_address(name) else name

        def meter(done: int, total: int | None, title: str = f"reading {called}") -> None:
            show(title, done, total)

        place = absolute(name)
        if fetch:
            place = str(stack.enter_context(addresses.local_copy(place, meter=meter)))
        sources.append(InputFile(called, place, addresses.digest(place, meter=meter)))
    return sources


def tasks(
    contents: Sequence[InputFile],
    styles: Sequence[InputFile],
    extension: str,
    shared: BatchSettings,
    *,
    warn: Callable[[str], None],
) -> list[Task]:
    """Return a task for every pair; says by `warn` where names had to be told apart."""
    named: list[list[str]] = []
    for sources in (contents, styles):
        names = [source.name for source in sources]
        found = labels(names)
        if clash := clashing(names, found):
            told = ", ".join(f"{name} as {found[names.index(name)]}" for name in clash)
            warn(f"names that clash are told apart: {told}")
        named.append(found)
    pairs = [(content, style) for content in contents for style in styles]
    return [
        Task(
            content=content.place,
            style=style.place,
            content_name=content.name,
            style_name=style.name,
            content_sha256=content.sha256,
            style_sha256=style.sha256,
            output=output,
            shared=shared,
        )
        for (content, style), output in zip(pairs, outputs(named[0], named[1], extension), strict=True)
    ]
