"""What the streaming stylizer needs of a style, computed for one layout (rate, frame, hop, window).

All of it is statistics of the clip's log-magnitude frames, seen through the same window as the live input, and the
clip itself, whose phase carries the result:

- mean, covariance and its root in bands, deviation of the rest: the closed form (models.bands);
- quantiles of each bin about its mean, and the largest value: its distribution;
- covariances between frames and earlier frames: the Gram matrix of linear features over time. A linear filter that
  spans several frames sees exactly these; the closed form, which moves frames one by one, sees the first block only;
- the band vectors of frames along the clip, to find a place that resembles what is wanted;
- mean, covariance, distribution and lagged covariances in wide bands, which name no notes, where it is no pause: see
  models.live.notes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from ...dsp.compiled import compiled
from ...dsp.level import S0
from ...dsp.windows import WindowPair, full_pair, low_delay_pair
from ..mel_bands import band_basis, wide_triangles
from ..style import Clip
from .bands import Basis, add_bands, into_bands, packed_basis
from .eigen import eigenvectors, multiply
from .elementwise import exp_less_1, log_of_1_and
from .medians import tonal_mask

_f4 = np.float32
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

WINDOWS = ("low-delay", "full")
BANDS = 96
#: Wide bands.
WIDE = 40
QUANTILES = 9
# At 44.1 and 48 kHz; twice as many samples at twice the rate.
_FRAME = 2048
_HOPS = {"low-delay": 256, "full": 512}
_HIGHEST_RATE_OF_BASE = 56_000
_LAGS = (0, 256, 512, 1024)
# Some thousands of frames are enough for nine quantiles of each bin.
_ORDERED = 2500
# Frames this far below the clip's mean power are a pause, and count for nothing in wide bands: else held sounds, which
# have no pauses, would have to be as soft as a style that falls silent is on average.
_PAUSE_DB = -40.0
# Places in a clip to choose from: more of them cost more time in each hop, and find little better.
MOST_PLACES = 2600


@dataclass(frozen=True)
class Layout:
    """How live sound becomes frames: rate in Hz, samples of frame, hop and window pair, and the bands.

    `basis` [B, b] is orthonormal, `wide` [W, B] are triangles.
    """

    sample_rate: int
    n_fft: int
    pair: WindowPair
    lags: tuple[int, ...]
    basis: NDArray[np.float64]
    wide: NDArray[np.float64]

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.pair.hop

    @property
    def bins(self) -> int:
        """Bins of a frame's spectrum."""
        return self.n_fft // 2 + 1

    @property
    def bands(self) -> int:
        """Bands in which sounds are compared and mapped."""
        return int(self.basis.shape[1])


def make_layout(sample_rate: int, *, window: str = "low-delay", hop: int | None = None) -> Layout:
    """Return the layout for a rate.

    Args:
        sample_rate: Hz
        window: "low-delay" (delay: two hops) or "full" (delay: the frame)
        hop: samples, a power of two; None is 256 (low-delay) or 512 (full) at 44.1 and 48 kHz

    Raises:
        ValueError: Unknown window, or a hop that does not fit it.
    """
    if window not in WINDOWS:
        raise ValueError(f"window {window!r} is unknown; give one of {', '.join(WINDOWS)}")
    scale = 2.0 ** math.ceil(math.log2(sample_rate / _HIGHEST_RATE_OF_BASE))
    n_fft = max(256, round(_FRAME * scale))
    if hop is None:
        hop = max(32, round(_HOPS[window] * scale))
    if hop & (hop - 1) or not 16 <= hop <= n_fft // 2:
        raise ValueError(
            f"a hop of {hop} does not fit; give a power of two from 16 to {n_fft // 2} samples at {sample_rate} Hz"
        )
    pair = full_pair(n_fft, hop) if window == "full" else low_delay_pair(n_fft, 2 * hop, hop)
    lags = sorted({round(lag * scale / hop) for lag in _LAGS})
    bins = n_fft // 2 + 1
    basis = band_basis(bins, BANDS, highest=sample_rate / 2)
    wide = wide_triangles(bins, WIDE, highest=sample_rate / 2)
    return Layout(sample_rate, n_fft, pair, tuple(lags), basis, wide)


@dataclass(frozen=True)
class PreparedStyle:
    """A style in a layout, float32. B bins, b bands, q quantiles, P places.

    Attributes:
        mean, rest, largest: array [B]
        quantiles: array [q, B], about the mean
        root: array [b, b] float64, square root of the covariance in bands
        lagged: array [lags * b, b], E[z(t - lag) z(t)ᵀ] one below the other
        clip: array [samples], one channel, at the reference level; `toneless` is what is left of it without tones
        axes: array [b, b], eigenvectors of the covariance in bands as columns, those that explain most first
        places: array [b, P], band vectors about the mean along these axes, of frames that start `stride` samples apart
        stride: samples
        top: largest eigenvalue of the covariance in bands
        wide_mean, wide_largest, wide_quantiles, wide_root, wide_lagged: the same of the levels in W wide bands
        wide_top: array [1], largest eigenvalue of their covariance
        wide_power: array [W], mean power, as a vector of length 1
    """

    mean: Floats
    rest: Floats
    largest: Floats
    quantiles: Floats
    root: NDArray[np.float64]
    lagged: Floats
    clip: Floats
    toneless: Floats
    axes: Floats
    places: Floats
    stride: int
    top: float
    wide_mean: Floats
    wide_largest: Floats
    wide_quantiles: Floats
    wide_root: NDArray[np.float64]
    wide_lagged: Floats
    wide_top: Floats
    wide_power: Floats


def quantile_levels() -> NDArray[np.float64]:
    """The levels [QUANTILES] at which distributions are compared: evenly spaced, the ends a little inside 0 and 1."""
    inset = 1.0 / (16.0 * QUANTILES)
    return np.linspace(inset, 1.0 - inset, QUANTILES)


def _quantiles(sample: Floats) -> Floats:
    """Return the quantiles [QUANTILES, B] of each bin of frames [T, B], linear between neighbours in order."""
    ordered = np.sort(np.ascontiguousarray(sample.T), axis=1)
    last = ordered.shape[1] - 1
    place = quantile_levels() * last
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, last)
    lower, share = ordered[:, below], (place - below).astype(np.float32)
    return np.ascontiguousarray((lower + share * (ordered[:, above] - lower)).T)


def live_style(style: Clip, layout: Layout) -> PreparedStyle:
    """Compute what a stylizer needs of a style; a fraction of a second for 30 s."""
    return live_clip(style.at(layout.sample_rate), layout)


def live_clip(samples: NDArray[np.float64], layout: Layout) -> PreparedStyle:
    """Compute the same of a style's clip [channels, samples], at the layout's rate and the reference level."""
    clip = samples.astype(np.float32)
    shortest = layout.n_fft + (max(layout.lags) + 8) * layout.hop
    if clip.shape[-1] < shortest:
        # A clip of a few frames has statistics when it goes round.
        clip = np.tile(clip, (1, -(-shortest // clip.shape[-1])))
    levels = _levels(clip, layout)  # [T, B]
    wide = _in_wide_bands(levels, wide_basis(layout))
    powers = np.square(np.expm1(wide))
    heard = _heard(powers, layout)
    power = powers[heard].mean(axis=0)
    largest, mean = levels.max(axis=0), levels.mean(axis=0)
    mono = clip.mean(axis=0)
    wide_largest, wide_mean = wide.max(axis=0), wide[heard].mean(axis=0)
    levels -= mean
    wide -= wide_mean
    wide_quantiles = _quantiles(wide[heard][:: max(1, -(-int(heard.sum()) // _ORDERED))])
    # Means over all frames are then those over what is heard.
    wide *= np.float32(1.0 / math.sqrt(heard.mean()))
    wide[~heard] = 0.0
    inside, rest = _in_bands(levels, packed_basis(layout.basis))
    count = inside.shape[0]
    values, vectors, root, lagged = _movement(inside, layout)
    wide_values, _, wide_root, wide_lagged = _movement(wide, layout)
    every = max(1, -(-count // _ORDERED))
    stride = -(-count // MOST_PLACES)
    axes = vectors.astype(np.float32)
    along = multiply(
        np.ascontiguousarray(vectors.T), np.ascontiguousarray(inside[::stride].T.astype(np.float64))
    )
    return PreparedStyle(
        mean=mean,
        rest=rest,
        largest=largest,
        quantiles=_quantiles(levels[::every]),
        root=root,
        lagged=lagged,
        clip=mono,
        toneless=_without_tones(mono, layout.n_fft),
        axes=axes,
        places=along.astype(np.float32),
        stride=stride * layout.hop,
        top=max(0.0, float(values[0])),
        wide_mean=wide_mean,
        wide_largest=wide_largest,
        wide_quantiles=wide_quantiles,
        wide_root=wide_root,
        wide_lagged=wide_lagged,
        wide_top=np.maximum(wide_values[:1], 0.0).astype(np.float32),
        wide_power=(power / max(float(np.linalg.norm(power)), 1e-30)).astype(np.float32),
    )


def _heard(powers: Floats, layout: Layout) -> NDArray[np.bool_]:
    """Return which frames [T] are no pause, from powers [T, W] in wide bands."""
    total = (powers * spread_shares(layout).sum(axis=1).astype(_f4)).sum(axis=1)
    heard: NDArray[np.bool_] = total >= total.mean() * 10.0 ** (_PAUSE_DB / 10.0)
    return heard


def _movement(inside: Floats, layout: Layout) -> tuple[Doubles, Doubles, Doubles, Floats]:
    """Return eigenvalues, eigenvectors and root of the covariance of band vectors [T, b], and all lags' covariances."""
    count = inside.shape[0]
    exact = inside.astype(np.float64)
    turned = np.ascontiguousarray(exact.T)
    # Not by a library, which adds up in an order of its own: who plays a take again shall have the same style.
    covariances = [
        multiply(np.ascontiguousarray(turned[:, : count - lag]), exact[lag:]) / (count - lag)
        for lag in layout.lags
    ]
    values, rows = eigenvectors(covariances[0].copy())
    order = np.argsort(values)[::-1]
    values, vectors = values[order], np.ascontiguousarray(rows[order].T)
    root = multiply(vectors * np.sqrt(np.maximum(values, 0.0)), np.ascontiguousarray(vectors.T))
    return values, vectors, root, np.concatenate(covariances).astype(np.float32)


def wide_basis(layout: Layout) -> Basis:
    """Return what takes the mean power of each wide band."""
    return packed_basis((layout.wide / layout.wide.sum(axis=1, keepdims=True)).T)


def spread_shares(layout: Layout) -> Doubles:
    """Return what interpolates between wide bands, [W, B]: the shares of each bin add up to 1."""
    weights = layout.wide.copy()
    # What lies outside the first and the last triangle belongs to their bands.
    weights[0, : layout.wide[0].argmax()] = 1.0
    weights[1:, : layout.wide[0].argmax()] = 0.0
    weights[-1, layout.wide[-1].argmax() :] = 1.0
    weights[:-1, layout.wide[-1].argmax() :] = 0.0
    shares: Doubles = weights / weights.sum(axis=0)
    return shares


@compiled
def _in_wide_bands(levels: Floats, wide: Basis) -> Floats:
    """Return the levels [T, W] of wide bands, of frames [T, B], log-magnitudes."""
    count, bins = levels.shape
    out = np.zeros((count, wide.columns.shape[0]), dtype=np.float32)
    squares, sums = np.zeros(bins, dtype=np.float32), np.zeros(out.shape[1], dtype=np.float32)
    for t in range(count):
        exp_less_1(levels[t], squares)
        for k in range(bins):
            squares[k] = squares[k] * squares[k]
        into_bands(squares, wide, sums)
        for band in range(sums.size):
            sums[band] = np.sqrt(sums[band])
        log_of_1_and(sums, out[t])
    return out


@compiled
def _in_bands(levels: Floats, basis: Basis) -> tuple[Floats, Floats]:
    """Return frames [T, B] in bands [T, b], and the deviation [B] of what is left outside the bands."""
    count, bins = levels.shape
    inside = np.zeros((count, basis.columns.shape[0]), dtype=np.float32)
    power = np.zeros(bins)
    outside = np.zeros(bins, dtype=np.float32)
    for t in range(count):
        into_bands(levels[t], basis, inside[t])
        outside[:] = levels[t]
        add_bands(inside[t], basis, -1.0, outside)
        for k in range(bins):
            power[k] += outside[k] * outside[k]
    return inside, np.sqrt(power / count).astype(np.float32)


def _levels(clip: Floats, layout: Layout) -> Floats:
    """Return the log-magnitude frames [T, B] of a clip [channels, samples], of all channels together."""
    window = layout.pair.analysis.astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(clip, layout.n_fft, axis=-1)[:, :: layout.hop]
    levels = np.zeros((frames.shape[1], layout.bins), dtype=np.float32)
    # In blocks: thirty seconds of frames at once are a third of a gigabyte.
    for start in range(0, levels.shape[0], 512):
        part = levels[start : start + 512]
        for channel in frames:
            spectrum = rfft(channel[start : start + 512] * window, axis=-1)
            part += np.square(spectrum.real) + np.square(spectrum.imag)
    levels *= np.float32((2.0 / float(window.sum()) / S0) ** 2 / clip.shape[0])
    return np.log1p(np.sqrt(levels, out=levels), out=levels)


def _without_tones(clip: Floats, n_fft: int) -> Floats:
    """Return a clip [samples] less what is steady over seven frames and stands above its neighbours."""
    hop = n_fft // 4
    frames = -(-clip.size // hop) + 3
    padded = np.zeros((frames + 3) * hop, dtype=np.float32)
    padded[3 * hop : 3 * hop + clip.size] = clip
    # Root of a Hann window, before and after: their products add up to 2.
    window = np.sin(np.pi * np.arange(n_fft, dtype=np.float32) / n_fft).astype(np.float32)
    windowed = np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::hop] * window
    spectra = rfft(windowed, axis=-1)
    spectra *= _toneless(np.abs(spectra) * np.float32(1.0 / S0))
    parts = irfft(spectra, n_fft, axis=-1).astype(np.float32) * (0.5 * window)
    out = np.zeros(padded.size, dtype=np.float32)
    for part in range(4):
        # Every fourth frame stands beside the last, without an overlap.
        some = parts[part::4].reshape(-1)
        out[part * hop : part * hop + some.size] += some
    return out[3 * hop : 3 * hop + clip.size]


@compiled
def _toneless(magnitudes: Floats) -> Floats:
    """Return 0 to 1, [T, B], what remains of frames without their tones; at the ends the last frame stands in."""
    count, bins = magnitudes.shape
    out, around = np.empty_like(magnitudes), np.empty((7, bins), dtype=np.float32)
    room, edges = np.empty((9, bins), dtype=np.float32), np.empty(bins, dtype=np.float32)
    for t in range(count):
        for row in range(7):
            around[row] = magnitudes[min(max(t + row - 3, 0), count - 1)]
        tonal_mask(around, magnitudes[t], room, edges, out[t])
        for k in range(bins):
            out[t, k] = _f4(1.0) - out[t, k]
    return out
