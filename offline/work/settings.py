"""Settings of recipes: declared, explained, read from text and checked. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ...media.arguments import printable
from ...media.errors import InputError


def setting(
    default: object, explained: str, *, low: float | None = None, high: float | None = None, choices: str = ""
) -> Any:
    """A setting with its default, its line of help, and its range or its choices."""
    metadata = {"help": explained, "low": low, "high": high, "choices": tuple(choices.split())}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base class: the device, and what every group of settings can do."""

    sample_rate: int = setting(44100, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = setting(512, "STFT hop, samples", low=16, high=8192)

    def fault(self) -> str:
        """Return what is wrong with this combination of settings, and the remedy; "" if nothing is."""
        if self.hop > self.n_fft // 4:
            return (
                f"hop={self.hop} must be at most a quarter of n_fft={self.n_fft}, "
                "or frames cannot be put together again"
            )
        return ""

    def changed(self, changes: Mapping[str, object], *, recipe: str) -> Self:
        """Return a copy with some settings replaced.

        Args:
            changes: key to value; values may be text, as from a command line
            recipe: its name, for messages

        Raises:
            InputError: Unknown key, or a value out of its range.
        """
        fields = {field.name: field for field in dataclasses.fields(self)}
        parsed: dict[str, Any] = {}
        for key, value in changes.items():
            if key not in fields:
                raise InputError(
                    f"recipe {recipe} has no setting {key!r}{nearest(key, fields)}; "
                    f"`gramophone recipes {recipe}` lists them"
                )
            parsed[key] = _parse(fields[key], value, recipe)
        found = dataclasses.replace(self, **parsed)
        if fault := found.fault():
            raise InputError(f"recipe {recipe}: {fault}")
        return found

    def describe(self) -> list[tuple[str, object, str]]:
        """Return key, value and one line of help, with range or choices, of every setting."""
        rows: list[tuple[str, object, str]] = []
        for field in dataclasses.fields(self):
            limits = _limits(field)
            line = field.metadata["help"] + (f" ({limits})" if limits else "")
            rows.append((field.name, getattr(self, field.name), line))
        return rows


@dataclass(frozen=True, kw_only=True)
class NotesSettings(Settings):
    """Of recipes that can keep the content's notes."""

    notes: float = setting(
        1.0, "whose notes are heard: 1 keeps the content's, 0 gives the style's", low=0.0, high=1.0
    )


def _limits(field: dataclasses.Field[Any]) -> str:
    if field.metadata["choices"]:
        return " | ".join(field.metadata["choices"])
    if field.metadata["low"] is not None:
        return f"{field.metadata['low']:g} to {field.metadata['high']:g}"
    return "true | false" if isinstance(field.default, bool) else ""


def _parse(field: dataclasses.Field[Any], value: object, recipe: str) -> object:
    """Bring one value to its setting's type and check its range."""
    default: Any = field.default
    kind: type[Any] = type(default)
    low, high = field.metadata["low"], field.metadata["high"]
    wrong = InputError(
        f"recipe {recipe}: {field.name}={printable(value)} is not possible: "
        f"{field.metadata['help']} ({_limits(field) or kind.__name__})"
    )
    if kind is bool:
        text = str(value).lower()
        if text not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
            raise wrong
        return text in {"true", "1", "yes", "on"}
    if kind is tuple:
        parts: Any = value.replace(",", " ").split() if isinstance(value, str) else value
        try:
            number: type[Any] = type(default[0])
            numbers = tuple(number(part) for part in parts)
        except (TypeError, ValueError, OverflowError):
            raise wrong from None
        if not numbers or not all(low <= number <= high for number in numbers):
            raise wrong
        return numbers
    if kind is str and not isinstance(value, str | os.PathLike):
        raise wrong
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise wrong
    try:
        parsed = kind(value)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if kind is float and not math.isfinite(parsed):
        raise wrong
    if field.metadata["choices"] and parsed not in field.metadata["choices"]:
        raise wrong
    if low is not None and not low <= parsed <= high:
        raise wrong
    return parsed


def nearest(word: str, known: Mapping[str, object]) -> str:
    """Return a suggestion of a known word, as the end of a message; "" if none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
