"""The header of a take, `take.json`: its fields, and how it is read, checked and written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..media.errors import InputError
from ..media.files import replacing, shown
from ..media.inputs import parse_json
from ..media.limits import RATES
from ..plugins.knobs import MAX_STYLES
from ..plugins.parameter import Parameter
from .automation import check_value

FORMAT = "gramophone-take"
#: 2 may have more than eight channels; those of up to eight are written as 1, which every version reads.
VERSION = 2
HEADER = "take.json"
MAX_CHANNELS = 16

_MOST_IN_VERSION_1 = 8
_LONGEST = 2**40
_STYLE = re.compile(r"styles/[^/\\\x00-\x1f]+\.(style|wav)")
_STYLIZER = {"window": str, "hop": int, "iterations": int, "phase": str}

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Header:
    """What `take.json` says. Frames count from the take's first one.

    Attributes:
        sample_rate: Hz
        channels: 1 to 16
        hop: samples from one burst of the chain's work to the next; 0 where there are none
        algorithmic, buffer, device: latency, in samples: the chain's, of the ring, and what the driver says
        stylizer: fields of models.live.stylizer.StylizerSettings that differ from their defaults
        slot_bytes: the largest size of a packed style while recording, see models.live.slots; 0 for no limit
        styles: the style of each slot at the first frame, as a path in the folder; "" where there is none
        values: where the parameters stood at the first frame
        resumed: whether the chain had heard something before, so that there is a state
        exact: stretches of the dry sound that `dry-exact.wav` holds, one after the other
        gaps: stretches of the dry sound that were lost, since the disk was too slow; silence stands for them
        missed: frames of the input at which the chain was late
        skipped: frames before which input was left out, since the chain was much too late
        frames, wet_frames: lengths; None while it is being recorded, or where that was cut short
        wet_sha256: of the wet sound, 32-bit floats, interleaved, little-endian; "" as long as that is not known
        started: date and time, ISO 8601
        note: why it ended, if that was not as it was meant
    """

    sample_rate: int
    channels: int
    hop: int = 0
    algorithmic: int = 0
    buffer: int = 0
    device: int = 0
    stylizer: Mapping[str, object] = field(default_factory=dict)
    slot_bytes: int = 0
    styles: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    resumed: bool = False
    exact: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()
    missed: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    frames: int | None = None
    wet_frames: int | None = None
    wet_sha256: str = ""
    started: str = ""
    note: str = ""


def write_header(folder: Path, header: Header) -> None:
    """Write `take.json`, in place of the one that is there; InputError if that is not possible."""
    version = 1 if header.channels <= _MOST_IN_VERSION_1 else VERSION
    text = json.dumps({"format": FORMAT, "version": version, **asdict(header)}, indent=1, allow_nan=False)
    with replacing(folder / HEADER, overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_header(path: Path, data: bytes, parameters: Sequence[Parameter]) -> Header:
    """Return the header in `data`, read from `path`, checked; InputError, in one line, if it is none."""
    foreign = InputError(f"{shown(path)} is not the header of a take, or is damaged; restore it")
    try:
        found = parse_json(data)
    except ValueError:
        raise foreign from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise foreign
    version: Any = found.get("version")
    if not _whole(version, 1, 2**31):
        raise foreign
    if version > VERSION:
        raise InputError(
            f"{shown(path)} was made by a newer Gramophone (take format {version}; this one reads up to {VERSION}): "
            "update"
        )
    known = {item.name for item in fields(Header)}
    try:
        said: dict[str, Any] = {key: _plain(value) for key, value in found.items() if key in known}
        header = Header(**said)
        _check(header, {parameter.id: parameter for parameter in parameters})
    except (TypeError, ValueError, KeyError) as error:
        told = f": {error}" if isinstance(error, _HeaderError) else ""
        raise InputError(f"{shown(path)} is damaged{told}; restore it") from None
    return header


def fit_spans(spans: Sequence[Span], count: int, frames: int) -> tuple[Span, ...]:
    """Return stretches of a sound as far as `count` frames fill them, one after the other, and it is `frames` long."""
    found: list[Span] = []
    for start, stop in spans:
        end = min(stop, start + count, frames)
        if end > start:
            found.append((start, end))
        count -= min(stop - start, count)
    return tuple(found)


def is_style_name(name: str) -> bool:
    """Whether a name is that of a style in the folder of a take, and leads nowhere else."""
    return _STYLE.fullmatch(name) is not None


class _HeaderError(ValueError):
    """What is wrong with a header, in words for the user."""


def _plain(value: object) -> object:
    """Make tuples of lists, as dataclasses have them."""
    return tuple(map(_plain, value)) if isinstance(value, list) else value


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _check(header: Header, known: Mapping[str, Parameter]) -> None:
    """Raise for whatever a header cannot be."""
    limits = {"sample_rate": RATES, "channels": (1, MAX_CHANNELS)}
    limits |= dict.fromkeys(("hop", "algorithmic", "buffer", "device", "slot_bytes"), (0, 2**28))
    for name, (low, high) in limits.items():
        if not _whole(getattr(header, name), low, high):
            raise _HeaderError(f"{name} {getattr(header, name)!r} is not a whole number from {low} to {high}")
    for name in ("frames", "wet_frames"):
        if getattr(header, name) is not None and not _whole(getattr(header, name), 0, _LONGEST):
            raise _HeaderError(f"{name} is no length")
    for name in ("wet_sha256", "started", "note"):
        if not isinstance(getattr(header, name), str):
            raise _HeaderError(f"{name} is no text")
    if not isinstance(header.resumed, bool):
        raise _HeaderError("resumed is neither true nor false")
    for name in ("exact", "gaps"):
        _check_spans(name, getattr(header, name))
    for name in ("missed", "skipped"):
        if not isinstance(getattr(header, name), tuple) or not all(
            _whole(frame, 0, _LONGEST) for frame in getattr(header, name)
        ):
            raise _HeaderError(f"{name} are not frames")
    if not isinstance(header.styles, tuple) or len(header.styles) > MAX_STYLES:
        raise _HeaderError(f"there are up to {MAX_STYLES} styles")
    for style in header.styles:
        if not isinstance(style, str) or (style and not is_style_name(style)):
            raise _HeaderError(f"{style!r} is not a style in the take's folder")
    if not isinstance(header.values, dict) or not isinstance(header.stylizer, dict):
        raise _HeaderError("values and settings are not objects")
    for key, value in header.values.items():
        if key not in known:
            raise _HeaderError(f"there is no parameter {key!r}")
        try:
            check_value(known[key], value)
        except ValueError as error:
            raise _HeaderError(str(error)) from None
    for key, value in header.stylizer.items():
        kind = _STYLIZER.get(key)
        fits = value is None if key == "iterations" and value is None else kind and isinstance(value, kind)
        if not fits or isinstance(value, bool):
            raise _HeaderError(f"the stylizer cannot be set to {key} = {value!r}")


def _check_spans(name: str, spans: object) -> None:
    before = 0
    if not isinstance(spans, tuple):
        raise _HeaderError(f"{name} is no list")
    for span in spans:
        if (
            not isinstance(span, tuple)
            or len(span) != 2
            or not all(_whole(frame, 0, _LONGEST) for frame in span)
        ):
            raise _HeaderError(f"{name}: {span!r} is no stretch of frames")
        if not before <= span[0] < span[1]:
            raise _HeaderError(f"{name}: the stretches are not in order")
        before = span[1]
