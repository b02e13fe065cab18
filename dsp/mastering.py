"""Brings a whole sound to its loudness, with its true peak under a ceiling, piece by piece.

The same code works on an array and on a track on disk, see `media.spool.Source`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from ..media.audiofile import SILENCE_PEAK
from ..media.errors import InputError
from ..media.spool import Sink, Source
from .meters import REACH, LoudnessMeter, Samples, peaks

# Samples that are worked on at a time.
PIECE = 1 << 17

# The ceiling of tracks, dBFS, true peak. On disk a sample has 24 bits, and rounding may lift a peak by half of the last
# one, so the ceiling is lower than the promised -1 dBFS by as much.
TRACK_CEILING_DB = -1.0 - 4e-6

# How near a loudness must come, LU, and how often it is tried.
_NEAR = 0.05
_TRIALS = 6

# A reduction of less than this, in nepers, is none.
_NOTHING = math.log(1e-9)


@dataclass(frozen=True)
class Level:
    """Loudness in LUFS (-inf for silence) and true peak, linear."""

    loudness: float
    peak: float


def measure(source: Source, sample_rate: int) -> Level:
    """Measure loudness and true peak; a sound wholly below the standard's gate of -70 LUFS gets a loudness, too."""
    meter = LoudnessMeter(source.channels, sample_rate)
    sample = 0.0
    for start, stop in _pieces(source.length):
        piece = source.read(start, stop)
        meter.feed(piece)
        sample = max(sample, float(np.abs(piece).max()))
    # Known beforehand, the highest sample rules most of the sound out.
    highest = sample
    for start, stop in _pieces(source.length):
        # The peaks at the ends of a piece need samples of its neighbours.
        piece = source.read(start - 2 * REACH, stop + 2 * REACH)
        highest = max(highest, float(peaks(piece, above=highest)[2 * REACH : -2 * REACH].max()))
    return Level(_also_quiet(source, sample_rate, meter.result(), sample), highest)


def loudness_of(source: Source, sample_rate: int) -> float:
    """Loudness, as `measure` gives it, without the peak, which takes longer."""
    meter = LoudnessMeter(source.channels, sample_rate)
    sample = 0.0
    for start, stop in _pieces(source.length):
        piece = source.read(start, stop)
        meter.feed(piece)
        sample = max(sample, float(np.abs(piece).max()))
    return _also_quiet(source, sample_rate, meter.result(), sample)


def _also_quiet(source: Source, sample_rate: int, loudness: float, sample: float) -> float:
    """Return a loudness. If it is -inf but the sound is not silent, measure the sound at full scale."""
    if math.isfinite(loudness) or sample == 0.0:
        return loudness
    meter = LoudnessMeter(source.channels, sample_rate)
    for start, stop in _pieces(source.length):
        meter.feed(source.read(start, stop) / np.float64(sample))
    return meter.result() + 20.0 * math.log10(sample)


class TrackLimiter:
    """A slowly moving gain that holds the true peak of a sound at a ceiling; no delay.

    All channels have the same gain, so the stereo image stays. Pieces are asked for in order, from the first sample.

    Args:
        source: The sound.
        sample_rate: Hz.
        gain: Amplification before the limiter, linear.
        ceiling: Largest true peak, linear.
        lookahead_ms: How long before a peak the gain begins to fall, and the least time in which it recovers.
        release_ms: Time constant with which the reduction in decibels decays after a peak; 0 leaves it to the
            lookahead.
    """

    def __init__(
        self,
        source: Source,
        sample_rate: int,
        *,
        gain: float = 1.0,
        ceiling: float,
        lookahead_ms: float = 5.0,
        release_ms: float = 100.0,
    ) -> None:
        self._source, self._gain, self._ceiling = source, gain, ceiling
        self._radius = max(1, round(lookahead_ms * 1e-3 * sample_rate))
        self._release = release_ms * 1e-3 * sample_rate
        # Logarithm of the reduction, in nepers, where the next piece's look back begins.
        self._reduction = -math.inf

    def piece(self, start: int, stop: int) -> Samples:
        """Limited samples [channels, stop - start]. `start` is where the piece before stopped."""
        around = 2 * self._radius + 2 * REACH
        samples = self._source.read(start - around, stop + around).astype(np.float64) * self._gain
        peak = peaks(samples, above=self._ceiling)[3 * REACH : -3 * REACH]
        core = samples[:, around:-around]
        required = self._ceiling / np.maximum(peak, self._ceiling)
        if self._reduction < _NOTHING and required.min() == 1.0:
            return core
        return core * self._curve(required)

    def _curve(self, required: Samples) -> Samples:
        """A smooth gain that is nowhere above `required`, which is in (0, 1] and two radii longer to each side.

        m[n] = min of required[n-r .. n+r] and gain[n] = Σ w[k] m[n+k] over |k| <= r, with w >= 0 and Σ w = 1.
        For each such k, the window of m[n+k] contains n, hence m[n+k] <= required[n]; a mean of values that
        are all <= required[n] is so too. The release only lowers m. The smoothing is two boxes, one after the
        other, whose radii add up to r: a triangle, so that the gain moves in parabolas without corners.
        """
        radius = self._radius
        lowest = minimum_filter1d(required, 2 * radius + 1, mode="nearest")[radius:-radius]
        if self._release > 0.0:
            # reduction[n] = max(d[n], e^(-1/release) reduction[n-1]) is the max over k <= n of
            # d[k] e^(-(n-k)/release); its logarithm is a running maximum, for all of the piece at once.
            decay = np.arange(lowest.size) / self._release
            with np.errstate(divide="ignore"):
                logarithm = np.log(-np.log(lowest))
            logarithm[0] = max(logarithm[0], self._reduction)
            logarithm = np.maximum.accumulate(logarithm + decay) - decay
            # The next piece begins to look where this one's core, of all but two radii, ends less one radius.
            self._reduction = float(logarithm[lowest.size - 2 * radius])
            lowest = np.exp(-np.exp(logarithm))
        first = (radius + 1) // 2
        smooth = uniform_filter1d(lowest, 2 * first + 1, mode="nearest")
        smooth = uniform_filter1d(smooth, 2 * (radius - first) + 1, mode="nearest")
        return np.asarray(smooth[radius:-radius])


def master(
    source: Source,
    sink: Sink,
    sample_rate: int,
    target: float,
    *,
    level: Level,
    ceiling_db: float = -1.0,
    most_limiting_db: float = 3.0,
) -> float:
    """Bring a sound to a loudness, never above a true-peak ceiling.

    Gain, then a `TrackLimiter`; more gain makes up for the limiter, until the target is met within 0.05 LU. A sound
    with high peaks cannot be as loud as a dense one without being flattened. If the limiter would have to take more
    than `most_limiting_db` from the highest peak, the sound stays quieter by the rest. Silence stays silence.

    Args:
        source, sink: Input and output; equally long, and not the same.
        sample_rate: Hz.
        target: LUFS; -inf gives silence.
        level: Of the source, from `measure`.
        ceiling_db: dBFS, true peak.
        most_limiting_db: dB, at least 0.

    Returns:
        The loudness that was reached, LUFS; -inf for silence.

    Raises:
        InputError: If the target is not a number, or +inf.
    """
    if math.isnan(target) or target == math.inf:
        raise InputError(f"a loudness of {target} LUFS is impossible; give a number such as -16")
    ceiling = 10.0 ** (ceiling_db / 20.0)
    if target == -math.inf or level.peak == 0.0:
        for start, stop in _pieces(source.length):
            sink.write(start, np.zeros((source.channels, stop - start)))
        return -math.inf
    if level.peak < SILENCE_PEAK:
        target = level.loudness
    most = ceiling_db + most_limiting_db - 20.0 * math.log10(level.peak)
    db = min(target - level.loudness, most)
    gain_of_gain, last = 1.0, (0.0, 0.0)
    for trial in range(_TRIALS):
        reached = _limited(source, sink, sample_rate, db, level=level, ceiling=ceiling)
        error = target - reached
        if abs(error) <= _NEAR or db >= most:
            break
        if trial and db != last[0]:
            # The limiter takes a part of any additional gain; the last two trials show how much (secant method).
            gain_of_gain = min(max((reached - last[1]) / (db - last[0]), 0.25), 1.0)
        last = db, reached
        db = min(db + error / gain_of_gain, most)
    return reached


def _limited(
    source: Source, sink: Sink, sample_rate: int, db: float, *, level: Level, ceiling: float
) -> float:
    """Write a sound with a gain, under the ceiling; return its loudness."""
    gain = 10.0 ** (db / 20.0)
    limited = gain * level.peak > ceiling
    limiter = TrackLimiter(source, sample_rate, gain=gain, ceiling=ceiling)
    meter = LoudnessMeter(source.channels, sample_rate)
    residue = 0.0
    # The end of a piece is measured again with the next one, since peaks lie between samples.
    tail = np.zeros((source.channels, 2 * REACH))
    for start, stop in _pieces(source.length):
        if not limited:
            sink.write(start, source.read(start, stop) * np.float64(gain))
            continue
        piece = limiter.piece(start, stop)
        sink.write(start, piece)
        meter.feed(piece)
        joined = np.concatenate([tail, piece], axis=1)
        residue = max(residue, float(peaks(joined, above=ceiling).max()))
        tail = joined[:, -2 * REACH :]
    if not limited:
        return level.loudness + db
    # As in `dsp.level.limit`: a peak between samples may still pass the ceiling by a hair, and is scaled down.
    if residue > ceiling:
        scale = ceiling / residue * (1.0 - 1e-12)
        limiter = TrackLimiter(source, sample_rate, gain=gain, ceiling=ceiling)
        for start, stop in _pieces(source.length):
            sink.write(start, limiter.piece(start, stop) * scale)
        return meter.result() + 20.0 * math.log10(scale)
    return meter.result()


def _pieces(length: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, PIECE):
        yield start, min(start + PIECE, length)
