"""Strength: the way from the content to the stylised sound."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from dsp.phase import griffin_lim, unit_phase
from dsp.stft import compress, expand, stft

N_FFT = 2048
HOP = 512
PHASE_ITERATIONS = 16


def blend(
    content: NDArray[np.float64], stylised: NDArray[np.float64], sample_rate: int, strength: float
) -> NDArray[np.float64]:
    """The sound at a strength between 0 and 1.

    Log-magnitudes move along the straight line (1 - s) x + s y, which for the closed form is the geodesic
    between content and style. The phase begins as that of the same mixture of the two sounds.

    Parameters
    ----------
    content, stylised : array [channels, samples], equally long
    sample_rate : Hz
    strength : 0 to 1, both ends excluded: there nothing needs to be rebuilt
    """
    del sample_rate
    spectra = [stft(torch.from_numpy(x).float(), N_FFT, HOP) for x in (content, stylised)]
    logs = [compress(s.abs()) for s in spectra]
    magnitude = expand(torch.lerp(logs[0], logs[1], strength))
    phase = unit_phase(torch.lerp(spectra[0], spectra[1], strength))
    samples = griffin_lim(
        magnitude, phase, n_fft=N_FFT, hop=HOP, length=content.shape[-1], iterations=PHASE_ITERATIONS
    )
    return samples.double().numpy()
