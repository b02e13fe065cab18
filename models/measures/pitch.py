"""Pitch of a single voice, frame by frame: YIN."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME_SECONDS = 0.0464
HOP_SECONDS = 0.0116
LOWEST_HZ, HIGHEST_HZ = 60.0, 1000.0


def pitch_track(
    samples: NDArray[np.float64], sample_rate: int, *, threshold: float = 0.15
) -> NDArray[np.float64]:
    """Fundamental frequency in Hz of each frame, NaN where there is none.

    The cumulative mean normalised difference function and its first dip below a threshold
    (de Cheveigné and Kawahara 2002, eqs. 6 to 8, steps 1 to 5).

    Args:
        samples: array [samples]
        sample_rate: Hz
        threshold: how much aperiodic power a frame with a pitch may have, 0..1

    Returns:
        array [frames], one each 11.6 ms
    """
    window = round(FRAME_SECONDS * sample_rate)
    hop = round(HOP_SECONDS * sample_rate)
    longest = round(sample_rate / LOWEST_HZ)
    shortest = max(2, round(sample_rate / HIGHEST_HZ))
    padded = np.pad(samples, (0, window + longest))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window + longest)[::hop][: samples.size // hop]
    if not len(frames):
        return np.full(0, np.nan)
    # d(lag) = e(0) + e(lag) - 2 r(lag) (eq. 7), the correlation r by FFT and the energies e by running sums.
    size = 1 << (window + 2 * longest - 1).bit_length()
    head = np.fft.rfft(frames[:, :window], size)
    correlation = np.fft.irfft(np.conj(head) * np.fft.rfft(frames, size), size)[:, : longest + 1]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    energy = energy[:, window : window + longest + 1] - energy[:, : longest + 1]
    difference = np.maximum(energy[:, :1] + energy - 2.0 * correlation, 0.0)
    lags = np.arange(1, longest + 1)
    running = np.cumsum(difference[:, 1:], axis=1) / lags
    normalised = np.ones_like(difference)
    normalised[:, 1:] = difference[:, 1:] / np.maximum(running, 1e-12)
    loud = energy[:, 0] > 1e-4 * max(float(energy[:, 0].max()), 1e-12)
    return np.array(
        [
            _first_dip(row, shortest, threshold, sample_rate) if audible else np.nan
            for row, audible in zip(normalised, loud, strict=True)
        ]
    )


def _first_dip(row: NDArray[np.float64], shortest: int, threshold: float, sample_rate: int) -> float:
    below = np.flatnonzero(row[shortest:-1] < threshold)
    if not below.size:
        return float("nan")
    lag = shortest + int(below[0])
    while lag + 1 < row.size - 1 and row[lag + 1] < row[lag]:
        lag += 1
    left, middle, right = row[lag - 1 : lag + 2]
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 1e-12 else 0.0
    return sample_rate / (lag + float(np.clip(shift, -0.5, 0.5)))
