"""Loudness and true peak of a sound in pieces of any size, with the same result."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

from ..media.spool import Block
from .compiled import compiled
from .filters import filter_in_place, k_weighting, windowed_sinc

Samples = NDArray[np.float64]

# BS.1770-4: blocks of 400 ms with 75 % overlap; the two gates.
_BLOCK_SECONDS = 0.4
_STEP_SECONDS = 0.1
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691

# The corner of the weighting filter, at 1.7 kHz, must lie well below half the sample rate.
_LOWEST_RATE = 8000
_RATE_INSTEAD = 48_000

# Channel weights by number of channels, in the order of WAV files; for all other numbers 1 each.
_WEIGHTS = {
    4: [1.0, 1.0, 1.41, 1.41],  # left, right, two surrounds
    5: [1.0, 1.0, 1.0, 1.41, 1.41],  # left, right, centre, two surrounds
    6: [1.0, 1.0, 1.0, 0.0, 1.41, 1.41],  # with the low-frequency channel, which does not count
}

_OVERSAMPLING = 4
# Taps on each side, in samples; twice the standard's own interpolator. Unscaled, the middle tap is exact
# and the samples themselves pass unchanged.
REACH = 12
_INTERPOLATOR = _OVERSAMPLING * windowed_sinc(2 * REACH * _OVERSAMPLING + 1, 1.0 / _OVERSAMPLING, beta=5.0)
# Of each point between two samples: what it weighs the samples around it by.
_BETWEEN = np.stack([_INTERPOLATOR[n::_OVERSAMPLING] for n in range(1, _OVERSAMPLING)])
# No point exceeds the samples around it by more than the sum of these magnitudes.
_OVERSHOOT = max(1.0, float(np.abs(_BETWEEN).sum(axis=1).max()))
# Samples in a stretch that is interpolated, or skipped as a whole.
_STRETCH = 64


class LoudnessMeter:
    """Integrated loudness (BS.1770-4) of a sound that is fed piece by piece.

    Args:
        channels: 4, 5 and 6 mean quadraphonic, 5.0 and 5.1 in the order of WAV files; others have equal weights.
        sample_rate: Hz. Below 8 kHz, where the standard's filter is impossible, the sound is measured at 48 kHz.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self._resampler: soxr.ResampleStream | None = None
        if sample_rate < _LOWEST_RATE:
            self._resampler = soxr.ResampleStream(sample_rate, _RATE_INSTEAD, channels, "float64", "VHQ")
            sample_rate = _RATE_INSTEAD
        self._channels = channels
        self._weights = np.array(_WEIGHTS.get(channels, [1.0] * channels))
        self._sections = k_weighting(sample_rate)
        self._state = np.zeros((channels, len(self._sections), 2))
        self._block = round(_BLOCK_SECONDS * sample_rate)
        self._step = round(_STEP_SECONDS * sample_rate)
        self._count = 0
        self._energy = 0.0
        # The total energy before the start, and before the end, of each of the standard's blocks.
        self._before: list[Samples] = [np.zeros(1)]
        self._after: list[Samples] = []

    def feed(self, samples: Block) -> None:
        """Go on with samples [channels, n]."""
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(np.ascontiguousarray(samples.T, dtype=np.float64)).T
        self._measure(samples)

    def _measure(self, samples: Block) -> None:
        if not samples.shape[1]:
            return
        heard = np.array(samples, dtype=np.float64, order="C")
        filter_in_place(self._sections, heard, self._state)
        # Not `weights @ heard`: a BLAS would start threads for it, which then wait busily and take a core.
        energy = np.cumsum(np.einsum("c,cn->n", self._weights, np.square(heard, out=heard)))
        energy += self._energy
        self._before.append(energy[self._places(0, energy.size)])
        self._after.append(energy[self._places(self._block, energy.size)])
        self._count += energy.size
        self._energy = float(energy[-1])

    def _places(self, offset: int, size: int) -> NDArray[np.int64]:
        """Where, in the next `size` samples, the last sample before each `offset` + k steps stands."""
        first = max(-(-(self._count + 1 - offset) // self._step), 1 if offset == 0 else 0)
        last = (self._count + size - offset) // self._step
        return offset + self._step * np.arange(first, last + 1) - 1 - self._count

    def result(self) -> float:
        """Return the loudness of the whole sound, LUFS; -inf for silence or nothing. A sound shorter than one block of
        400 ms is one block of its own length. Nothing may be fed afterwards.
        """
        if self._resampler is not None:
            rest = self._resampler.resample_chunk(np.zeros((0, self._channels)), last=True)
            self._measure(rest.T)
        count = self._count
        if not count:
            return -math.inf
        if count < self._block:
            self._measure(np.zeros((self._channels, self._block - count)))
        ends = np.concatenate(self._after)
        # The mean square of a short clip is over its own length, not over the padded block.
        power = (ends - np.concatenate(self._before)[: ends.size]) / min(count, self._block)
        loud = power[power > 10.0 ** ((_ABSOLUTE_GATE - _OFFSET) / 10.0)]
        if not loud.size:
            return -math.inf
        loud = loud[loud > loud.mean() * 10.0 ** (_RELATIVE_GATE / 10.0)]
        return float(_OFFSET + 10.0 * np.log10(loud.mean()))


def peaks(samples: Block, *, above: float = 0.0) -> Samples:
    """The largest |x| over all channels around each sample, between the samples included, 4 times oversampled.

    Args:
        samples: [channels, n], finite; silence is assumed around them.
        above: Where the peak cannot be higher than this, |x| of the sample itself will do: it saves most of the work.

    Returns:
        [n + 2 REACH], REACH samples more on each side: a wave that starts at full scale also swings before its first
        sample.
    """
    channels, count = samples.shape
    padded = np.zeros((channels, count + 4 * REACH))
    padded[:, 2 * REACH : -2 * REACH] = samples
    around = np.zeros(count + 2 * REACH)
    _raise_to_peaks(padded, around, above)
    return around


@compiled
def _raise_to_peaks(padded: Samples, around: Samples, above: float) -> None:
    """Fill `around`, see `peaks`, from a sound with twice `REACH` zeros at either end."""
    channels, size = padded.shape[0], around.size
    count = -(-size // _STRETCH)
    highest = np.zeros(count + 2)
    for channel in range(channels):
        for n in range(size):
            around[n] = max(around[n], abs(padded[channel, n + REACH]))
    for n in range(size):
        highest[1 + n // _STRETCH] = max(highest[1 + n // _STRETCH], around[n])
    between = np.empty(_STRETCH)
    for stretch in range(count):
        if max(highest[stretch], highest[stretch + 1], highest[stretch + 2]) * _OVERSHOOT <= above:
            continue
        start = stretch * _STRETCH
        length = min(_STRETCH, size - start)
        for channel in range(channels):
            for taps in _BETWEEN:
                between[:] = 0.0
                for k in range(2 * REACH):
                    part = padded[channel, start + 2 * REACH - k : start + 2 * REACH - k + length]
                    for n in range(length):
                        between[n] += taps[k] * part[n]
                # These points are between n and n + 1, and belong to both.
                for n in range(length):
                    around[start + n] = max(around[start + n], abs(between[n]))
                    if start + n + 1 < size:
                        around[start + n + 1] = max(around[start + n + 1], abs(between[n]))
