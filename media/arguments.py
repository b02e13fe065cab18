"""Checks the arguments of the public functions: each is converted to one type, or refused with one line."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .limits import RATES

# No sound has more; [samples, channels] is what other libraries call a sound.
_MOST_CHANNELS = 256
_LONGEST = 60


def printable(value: object) -> str:
    """Return a value for a message: on one line, and not too long."""
    try:
        found = " ".join((value if isinstance(value, str) else repr(value)).split())
    except Exception:
        # Whole numbers of thousands of digits, for one, have no text.
        found = f"a value of type {type(value).__name__}"
    found = found if found.isprintable() else ascii(found)
    return found if len(found) <= _LONGEST else f"{found[: _LONGEST - 3]}..."


def refused(name: str, wanted: str, value: object) -> InputError:
    """Return the error for an argument: what it must be, and what it is."""
    is_text = isinstance(value, str)
    return InputError(f"{name} must be {wanted}, not {printable(repr(value) if is_text else value)}")


def whole(value: Any, name: str, *, low: int, high: int, unit: str = "") -> int:
    """Return a whole number, of whichever type; InputError where it is none, or not from `low` to `high`."""
    with suppress(ValueError, OverflowError):
        if _is_number(value) and low <= (number := int(value)) <= high and number == value:
            return number
    raise refused(name, f"a whole number{unit} from {low} to {high}", value)


def real(value: Any, name: str, *, low: float, high: float, unit: str = "") -> float:
    """Return a number; InputError where it is none, or not from `low` to `high`."""
    with suppress(ValueError, OverflowError):
        if _is_number(value) and low <= (number := float(value)) <= high:
            return number
    raise refused(name, f"a number{unit} from {low:g} to {high:g}", value)


def _is_number(value: object) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def text(value: object, name: str) -> str:
    """Return a text; InputError where it is none."""
    if not isinstance(value, str):
        raise refused(name, "a text", value)
    return value


def file(value: object, name: str) -> Path:
    """Return the path of a file; InputError where it is no name that a file can have."""
    if (
        isinstance(value, str | os.PathLike)
        and isinstance(found := os.fspath(value), str)
        and "\0" not in found
    ):
        return Path(found)
    raise refused(name, "the name of a file", value)


def mapping(value: object, name: str) -> dict[str, object]:
    """Return a mapping by texts; InputError where it is none."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refused(name, "a mapping with texts as keys", value)
    return dict(value)


def rate(value: object, name: str = "sample_rate") -> int:
    """Return a sample rate; InputError where it is none."""
    return whole(value, name, low=RATES[0], high=RATES[1], unit=" of Hz")


def sound(value: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return samples as float64 [channels, samples]; InputError where they are none.

    Args:
        value: array [samples] or [channels, samples], floating point, finite
        name: what the message calls it
    """
    try:
        array = np.asarray(value)
    except Exception:
        # Whatever an object answers that says it is an array, and is none.
        raise refused(name, "an array [samples] or [channels, samples]", value) from None
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(f"{name} must be [samples] or [channels, samples], not of shape {array.shape}")
    if array.ndim == 2 and array.shape[0] > max(array.shape[1], _MOST_CHANNELS):
        raise InputError(
            f"{name} must be [samples] or [channels, samples]; {array.shape} would be {array.shape[0]} channels "
            f"of {array.shape[1]} samples: transpose it (array.T)"
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{name} must be floating point, full scale -1 to 1, not {array.dtype}")
    with np.errstate(over="ignore"):
        samples = np.atleast_2d(array).astype(np.float64)
    if not np.isfinite(samples).all():
        raise InputError(f"{name} holds samples that are not finite numbers (NaN or infinity)")
    return samples
