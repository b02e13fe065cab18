"""Strength: the way from the content to the stylised sound, and the level at which either is heard."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dsp.level import loudness, match_loudness
from dsp.phase import griffin_lim, unit_phase
from dsp.stft import compress, expand, stft

N_FFT = 2048
HOP = 512
PHASE_ITERATIONS = 16

Samples = NDArray[np.float64]


def at_strength(content: Samples, stylised: Samples, sample_rate: int, strength: float) -> Samples:
    """The sound at a strength, at the content's loudness (see :func:`dsp.level.match_loudness` for its limits).

    Log-magnitudes move along the straight line (1 - s) x + s y, which for the closed form is the geodesic between
    content and style. The phase begins as that of the same mixture of the two sounds.

    Parameters
    ----------
    content, stylised : array [channels, samples], equally long
    sample_rate : Hz, of both
    strength : 0 (the content, unchanged) to 1 (the stylised sound)
    """
    if strength == 0.0:
        return content.copy()
    target = loudness(content, sample_rate)
    stylised = match_loudness(stylised, sample_rate, target)
    if strength == 1.0:
        return stylised
    return match_loudness(_blend(content, stylised, strength), sample_rate, target)


def _blend(content: Samples, stylised: Samples, strength: float) -> Samples:
    ours, theirs = (stft(torch.from_numpy(x).float(), N_FFT, HOP) for x in (content, stylised))
    magnitude = expand(torch.lerp(compress(ours.abs()), compress(theirs.abs()), strength))
    phase = unit_phase(torch.lerp(ours, theirs, strength))
    sound = griffin_lim(
        magnitude, phase, n_fft=N_FFT, hop=HOP, length=content.shape[-1], iterations=PHASE_ITERATIONS
    )
    return sound.double().numpy()
