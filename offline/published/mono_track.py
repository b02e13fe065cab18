"""What published recipes do around their optimisation: mix to mono, resample, and find a phase from noise."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.phase import griffin_lim, random_phase
from ...dsp.stft import expand
from ...media.audiofile import resample
from ...media.spool import Source

Samples = NDArray[np.float64]

# Samples that are read at a time.
_PIECE = 1 << 18


def one_channel(sound: Source, sample_rate: int, to_rate: int) -> Tensor:
    """The mean of a sound's channels at another rate, Tensor float32 [1, samples]."""
    pieces = [
        sound.read(start, min(start + _PIECE, sound.length)).mean(axis=0, keepdims=True, dtype=np.float64)
        for start in range(0, sound.length, _PIECE)
    ]
    return torch.from_numpy(resample(np.concatenate(pieces, axis=1), sample_rate, to_rate)).float()


def all_channels(samples: Tensor, sample_rate: int, to_rate: int, *, channels: int, length: int) -> Samples:
    """A sound [samples] at another rate in each of the channels, array [channels, length]."""
    out = resample(samples[None].double().cpu().numpy(), sample_rate, to_rate)
    out = np.pad(out, ((0, 0), (0, max(0, length - out.shape[-1]))))[:, :length]
    return np.repeat(out, channels, axis=0)


def rebuilt(
    spectrogram: Tensor,
    *,
    n_fft: int,
    hop: int,
    length: int,
    iterations: int,
    generator: torch.Generator,
    on_step: Callable[[int], None],
) -> Tensor:
    """Griffin-Lim from random phase, without momentum: samples [length] from log-magnitudes [bins, frames]."""
    magnitude = expand(spectrogram)
    return griffin_lim(
        magnitude,
        random_phase(tuple(magnitude.shape), generator=generator).to(magnitude.device),
        n_fft=n_fft,
        hop=hop,
        length=length,
        iterations=iterations,
        momentum=0.0,
        on_step=on_step,
    )
