"""What the streaming stylizer needs of a style, computed for one layout (rate, frame, hop, window).

All of it is statistics of the clip's log-magnitude frames, seen through the same window as the live input, and the
clip itself, whose phase carries the result:

- mean, covariance and its root in bands, deviation of the rest: the closed form (models.bands);
- quantiles of each bin about its mean, and the largest value: its distribution;
- covariances between frames and earlier frames: the Gram matrix of linear features over time. A linear filter that
  spans several frames sees exactly these; the closed form, which moves frames one by one, sees the first block only;
- the band vectors of frames along the clip, to find a place that resembles what is wanted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.stft import compress
from ...dsp.windows import WindowPair, full_pair, low_delay_pair
from ..bands import band_basis
from ..style import Style

WINDOWS = ("low-delay", "full")
BANDS = 96
ENVELOPE_BANDS = 24
QUANTILES = 9
# At 44.1 and 48 kHz; twice as many samples at twice the rate.
_FRAME = 2048
_HOPS = {"low-delay": 256, "full": 512}
_HIGHEST_RATE_OF_BASE = 56_000
_LAGS = (0, 256, 512, 1024)
# Places in a clip to choose from: more of them cost more time in each hop, and find little better.
MOST_PLACES = 2600


@dataclass(frozen=True)
class Layout:
    """How live sound becomes frames: rate in Hz, samples of frame, hop and window pair, and the bands."""

    sample_rate: int
    n_fft: int
    pair: WindowPair
    lags: tuple[int, ...]
    basis: Tensor
    envelope: Tensor

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.pair.hop

    @property
    def bins(self) -> int:
        """Bins of a frame's spectrum."""
        return self.n_fft // 2 + 1


def make_layout(
    sample_rate: int, *, window: str = "low-delay", hop: int | None = None, smooth: bool = False
) -> Layout:
    """Return the layout for a rate.

    Args:
        sample_rate: Hz
        window: "low-delay" (delay: two hops) or "full" (delay: the frame)
        hop: samples, a power of two; None is 256 (low-delay) or 512 (full) at 44.1 and 48 kHz
        smooth: see `dsp.windows.low_delay_pair`

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
    pair = full_pair(n_fft, hop) if window == "full" else low_delay_pair(n_fft, 2 * hop, hop, smooth=smooth)
    lags = sorted({round(lag * scale / hop) for lag in _LAGS})
    bins = n_fft // 2 + 1
    basis, envelope = (
        band_basis(bins, bands, highest=sample_rate / 2).float() for bands in (BANDS, ENVELOPE_BANDS)
    )
    return Layout(sample_rate, n_fft, pair, tuple(lags), basis, envelope)


@dataclass(frozen=True)
class PreparedStyle:
    """A style in a layout, float32. B bins, b bands, q quantiles, P places.

    Attributes:
        mean, rest, largest: Tensor [B]
        quantiles: Tensor [B, q], about the mean
        root: Tensor [b, b] float64, square root of the covariance in bands
        lagged: Tensor [b, lags * b], E[z(t) z(t - lag)ᵀ] side by side
        clip: Tensor [samples], one channel, at the reference level
        places: Tensor [P, b], band vectors about the mean, of frames that start `stride` samples apart
        norms: Tensor [P], their squared lengths
        stride: samples
        top: largest eigenvalue of the covariance in bands
    """

    mean: Tensor
    rest: Tensor
    largest: Tensor
    quantiles: Tensor
    root: Tensor
    lagged: Tensor
    clip: Tensor
    places: Tensor
    norms: Tensor
    stride: int
    top: float


def quantile_levels() -> Tensor:
    """The levels [QUANTILES] at which distributions are compared: evenly spaced, the ends a little inside 0 and 1."""
    inset = 1.0 / (16.0 * QUANTILES)
    return torch.linspace(inset, 1.0 - inset, QUANTILES, dtype=torch.float64).float()


def _quantiles(sample: Tensor) -> Tensor:
    """Return the quantiles [B, QUANTILES] of each bin of frames [T, B], linear between neighbours in order."""
    # NumPy sorts rows that lie together ten times as fast as torch.quantile sorts columns.
    ordered = torch.from_numpy(np.sort(sample.mT.contiguous().numpy(), axis=1))
    last = ordered.shape[1] - 1
    place = quantile_levels().double() * last
    below = place.floor().long()
    above = (below + 1).clamp_max(last)
    return torch.lerp(ordered[:, below], ordered[:, above], (place - below).float())


def live_style(style: Style, layout: Layout) -> PreparedStyle:
    """Compute what a stylizer needs of a style; a fraction of a second for 30 s."""
    return live_clip(style.at(layout.sample_rate), layout)


def live_clip(samples: NDArray[np.float64], layout: Layout) -> PreparedStyle:
    """Compute the same of a style's clip [channels, samples], at the layout's rate and the reference level."""
    clip = torch.from_numpy(samples).float()
    shortest = layout.n_fft + (max(layout.lags) + 8) * layout.hop
    if clip.shape[-1] < shortest:
        # A clip of a few frames has statistics when it goes round.
        clip = clip.repeat(1, -(-shortest // clip.shape[-1]))
    window = layout.pair.analysis.float()
    frames = clip.unfold(-1, layout.n_fft, layout.hop)
    power = torch.zeros(frames.shape[1], layout.bins)
    for channel in frames:
        # In blocks: thirty seconds of frames at once are a third of a gigabyte.
        for start in range(0, channel.shape[0], 512):
            spectrum = torch.fft.rfft(channel[start : start + 512] * window)
            power[start : start + 512] += torch.view_as_real(spectrum).square().sum(dim=-1)
    scale = 2.0 / float(window.sum())
    levels = compress((power * (scale**2 / clip.shape[0])).sqrt())  # [T, B]
    mean = levels.mean(dim=0)
    centred = levels - mean
    inside = centred @ layout.basis
    rest = (centred - inside @ layout.basis.mT).square().mean(dim=0).sqrt()
    count = inside.shape[0]
    covariances = [
        (inside[lag:].double().mT @ inside[: count - lag].double()) / (count - lag) for lag in layout.lags
    ]
    values, vectors = torch.linalg.eigh(covariances[0])
    root = (vectors * values.clamp_min(0.0).sqrt()) @ vectors.mT
    # Some thousands of frames are enough for nine quantiles of each bin.
    sample = centred[:: max(1, -(-count // 2500))]
    stride = -(-count // MOST_PLACES)
    places = inside[::stride].contiguous()
    return PreparedStyle(
        mean=mean,
        rest=rest,
        largest=levels.max(dim=0).values,
        quantiles=_quantiles(sample),
        root=root,
        lagged=torch.cat(covariances, dim=1).float(),
        clip=clip.mean(dim=0),
        places=places,
        norms=places.square().sum(dim=-1),
        stride=stride * layout.hop,
        top=max(0.0, float(values[-1])),
    )
