"""Rendering: a content and a style in, a stylised track of the content's length, rate, channels and loudness out.

There is one way through, for tracks on disk (`render_track`), in memory that does not grow with them; an array
(`render`) is put on disk first. The published recipes alone hold what they work on in memory.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.audible import audible_track
from ...dsp.mastering import loudness_of
from ...media.audiofile import SILENCE_PEAK
from ...media.errors import InputError
from ...media.spool import Held, Source, Spool
from ...models.style import Style
from ..recipes.recipe import Job, Recipe
from ..recipes.registry import get_recipe
from ..transport.tracks import PIECE
from ..work.checkpoint import Checkpoint
from ..work.progress import LossPoint, Progress, ProgressLog
from .strength import Mastered, strengthened

__all__ = [
    "LossPoint",
    "Progress",
    "ProgressLog",
    "Rendering",
    "TrackRendering",
    "check_content",
    "choose_device",
    "render",
    "render_track",
    "work_key",
]

#: seconds over which local statistics may be taken
SHORTEST_LOCAL, LONGEST_LOCAL = 0.5, 3600.0

Samples = NDArray[np.float64]
Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class Rendering:
    """The result of a render: samples [channels, samples] at the content's rate, with losses, times and settings."""

    samples: Samples
    sample_rate: int
    recipe: Recipe
    strength: float
    seed: int
    device: str
    losses: list[LossPoint]
    seconds: dict[str, float]


@dataclass(frozen=True)
class TrackRendering:
    """The result of a render of a track: its sound on disk, in the work folder, with losses, times and settings.

    Attributes:
        level: wanted and reached loudness
        resumed: stages that were finished before
    """

    sound: Spool
    sample_rate: int
    recipe: Recipe
    strength: float
    seed: int
    device: str
    losses: list[LossPoint]
    seconds: dict[str, float]
    level: Mastered
    resumed: list[str]

    def loaded(self) -> Rendering:
        """The same with its samples in memory."""
        samples = self.sound.read(0, self.sound.length).astype(np.float64)
        kept = {f.name: getattr(self, f.name) for f in dataclasses.fields(Rendering) if f.name != "samples"}
        return Rendering(samples=samples, **kept)


def choose_device(name: str) -> torch.device:
    """The device called `auto`, `cpu` or `cuda`; InputError where CUDA is asked for and absent."""
    if name not in {"auto", "cpu", "cuda"}:
        raise InputError(f"unknown device {name!r}; there are: auto, cpu, cuda")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise InputError("no CUDA device is available to PyTorch here; use --device cpu (or auto)")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def check_content(content: Samples | Source, sample_rate: int, *, name: str = "the content") -> None:
    """Raise InputError for a content that is too short, silent, or not finite.

    Args:
        content: array [channels, samples], or a track on disk
        sample_rate: Hz
        name: for messages
    """
    if isinstance(content, np.ndarray):
        if content.ndim != 2 or content.shape[0] < 1:
            raise InputError(f"{name} must be an array [channels, samples], not of shape {content.shape}")
        content = Held(content)
    shortest = 2048 / 44100
    if content.length < shortest * sample_rate:
        raise InputError(
            f"{name} is shorter than one frame ({content.length / sample_rate * 1000:.0f} ms; "
            f"at least {shortest * 1000:.0f} ms are needed): use a longer sound"
        )
    peak = 0.0
    for start in range(0, content.length, PIECE):
        piece = content.read(start, min(start + PIECE, content.length))
        # A maximum over what is not a number is not one either.
        peak = max(peak, highest) if np.isfinite(highest := float(np.abs(piece).max())) else np.inf
    if not np.isfinite(peak):
        raise InputError(f"{name} holds samples that are not numbers (NaN or infinite): export it again")
    if peak < SILENCE_PEAK:
        raise InputError(f"{name} is silent: there is nothing to stylise")


def render(
    content: Samples,
    sample_rate: int,
    style: Style,
    *,
    recipe: str | Recipe = "gramophone",
    strength: float = 1.0,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    settings: Mapping[str, object] | None = None,
    local: float | None = None,
    progress: Listener | None = None,
) -> Rendering:
    """Play a content in a style.

    Args:
        content: array [channels, samples] or [samples], full scale ±1
        sample_rate: Hz, of the content
        style: the style; any length, rate and channels
        recipe: a name, or a recipe
        strength: 0 (the content, sample for sample) to 1
        steps: steps of the optimiser, where the recipe has one
        seed: of all randomness; the same seed gives the same samples on the same machine
        device: auto, cpu or cuda
        settings: settings of the recipe to replace, by key
        local: see `render_track`
        progress: called after every step

    Raises:
        InputError: Content too short, silent or not finite; a value out of its range; no CUDA.
    """
    changes = {**(settings or {}), **({} if steps is None else {"steps": steps})}
    recipe = get_recipe(recipe, changes) if isinstance(recipe, str) else recipe.replace(changes)
    content = np.atleast_2d(np.asarray(content, dtype=np.float64))
    check_content(content, sample_rate)
    _check(recipe, strength, local)
    if strength == 0.0:
        return Rendering(
            content.copy(), sample_rate, recipe, strength, seed, str(choose_device(device)), [], {}
        )
    with tempfile.TemporaryDirectory(prefix="gramophone-") as name:
        work = Checkpoint(Path(name), {})
        track = Spool.create(work.folder / "source.spool", channels=content.shape[0], length=content.shape[1])
        track.write(0, content)
        return render_track(
            track,
            sample_rate,
            style,
            work,
            recipe=recipe,
            strength=strength,
            seed=seed,
            device=device,
            local=local,
            progress=progress,
        ).loaded()


def render_track(
    content: Spool,
    sample_rate: int,
    style: Style,
    work: Checkpoint,
    *,
    recipe: Recipe,
    strength: float = 1.0,
    seed: int = 0,
    device: str = "auto",
    local: float | None = None,
    loudness: float | None = None,
    progress: Listener | None = None,
) -> TrackRendering:
    """Play a track of any length in a style.

    Args:
        content: the track, after `check_content`
        sample_rate: Hz, of the content
        style: the style
        work: folder for unfinished work and the result; its finished stages are reused
        recipe: with its settings
        strength: 0 (the content) to 1
        seed, device, progress: see `render`
        local: length of the windows for the content's statistics, s, so that they follow the music; None takes them of
            the whole track, and its quiet parts stay quiet
        loudness: of the result, LUFS, as far as its peaks allow; None is the content's

    Raises:
        InputError: A value out of its range; no CUDA; a disk that is full.
    """
    _check(recipe, strength, local)
    where = choose_device(device)
    journal = ProgressLog(recipe.values.stages, progress)
    resumed = work.stages
    ours = cache(partial(loudness_of, content, sample_rate))
    if strength == 0.0:
        stylised = content
    else:
        stylised = recipe.values.run(
            Job(
                content=content,
                sample_rate=sample_rate,
                loudness=ours,
                style=style,
                work=work,
                generator=torch.Generator().manual_seed(seed),
                device=where,
                local=local,
                journal=journal,
            ),
            recipe=recipe.name,
        )
    journal.begin("level")
    if strength == 0.0 and loudness is None:
        out, level = content, Mastered(np.nan, np.nan)
    else:
        target = ours() if loudness is None else loudness
        if strength > 0.0:
            # Whatever a recipe made of the bins at the edges: a loudness does not bound what is not heard.
            heard = Spool.create(
                work.folder / "heard.spool", channels=content.channels, length=content.length
            )
            audible_track(stylised, heard, sample_rate)
            work.clear("stylised")
            stylised = heard
        out = Spool.create(work.folder / "out.spool", channels=content.channels, length=content.length)
        level = strengthened(
            content,
            stylised,
            out,
            sample_rate,
            strength,
            target=target,
            folder=work.folder,
            on_step=journal.step,
        )
    journal.step(1, 1)
    journal.end()
    return TrackRendering(
        out,
        sample_rate,
        recipe,
        strength,
        seed,
        str(where),
        journal.losses,
        journal.seconds,
        level,
        resumed,
    )


def work_key(
    content: str, style: Style, recipe: Recipe, *, seed: int, device: str, local: float | None
) -> dict[str, object]:
    """Return everything that the stages of a render depend on, for its `offline.work.checkpoint.Checkpoint`.

    Strength and loudness are not in it, since they come after all stages that are kept.

    Args:
        content: a hash of the content
        style, recipe, seed, device, local: as for `render_track`
    """
    return {
        "content": content,
        "style": style.source_hash,
        "recipe": recipe.name,
        "settings": recipe.settings(),
        "seed": seed,
        "device": str(choose_device(device)),
        "local": local,
        "layout": 2,
    }


def _check(recipe: Recipe, strength: float, local: float | None) -> None:
    if not 0.0 <= strength <= 1.0:
        raise InputError(f"strength must be from 0 (the content) to 1 (the style), not {strength:g}")
    if local is None:
        return
    if not recipe.values.takes_local:
        raise InputError(f"recipe {recipe.name} knows no local statistics; use transport or gramophone")
    if not SHORTEST_LOCAL <= local <= LONGEST_LOCAL:
        raise InputError(
            f"local statistics need {SHORTEST_LOCAL:g} to {LONGEST_LOCAL:g} seconds, not {local:g}"
        )
