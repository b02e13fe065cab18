"""Opens and parses untrusted files: only regular files, and only up to a given size and depth."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from .errors import InputError
from .files import shown

T = TypeVar("T")

# Far beyond what is written here: settings are three deep, and 64 bits have 20 digits.
_DEEPEST = 64
_LONGEST_INTEGER = 20
# Possessive, so that a long string is not remembered letter by letter.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
# What msgspec says, in words for the user.
_WORDS = {
    " | null": "",
    "Expected": "expected",
    "Object missing required field": "it lacks",
    "Object contains": "it has the",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`str`": "text",
    "`array`": "a list",
    "`object`": "an object",
    ">=": "of at least",
    "<=": "of at most",
}
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


@contextmanager
def opened(path: str | os.PathLike[str], *, what: str = "sound file") -> Iterator[BufferedReader]:
    """Open a file to be read.

    Args:
        path: of the file; links are followed
        what: what messages ask for

    Raises:
        InputError: It is missing, a folder, a pipe or device, or cannot be read; also in place of an OSError in the
            block.
    """
    try:
        check_regular(path, what=what)
        with Path(path).open("rb") as file:
            yield file
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot read {shown(path)}: {reason}; check the file and its permissions"
        ) from error


def check_regular(path: str | os.PathLike[str], *, what: str = "sound file") -> None:
    """Raise the InputError of `opened` for a path that is missing or no regular file, without opening it.

    Opening a pipe without a writer would wait forever, and devices have no end.
    """
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError as error:
        raise InputError(f"{shown(path)} does not exist; check the name") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {shown(path)}: {reason}; check the name") from error
    if stat.S_ISDIR(mode):
        raise InputError(f"{shown(path)} is a folder; give the name of a {what}")
    if not stat.S_ISREG(mode):
        raise InputError(f"{shown(path)} is not a regular file; give the name of a {what}")


def read_bytes(path: str | os.PathLike[str], *, most: int, what: str) -> bytes:
    """Return the content of a file of up to `most` bytes; `what` names it in messages. Raises as `opened`."""
    with opened(path, what=what) as file:
        # One more than allowed: the file may have grown, or its system not say how long it is.
        if os.fstat(file.fileno()).st_size > most or len(data := file.read(most + 1)) > most:
            raise InputError(f"{shown(path)} is too large to be a {what}; move it away")
    return data


def parse_json(data: str | bytes) -> Any:
    """Parse untrusted JSON, with memory and time bounded by its length.

    Integers beyond 64 bits come back as floats, or as infinity if they are too large for one, since such integers would
    fail when they become floats.

    Args:
        data: UTF-8; how long it may be is up to the caller

    Raises:
        ValueError: It is no JSON (NaN and infinities are none), or is nested deeper than 64 levels.
    """
    text = data if isinstance(data, str) else data.decode("utf-8")
    if text.count("[") + text.count("{") > _DEEPEST:
        deep = 0
        for token in _TOKEN.finditer(text):
            deep += _STEPS.get(token[0], 0)
            if deep > _DEEPEST:
                raise ValueError(f"it is nested deeper than {_DEEPEST} levels")
    return json.loads(text, parse_int=_integer, parse_constant=_no_constant)


def fitted(found: object, kind: type[T], *, name: str, advice: str) -> T:
    """Return what was parsed as a `kind`, whose annotations say what it may hold.

    Args:
        found: from `parse_json`
        kind: a dataclass or a `msgspec.Struct`
        name: what messages call the file, and the place in it
        advice: what messages ask for

    Raises:
        InputError: It holds something else.
    """
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        reason, _, place = " ".join(str(error).split()).partition(" - at `$")
        where = f"{place.strip('.`')}: " if place else ""
        for said, plain in _WORDS.items():
            reason = reason.replace(said, plain)
        raise InputError(f"{name}: {where}{reason}; {advice}") from None


def _integer(text: str) -> int | float:
    if len(text) <= _LONGEST_INTEGER and -(2**63) <= (value := int(text)) < 2**64:
        return value
    return float(text)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")
