"""Rendering: a content and a style in, a stylised track of the content's length, rate, channels and loudness out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from dsp.audiofile import is_silent, resample
from dsp.errors import InputError
from dsp.level import at_reference
from dsp.phase import griffin_lim, random_phase, unit_phase
from dsp.stft import compress, expand, log_spectrogram, power_mean, spread, stft
from models.style import Style
from offline.closed_form import sounding, transport_frames
from offline.fixed_network import optimise_fixed
from offline.optimize import optimise_sound
from offline.recipes import FixedNetwork, Gramophone, Recipe, Transport, get_recipe
from offline.strength import at_strength

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """How far a render has come."""

    stage: str
    step: int
    steps: int
    loss: float | None
    fraction: float


@dataclass(frozen=True)
class LossPoint:
    """Style loss at one step of one stage."""

    stage: str
    step: int
    loss: float


@dataclass(frozen=True)
class Rendering:
    """What a render gives back: samples [channels, samples] at the content's rate, and how they came about."""

    samples: Samples
    sample_rate: int
    recipe: Recipe
    strength: float
    seed: int
    device: str
    losses: list[LossPoint]
    seconds: dict[str, float]


@dataclass
class Journal:
    """Keeps the losses and the time of each stage, and tells a listener how far the work has come.

    `shares` are the stages in order with the share of the whole time that each is expected to take.
    """

    shares: Mapping[str, float]
    listener: Callable[[Progress], None] | None
    losses: list[LossPoint] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _stage: str = ""
    _since: float = 0.0

    def begin(self, stage: str) -> None:
        """Close the stage before and open the next."""
        self.end()
        self._stage, self._since = stage, time.perf_counter()
        self.step(0, 1)

    def end(self) -> None:
        """Close the open stage."""
        if self._stage:
            spent = time.perf_counter() - self._since
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
            self._stage = ""

    def step(self, step: int, steps: int, loss: float | None = None) -> None:
        """Note one step of the open stage."""
        if loss is not None:
            self.losses.append(LossPoint(self._stage, step, loss))
        if self.listener is not None:
            names = list(self.shares)
            before = sum(self.shares[name] for name in names[: names.index(self._stage)])
            done = before + self.shares[self._stage] * step / max(steps, 1)
            self.listener(Progress(self._stage, step, steps, loss, done / sum(self.shares.values())))


def choose_device(name: str) -> torch.device:
    """The device called `auto`, `cpu` or `cuda`; InputError where CUDA is asked for and absent."""
    if name not in {"auto", "cpu", "cuda"}:
        raise InputError(f"unknown device {name!r}; there are: auto, cpu, cuda")
    present = torch.cuda.is_available()
    if name == "cuda" and not present:
        raise InputError("no CUDA device is available to PyTorch here; use --device cpu (or auto)")
    return torch.device("cuda" if present and name != "cpu" else "cpu")


def check_content(samples: Samples, sample_rate: int, *, name: str = "the content") -> None:
    """InputError where there is nothing to stylise: too short, silent, or not finite."""
    if samples.ndim != 2 or samples.shape[0] < 1:
        raise InputError(f"{name} must be an array [channels, samples], not of shape {samples.shape}")
    shortest = 2048 / 44100
    if samples.shape[-1] < shortest * sample_rate:
        raise InputError(
            f"{name} is shorter than one frame ({samples.shape[-1] / sample_rate * 1000:.0f} ms; "
            f"at least {shortest * 1000:.0f} ms are needed): use a longer sound"
        )
    if not np.isfinite(samples).all():
        raise InputError(f"{name} holds samples that are not numbers (NaN or infinite): export it again")
    if is_silent(samples):
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
    progress: Callable[[Progress], None] | None = None,
) -> Rendering:
    """Play a content in a style.

    Parameters
    ----------
    content : array [channels, samples] or [samples], full scale ±1
    sample_rate : Hz, of the content
    style : the style; any length, rate and channels
    recipe : a name, or a recipe
    strength : 0 (the content, sample for sample) to 1
    steps : steps of the optimiser, where the recipe has one
    seed : all randomness comes from it; the same seed gives the same samples on the same machine
    device : auto, cpu or cuda
    settings : settings of the recipe to replace, by key
    progress : called after every step

    Raises
    ------
    InputError
        Content too short, silent or not finite; a value out of its range; no CUDA.
    """
    changes = {**(settings or {}), **({} if steps is None else {"steps": steps})}
    recipe = (get_recipe(recipe) if isinstance(recipe, str) else recipe).replace(changes)
    if not 0.0 <= strength <= 1.0:
        raise InputError(f"strength must be from 0 (the content) to 1 (the style), not {strength:g}")
    content = np.atleast_2d(np.asarray(content, dtype=np.float64))
    check_content(content, sample_rate)
    where = choose_device(device)
    if strength == 0.0:
        return Rendering(content.copy(), sample_rate, recipe, strength, seed, str(where), [], {})
    generator = torch.Generator().manual_seed(seed)
    journal = Journal(_SHARES[type(recipe.values)], progress)
    if isinstance(recipe.values, FixedNetwork):
        samples = _published(content, sample_rate, style, recipe.values, generator, where, journal)
    else:
        samples = _transported(content, sample_rate, style, recipe.values, generator, where, journal)
    journal.begin("level")
    samples = at_strength(content, samples, sample_rate, strength)
    journal.step(1, 1)
    journal.end()
    return Rendering(
        samples, sample_rate, recipe, strength, seed, str(where), journal.losses, journal.seconds
    )


# Each recipe's stages, with the share of the time that each takes.
_SHARES: dict[type, dict[str, float]] = {
    Transport: {"transport": 90.0, "level": 10.0},
    Gramophone: {"transport": 8.0, "sound": 91.0, "level": 1.0},
    FixedNetwork: {"analysis": 1.0, "spectrogram": 90.0, "phase": 8.0, "level": 1.0},
}


def _fit(samples: Samples, length: int) -> Samples:
    """Cut or fill with silence to a length."""
    return np.pad(samples, ((0, 0), (0, max(0, length - samples.shape[-1]))))[:, :length]


def _published(
    content: Samples,
    sample_rate: int,
    style: Style,
    settings: FixedNetwork,
    generator: torch.Generator,
    device: torch.device,
    journal: Journal,
) -> Samples:
    """A published recipe, in mono at its own rate, as it was published."""
    journal.begin("analysis")
    mono = resample(content.mean(axis=0, keepdims=True), sample_rate, settings.sample_rate)
    example = resample(style.samples.mean(axis=0, keepdims=True), style.sample_rate, settings.sample_rate)
    clips = (torch.from_numpy(x).float().to(device) for x in (mono, example))
    content_log, style_log = (log_spectrogram(x, settings.n_fft, settings.hop) for x in clips)

    journal.begin("spectrogram")
    target = optimise_fixed(
        content_log,
        style_log,
        settings,
        generator=generator,
        on_step=lambda step, loss: journal.step(step, settings.steps, loss),
    )

    journal.begin("phase")
    iterations = settings.phase_iterations
    magnitude = expand(target)
    samples = griffin_lim(
        magnitude,
        random_phase(tuple(magnitude.shape), generator=generator).to(device),
        n_fft=settings.n_fft,
        hop=settings.hop,
        length=mono.shape[-1],
        iterations=iterations,
        momentum=0.0,
        on_step=lambda step: journal.step(step, iterations),
    )
    out = resample(samples[None].double().cpu().numpy(), settings.sample_rate, sample_rate)
    return np.repeat(_fit(out, content.shape[-1]), content.shape[0], axis=0)


def _transported(
    content: Samples,
    sample_rate: int,
    style: Style,
    settings: Transport,
    generator: torch.Generator,
    device: torch.device,
    journal: Journal,
) -> Samples:
    """The closed form, its phase, and for the default recipe the sound itself."""
    journal.begin("transport")
    n_fft, hop = settings.n_fft, settings.hop
    ours = at_reference(resample(content, sample_rate, settings.sample_rate), settings.sample_rate)
    sound, example = (torch.from_numpy(x).float().to(device) for x in (ours, style.at(settings.sample_rate)))
    content_log, style_log = (log_spectrogram(x, n_fft, hop) for x in (sound, example))
    sounds = sounding(content_log)
    # Of each round, the map is one step and every iteration of its phase another.
    steps = 1 + settings.phase_iterations
    for turn in range(settings.rounds):
        # What no signal can have is lost on the way through the phase; another round sees what is missing.
        spectrum = stft(sound, n_fft, hop)
        current = compress(power_mean(spectrum))
        target = transport_frames(current, style_log, settings, coupled=turn == 0) * sounds
        done = turn * steps + 1
        journal.step(done, settings.rounds * steps)
        sound = griffin_lim(
            spread(expand(target), spectrum),
            unit_phase(spectrum),
            n_fft=n_fft,
            hop=hop,
            length=ours.shape[-1],
            iterations=settings.phase_iterations,
            on_step=partial(_count, journal, done, settings.rounds * steps),
        )
        level = at_reference(sound.double().cpu().numpy(), settings.sample_rate)
        sound = torch.from_numpy(level).float().to(device)
    if isinstance(settings, Gramophone):
        journal.begin("sound")
        sound = optimise_sound(
            sound,
            content_log,
            style_log,
            settings,
            generator=generator,
            on_step=lambda step, loss: journal.step(step, settings.steps, loss),
        )
    out = resample(sound.double().cpu().numpy(), settings.sample_rate, sample_rate)
    return _fit(out, content.shape[-1])


def _count(journal: Journal, before: int, steps: int, step: int) -> None:
    journal.step(before + step, steps)
