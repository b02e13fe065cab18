"""The desk's spectrograms: columns of log-spaced bands, small enough to send twenty times a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ...realtime.link.taps import Tap

BANDS = 112
COLUMNS_PER_SECOND = 40
LOWEST_HZ, HIGHEST_HZ = 45.0, 16_000.0
# Of a full-scale sine; black and white of the picture.
FLOOR_DB, TOP_DB = -72.0, -6.0
# Music falls by about this much per octave; laid flat, its upper half is seen as well as its lower one.
_TILT_DB = 3.0
_TILT_HZ = 500.0
_WINDOW_SECONDS = 0.043
# Older sound is skipped.
_PATIENCE = 4


def band_edges() -> NDArray[np.float64]:
    """Return the bands' centres, Hz, [BANDS + 2], with one more at either end: equal ratios all the way."""
    return np.geomspace(LOWEST_HZ, HIGHEST_HZ, BANDS + 2)


def band_matrix(rate: int, size: int) -> NDArray[np.float32]:
    """Return triangular weights [BANDS, size // 2 + 1] from a power spectrum to bands, each adding up to 1.

    Where bins are wider than bands the triangles are as wide as bins, which interpolates between these.
    """
    hz = np.fft.rfftfreq(size, 1.0 / rate)
    edges = band_edges()
    width = rate / size
    low = np.minimum(edges[:-2], edges[1:-1] - width)[:, None]
    middle = edges[1:-1, None]
    high = np.maximum(edges[2:], edges[1:-1] + width)[:, None]
    rise, fall = (hz - low) / (middle - low), (high - hz) / (high - middle)
    weights = np.maximum(np.minimum(rise, fall), 0.0)
    shares: NDArray[np.float32] = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    return shares.astype(np.float32)


class Spectra:
    """Follows one tap.

    Args:
        tap: the sound
        channels: the number of its channels that are shown, as their mean
    """

    def __init__(self, tap: Tap, channels: int) -> None:
        self._tap = tap
        self._channels = channels
        self._rate = 0
        self._next = 0

    def columns(self) -> NDArray[np.uint8]:
        """Return the columns since the last call, [n, BANDS], the lowest band first, 0 to 255; n may be 0."""
        empty = np.zeros((0, BANDS), dtype=np.uint8)
        rate = self._tap.sample_rate
        if not rate:
            return empty
        if rate != self._rate:
            self._prepare(rate)
        position = self._tap.position
        step = rate // COLUMNS_PER_SECOND
        newest = position - _PATIENCE * step
        if not newest <= self._next <= position:
            self._next = max(newest, 0)
        count = (position - self._next) // step
        start = self._next + step - self._size
        if not count or start < self._tap.oldest:
            self._next = max(self._next, min(position, self._tap.oldest + self._size))
            return empty
        try:
            sound = self._tap.read(start, start + self._size + (count - 1) * step)
        except (LookupError, ValueError):
            return empty
        self._next += count * step
        mono = sound[: self._channels].mean(axis=0)
        frames = np.lib.stride_tricks.sliding_window_view(mono, self._size)[::step]
        power = np.abs(np.fft.rfft(frames * self._window, axis=1)) ** 2
        bands = power.astype(np.float32) @ self._bands.T
        decibels = 10.0 * np.log10(bands + 1e-12) + self._tilt
        shade: NDArray[np.float32] = (decibels - FLOOR_DB) / (TOP_DB - FLOOR_DB)
        return (255.0 * np.clip(shade, 0.0, 1.0)).astype(np.uint8)

    def _prepare(self, rate: int) -> None:
        self._rate = rate
        self._size = 1 << round(np.log2(_WINDOW_SECONDS * rate))
        window = np.hanning(self._size)
        # A sine of full scale has the power 1.
        self._window = (2.0 * window / window.sum()).astype(np.float32)
        self._bands = band_matrix(rate, self._size)
        self._tilt = (_TILT_DB * np.log2(band_edges()[1:-1] / _TILT_HZ)).astype(np.float32)
        self._next = self._tap.position
