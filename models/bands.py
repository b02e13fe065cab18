"""Transport in bands: the closed form in some dozens of dimensions, which is solved in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .mel_bands import wide_triangles
from .transport import statistics, transport_matrix


@dataclass(frozen=True)
class BandStatistics:
    """Statistics for transport in bands: mean [bins], covariance in the bands, and the rest outside them.

    `rest` [bins] is the standard deviation of each bin with the bands' part removed.
    """

    mean: Tensor
    covariance: Tensor
    rest: Tensor


def band_statistics(frames: Tensor, basis: Tensor) -> BandStatistics:
    """Statistics of a spectrogram [bins, frames] in a basis [bins, bands]."""
    frames = frames.double()
    inside = statistics(basis.mT @ frames)
    mean = frames.mean(dim=-1)
    rest = frames - mean[:, None]
    # Half a minute of frames is 20 MB: as few copies as can be.
    del frames
    rest -= basis @ (basis.mT @ rest)
    return BandStatistics(mean, inside.covariance, rest.square_().mean(dim=-1).sqrt())


def matrix_in_bands(
    content: Tensor,
    style: BandStatistics,
    basis: Tensor,
    *,
    coupling: Tensor | None = None,
    regularisation: float = 1e-3,
) -> Tensor:
    """A full map between bands and one gain a bin for what is left, as one matrix [bins, bins]:

        U A Uᵀ + P diag(g) P,    P = I - U Uᵀ,    g = rest_s / rest_c (at most 10)

    Gains that differ from bin to bin turn some of the rest back into the bands: the second P takes it out.

    No product of two matrices of all bins is needed. With c = C U and C_b = Uᵀ c,

        diag(P C P) = diag(C) - 2 Σ_b U ∘ c + Σ_b U ∘ (U C_b),
        P G P = G - U h - hᵀ Uᵀ + U (h U) Uᵀ,    h = Uᵀ G.

    Args:
        content: Tensor [bins, bins], covariance, float64
        style: the style's statistics, in the same basis
        basis: Tensor [bins, bands], see `models.mel_bands.band_basis`
        coupling: Tensor [bins, bins], between bins; see `models.transport.transport_matrix`
        regularisation: as there
    """
    across = content @ basis
    inside = basis.mT @ across
    between = None if coupling is None else basis.mT @ coupling @ basis
    matrix = transport_matrix(inside, style.covariance, coupling=between, regularisation=regularisation)
    left = content.diagonal() - 2.0 * (basis * across).sum(dim=1) + (basis * (basis @ inside)).sum(dim=1)
    gain = (style.rest / left.clamp_min(0.0).sqrt().clamp_min(1e-9)).clamp_max(10.0)
    rows = basis.mT * gain
    # U A Uᵀ, what P takes off from the right, and from the left what both have left: U is on the left of two of three.
    mapped: Tensor = basis @ ((matrix + rows @ basis) @ basis.mT - rows)
    mapped -= rows.mT @ basis.mT
    mapped.diagonal().add_(gain)
    return mapped


def wide_bands(bins: int, bands: int, *, highest: float) -> Tensor:
    """Triangles [bands, bins] of `models.mel_bands.wide_triangles`."""
    return torch.from_numpy(wide_triangles(bins, bands, highest=highest)).float()
