"""Recipes: named, printable sets of settings for the offline stage. Nothing here computes, nor imports torch."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dsp.errors import InputError


def _setting(
    default: object, explained: str, *, low: float | None = None, high: float | None = None, choices: str = ""
) -> Any:
    """A setting with its default, its line of help, and its range or its choices."""
    metadata = {"help": explained, "low": low, "high": high, "choices": tuple(choices.split())}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class FixedNetwork:
    """Settings of the published recipes: one random network, drawn once, optimised against for many steps."""

    sample_rate: int = _setting(22050, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = _setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = _setting(512, "STFT hop, samples", low=16, high=8192)
    filters: int = _setting(4096, "filters of the random network", low=1, high=65536)
    kernel: int = _setting(11, "frames that each filter sees", low=1, high=255)
    padding: int = _setting(0, "frames of silence added at both ends", low=0, high=255)
    init: Literal["ulyanov2016", "torch", "unit"] = _setting(
        "ulyanov2016", "how the filters are drawn", choices="ulyanov2016 torch unit"
    )
    relu: bool = _setting(True, "whether negative features are set to zero")
    loss: Literal["sum", "mean"] = _setting(
        "sum",
        "sum of squares with a content term, or mean square of the style term alone",
        choices="sum mean",
    )
    content_weight: float = _setting(1e-2, "weight of the content term (loss=sum)", low=0.0, high=1e6)
    style_weight: float = _setting(2500.0, "weight on the Gram matrices (loss=mean)", low=0.0, high=1e9)
    start: Literal["noise", "content"] = _setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    optimizer: Literal["lbfgs", "adam"] = _setting("lbfgs", "optimiser", choices="lbfgs adam")
    learning_rate: float = _setting(0.03, "step size (optimizer=adam)", low=1e-6, high=10.0)
    clamp: bool = _setting(False, "cut log-magnitudes to 0..1 before each step (optimizer=adam)")
    steps: int = _setting(300, "optimiser steps", low=0, high=100000)
    phase_iterations: int = _setting(500, "Griffin-Lim iterations, from random phase", low=0, high=10000)


@dataclass(frozen=True, kw_only=True)
class Transport:
    """Settings of the closed form: a map solved at once, then phase."""

    sample_rate: int = _setting(44100, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = _setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = _setting(512, "STFT hop, samples", low=16, high=8192)
    bands: int = _setting(
        0, "0 maps every bin on every bin; otherwise bands of the map, milliseconds to solve", low=0, high=256
    )
    energy_coupling: float = _setting(
        5.0, "how firmly the style's loudness follows the content's (bands=0)", low=0.0, high=1e4
    )
    band_coupling: float = _setting(5.0, "the same in each of 24 mel-like bands (bands=0)", low=0.0, high=1e4)
    distribution: float = _setting(
        0.75, "how far each bin's values take the style's distribution", low=0.0, high=1.0
    )
    regularisation: float = _setting(
        1e-3, "share of the mean variance added to directions that the content lacks", low=1e-9, high=1.0
    )
    rounds: int = _setting(
        2, "how often the map is solved, each time on the sound that the last one gave", low=1, high=20
    )
    phase_iterations: int = _setting(
        12, "fast Griffin-Lim iterations in each round, from the content's phase", low=0, high=10000
    )


@dataclass(frozen=True, kw_only=True)
class Gramophone(Transport):
    """Settings of the default recipe: the closed form, then the sound itself against fresh networks."""

    phase_iterations: int = _setting(
        8, "fast Griffin-Lim iterations in each round, from the content's phase", low=0, high=10000
    )
    steps: int = _setting(200, "optimiser steps", low=0, high=100000)
    filters: int = _setting(128, "filters of each step's network", low=1, high=8192)
    rank: int = _setting(128, "views of the spectrum that these filters share", low=1, high=8192)
    kernels: tuple[int, ...] = _setting(
        (1, 3, 7, 11, 15), "kernel sizes to draw from, frames, separated by commas", low=1, high=255
    )
    learning_rate: float = _setting(0.1, "step of the gains, nepers", low=1e-6, high=10.0)
    phase_rate: float = _setting(0.05, "step of the phases, radians", low=0.0, high=10.0)
    content_weight: float = _setting(
        0.25, "weight of the content's band envelopes and onsets against the style", low=0.0, high=1e3
    )


Settings = FixedNetwork | Transport | Gramophone


@dataclass(frozen=True)
class Recipe:
    """A named set of settings.

    Attributes
    ----------
    name : what the command line calls it
    summary : one line
    paper : where it comes from
    values : the settings; their class says what the recipe does
    """

    name: str
    summary: str
    paper: str
    values: Settings

    def settings(self) -> dict[str, object]:
        """Every setting and its value."""
        return dataclasses.asdict(self.values)

    def replace(self, settings: Mapping[str, object]) -> Recipe:
        """This recipe with some of its settings replaced; errors as in :func:`get_recipe`."""
        return dataclasses.replace(self, values=_changed(self, settings))

    def describe(self) -> list[tuple[str, object, str]]:
        """Key, value and one line of help, with range or choices, of every setting."""
        rows: list[tuple[str, object, str]] = []
        for field in dataclasses.fields(self.values):
            limits = _limits(field)
            line = field.metadata["help"] + (f" ({limits})" if limits else "")
            rows.append((field.name, getattr(self.values, field.name), line))
        return rows


def _limits(field: dataclasses.Field[Any]) -> str:
    if field.metadata["choices"]:
        return " | ".join(field.metadata["choices"])
    if field.metadata["low"] is not None:
        return f"{field.metadata['low']:g} to {field.metadata['high']:g}"
    return "true | false" if isinstance(field.default, bool) else ""


def _parse(field: dataclasses.Field[Any], value: object, recipe: str) -> object:
    """Bring one value to its setting's type and check its range."""
    kind: type[Any] = type(field.default)
    low, high = field.metadata["low"], field.metadata["high"]
    wrong = InputError(
        f"recipe {recipe}: {field.name}={value} is not possible: "
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
            numbers = tuple(int(part) for part in parts)
        except (TypeError, ValueError):
            raise wrong from None
        if not numbers or not all(low <= number <= high for number in numbers):
            raise wrong
        return numbers
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise wrong
    try:
        parsed = kind(value)
    except (TypeError, ValueError):
        raise wrong from None
    if field.metadata["choices"] and parsed not in field.metadata["choices"]:
        raise wrong
    if low is not None and not low <= parsed <= high:
        raise wrong
    return parsed


def get_recipe(name: str, settings: Mapping[str, object] | None = None) -> Recipe:
    """A recipe with some of its settings replaced.

    Parameters
    ----------
    name : one of :data:`RECIPES`
    settings : key to value; values may be text, as from a command line

    Raises
    ------
    InputError
        Unknown name or key, or a value out of its range.
    """
    if name not in RECIPES:
        raise InputError(f"unknown recipe {name!r}{_nearest(name, RECIPES)}; there are: {', '.join(RECIPES)}")
    return RECIPES[name].replace(settings or {})


def _changed(recipe: Recipe, settings: Mapping[str, object]) -> Settings:
    """The recipe's settings with some of them replaced; see :func:`get_recipe`."""
    name = recipe.name
    fields = {field.name: field for field in dataclasses.fields(recipe.values)}
    changed: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in fields:
            raise InputError(
                f"recipe {name} has no setting {key!r}{_nearest(key, fields)}; "
                f"`gramophone recipes {name}` lists them"
            )
        changed[key] = _parse(fields[key], value, name)
    values = dataclasses.replace(recipe.values, **changed)
    if values.hop > values.n_fft // 4:
        raise InputError(
            f"recipe {name}: hop={values.hop} must be at most a quarter of n_fft={values.n_fft}, "
            "or frames cannot be put together again"
        )
    return values


def _nearest(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "gramophone",
            "the default: the closed form, then the sound itself against fresh networks",
            "this project; docs/design.md",
            Gramophone(),
        ),
        Recipe(
            "transport",
            "the closed form alone, then phase: seconds for a track",
            "optimal transport between Gaussians: Knott and Smith 1984; see docs/design.md",
            Transport(),
        ),
        Recipe(
            "ulyanov2016",
            "the published recipe of 2016: from noise, 4096 filters with ReLU, L-BFGS",
            "Ulyanov and Lebedev 2016, Audio texture synthesis and style transfer",
            FixedNetwork(),
        ),
        Recipe(
            "dipani2018",
            "from the content, 4096 linear filters, style loss only, Adam (steps=400 or 2500)",
            "Dipani 2018, Neural style transfer on audio signals",
            FixedNetwork(
                kernel=3,
                padding=1,
                init="torch",
                relu=False,
                loss="mean",
                start="content",
                optimizer="adam",
                clamp=True,
                steps=400,
            ),
        ),
    )
}
