"""The header of a take, `take.json`: its fields, and how it is read, checked and written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..media.errors import InputError
from ..media.files import replacing, shown
from ..media.inputs import fitted, parse_json
from ..media.limits import RATES
from ..plugins.effects import MAX_EFFECTS, Effect, PlainEffect
from ..plugins.knobs import MAX_STYLES, present_name, present_value
from ..plugins.live_chain import LIVE_PARAMETERS, live_parameters
from ..plugins.parameter import Parameter
from .automation import check_value

FORMAT = "gramophone-take"
#: 2 may have more than eight channels, and 3 effects; others are written as 1, which every version reads.
VERSION = 3
HEADER = "take.json"
MAX_CHANNELS = 16

_MOST_IN_VERSION_1 = 8
_STYLE = re.compile(r"styles/[^/\\\x00-\x1f]+\.(style|wav)")

Frame = Annotated[int, Meta(ge=0, le=2**40)]
Samples = Annotated[int, Meta(ge=0, le=2**28)]
Span = tuple[Frame, Frame]


class _Stylizer(msgspec.Struct, forbid_unknown_fields=True):
    window: str = ""
    hop: int = 0
    iterations: int | None = None
    phase: str = ""


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
        effects: around the stylizer; see `plugins.effects`
        chain: version of the chain that played, see plugins.live_chain
        started: date and time, ISO 8601
        note: why it ended, if that was not as it was meant
    """

    sample_rate: Annotated[int, Meta(ge=RATES[0], le=RATES[1])]
    channels: Annotated[int, Meta(ge=1, le=MAX_CHANNELS)]
    hop: Samples = 0
    algorithmic: Samples = 0
    buffer: Samples = 0
    device: Samples = 0
    stylizer: Mapping[str, object] = field(default_factory=dict)
    slot_bytes: Samples = 0
    styles: Annotated[tuple[str, ...], Meta(max_length=MAX_STYLES)] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    resumed: bool = False
    exact: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()
    missed: tuple[Frame, ...] = ()
    skipped: tuple[Frame, ...] = ()
    frames: Frame | None = None
    wet_frames: Frame | None = None
    wet_sha256: str = ""
    effects: Annotated[tuple[PlainEffect, ...], Meta(max_length=MAX_EFFECTS)] = ()
    chain: Samples = 1
    started: str = ""
    note: str = ""


def write_header(folder: Path, header: Header) -> None:
    """Write `take.json`, in place of the one that is there; InputError if that is not possible."""
    version = VERSION if header.effects else 1 if header.channels <= _MOST_IN_VERSION_1 else 2
    fields = {one.name: getattr(header, one.name) for one in dataclass_fields(Header)}
    fields["effects"] = [msgspec.to_builtins(one) for one in header.effects]
    if not header.effects:
        # As earlier versions wrote it, and read it.
        del fields["effects"]
    text = json.dumps({"format": FORMAT, "version": version, **fields}, indent=1, allow_nan=False)
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
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise foreign
    if version > VERSION:
        raise InputError(
            f"{shown(path)} was made by a newer Gramophone (take format {version}; this one reads up to {VERSION}): "
            "update"
        )
    header = fitted(found, Header, name=f"{shown(path)} is damaged", advice="restore it")
    values = {present_name(key): present_value(key, value) for key, value in header.values.items()}
    header = replace(header, values=values)
    fitted(header.stylizer, _Stylizer, name=f"{shown(path)} is damaged: stylizer", advice="restore it")
    try:
        known = (*parameters, *extra_parameters(header)) if header.effects else parameters
        _check(header, {parameter.id: parameter for parameter in known})
    except ValueError as error:
        raise InputError(f"{shown(path)} is damaged: {error}; restore it") from None
    return header


def effects_of(header: Header) -> tuple[Effect, ...]:
    """Return the effects that were around the stylizer; ValueError, in words for the user, if one is none."""
    return tuple(one.effect() for one in header.effects)


def extra_parameters(header: Header) -> tuple[Parameter, ...]:
    """Return the parameters that the take's effects have beside those of the live chain; ValueError as `effects_of`."""
    try:
        return live_parameters(effects_of(header))[len(LIVE_PARAMETERS) :]
    except InputError as error:
        raise ValueError(str(error)) from None


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


def _check(header: Header, known: Mapping[str, Parameter]) -> None:
    """Raise ValueError, in words for the user, for what no type says."""
    for style in header.styles:
        if style and not is_style_name(style):
            raise ValueError(f"{style!r} is not a style in the take's folder")
    for key, value in header.values.items():
        if key not in known:
            raise ValueError(f"there is no parameter {key!r}")
        check_value(known[key], value)
    for name, spans in (("exact", header.exact), ("gaps", header.gaps)):
        borders = [border for span in spans for border in span]
        if borders != sorted(borders) or any(start == stop for start, stop in spans):
            raise ValueError(f"{name}: the stretches are not in order")
