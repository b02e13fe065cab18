"""Bands on a mel-like scale log(1 + f / 700 Hz): their edges, triangles on them, and an orthonormal basis of these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]


def mel_edges(bins: int, bands: int, *, highest: float) -> Doubles:
    """Edges [bands + 1] in bins of bands evenly spaced on the scale.

    Args:
        bins: bins from 0 Hz to `highest`
        bands: how many
        highest: Hz, of the last bin
    """
    frequencies = 700.0 * np.expm1(np.linspace(0.0, 1.0, bands + 1) * np.log1p(highest / 700.0))
    return np.asarray(frequencies / highest * (bins - 1))


def mel_members(bins: int, bands: int, *, highest: float) -> Doubles:
    """Which bins are in which band, 1 or 0, [at most `bands`, bins]; arguments as for `mel_edges`.

    Bands without a bin are dropped.
    """
    edges = mel_edges(bins, bands, highest=highest)
    places = np.arange(bins, dtype=np.float64)
    members: Doubles = ((places >= edges[:-1, None]) & (places < edges[1:, None])).astype(np.float64)
    return members[members.any(axis=1)]


def wide_triangles(bins: int, bands: int, *, highest: float) -> Doubles:
    """Triangles [bands, bins], each side two bins wide at least, so that no band names a note.

    Args:
        bins: bins from 0 Hz to `highest`
        bands: how many
        highest: Hz, of the last bin
    """
    edges = mel_edges(bins, bands + 1, highest=highest)
    places = np.arange(bins, dtype=np.float64)
    middle = edges[1:-1, None]
    below = np.maximum(middle - edges[:-2, None], 2.0)
    above = np.maximum(edges[2:, None] - middle, 2.0)
    triangles: Doubles = np.minimum((places - middle + below) / below, (middle + above - places) / above)
    return np.maximum(triangles, 0.0)


def band_basis(bins: int, bands: int, *, highest: float) -> Doubles:
    """Orthonormal basis U [bins, at most `bands`] of triangular bands.

    Neighbouring triangles overlap, so they are orthonormalised symmetrically, U = V (Vᵀ V)^{-1/2} (Löwdin 1950): of all
    orthonormal bases of the same space the one nearest to the triangles themselves.

    Args:
        bins: bins from 0 Hz to `highest`
        bands: bands asked for; those narrower than a bin are dropped
        highest: Hz, of the last bin
    """
    edges = mel_edges(bins, bands + 1, highest=highest)
    places = np.arange(bins, dtype=np.float64)
    rising = (places - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - places) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    triangles = triangles[np.linalg.norm(triangles, axis=1) > 0.5].T
    triangles = triangles / np.linalg.norm(triangles, axis=0)
    values, vectors = np.linalg.eigh(triangles.T @ triangles)
    # Below the width of a bin, triangles fall on the same bins: directions that are left over are no bands.
    kept = values > 1e-3
    basis: Doubles = triangles @ ((vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T)
    if kept.all():
        return basis
    left: Doubles = np.linalg.svd(basis, full_matrices=False)[0]
    return left[:, : int(kept.sum())]
