"""The baselines that every table shows: an equaliser, a mix, a channel vocoder."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import scipy.signal
import torch
from numpy.typing import NDArray

from ...dsp.level import loudness
from ...dsp.stft import istft, power_mean, stft
from ..work.mixture import matching_gains

N_FFT = 2048
HOP = 512
VOCODER_BANDS = 32

Baseline = Callable[[NDArray[np.float64], NDArray[np.float64], int], NDArray[np.float64]]


def _fit(style: NDArray[np.float64], content: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """The style looped or cut to the content's length, in its channels, at its loudness."""
    length = content.shape[-1]
    style = np.tile(style, (1, -(-length // style.shape[-1])))[:, :length]
    if style.shape[0] != content.shape[0]:
        style = np.repeat(style.mean(axis=0, keepdims=True), content.shape[0], axis=0)
    return style * 10 ** ((loudness(content, sample_rate) - loudness(style, sample_rate)) / 20)


def matched_equaliser(
    content: NDArray[np.float64], style: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """The content through the fixed filter that gives it the style's average power spectrum.

    See `offline.work.mixture.matching_gains` for that filter.
    """
    x = torch.from_numpy(content)
    spectrum = stft(x, N_FFT, HOP)
    style_spectrum = stft(torch.from_numpy(_fit(style, content, sample_rate)), N_FFT, HOP)
    gain = matching_gains(*(power_mean(s).square().mean(dim=-1).numpy() for s in (spectrum, style_spectrum)))
    return istft(spectrum * torch.from_numpy(gain)[:, None], N_FFT, HOP, content.shape[-1]).numpy()


def half_mix(
    content: NDArray[np.float64], style: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """Content and style, equally loud, added."""
    return 0.5 * (content + _fit(style, content, sample_rate))


def channel_vocoder(
    content: NDArray[np.float64], style: NDArray[np.float64], sample_rate: int
) -> NDArray[np.float64]:
    """The style as carrier, shaped by the content's band envelopes (Dudley 1939).

    32 bands from 60 Hz to 16 kHz, evenly spaced in log frequency. Each band of the style is multiplied by the envelope
    that the content has there, at a mean of 1, so that the style's own balance between bands stays.
    """
    carrier = _fit(style, content, sample_rate)
    edges = np.geomspace(60.0, min(16000.0, 0.45 * sample_rate), VOCODER_BANDS + 1)
    smoother = scipy.signal.butter(2, 50.0, fs=sample_rate, output="sos")
    out = np.zeros_like(content)
    for low, high in itertools.pairwise(edges):
        band = scipy.signal.butter(2, (low, high), "bandpass", fs=sample_rate, output="sos")
        voice, tone = (scipy.signal.sosfilt(band, x, axis=-1) for x in (content, carrier))
        envelope = np.maximum(scipy.signal.sosfiltfilt(smoother, np.abs(voice), axis=-1), 0.0)
        out += tone * envelope / max(float(envelope.mean()), 1e-9)
    return out


BASELINES: dict[str, Baseline] = {
    "matched equaliser": matched_equaliser,
    "half-and-half mix": half_mix,
    "channel vocoder": channel_vocoder,
}
