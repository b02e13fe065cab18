"""Recipes: named, printable sets of settings for the offline stage. Nothing here computes, nor imports torch."""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ...media.arguments import printable
from ...media.errors import InputError
from .settings import Antognini, Gatys, Grinstein, setting


@dataclass(frozen=True, kw_only=True)
class FixedNetwork:
    """Settings of the published recipes: one random network, drawn once, optimised against for many steps."""

    sample_rate: int = setting(22050, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = setting(512, "STFT hop, samples", low=16, high=8192)
    filters: int = setting(4096, "filters of the random network", low=1, high=65536)
    kernel: int = setting(11, "frames that each filter sees", low=1, high=255)
    padding: int = setting(0, "frames of silence added at both ends", low=0, high=255)
    init: Literal["ulyanov2016", "torch", "unit"] = setting(
        "ulyanov2016", "how the filters are drawn", choices="ulyanov2016 torch unit"
    )
    relu: bool = setting(True, "whether negative features are set to zero")
    loss: Literal["sum", "mean"] = setting(
        "sum",
        "sum of squares with a content term, or mean square of the style term alone",
        choices="sum mean",
    )
    content_weight: float = setting(1e-2, "weight of the content term (loss=sum)", low=0.0, high=1e6)
    style_weight: float = setting(2500.0, "weight on the Gram matrices (loss=mean)", low=0.0, high=1e9)
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    optimizer: Literal["lbfgs", "adam"] = setting("lbfgs", "optimiser", choices="lbfgs adam")
    learning_rate: float = setting(0.03, "step size (optimizer=adam)", low=1e-6, high=10.0)
    clamp: bool = setting(False, "cut log-magnitudes to 0..1 before each step (optimizer=adam)")
    steps: int = setting(300, "optimiser steps", low=0, high=100000)
    phase_iterations: int = setting(500, "Griffin-Lim iterations, from random phase", low=0, high=10000)


@dataclass(frozen=True, kw_only=True)
class Transport:
    """Settings of the closed form: a map solved at once, then phase."""

    sample_rate: int = setting(44100, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = setting(512, "STFT hop, samples", low=16, high=8192)
    bands: int = setting(
        0, "0 maps every bin on every bin; otherwise bands of the map, milliseconds to solve", low=0, high=256
    )
    energy_coupling: float = setting(
        5.0, "how firmly the style's loudness follows the content's", low=0.0, high=1e4
    )
    band_coupling: float = setting(5.0, "the same in each of 24 mel-like bands", low=0.0, high=1e4)
    distribution: float = setting(
        0.75, "how far each bin's values take the style's distribution", low=0.0, high=1.0
    )
    regularisation: float = setting(
        1e-3, "share of the mean variance added to directions that the content lacks", low=1e-9, high=1.0
    )
    rounds: int = setting(
        2, "how often the map is solved, each time on the sound that the last one gave", low=1, high=20
    )
    early_iterations: int = setting(
        4,
        "fast Griffin-Lim iterations in all rounds but the last, from the content's phase",
        low=0,
        high=10000,
    )
    phase_iterations: int = setting(4, "the same in the last round", low=0, high=10000)


@dataclass(frozen=True, kw_only=True)
class Gramophone(Transport):
    """Settings of the default recipe: the closed form, then the sound itself against fresh networks."""

    early_iterations: int = setting(
        8,
        "fast Griffin-Lim iterations in all rounds but the last, from the content's phase",
        low=0,
        high=10000,
    )
    phase_iterations: int = setting(8, "the same in the last round", low=0, high=10000)
    steps: int = setting(
        150, "optimiser steps: half as many cost about 0.05 of style distance", low=0, high=100000
    )
    filters: int = setting(128, "filters of each step's network", low=1, high=8192)
    rank: int = setting(128, "views of the spectrum that these filters share", low=1, high=8192)
    kernels: tuple[int, ...] = setting(
        (1, 3, 7, 11, 15), "kernel sizes to draw from, frames, separated by commas", low=1, high=255
    )
    learning_rate: float = setting(0.1, "step of the gains, nepers", low=1e-6, high=10.0)
    phase_rate: float = setting(0.05, "step of the phases, radians", low=0.0, high=10.0)
    content_weight: float = setting(
        0.4, "weight of the content's band envelopes and onsets against the style", low=0.0, high=1e3
    )
    texture_weight: float = setting(
        0.25, "weight of how the style's bands move in time: moments, rates, correlations", low=0.0, high=1e3
    )


Settings = FixedNetwork | Transport | Gramophone | Gatys | Grinstein | Antognini


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

    def without_content(self) -> Recipe:
        """This recipe for texture from noise: nothing of its content is kept, and nothing begins there.

        Raises
        ------
        InputError
            The recipe is nothing without a content.
        """
        if not isinstance(self.values, Transport | Antognini):
            raise InputError(
                f"recipe {self.name} needs a content; for texture use gramophone, transport or antognini2018"
            )
        held: dict[str, object] = {
            "content_weight": 0.0,
            "energy_coupling": 0.0,
            "band_coupling": 0.0,
            "start": "noise",
        }
        known = self.settings()
        return self.replace({key: value for key, value in held.items() if key in known})

    def cautions(self) -> list[str]:
        """What a user should know before these settings are run, a line each."""
        values = self.values
        vgg = isinstance(values, Gatys) or (isinstance(values, Grinstein) and values.network == "vgg19")
        if vgg and not getattr(values, "weights", ""):
            return [
                f"recipe {self.name}: VGG-19 has random weights, which know nothing of pictures; "
                "for the published ones give a torchvision file with --set weights=FILE"
            ]
        return []

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
    if isinstance(values, Gatys) and len(values.layer_weights) not in (1, 5):
        raise InputError(
            f"recipe {name}: layer_weights has {len(values.layer_weights)} numbers; give one for all layers, or five"
        )
    if isinstance(values, Antognini) and values.shortest_lag > values.longest_lag:
        raise InputError(
            f"recipe {name}: shortest_lag={values.shortest_lag:g} is longer than longest_lag="
            f"{values.longest_lag:g}; give a range of lags"
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
        Recipe(
            "gatys2016",
            "VGG-19 on the spectrogram as an image: five style layers and a content layer, from noise",
            "Gatys, Ecker and Bethge 2016, Image style transfer using convolutional neural networks",
            Gatys(),
        ),
        Recipe(
            "grinstein2017",
            "from the content, style loss only: a shallow random network, VGG-19 or the auditory texture model",
            "Grinstein, Duong, Ozerov and Pérez 2017, Audio style transfer",
            Grinstein(),
        ),
        Recipe(
            "antognini2018",
            "texture from noise: random layers of many widths, with terms for rhythm and diversity",
            "Antognini, Hoffman and Weiss 2018, Synthesizing diverse, high-quality audio textures",
            Antognini(),
        ),
    )
}
