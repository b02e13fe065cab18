"""The closed form as the recipes use it, from sums over frames: the map, then the style's distribution.

Nothing here needs all frames of a track at once. Mean, covariance and power are sums over frames; so are the counts of
each bin's moved values in fixed, narrow cells, which replace their ranks. Sums do not depend on the blocks of a track,
so neither do the map and the curves.

Frames lie in rows, [frames, bins], as in `dsp.frames`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...dsp.stft import compress, expand, power_mean, stft
from ...models.bands import BandStatistics, band_statistics, matrix_in_bands
from ...models.mel_bands import band_basis
from ...models.transport import Statistics, bin_power, energy_coupling, statistics, transport_matrix
from .settings import ClosedForm

# Frames of the content below this level, full scale, are silence; 10 dB above it they count in full.
SILENCE_DB = -80.0

# Cells in which moved values are counted, and how far they reach from the mean, in standard deviations: a cell is a
# hundred-and-twenty-eighth of one. What lies beyond counts in the outermost cells.
CELLS = 2048
REACH = 8.0


def sounding(power: Tensor) -> Tensor:
    """1 where a frame of this power, the sum of its bins [frames], sounds, 0 where it is silent.

    Multiplied with the result, it keeps rests silent.
    """
    level = 10.0 * torch.log10(power + 1e-12)
    return ((level - SILENCE_DB) / 10.0).clamp(0.0, 1.0)


@dataclass(frozen=True)
class StyleClip:
    """A style's clip at the recipe's rate and the reference level.

    Attributes:
        logs: Tensor [bins, frames], log-magnitudes of all channels together
        spectrum: Tensor [frames, bins], complex: of its loudest channel, whose phases belong to each other
    """

    logs: Tensor
    spectrum: Tensor

    @classmethod
    def of(cls, samples: Tensor, n_fft: int, hop: int) -> StyleClip:
        """Of samples [channels, n]."""
        spectrum = stft(samples, n_fft, hop)
        loudest = int(spectrum.abs().square().sum(dim=(1, 2)).argmax())
        return cls(compress(power_mean(spectrum)), spectrum[loudest].mT.contiguous())


@dataclass(frozen=True)
class FrameSums:
    """Sums over weighted frames, float64: of the weights, the frames [bins], their products, and their power [bins].

    Frames and products are taken relative to `around` [bins]. Near the mean, the covariance subtracts little from the
    products, so those of one block can be added up in 32 bits.
    """

    around: Tensor
    weight: Tensor
    frames: Tensor
    products: Tensor
    power: Tensor

    @classmethod
    def of(cls, frames: Tensor, weights: Tensor | None, around: Tensor) -> FrameSums:
        """Sums of frames [frames, bins] with weights [frames]; None is 1 each."""
        power = expand(frames).square_()
        rest = frames - around
        if weights is None:
            weights = torch.ones(len(frames), device=frames.device)
            weighted = rest
        else:
            weighted = weights[:, None] * rest
        products = (weighted.mT @ rest).double()
        return cls(
            around,
            weights.double().sum(),
            weighted.double().sum(dim=0),
            products,
            weights.double() @ power.double(),
        )

    def __add__(self, other: FrameSums) -> FrameSums:
        return FrameSums(
            self.around,
            self.weight + other.weight,
            self.frames + other.frames,
            self.products + other.products,
            self.power + other.power,
        )

    def statistics(self) -> Statistics:
        """Mean and covariance of the frames."""
        mean = self.frames / self.weight
        covariance = self.products / self.weight - torch.outer(mean, mean)
        return Statistics(self.around.double() + mean, (covariance + covariance.mT) / 2)


class StyleSide:
    """A style for the closed form: its statistics, and each bin's values, sorted.

    Args:
        spectrogram: Tensor [bins, frames], log-magnitudes
        settings: the recipe's
    """

    def __init__(self, spectrogram: Tensor, settings: ClosedForm) -> None:
        self._settings = settings
        bins, self._highest = spectrogram.shape[0], settings.sample_rate / 2
        self._basis: Tensor | None = None
        self._statistics: Statistics | BandStatistics
        if settings.bands:
            basis = band_basis(bins, settings.bands, highest=self._highest)
            self._basis = torch.from_numpy(basis).to(spectrogram.device)
            self._statistics = band_statistics(spectrogram, self._basis)
        else:
            self._statistics = statistics(spectrogram)
        self.around = self._statistics.mean.float()
        self._power = bin_power(spectrogram)
        self.ordered = spectrogram.sort(dim=-1).values

    def solve(self, content: FrameSums, *, coupled: bool) -> FrameMap:
        """The map from a content's statistics to the style's.

        Args:
            content: its sums
            coupled: whether the style's loudness shall follow the content's; otherwise the map moves least
        """
        settings, ours = self._settings, content.statistics()
        coupling = None
        if coupled:
            coupling = energy_coupling(
                content.power / content.weight,
                self._power,
                energy=settings.energy_coupling,
                bands=settings.band_coupling,
                highest=self._highest,
            )
        theirs, share = self._statistics, settings.regularisation
        if isinstance(theirs, BandStatistics):
            assert self._basis is not None
            matrix = matrix_in_bands(
                ours.covariance, theirs, self._basis, coupling=coupling, regularisation=share
            )
        else:
            matrix = transport_matrix(
                ours.covariance, theirs.covariance, coupling=coupling, regularisation=share
            )
        offset = theirs.mean - matrix @ ours.mean
        # How wide cells are need not be known to more digits than a float32 has.
        narrow = matrix.float()
        variance = ((narrow @ ours.covariance.float()) * narrow).sum(dim=-1).double()
        width = (2.0 * REACH / CELLS) * variance.clamp_min(1e-12).sqrt()
        return FrameMap(
            narrow,
            offset.float(),
            (theirs.mean - width * (CELLS / 2)).float(),
            width.float(),
        )


@dataclass(frozen=True)
class FrameMap:
    """A map of frames, and the cells in which its results are counted.

    Attributes:
        matrix, offset: moved = frames @ matrixᵀ + offset
        lowest, width: [bins], where the first cell begins, and how wide each is
    """

    matrix: Tensor
    offset: Tensor
    lowest: Tensor
    width: Tensor

    @classmethod
    def within(cls, highest: Tensor) -> FrameMap:
        """Cells for values from 0 to the highest of each bin [bins], and nothing moved."""
        zero = torch.zeros_like(highest)
        return cls(torch.eye(len(highest)).to(highest), zero, zero, highest.clamp_min(1e-9) / CELLS)

    def move(self, frames: Tensor) -> Tensor:
        """Return frames [frames, bins] with the style's mean and covariance; some values may fit no sound."""
        return torch.addmm(self.offset, frames, self.matrix.mT)

    def place(self, moved: Tensor) -> Tensor:
        """Where values [frames, bins] lie, in cells from the lowest, 0 to CELLS."""
        return ((moved - self.lowest) / self.width).clamp_(0.0, CELLS)

    def count(self, moved: Tensor, weights: Tensor | None) -> Tensor:
        """How many of each bin's moved values [frames, bins] lie in each cell, [bins, CELLS], float64."""
        bins = moved.shape[1]
        # By bins rather than frames: then the counters of one bin stay in the processor's cache.
        cells = self.place(moved).mT.long().clamp_max_(CELLS - 1)
        cells += CELLS * torch.arange(bins, device=cells.device)[:, None]
        # torch.bincount takes several times as long.
        each = None if weights is None else np.tile(weights.double().cpu().numpy(), bins)
        counts = np.bincount(cells.reshape(-1).cpu().numpy(), weights=each, minlength=bins * CELLS)
        return torch.from_numpy(counts.astype(np.float64)).reshape(bins, CELLS).to(moved.device)


class Curves:
    """One rising curve a bin, which gives moved values the style's distribution.

    A value of rank p goes to the style's quantile at p. Ranks come from the counts, evenly spread within a cell;
    between the borders of cells, the curve is straight.

    Args:
        moved: the map that the values come from
        counts: Tensor [bins, CELLS], all that were counted
        style: its values are taken
        amount: 0 to 1, how far each value goes towards the style's quantile; values always end up between 0 and the
            style's largest in that bin
    """

    def __init__(self, moved: FrameMap, counts: Tensor, style: StyleSide, *, amount: float) -> None:
        ordered = style.ordered
        bins, available = ordered.shape
        below = torch.zeros(bins, CELLS + 1, dtype=torch.float64, device=counts.device)
        torch.cumsum(counts, dim=-1, out=below[:, 1:])
        # A quantile stands in the middle of each of the style's values' equal parts, and is linear between.
        place = (below / below[:, -1:] * available - 0.5).clamp(0, available - 1)
        first = place.floor().long()
        lower, upper = (ordered.gather(1, i) for i in (first, (first + 1).clamp_max(available - 1)))
        self._values = torch.lerp(lower, upper, (place - first).to(ordered)).reshape(-1)
        self._rows = (CELLS + 1) * torch.arange(bins, device=counts.device)
        self._highest = ordered[:, -1].clone()
        self._moved, self._amount = moved, amount

    def __call__(self, moved: Tensor) -> Tensor:
        """Values [frames, bins] with the style's distribution."""
        place = self._moved.place(moved)
        cell = place.long().clamp_max_(CELLS - 1)
        place -= cell
        cell += self._rows
        lower = self._values.take(cell)
        matched = lower.lerp_(self._values.take(cell.add_(1)), place)
        bounded = torch.minimum(moved.clamp_min(0.0), self._highest)
        return bounded.lerp_(matched, self._amount)
