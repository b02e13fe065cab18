"""The published recipes: one channel at a rate of their own, a spectrogram optimised, a phase found from noise.

They are here to be compared with, so they hold the whole track in memory, as their authors' programs do.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.phase import griffin_lim, random_phase
from ...dsp.stft import expand, log_spectrogram
from ...media.audiofile import resample
from ...media.spool import Source
from ...models.style import Style
from ..work.memory import available_memory, check_memory
from ..work.progress import Journal
from .antognini import optimise_texture_networks, usable_kernels
from .fixed_network import optimise_fixed
from .gatys import optimise_gatys
from .grinstein import optimise_from_content, optimise_texture
from .lbfgs import OnStep
from .registry import FixedNetwork
from .settings import Antognini, Gatys, Grinstein

Samples = NDArray[np.float64]
Published = FixedNetwork | Gatys | Grinstein | Antognini

# Stages with the share of the time that each takes.
SHARES = {"analysis": 1.0, "spectrogram": 90.0, "phase": 8.0, "level": 1.0}

# Samples that are read at a time.
_PIECE = 1 << 18

_FLOAT = 4
# Numbers that SciPy's L-BFGS keeps for each unknown: ten pairs of steps and slopes in float64, and its workspace.
_LBFGS = 50
# Features that VGG-19 keeps of each pixel for the way back, and what its largest layer needs besides.
_VGG = 290 + 3 * 64


def render_published(
    content: Source,
    sample_rate: int,
    style: Style,
    settings: Published,
    *,
    recipe: str,
    generator: torch.Generator,
    device: torch.device,
    journal: Journal,
) -> Samples:
    """Render as a published recipe does.

    Parameters
    ----------
    content : the sound, [channels, samples]
    sample_rate : Hz, of the content
    style : the style
    settings : the recipe's; their class says which it is
    recipe : its name, for messages
    generator : draws networks, noise and phase
    device : where to compute
    journal : is told of each step

    Returns
    -------
    array of the content's shape, all channels alike, at the level at which it came out

    Raises
    ------
    InputError
        The track is too long for the memory there is, or a file of weights is not what it should be.
    """
    journal.begin("analysis")
    seconds = content.length / sample_rate
    lengths = (
        int(length * settings.sample_rate)
        for length in (seconds, style.samples.shape[-1] / style.sample_rate)
    )
    needed = memory_needed(settings, *lengths)
    check_memory(needed, available_memory(device), recipe=recipe, seconds=seconds)
    mono = resample(_one_channel(content), sample_rate, settings.sample_rate)
    example = resample(style.samples.mean(axis=0, keepdims=True), style.sample_rate, settings.sample_rate)
    sounds = [torch.from_numpy(x).float().to(device) for x in (mono, example)]

    journal.begin("spectrogram")

    def on_step(step: int, loss: float) -> None:
        journal.step(step, settings.steps, loss)

    if isinstance(settings, Grinstein) and settings.network == "texture":
        # The texture model takes the sound itself: there is no phase to find.
        rate = settings.sample_rate
        samples = optimise_texture(sounds[0], sounds[1], settings, sample_rate=rate, on_step=on_step)[0]
        journal.begin("phase")
    else:
        spectrograms = [log_spectrogram(x, settings.n_fft, settings.hop) for x in sounds]
        target = _optimise(spectrograms[0], spectrograms[1], settings, generator, on_step)
        journal.begin("phase")
        samples = _phase(target, settings, mono.shape[-1], generator, journal)
    out = resample(samples[None].double().cpu().numpy(), settings.sample_rate, sample_rate)
    out = np.pad(out, ((0, 0), (0, max(0, content.length - out.shape[-1]))))[:, : content.length]
    return np.repeat(out, content.channels, axis=0)


def _one_channel(content: Source) -> Samples:
    """The mean of the channels, [1, samples]."""
    pieces = [
        content.read(start, min(start + _PIECE, content.length)).mean(axis=0, keepdims=True, dtype=np.float64)
        for start in range(0, content.length, _PIECE)
    ]
    return np.concatenate(pieces, axis=1)


def _optimise(
    content: Tensor, style: Tensor, settings: Published, generator: torch.Generator, on_step: OnStep
) -> Tensor:
    """The recipe's own part: log-magnitudes [bins, frames of the content]."""
    if isinstance(settings, FixedNetwork):
        return optimise_fixed(content, style, settings, generator=generator, on_step=on_step)
    if isinstance(settings, Gatys):
        return optimise_gatys(content, style, settings, generator=generator, on_step=on_step)
    if isinstance(settings, Grinstein):
        return optimise_from_content(content, style, settings, generator=generator, on_step=on_step)
    return optimise_texture_networks(content, style, settings, generator=generator, on_step=on_step)


def _phase(
    target: Tensor, settings: Published, length: int, generator: torch.Generator, journal: Journal
) -> Tensor:
    """Griffin-Lim from random phase, without momentum: samples [length]."""
    magnitude = expand(target)
    iterations = settings.phase_iterations
    return griffin_lim(
        magnitude,
        random_phase(tuple(magnitude.shape), generator=generator).to(magnitude.device),
        n_fft=settings.n_fft,
        hop=settings.hop,
        length=length,
        iterations=iterations,
        momentum=0.0,
        on_step=lambda step: journal.step(step, iterations),
    )


def memory_needed(settings: Published, samples: int, style_samples: int) -> float:
    """Bytes that a track takes at its peak, estimated.

    Parameters
    ----------
    settings : the recipe's
    samples, style_samples : of the content and of the style, at the recipe's rate
    """
    bins = settings.n_fft // 2 + 1
    frames, theirs = (n // settings.hop + 1 for n in (samples, style_samples))
    pixels = bins * (frames + theirs)
    unknowns = 8 * _LBFGS * bins * frames
    if isinstance(settings, Gatys) or (isinstance(settings, Grinstein) and settings.network == "vgg19"):
        return _FLOAT * _VGG * pixels + unknowns
    if isinstance(settings, Grinstein) and settings.network == "texture":
        # Some thirty bands, complex, in blocks, and their history.
        return _FLOAT * 200 * (samples + style_samples) + 8 * _LBFGS * samples
    if isinstance(settings, Antognini):
        kernels = usable_kernels(settings.kernels, min(frames, theirs))
        # Spectra of the filters, complex and twice as long, and once more those of the layer at work; features of the
        # style, and of one layer at a time with all that its slope needs.
        weights = 2 * _FLOAT * settings.filters * bins * (sum(kernels) + max(kernels))
        features = _FLOAT * settings.filters * (theirs * len(kernels) + 20 * frames)
        return weights + features + unknowns
    weights = 2 * _FLOAT * settings.filters * bins * settings.kernel
    grams = 6 * _FLOAT * min(settings.filters, frames + theirs) ** 2
    return weights + grams + 6 * _FLOAT * settings.filters * (frames + theirs) + unknowns
