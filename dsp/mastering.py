"""Brings a whole sound to its loudness, with its true peak under a ceiling, piece by piece.

The same code works on an array and on a track on disk, see `media.spool.Source`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..media.audiofile import SILENCE_PEAK
from ..media.errors import InputError
from ..media.spool import Block, Sink, Source
from .in_order import in_order
from .meters import REACH, LoudnessMeter, Samples, peaks
from .track_limiter import TrackLimiter

# Samples that are worked on at a time.
PIECE = 1 << 17

# The ceiling of tracks, dBFS, true peak. On disk a sample has 24 bits, and rounding may lift a peak by half of the last
# one, so the ceiling is lower than the promised -1 dBFS by as much.
TRACK_CEILING_DB = -1.0 - 4e-6

# How near a loudness must come, LU, and how often it is tried.
_NEAR = 0.05
_TRIALS = 6


@dataclass(frozen=True)
class Level:
    """Loudness in LUFS (-inf for silence) and true peak, linear."""

    loudness: float
    peak: float


def measure(source: Source, sample_rate: int) -> Level:
    """Measure loudness and true peak; a sound wholly below the standard's gate of -70 LUFS gets a loudness, too."""
    meter = LoudnessMeter(source.channels, sample_rate)
    sample = highest = 0.0

    def look(ends: tuple[int, int]) -> tuple[Block, float, float]:
        # The peaks at the ends of a piece need samples of its neighbours.
        around = source.read(ends[0] - 2 * REACH, ends[1] + 2 * REACH)
        piece = around[:, 2 * REACH : -2 * REACH]
        loudest = float(np.abs(piece).max())
        # What is known of the pieces before rules most of this one out.
        above = max(highest, loudest)
        return piece, loudest, max(above, float(peaks(around, above=above)[2 * REACH : -2 * REACH].max()))

    with ThreadPoolExecutor(1) as pool:
        for piece, loudest, peak in in_order(pool, look, _pieces(source.length)):
            meter.feed(piece)
            sample, highest = max(sample, loudest), max(highest, peak)
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

    def look(ends: tuple[int, int]) -> tuple[int, Samples, Samples]:
        return ends[0], *limiter.seen(*ends)

    def keep(done: tuple[int, Samples]) -> None:
        nonlocal residue, tail
        start, piece = done
        sink.write(start, piece)
        meter.feed(piece)
        joined = np.concatenate([tail, piece], axis=1)
        residue = max(residue, float(peaks(joined, above=ceiling).max()))
        tail = joined[:, -2 * REACH :]

    if not limited:
        for start, stop in _pieces(source.length):
            sink.write(start, source.read(start, stop) * np.float64(gain))
        return level.loudness + db
    with ThreadPoolExecutor(1) as before, ThreadPoolExecutor(1) as after:
        pieces = (
            (start, limiter.limited(core, required))
            for start, core, required in in_order(before, look, _pieces(source.length))
        )
        for _ in in_order(after, keep, pieces):
            pass
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
