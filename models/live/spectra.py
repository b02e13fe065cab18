"""From frames to spectra and back, powers, and sums that weigh the bins."""

import numpy as np
from numpy.typing import NDArray
from rocket_fft import c2r, r2c

from ...dsp.compiled import compiled

_f4 = np.float32
Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]


@compiled
def transform(frames: Floats, spectra: Spectra, axes: NDArray[np.int64]) -> None:
    """Write the spectra [rows, B] of windowed frames [rows, n_fft]."""
    r2c(frames, spectra, axes, True, 1.0, 1)


@compiled
def transform_back(spectra: Spectra, frames: Floats, axes: NDArray[np.int64]) -> None:
    """Write the frames [rows, n_fft] of spectra [rows, B]."""
    c2r(spectra, frames, axes, False, 1.0 / frames.shape[1], 1)


@compiled
def power_of(spectrum: Spectra, out: Floats) -> None:
    """Write |X|² [B]."""
    parts = spectrum.view(np.float32)
    for k in range(out.size):
        re, im = parts[2 * k], parts[2 * k + 1]
        out[k] = re * re + im * im


@compiled
def weighed(values: Floats, weights: Floats) -> float:
    """Return Σ_k values[k] weights[k], in eight sums, which a processor adds at once."""
    a = b = c = d = e = f = g = h = _f4(0.0)
    whole = values.size - values.size % 8
    for k in range(0, whole, 8):
        a += values[k] * weights[k]
        b += values[k + 1] * weights[k + 1]
        c += values[k + 2] * weights[k + 2]
        d += values[k + 3] * weights[k + 3]
        e += values[k + 4] * weights[k + 4]
        f += values[k + 5] * weights[k + 5]
        g += values[k + 6] * weights[k + 6]
        h += values[k + 7] * weights[k + 7]
    rest = _f4(0.0)
    for k in range(whole, values.size):
        rest += values[k] * weights[k]
    return float(((a + b) + (c + d)) + ((e + f) + (g + h)) + rest)
