"""Levels: loudness, true peak, and a limiter that keeps to its ceiling."""

import math

import numpy as np
from numpy.typing import NDArray

from ..media.spool import Held
from .audible import HIGHEST_HZ
from .filters import filter_in_place, k_weighting
from .meters import LoudnessMeter, peaks
from .track_limiter import TrackLimiter

Samples = NDArray[np.float64]

# Of one channel: what EBU R 128 asks of programmes, and stereo music of -20 LUFS has.
REFERENCE_LUFS = -23.0
#: Where the scale of log-magnitudes turns from linear to logarithmic, see dsp.stft; linear.
S0 = 2.0 / 1024.0


def loudness(samples: Samples, sample_rate: int) -> float:
    """Return the integrated loudness (BS.1770-4) in LUFS; -inf for silence or no samples.

    Args:
        samples: [channels, samples], see `dsp.meters.LoudnessMeter`.
        sample_rate: Hz.
    """
    meter = LoudnessMeter(samples.shape[0], sample_rate)
    meter.feed(samples)
    return meter.result()


def k_weights(n_fft: int, sample_rate: int) -> Samples:
    """Return the power gain [n_fft // 2 + 1] of the K-weighting (BS.1770-4) in each bin of an STFT; 0 above 20 kHz."""
    impulse = np.zeros((1, n_fft))
    impulse[0, 0] = 1.0
    filter_in_place(k_weighting(sample_rate), impulse, np.zeros((1, 2, 2)))
    weights = np.abs(np.fft.rfft(impulse[0])) ** 2
    # The standard, made for 48 kHz, would count what nobody hears, and more than anything else.
    return np.where(np.fft.rfftfreq(n_fft, 1.0 / sample_rate) < HIGHEST_HZ, weights, 0.0)


def at_reference(samples: Samples, sample_rate: int) -> Samples:
    """Return `samples` [channels, samples] with -23 LUFS in each channel on the mean; silence as it is.

    Loudness adds channels up, so the same sound is 3 LU louder in two channels than in one. A comparison of sounds with
    different channels must not depend on that.
    """
    level = loudness(samples, sample_rate) - 10.0 * math.log10(samples.shape[0])
    return gain_db(samples, REFERENCE_LUFS - level) if math.isfinite(level) else samples


def gain_db(samples: Samples, db: float) -> Samples:
    """Return `samples` amplified by `db` decibels; -inf gives silence."""
    return samples * float(10.0 ** (db / 20.0))


def true_peak(samples: Samples, sample_rate: int) -> float:
    """Return the largest |x| of `samples` [channels, samples], with 4 times oversampling; linear.

    Never below the largest sample. `sample_rate` does not matter to the measure.
    """
    del sample_rate
    if not samples.size:
        return 0.0
    return float(peaks(samples, above=float(np.abs(samples).max())).max())


def limit(
    samples: Samples,
    sample_rate: int,
    *,
    ceiling_db: float = -1.0,
    lookahead_ms: float = 5.0,
    release_ms: float = 100.0,
) -> Samples:
    """Return `samples` [channels, samples] with their true peak held at the ceiling; no delay.

    What already fits is returned as it is, the same array. See `dsp.track_limiter.TrackLimiter` for the times.

    Args:
        ceiling_db: Largest true peak, dBFS.
    """
    ceiling = 10.0 ** (ceiling_db / 20.0)
    if not samples.size or true_peak(samples, sample_rate) <= ceiling:
        return samples
    limiter = TrackLimiter(
        Held(samples), sample_rate, ceiling=ceiling, lookahead_ms=lookahead_ms, release_ms=release_ms
    )
    limited: Samples = limiter.piece(0, samples.shape[1])
    # The gain moves within the interpolator's reach, so a peak between samples may still pass the ceiling by a hair.
    # Scaling is linear and brings the true peak to the ceiling.
    residue = true_peak(limited, sample_rate)
    if residue > ceiling:
        limited *= ceiling / residue * (1.0 - 1e-12)
    return limited
