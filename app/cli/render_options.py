"""Options of the commands that render: each is declared, and checked, once."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from ...media.errors import InputError
from ...media.limits import HIGHEST_SEED
from .. import console

_option = partial(typer.Option, show_default=False)
_DEVICES = ("auto", "cpu", "cuda")


def _within(option: str, low: float, high: float, meaning: str) -> Callable[[float | None], float | None]:
    def check(value: float | None) -> float | None:
        if value is not None:
            console.check_range(option, value, low, high, meaning)
        return value

    return check


def _check_device(name: str) -> str:
    if name not in _DEVICES:
        raise InputError(f"--device {name} is unknown; give one of {', '.join(_DEVICES)}")
    return name


def _key_value(text: str) -> tuple[str, str]:
    """Return key and value of what was given with `--set`."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"--set {text!r} is not a setting; write --set key=value")
    return key.strip(), value.strip()


def changes(settings: list[str] | None, **given: float | None) -> dict[str, object]:
    """Return the settings to change: those of `--set`, and on top those with an option of their own, where given."""
    pairs: dict[str, object] = dict(map(_key_value, settings or ()))
    return pairs | {key: value for key, value in given.items() if value is not None}


check_seed = _within("--seed", 0, HIGHEST_SEED, "any whole number")

Recipe = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="How to do it: gramophone (best), transport (seconds), or a published one."
    ),
]
Strength = Annotated[
    float,
    typer.Option(
        metavar="0..1",
        help="How far to go: 0 is the content, 1 all the way.",
        callback=_within("--strength", 0.0, 1.0, "from the content to all the way"),
    ),
]
Notes = Annotated[
    float | None,
    _option(
        metavar="0..1",
        help="1 keeps the content's notes, 0 plays the style's. Default: 1. Not for published recipes.",
        callback=_within("--notes", 0.0, 1.0, "from the style's notes to the content's"),
    ),
]
Steps = Annotated[
    int | None,
    _option(
        metavar="N",
        help="Optimiser steps. Default: the recipe's. The default recipe takes half as many more with --notes 0.",
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="N", help="Same seed, same machine, same file.", callback=check_seed)
]
Device = Annotated[
    str,
    typer.Option(
        metavar="auto|cpu|cuda",
        help="Where to compute; auto takes CUDA if there is any.",
        callback=_check_device,
    ),
]
Settings = Annotated[
    list[str] | None,
    _option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; repeatable."),
]
Subtype = Annotated[
    str | None,
    _option(metavar="NAME", help="How samples are stored, such as PCM_16 or FLOAT. Default: the format's."),
]
Local = Annotated[
    float | None,
    _option(
        metavar="SECONDS",
        help="Take the content's statistics over windows of this length, so that each part of it, quiet or "
        "loud, takes the style's full range. Default: over the whole track, so that a quiet verse stays quiet.",
        callback=_within("--local", 0.5, 3600.0, "seconds over which statistics are taken"),
    ),
]
Loudness = Annotated[
    float | None,
    _option(
        metavar="LUFS",
        help="Loudness of the result, such as -14; peaks stay below -1 dBFS. Default: the content's.",
        callback=_within("--loudness", -70.0, 0.0, "LUFS; streaming services play at -14"),
    ),
]
