"""Statistics of a style's clip that its file holds: mean, covariance in bands, and what is left outside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from ..dsp.level import S0

Doubles = NDArray[np.float64]

#: Hz, samples, samples and mel-like bands: the layout of the statistics in a file
RATE = 44100
N_FFT = 2048
HOP = 512
BANDS = 96


@dataclass(frozen=True)
class StyleStatistics:
    """Mean [bins], covariance in bands [bands, bands] and standard deviation [bins] of what is outside them."""

    mean: Doubles
    covariance: Doubles
    rest: Doubles


def style_statistics(clip: Doubles, basis: Doubles, *, n_fft: int, hop: int) -> StyleStatistics:
    """Return the statistics of the log-magnitude frames of a clip [channels, samples]; frames as in dsp.stft."""
    around = np.pad(clip.astype(np.float32), ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = log_levels(around, n_fft, hop).astype(np.float64)
    mean = frames.mean(axis=0)
    frames -= mean
    inside = frames @ basis
    covariance = inside.T @ inside / frames.shape[0]
    frames -= inside @ basis.T
    return StyleStatistics(mean, covariance, np.sqrt(np.mean(np.square(frames, out=frames), axis=0)))


def log_levels(sound: NDArray[np.float32], n_fft: int, hop: int) -> NDArray[np.float32]:
    """Return log(1 + |X| / S0) [frames, bins] of the whole frames of a sound [channels, samples].

    |X| is the root of the channels' mean power, as in dsp.stft.
    """
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(sound, n_fft, axis=-1)[:, ::hop]
    power = np.zeros((frames.shape[1], n_fft // 2 + 1), dtype=np.float32)
    for start in range(0, power.shape[0], 512):
        for channel in frames:
            spectrum = rfft(channel[start : start + 512] * window, axis=-1)
            power[start : start + 512] += np.square(spectrum.real) + np.square(spectrum.imag)
    power *= np.float32((4.0 / n_fft / S0) ** 2 / sound.shape[0])
    return np.log1p(np.sqrt(power, out=power), out=power)
