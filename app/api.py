"""The functions of the public API. Users import them from `gramophone`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..dsp.torch_state import own_torch_state
from ..media import arguments, limits
from ..media.errors import InputError
from ..plugins.effects import knobs_of

if TYPE_CHECKING:
    from ..models.measures.content_kept import ContentKept
    from ..models.measures.gram_meter import StyleDistance
    from ..models.style import Style
    from ..offline.recipes.recipe import Recipe
    from ..offline.render.render import Progress
    from ..plugins.effects import Effect

Samples = NDArray[np.float64]


@own_torch_state()
def stylize(
    content: ArrayLike,
    sample_rate: int,
    style: Style | str | os.PathLike[str],
    *,
    recipe: str = "gramophone",
    strength: float = 1.0,
    notes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    settings: Mapping[str, object] | None = None,
    local: float | None = None,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    values: Mapping[str, float] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Samples:
    """Play a sound in a style.

    Args:
        content: array [samples] or [channels, samples]. Full scale -1 to 1, finite, not silent, longer than one STFT
            frame.
        sample_rate: Hz, of the content. The style may have another one.
        style: what `load_style` returns, or the name of a sound file or of a `.style` file.
        recipe: a name in `recipes`. "gramophone" is the best, "transport" the fastest.
        strength: 0 to 1, how far to go: 0 gives the content back.
        notes: 0 to 1, whose notes are heard: 1 keeps the content's, 0 plays the style's. By default 1. For
            "gramophone" and "transport".
        steps: of the optimiser, instead of the recipe's own number.
        seed: of all randomness. The same seed on the same machine gives the same samples.
        device: "auto", "cpu" or "cuda".
        settings: settings of the recipe to replace, by key: `recipes()[name].describe()` lists them.
        local: length of the windows for the content's statistics, 0.5 to 3600 s, so that they follow the music. By
            default they are taken of the whole sound, and its quiet parts stay quiet. For "gramophone" and
            "transport".
        before, after: VST3 or LV2 effects before and after it, by name, path or URI; "gain" and "limiter" are built in.
            Needs the extra `host`, and loads the plugins in this process.
        values: of the effects' parameters, 0 to 1, by id: "zamverb.wet_dry". `gramophone plugins NAME` lists them.
        progress: called now and then with a `Progress`: stage, step, steps, loss, fraction of the
            whole job (0 to 1).

    Returns:
        float64 array of the content's shape, at the content's rate and loudness, true peak at most -1 dBFS.

    Raises:
        InputError: An argument is not as described above.
    """
    from ..models.style import Style, load_style
    from ..offline.render.render import LONGEST_LOCAL, SHORTEST_LOCAL, render

    samples = arguments.sound(content, "content")
    sample_rate = arguments.rate(sample_rate)
    changes = {} if settings is None else arguments.mapping(settings, "settings")
    if notes is not None:
        changes["notes"] = arguments.real(notes, "notes", low=0.0, high=1.0)
    if local is not None:
        local = arguments.real(local, "local", low=SHORTEST_LOCAL, high=LONGEST_LOCAL, unit=" of seconds")
    if progress is not None and not callable(progress):
        raise arguments.refused("progress", "a function of one argument", progress)
    effects = _effects(before, after, sample_rate, samples.shape[0])
    wanted = {} if values is None else arguments.mapping(values, "values")
    samples = _through(samples, sample_rate, [one for one in effects if one.before], wanted, effects)
    rendering = render(
        samples,
        sample_rate,
        style if isinstance(style, Style) else load_style(arguments.file(style, "style")),
        recipe=arguments.text(recipe, "recipe"),
        strength=arguments.real(strength, "strength", low=0.0, high=1.0),
        steps=steps,
        seed=arguments.whole(seed, "seed", low=0, high=limits.HIGHEST_SEED),
        device=arguments.text(device, "device"),
        settings=changes,
        local=local,
        progress=progress,
    )
    played = _through(
        rendering.samples, sample_rate, [one for one in effects if not one.before], wanted, effects
    )
    return played if np.ndim(content) == 2 else played[0]


def _effects(
    before: Sequence[str], after: Sequence[str], sample_rate: int, channels: int
) -> tuple[Effect, ...]:
    if not before and not after:
        return ()
    from ..plugins.found import find_effects

    for name, given in (("before", before), ("after", after)):
        if isinstance(given, str) or not all(isinstance(one, str) for one in given):
            raise arguments.refused(name, "a list of names", given)
    return find_effects(before, after, sample_rate=sample_rate, channels=channels)


def _through(
    samples: Samples,
    sample_rate: int,
    effects: Sequence[Effect],
    values: Mapping[str, object],
    all_effects: Sequence[Effect],
) -> Samples:
    """Return what effects make of samples; those of the end are held below -1 dBFS."""
    known = {one.id for effect in all_effects for one in knobs_of(effect)} if values else set()
    if unknown := sorted(set(map(str, values)) - known):
        raise InputError(
            f"no effect has the parameter {unknown[0]!r}; there are {', '.join(sorted(known)) or 'none'}"
        )
    if not effects:
        return samples
    from ..media.spool import Held
    from ..offline.render.effects import through_effects

    turned = {
        str(id): arguments.real(value, f"values[{id!r}]", low=-100.0, high=100.0)
        for id, value in values.items()
    }
    with tempfile.TemporaryDirectory(prefix="gramophone-") as folder:
        out = through_effects(
            Held(samples),
            sample_rate,
            effects,
            Path(folder) / "effects.spool",
            values=turned,
            held=not effects[0].before,
        )
        return out.read(0, out.length).astype(np.float64)


@own_torch_state()
def style_distance(
    content: ArrayLike,
    style: Style | ArrayLike,
    output: ArrayLike,
    sample_rate: int,
) -> StyleDistance:
    """Measure how near an output is to a style.

    The statistics (Gram matrices) of the audio are compared on random networks that no recipe optimises
    against.

    Args:
        content, output: array [samples] or [channels, samples]
        style: a style, or an array at the same rate as the others
        sample_rate: Hz.

    Returns:
        StyleDistance with `raw` and `centred`: 0 for the style's own statistics, 1 for the unchanged content. An
        equaliser alone lowers raw a lot, but not centred.

    Raises:
        InputError: One of the three is silent, empty or not finite.
    """
    from ..models.measures import style_distance as distance

    sample_rate = arguments.rate(sample_rate)
    reference, style_rate = _style_samples(style, sample_rate)
    return distance.style_distance(
        arguments.sound(content, "content"),
        reference,
        arguments.sound(output, "output"),
        sample_rate,
        style_rate=style_rate,
    )


@own_torch_state()
def transposition_free_distance(
    content: ArrayLike,
    style: Style | ArrayLike,
    output: ArrayLike,
    sample_rate: int,
) -> StyleDistance:
    """Measure how near an output is to a style, whatever notes either of them plays.

    As `style_distance`, on networks that slide along pitch as well as time: a style played in another key is nearly as
    near as the style itself. To `style_distance`, which knows absolute frequencies only, it is far away.

    Args:
        content, output: array [samples] or [channels, samples]
        style: a style, or an array at the same rate as the others
        sample_rate: Hz.

    Returns:
        StyleDistance with `raw` and `centred`, as from `style_distance`.

    Raises:
        InputError: One of the three is silent, empty or not finite.
    """
    from ..models.measures.transposition_free import TranspositionFreeMeter

    sample_rate = arguments.rate(sample_rate)
    reference, style_rate = _style_samples(style, sample_rate)
    meter = TranspositionFreeMeter(
        arguments.sound(content, "content"), reference, sample_rate, style_rate=style_rate
    )
    return meter.distance(arguments.sound(output, "output"))


@own_torch_state()
def content_kept(content: ArrayLike, output: ArrayLike, sample_rate: int) -> ContentKept:
    """Measure how much of the content is left in an output.

    Args:
        content, output: array [samples] or [channels, samples]. Aligned in time; the longer one is cut.
        sample_rate: Hz.

    Returns:
        ContentKept with `onset` (attacks), `energy` (loudness over time), `mel` (spectrum over time, after the best
        equaliser), each a correlation from -1 to 1; `notes`, its partials found again, less chance, or None where the
        content has none; and `overall`, the mean of those there are. 1 means kept, 0 unrelated.

    Raises:
        InputError: One of the two is empty or not finite.
    """
    from ..models.measures import content_kept as measure

    return measure.content_kept(
        arguments.sound(content, "content"), arguments.sound(output, "output"), arguments.rate(sample_rate)
    )


def recipes() -> dict[str, Recipe]:
    """Return the recipes by name. A recipe has `summary`, `paper`, `settings()` and `describe()`."""
    from ..offline.recipes.registry import RECIPES

    return dict(RECIPES)


def _style_samples(style: Style | ArrayLike, sample_rate: int) -> tuple[Samples, int]:
    """Samples [channels, samples] and rate, Hz, of a style or of an array at `sample_rate`."""
    from ..models.style import Style

    if isinstance(style, Style):
        return style.samples, style.sample_rate
    return arguments.sound(style, "style"), sample_rate
