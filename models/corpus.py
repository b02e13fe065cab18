"""Statistics of any amount of sound, and the stretches of it that together have these statistics.

Everything is a sum over frames, so that files are surveyed one by one, anywhere and in any order, and added up. A
stretch of two seconds is described by the Gram matrices of random networks, as a style is everywhere here. The clip
that stands for a corpus is made of the stretches whose Gram matrices together are nearest to those of all frames; this
is greedy minimisation of a maximum mean discrepancy (kernel herding, Chen, Welling and Smola 2010), followed by
exchanges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from .mel_bands import band_basis
from .style_statistics import BANDS, N_FFT, RATE, Doubles, StyleStatistics

#: Frames in a stretch: two seconds.
STRETCH_FRAMES = 172
#: Stretches that are remembered, of whatever length the corpus is: all of the first hour.
MOST_STRETCHES = 2048
# A stretch at the end of a file that is shorter than this does not come into the clip, unless it is the whole file.
_SHORTEST = 22
# Random views of the spectrum, and networks on them: filters, frames that each sees. Nothing else uses these weights.
_VIEWS, _FILTERS, _KERNELS = 64, 32, (1, 4, 11)
_SEED = 0xC0_4B05
# Sums are rounded to this grid. So far below 2^53 of it they are exact: whatever the order, the same bytes come out.
_GRID = 2.0**10
# Selections that the search begins with, and how often all stretches of one are looked at.
_STARTS, _ROUNDS = 16, 50
# How much of the clip's length is to be used.
_FILLED = 0.95

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Survey:
    """Sums over frames, and some of the stretches that they are in. B bins, b bands, D features, n stretches.

    Attributes:
        frames: how many
        levels: array [B], sum of log-magnitudes
        products: array [b, b], sum of products of bands
        outside: array [B], sum of squares of what is outside the bands
        features: array [D], sum of features
        files: array [n, 32] of bytes, SHA-256 of the sound that each stretch is of
        starts, lengths: array [n], frames
        described: array [n, D] float32, sum of features of each stretch
    """

    frames: float
    levels: Doubles
    products: Doubles
    outside: Doubles
    features: Doubles
    files: Bytes
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    described: NDArray[np.float32]

    @classmethod
    def empty(cls) -> Survey:
        """Of nothing."""
        bins, bands, count = *_basis().shape, feature_count()
        sums = np.zeros(bins), np.zeros((bands, bands)), np.zeros(bins), np.zeros(count)
        whole = np.zeros(0, np.int64)
        return cls(0.0, *sums, np.zeros((0, 32), np.uint8), whole, whole, np.zeros((0, count), np.float32))

    def __add__(self, other: Survey) -> Survey:
        return Survey(
            self.frames + other.frames,
            self.levels + other.levels,
            self.products + other.products,
            self.outside + other.outside,
            self.features + other.features,
            np.concatenate([self.files, other.files]),
            np.concatenate([self.starts, other.starts]),
            np.concatenate([self.lengths, other.lengths]),
            np.concatenate([self.described, other.described]),
        )._thinned()

    def _thinned(self) -> Survey:
        """With as many stretches as are remembered: a random choice, but the same whatever the order of files."""
        if len(self.starts) <= MOST_STRETCHES:
            return self
        first = np.ascontiguousarray(self.files[:, :8]).view(np.uint64)[:, 0]
        # An odd factor and a shift mix all bits (Steele, Lea and Flood 2014).
        mixed = (first ^ self.starts.astype(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        kept = np.sort(np.argsort(mixed ^ (mixed >> np.uint64(27)), kind="stable")[:MOST_STRETCHES])
        parts = (self.files[kept], self.starts[kept], self.lengths[kept], self.described[kept])
        return Survey(self.frames, self.levels, self.products, self.outside, self.features, *parts)

    def statistics(self) -> StyleStatistics:
        """What a style file holds of them."""
        basis = _basis()
        mean = self.levels / self.frames
        inside = mean @ basis
        covariance = self.products / self.frames - np.outer(inside, inside)
        outside = self.outside / self.frames - np.square(mean - basis @ inside)
        return StyleStatistics(mean, (covariance + covariance.T) / 2.0, np.sqrt(np.maximum(outside, 0.0)))

    def chosen(self, most: int) -> list[int]:
        """Return the places of stretches, of `most` frames together, whose features are nearest to those of all."""
        order = np.lexsort((self.starts, *self.files.T[::-1]))
        lengths = self.lengths[order].astype(np.float64)
        products = _products(
            torch.from_numpy(self.described[order]),
            torch.from_numpy(lengths),
            torch.from_numpy(self.features / self.frames),
        )
        return sorted(int(order[place]) for place in _covering(products, lengths, most))


@lru_cache(maxsize=1)
def _basis() -> Doubles:
    return band_basis(N_FFT // 2 + 1, BANDS, highest=RATE / 2)


@lru_cache(maxsize=1)
def _weights() -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Views [B, views], and for each kernel filters [frames · views, filters]."""
    generator = torch.Generator().manual_seed(_SEED)
    bins = N_FFT // 2 + 1
    views = torch.randn(bins, _VIEWS, generator=generator) / bins**0.5
    shapes = [(kernel * _VIEWS, _FILTERS) for kernel in _KERNELS]
    return views, tuple(torch.randn(*shape, generator=generator) / shape[0] ** 0.5 for shape in shapes)


def _pairs() -> torch.Tensor:
    return torch.triu_indices(_FILTERS, _FILTERS)


def _size() -> int:
    """Features of one network: means, then one of each two equal entries of a Gram matrix."""
    return _FILTERS + _FILTERS * (_FILTERS + 1) // 2


def feature_count() -> int:
    """How many features describe a stretch."""
    return 2 * len(_KERNELS) * _size()


def described(levels: NDArray[np.float32], file: bytes, start: int, *, whole: bool) -> Survey:
    """Survey a stretch.

    Args:
        levels: array [frames, bins], log-magnitudes at the reference level, see `models.style_statistics`
        file: SHA-256 of the sound
        start: frames from the beginning of the sound
        whole: whether it is all of the sound, and may be short
    """
    basis = torch.from_numpy(_basis())
    count = len(levels)
    frames = torch.from_numpy(levels)
    narrow = basis.float()
    inside = frames @ narrow
    outside = frames - inside @ narrow.mT
    exact = inside.double()
    features = _features(frames)
    usable = whole or count >= _SHORTEST
    places = slice(0, 1 if usable else 0)
    return Survey(
        float(count),
        _grid(frames.double().sum(dim=0)),
        _grid(exact.mT @ exact),
        _grid(outside.double().square().sum(dim=0)),
        _grid(features),
        np.frombuffer(file, np.uint8)[None][places],
        np.array([start])[places],
        np.array([count])[places],
        features.float().numpy()[None][places],
    )


def _grid(values: torch.Tensor) -> Doubles:
    return np.asarray(np.rint(values.numpy() * _GRID) / _GRID)


def _features(frames: torch.Tensor) -> torch.Tensor:
    """Sums over frames [frames, bins] of all networks' features, [D] float64."""
    views, filters = _weights()
    seen = frames @ views
    first, second = _pairs()
    found: list[torch.Tensor] = []
    for kernel, weights in zip(_KERNELS, filters, strict=True):
        # Where a sound is shorter than the kernel, it stands still.
        padded = torch.cat([seen, seen[-1:].expand(kernel - 1, -1)])
        linear = padded.unfold(0, kernel, 1).mT.reshape(len(seen), -1) @ weights
        for response in (linear, linear.relu()):
            gram = (response.mT @ response).double()
            found += [response.double().sum(dim=0), gram[first, second]]
    return torch.cat(found)


def _products(described: torch.Tensor, lengths: torch.Tensor, mean: torch.Tensor) -> Doubles:
    """Inner products [n, n] of how far stretches are from the mean of all frames, each network of equal weight.

    Of each network's Gram matrix, as it is and centred.
    """
    first, second = _pairs()
    # An entry beside the diagonal stands for two.
    twice = torch.where(first == second, 1.0, 2.0**0.5)
    total = torch.zeros(len(lengths), len(lengths), dtype=torch.float64)
    for place in range(0, len(mean), _size()):
        target = mean[place : place + _size()]
        away = described[:, place : place + _size()].double() - lengths[:, None] * target
        of_means, raw = away[:, :_FILTERS], away[:, _FILTERS:]
        middle = target[:_FILTERS]
        centred = raw - middle[first] * of_means[:, second] - of_means[:, first] * middle[second]
        for part in (raw, centred):
            part = (part * twice).float()
            products = (part @ part.mT).double()
            total += products / (products.diagonal() / lengths).sum().clamp_min(1e-12)
    return np.asarray(total.numpy())


def _covering(products: Doubles, lengths: Doubles, most: int) -> list[int]:
    """Places of a selection, at most so long, whose mean is nearest to the mean of all."""
    if lengths.sum() <= most:
        return list(range(len(lengths)))
    rng = np.random.default_rng(_SEED)
    best: tuple[float, list[int]] = (np.inf, [])
    for start in range(_STARTS):
        first = [] if start == 0 else [int(rng.integers(len(lengths)))]
        found = _improved(products, lengths, _filled(products, lengths, first, most), most)
        best = min(best, (_distance(products, lengths, found), found))
    return best[1]


def _distance(products: Doubles, lengths: Doubles, places: list[int]) -> float:
    return float(products[np.ix_(places, places)].sum() / lengths[places].sum() ** 2)


def _next(
    products: Doubles, lengths: Doubles, places: list[int], least: float, most: float
) -> tuple[float, int]:
    """The stretch that brings a selection nearest, and how near; -1 where none leaves its length within bounds."""
    total = lengths + lengths[places].sum()
    after = products[np.ix_(places, places)].sum() + 2.0 * products[places].sum(axis=0) + products.diagonal()
    after = np.where((total > most) | (total < least), np.inf, after / np.square(total))
    after[places] = np.inf
    found = int(after.argmin())
    return (float(after[found]), found) if np.isfinite(after[found]) else (np.inf, -1)


def _filled(products: Doubles, lengths: Doubles, places: list[int], most: int) -> list[int]:
    places = list(places)
    while (found := _next(products, lengths, places, 0.0, most)[1]) >= 0:
        places.append(found)
    return places


def _improved(products: Doubles, lengths: Doubles, places: list[int], most: int) -> list[int]:
    """Exchange stretches, one for one, until nothing brings the selection nearer."""
    distance = _distance(products, lengths, places)
    least = min(_FILLED * most, float(lengths[places].sum()))
    for _ in range(_ROUNDS):
        before = distance
        for one in list(places):
            rest = [place for place in places if place != one]
            nearer, found = _next(products, lengths, rest, least, most)
            if nearer < distance * (1.0 - 1e-9):
                places, distance = [*rest, found], nearer
        if distance == before:
            break
    return places
