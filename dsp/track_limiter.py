"""The limiter of whole tracks: a look-ahead, a release, and a true peak under the ceiling, piece by piece.

For the limiter without look-ahead see `dsp.live_limiter`.
"""

from __future__ import annotations

import math

import numpy as np

from ..media.spool import Source
from .meters import REACH, Samples, peaks

# A reduction of less than this, in nepers, is none.
_NOTHING = math.log(1e-9)


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
        return self.limited(*self.seen(start, stop))

    def seen(self, start: int, stop: int) -> tuple[Samples, Samples]:
        """Samples of a piece, and the gain required around them, for `limited`; of any piece, on any thread."""
        around = 2 * self._radius + 2 * REACH
        samples = self._source.read(start - around, stop + around).astype(np.float64, order="C") * self._gain
        peak = peaks(samples, above=self._ceiling)[3 * REACH : -3 * REACH]
        return samples[:, around:-around], self._ceiling / np.maximum(peak, self._ceiling)

    def limited(self, core: Samples, required: Samples) -> Samples:
        """Limited samples [channels, n] of the next piece, from what `seen` gave."""
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
        # Loaded here, since what plays live loads this module and never comes here.
        from scipy.ndimage import minimum_filter1d, uniform_filter1d

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
