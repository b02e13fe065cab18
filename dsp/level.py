"""Levels: loudness, true peak, and a limiter that keeps to its ceiling."""

import math

import numpy as np
from numpy.typing import NDArray
from pyloudnorm.iirfilter import IIRfilter
from scipy.ndimage import minimum_filter1d, uniform_filter1d
from scipy.signal import firwin, resample_poly

from dsp.audiofile import is_silent, resample
from dsp.errors import InputError

Samples = NDArray[np.float64]

# Of one channel: what EBU R 128 asks of programmes, and stereo music of -20 LUFS has.
REFERENCE_LUFS = -23.0

# BS.1770-4: blocks of 400 ms with 75 % overlap; the two gates.
_BLOCK_SECONDS = 0.4
_STEP_SECONDS = 0.1
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691

# The corner of the weighting filter, at 1.7 kHz, must lie well below half the sample rate.
_LOWEST_RATE = 8000

# Channel weights by number of channels, in the order of WAV files; for all other numbers 1 each.
_WEIGHTS = {
    4: [1.0, 1.0, 1.41, 1.41],  # left, right, two surrounds
    5: [1.0, 1.0, 1.0, 1.41, 1.41],  # left, right, centre, two surrounds
    6: [1.0, 1.0, 1.0, 0.0, 1.41, 1.41],  # with the low-frequency channel, which does not count
}

_OVERSAMPLING = 4
# Taps on each side, in samples; twice the standard's own interpolator. Unscaled, the middle tap is exact
# and the samples themselves pass unchanged.
_REACH = 12
_INTERPOLATOR = firwin(
    2 * _REACH * _OVERSAMPLING + 1, 1.0 / _OVERSAMPLING, window=("kaiser", 5.0), scale=False
)


def loudness(samples: Samples, sample_rate: int) -> float:
    """Return the integrated loudness (BS.1770-4) in LUFS; -inf for silence or no samples.

    Parameters
    ----------
    samples
        [channels, samples]. 4, 5 and 6 channels are taken for quadraphonic, 5.0 and 5.1 in the order of
        WAV files, all others count alike. A clip shorter than one block of 400 ms is one block of its
        own length.
    sample_rate
        Hz.
    """
    channels, count = samples.shape
    if not samples.size or not samples.any():
        return -math.inf
    if sample_rate < _LOWEST_RATE:
        return loudness(resample(samples, sample_rate, 48_000), 48_000)
    block = round(_BLOCK_SECONDS * sample_rate)
    step = round(_STEP_SECONDS * sample_rate)
    padded = np.pad(samples, ((0, 0), (0, max(0, block - count))))
    power: Samples = np.zeros((padded.shape[1] - block) // step + 1)
    for weight, channel in zip(_WEIGHTS.get(channels, [1.0] * channels), padded, strict=True):
        # The mean of each block from one running sum; the last, incomplete block does not count.
        energy = np.concatenate([[0.0], np.cumsum(_k_weighted(channel, sample_rate) ** 2)])
        power += weight * (energy[block:] - energy[:-block])[::step]
    # The mean square of a short clip is over its own length, not over the padded block.
    power /= min(count, block)
    loud = power[power > 10.0 ** ((_ABSOLUTE_GATE - _OFFSET) / 10.0)]
    if not loud.size:
        return -math.inf
    loud = loud[loud > loud.mean() * 10.0 ** (_RELATIVE_GATE / 10.0)]
    return float(_OFFSET + 10.0 * np.log10(loud.mean()))


def _k_weighted(channel: Samples, sample_rate: int) -> Samples:
    """Return one channel [samples] as loud as it is heard: a shelf for the head, then a high-pass."""
    # pyloudnorm's filters named after De Man have the standard's response at every sample rate; those of
    # its default meter miss the standard's reference tone by 0.04 LU.
    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, sample_rate, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, sample_rate, "high_pass_DeMan")
    return np.asarray(high_pass.apply_filter(shelf.apply_filter(channel)), dtype=np.float64)


def k_weights(n_fft: int, sample_rate: int) -> Samples:
    """Return the power gain [n_fft // 2 + 1] of the K-weighting (BS.1770-4) in each bin of an STFT."""
    impulse = np.zeros(n_fft)
    impulse[0] = 1.0
    return np.asarray(np.abs(np.fft.rfft(_k_weighted(impulse, sample_rate))) ** 2)


def at_reference(samples: Samples, sample_rate: int) -> Samples:
    """Return `samples` [channels, samples] with -23 LUFS in each channel on the mean; silence as it is.

    Loudness adds channels up, so the same sound is 3 LU louder in two channels than in one. What is compared
    with another sound whatever their channels must not see that.
    """
    level = loudness(samples, sample_rate) - 10.0 * math.log10(samples.shape[0])
    return gain_db(samples, REFERENCE_LUFS - level) if math.isfinite(level) else samples


def gain_db(samples: Samples, db: float) -> Samples:
    """Return `samples` amplified by `db` decibels; -inf gives silence."""
    return samples * float(10.0 ** (db / 20.0))


def _oversampled_peak(samples: Samples) -> Samples:
    """Return max over channels of |x| around each sample, between the samples included.

    The result covers _REACH samples more on each side than `samples` [channels, samples]: a wave that
    starts at full scale also swings before its first sample.
    """
    padded = np.pad(samples, ((0, 0), (_REACH, _REACH)))
    peak = np.zeros(padded.shape[1] * _OVERSAMPLING)
    for channel in padded:
        np.maximum(peak, np.abs(resample_poly(channel, _OVERSAMPLING, 1, window=_INTERPOLATOR)), out=peak)
    # Column 0 holds the samples themselves, row n the points between n and n + 1, which belong to both.
    between = peak.reshape(-1, _OVERSAMPLING)[:, 1:].max(axis=1)
    around = np.abs(padded).max(axis=0)
    np.maximum(around, between, out=around)
    np.maximum(around[1:], between[:-1], out=around[1:])
    return np.asarray(around)


def true_peak(samples: Samples, sample_rate: int) -> float:
    """Return the largest |x| of `samples` [channels, samples], with 4 times oversampling; linear.

    Never below the largest sample. `sample_rate` does not matter to the measure.
    """
    del sample_rate
    return float(_oversampled_peak(samples).max()) if samples.size else 0.0


def limit(
    samples: Samples,
    sample_rate: int,
    *,
    ceiling_db: float = -1.0,
    lookahead_ms: float = 5.0,
    release_ms: float = 100.0,
) -> Samples:
    """Return `samples` [channels, samples] with their true peak held at the ceiling; no delay.

    One gain serves all channels, so that the stereo image stays. What already fits is returned as it is,
    the same array.

    Parameters
    ----------
    ceiling_db
        Largest true peak, dBFS.
    lookahead_ms
        How long before a peak the gain begins to fall, and the least time in which it recovers.
    release_ms
        Time constant with which the reduction in decibels decays after a peak; 0 leaves it to the lookahead.
    """
    ceiling = 10.0 ** (ceiling_db / 20.0)
    if not samples.size:
        return samples
    peak = _oversampled_peak(samples)
    if float(peak.max()) <= ceiling:
        return samples
    radius = max(1, round(lookahead_ms * 1e-3 * sample_rate))
    gain = _limiter_gain(ceiling / np.maximum(peak, ceiling), radius, release_ms * 1e-3 * sample_rate)
    limited = samples * gain[_REACH:-_REACH]
    # The gain moves between the samples of the interpolator's reach, so a peak between samples may still
    # stand out by a hair. A scale is linear: it puts the true peak where it must be.
    residue = true_peak(limited, sample_rate)
    if residue > ceiling:
        limited *= ceiling / residue * (1.0 - 1e-12)
    return limited


def _limiter_gain(required: Samples, radius: int, release: float) -> Samples:
    """Return a smooth gain that is nowhere above `required` [samples], which is in (0, 1].

    m[n] = min of required[n-r .. n+r] and gain[n] = Σ w[k] m[n+k] over |k| <= r, with w >= 0 and Σ w = 1.
    For each such k, the window of m[n+k] contains n, hence m[n+k] <= required[n]; a mean of values that
    are all <= required[n] is so too. The release only lowers m. The smoothing is two boxes, one after the
    other, whose radii add up to r: a triangle, so that the gain moves in parabolas without corners.
    """
    lowest = minimum_filter1d(required, 2 * radius + 1, mode="nearest")
    if release > 0.0:
        # reduction[n] = max(d[n], e^(-1/release) reduction[n-1]) is the max over k <= n of
        # d[k] e^(-(n-k)/release); its logarithm is a running maximum, for the whole signal at once.
        decay = np.arange(lowest.size) / release
        with np.errstate(divide="ignore"):
            logarithm = np.log(-np.log(lowest))
        lowest = np.exp(-np.exp(np.maximum.accumulate(logarithm + decay) - decay))
    first = (radius + 1) // 2
    smooth = uniform_filter1d(lowest, 2 * first + 1, mode="nearest")
    return np.asarray(uniform_filter1d(smooth, 2 * (radius - first) + 1, mode="nearest"))


def match_loudness(
    samples: Samples,
    sample_rate: int,
    target: float,
    *,
    ceiling_db: float = -1.0,
    most_limiting_db: float = 3.0,
) -> Samples:
    """Return `samples` [channels, samples] brought to a loudness, never above a true-peak ceiling.

    Gain, then `limit`; what the limiter takes is given back by more gain, until the target is met within
    0.05 LU. A sound with high peaks cannot be as loud as a dense one without being flattened: where the
    limiter would have to take more than `most_limiting_db` from the highest peak, the sound stays as much
    quieter as that saves. Silence stays silence.

    Parameters
    ----------
    target
        LUFS; -inf gives silence.
    ceiling_db
        dBFS, true peak.
    most_limiting_db
        dB, at least 0.
    """
    if math.isnan(target) or target == math.inf:
        raise InputError(f"a loudness of {target} LUFS is impossible; give a number such as -16")
    if target == -math.inf:
        return np.zeros_like(samples)
    if is_silent(samples):
        return limit(samples, sample_rate, ceiling_db=ceiling_db)
    most = ceiling_db + most_limiting_db - 20.0 * math.log10(true_peak(samples, sample_rate))
    gain = min(target - _ungated_loudness(samples, sample_rate), most)
    out = samples
    for _ in range(6):
        out = limit(gain_db(samples, gain), sample_rate, ceiling_db=ceiling_db)
        error = target - _ungated_loudness(out, sample_rate)
        if abs(error) <= 0.05 or gain >= most:
            break
        gain = min(gain + error, most)
    return out


def _ungated_loudness(samples: Samples, sample_rate: int) -> float:
    """Return the loudness, also of what lies wholly below the standard's gate of -70 LUFS."""
    measured = loudness(samples, sample_rate)
    if math.isfinite(measured):
        return measured
    peak = float(np.abs(samples).max())
    return loudness(samples / peak, sample_rate) + 20.0 * math.log10(peak)
