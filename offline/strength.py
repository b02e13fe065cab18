"""Strength: the way from the content to the stylised sound, and the level at which either is heard."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dsp.level import gain_db, loudness, match_loudness
from dsp.phase import unit_phase
from dsp.stft import istft, stft

N_FFT = 2048
HOP = 512

Samples = NDArray[np.float64]


def at_strength(content: Samples, stylised: Samples, sample_rate: int, strength: float) -> Samples:
    """The sound at a strength, at the content's loudness (see :func:`dsp.level.match_loudness` for its limits).

    Magnitudes move along the straight line (1 - t) |X| + t |Y|, with the phase of the same mixture of the spectra, so
    that nothing cancels on the way. The straight line between log-magnitudes would be the geodesic of the closed
    form, but on it the style distance first rises where content and style are loud in different bins: halfway, both
    are soft. Since distances are measured on a logarithmic scale, on which a soft sound beside a loud one hardly
    counts, t = 1 - (1 - s)² makes equal steps of strength more nearly equal steps of style distance.

    Parameters
    ----------
    content, stylised : array [channels, samples], equally long
    sample_rate : Hz, of both
    strength : 0 (the content, unchanged) to 1 (the stylised sound)
    """
    if strength == 0.0:
        return content.copy()
    target = loudness(content, sample_rate)
    if strength < 1.0:
        # Equally loud, and limited only once it is mixed: limited twice, it would jump where strength reaches 1.
        level = loudness(stylised, sample_rate)
        if np.isfinite(level) and np.isfinite(target):
            stylised = gain_db(stylised, target - level)
        stylised = _blend(content, stylised, strength)
    return match_loudness(stylised, sample_rate, target)


def _blend(content: Samples, stylised: Samples, strength: float) -> Samples:
    ours, theirs = (stft(torch.from_numpy(x), N_FFT, HOP) for x in (content, stylised))
    way = 1.0 - (1.0 - strength) ** 2
    magnitude = torch.lerp(ours.abs(), theirs.abs(), way)
    phase = unit_phase(torch.lerp(ours, theirs, way))
    return istft(magnitude * phase, N_FFT, HOP, content.shape[-1]).numpy()
