"""The short-time Fourier transform, and the level convention that all modules use.

A frame is scaled by `2 / sum(window)`, so that a full-scale sine has magnitude 1 with any window and hop.
Log-magnitudes are `S = log(1 + |X| / S0)`: linear below the level S0, which therefore decides what counts as silence,
and logarithmic above it.

`S0 = 2 / 1024` is full scale over 512, -54.2 dB. With a Hann window of 2048 samples, whose sum is 1024, this is
exactly the `log(1 + |X|)` of an unscaled STFT that the published recipes use; unlike theirs it stays at
-54.2 dB when window or hop change.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from .level import S0

__all__ = ["S0", "compress", "expand", "istft", "log_spectrogram", "power_mean", "spread", "stft"]


@lru_cache(maxsize=16)
def _window(n_fft: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.hann_window(n_fft, periodic=True, dtype=dtype, device=device)


def stft(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Complex STFT of real samples.

    Args:
        samples: Tensor [..., samples]
        n_fft: window and transform length in samples (periodic Hann)
        hop: samples from one frame to the next

    Returns:
        Tensor [..., n_fft // 2 + 1 bins, frames], complex; a full-scale sine has magnitude 1. Frame t is centred on
        sample `t * hop`; beyond both ends there is silence, so any length from one sample up has a transform.
    """
    window = _window(n_fft, samples.dtype, samples.device)
    flat = samples.reshape(-1, samples.shape[-1])
    spectrum = torch.stft(
        flat, n_fft, hop, window=window, center=True, pad_mode="constant", return_complex=True
    )
    # A Hann window sums to n_fft / 2; a sine of amplitude 1 has half its magnitude at the positive frequency.
    return spectrum.mul(4.0 / n_fft).reshape(*samples.shape[:-1], *spectrum.shape[-2:])


def istft(spectrum: Tensor, n_fft: int, hop: int, length: int) -> Tensor:
    """Least-squares inverse of `stft` (Griffin and Lim 1984, eq. 6).

    Args:
        spectrum: Tensor [..., bins, frames], complex
        n_fft, hop: the layout it was made with
        length: samples to return

    Returns:
        Tensor [..., length]
    """
    window = _window(n_fft, spectrum.real.dtype, spectrum.device)
    flat = spectrum.reshape(-1, *spectrum.shape[-2:]).mul(n_fft / 4.0)
    samples = torch.istft(flat, n_fft, hop, window=window, center=True, length=length)
    return samples.reshape(*spectrum.shape[:-2], length)


def power_mean(spectrum: Tensor) -> Tensor:
    """One magnitude for all channels: the root of the mean power, [channels, ...] to [...].

    Equal channels give their own magnitude, and opposite phases do not cancel as they would in a mono mix.
    The gradient towards one channel's bin is proportional to that bin, so that whatever is optimised on this
    magnitude scales all channels alike and leaves the stereo image where it was.
    """
    power = spectrum.real.square() + spectrum.imag.square()
    # The root has no slope at zero: a floor far below S0 keeps gradients finite.
    return (power.mean(dim=0) + 1e-16).sqrt()


def compress(magnitude: Tensor) -> Tensor:
    """Log-magnitude `log(1 + magnitude / S0)`, any shape; 0 is silence."""
    return torch.log1p(magnitude / S0)


def expand(log_magnitude: Tensor) -> Tensor:
    """Inverse of `compress`. Values below zero, which no sound has, count as silence."""
    return torch.expm1(log_magnitude.clamp_min(0.0)) * S0


def log_spectrogram(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Log-magnitude spectrogram of all channels together, [channels, samples] to [bins, frames]."""
    return compress(power_mean(stft(samples, n_fft, hop)))


def spread(magnitude: Tensor, spectrum: Tensor) -> Tensor:
    """Give channels a common magnitude without moving the stereo image.

    Args:
        magnitude: Tensor [bins, frames], the power mean that the channels shall have
        spectrum: Tensor [channels, bins, frames], complex, whose balance between channels is kept

    Returns:
        Tensor [channels, bins, frames], magnitudes; zero where the spectrum is zero in every channel
    """
    return magnitude / power_mean(spectrum) * spectrum.abs()
