"""What is known of an effect that is put before or after the stylizer: plain data, without numpy.

Its parameters are called `<key>.<parameter>`. What the chain itself does with any effect has an underscore:
`<key>_on` takes it out of the chain with its latency, `<key>_bypass` keeps the latency, `<key>_place` says where it
stands, `<key>_level` and `<key>_dry` mix it with its own input, so that it is a parallel branch.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import Meta

from ..media.errors import InputError
from .knobs import GAIN, LIMITER
from .parameter import Parameter

#: How many there may be in one chain.
MAX_EFFECTS = 16
#: Bytes of a plugin's state that a preset holds; most plugins take less than a hundredth of it.
MAX_STATE = 2**19
SILENT_DB = -60.0
#: Effects that come with Gramophone, by the name that `--before` and `--after` take.
BUILT_IN = {"gain": GAIN, "limiter": LIMITER}

_TAKEN = ("stylizer", "gain", "limiter", "mute", "bypass", "style")


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One effect of a chain.

    Attributes:
        key: its name in ids
        reference: the file of a VST3 or the folder of an LV2, the URI of an LV2, or a name in `BUILT_IN`
        title: as its maker calls it
        before: whether the sound passes it before the stylizer
        inputs, outputs: channels of one instance; 0 for any number
        latency: samples, when it was looked at
        parameters: its own, ids `<key>.<name>`
        indexes: of the parameters, as the plugin counts them; empty for one that is built in
        state: what the plugin calls its state, as it begins; empty for its own beginning
    """

    key: str
    reference: str
    title: str
    before: bool
    inputs: int = 0
    outputs: int = 0
    latency: int = 0
    parameters: tuple[Parameter, ...] = ()
    indexes: tuple[int, ...] = ()
    state: bytes = b""


def slug(text: str) -> str:
    """Return a text as a part of an id."""
    found = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return found or "unnamed"


def key_for(title: str, taken: Sequence[str]) -> str:
    """Return the key of an effect in a chain in which others are taken."""
    base = slug(title)
    base = base if base[0].isalpha() else f"fx_{base}"
    keys = {*_TAKEN, *taken}
    numbered = (f"{base}{number}" for number in range(2, len(keys) + 3))
    return next(key for key in (base, *numbered) if key not in keys)


def slot_parameters(key: str, title: str, *, before: bool, own: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """Return the parameters of an effect in its slot: its own, then those of the slot."""
    return (
        *own,
        Parameter(
            id=f"{key}_on",
            name=f"{title} on",
            low=0.0,
            high=1.0,
            default=1.0,
            curve="toggle",
            description="Puts it into the chain, or takes it out together with its latency, with a short fade.",
        ),
        Parameter(
            id=f"{key}_place",
            name=f"{title} place",
            low=-float(MAX_EFFECTS),
            high=float(MAX_EFFECTS),
            default=-1.0 if before else 1.0,
            curve="integer",
            description="Sound passes the effects from low to high; below 0 they stand before the stylizer.",
        ),
        Parameter(
            id=f"{key}_level",
            name=f"{title} level",
            unit="dB",
            low=SILENT_DB,
            high=12.0,
            default=0.0,
            description="The volume of what comes out of it: -60 dB (the lowest) is silence.",
        ),
        Parameter(
            id=f"{key}_dry",
            name=f"{title} dry",
            unit="%",
            low=0.0,
            high=1.0,
            default=0.0,
            description="How much of what goes into it is heard beside it; with 100 % it is a parallel branch.",
        ),
    )


def knobs_of(effect: Effect) -> tuple[Parameter, ...]:
    """Return everything that can be turned of an effect in a chain."""
    return slot_parameters(effect.key, effect.title, before=effect.before, own=effect.parameters)


def without_texts(effect: Effect) -> Effect:
    """Return an effect without what its values are called, which only those need who show them."""
    return replace(effect, parameters=tuple(replace(one, texts=()) for one in effect.parameters))


def to_plain(effect: Effect) -> dict[str, object]:
    """Return an effect as JSON can hold it, without the texts of its values."""
    knobs = [
        {"id": one.id, "name": one.name, "default": one.default, "index": index}
        for one, index in zip(effect.parameters, effect.indexes, strict=False)
    ]
    return {
        "key": effect.key,
        "reference": effect.reference,
        "title": effect.title,
        "before": effect.before,
        "parameters": knobs if effect.indexes else [],
        "state": base64.b64encode(effect.state).decode(),
    }


class _Knob(msgspec.Struct, forbid_unknown_fields=True):
    id: Annotated[str, Meta(max_length=256)]
    name: Annotated[str, Meta(max_length=256)]
    default: Annotated[float, Meta(ge=0.0, le=1.0)]
    index: Annotated[int, Meta(ge=0, le=2**20)]


class KeptState(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a plugin calls its state, in base64, as a preset holds it; and which plugin that is."""

    reference: Annotated[str, Meta(max_length=4096)]
    state: Annotated[str, Meta(min_length=1, max_length=MAX_STATE * 4 // 3 + 4)]

    def data(self) -> bytes:
        """Return the state; ValueError if it is none."""
        return base64.b64decode(self.state, validate=True)


def kept_state(effect: Effect) -> KeptState | None:
    """Return the state of an effect for a preset; None where it has none, or too large a one."""
    if not 0 < len(effect.state) <= MAX_STATE:
        return None
    return KeptState(effect.reference, base64.b64encode(effect.state).decode())


class PlainEffect(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An effect as a file holds it; see `to_plain`."""

    key: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,255}$")]
    reference: Annotated[str, Meta(max_length=4096)]
    title: Annotated[str, Meta(max_length=256)]
    before: bool
    parameters: Annotated[tuple[_Knob, ...], Meta(max_length=1024)] = ()
    state: Annotated[str, Meta(max_length=2**24)] = ""

    def effect(self) -> Effect:
        """Return the effect; ValueError, in words for the user, if it is none."""
        own: tuple[Parameter, ...]
        if self.reference in BUILT_IN:
            own = tuple(replace(one, id=f"{self.key}.{one.id}") for one in BUILT_IN[self.reference])
        else:
            own = tuple(
                Parameter(id=one.id, name=one.name, low=0.0, high=1.0, default=one.default)
                for one in self.parameters
            )
        if any(not one.id.startswith(f"{self.key}.") for one in own) or len({one.id for one in own}) < len(
            own
        ):
            raise ValueError(f"the parameters of {self.title!r} have other names than its own")
        return Effect(
            key=self.key,
            reference=self.reference,
            title=self.title,
            before=self.before,
            parameters=own,
            indexes=() if self.reference in BUILT_IN else tuple(one.index for one in self.parameters),
            state=base64.b64decode(self.state, validate=True),
        )


def check_effects(effects: Sequence[Effect]) -> None:
    """Raise InputError if there are more than a chain can have."""
    if len(effects) > MAX_EFFECTS:
        raise InputError(f"{len(effects)} effects are too many for one chain; give up to {MAX_EFFECTS}")
