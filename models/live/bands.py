"""From bins to bands and back, by bases whose bands are narrow.

An orthonormal basis of triangles (models.mel_bands.band_basis) falls off as fast as a geometric series from each band
to those further away. What is below 1e-7 is left out: a fifth of the numbers are left, and of the time.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .spectra import weighed

_f4 = np.float32
_LEAST = 1e-7

Floats = NDArray[np.float32]


class Basis(NamedTuple):
    """A basis U [B, b].

    Attributes:
        columns: array [b, B]
        ends: array [b, 2], the first bin of each band that counts, and the one behind the last
    """

    columns: Annotated[Floats, "bands bins"]
    ends: Annotated[NDArray[np.int64], "bands 2"]


def packed_basis(basis: NDArray[np.float64]) -> Basis:
    """Pack a basis [B, b]."""
    kept = np.abs(basis) > _LEAST
    columns = np.ascontiguousarray(np.where(kept, basis, 0.0).T, dtype=_f4)
    ends = np.stack([kept.argmax(axis=0), basis.shape[0] - kept[::-1].argmax(axis=0)], axis=1)
    return Basis(columns, np.ascontiguousarray(ends, dtype=np.int64))


@compiled
def into_bands(values: Floats, basis: Basis, out: Floats) -> None:
    """Write Uᵀ v [b] of values v [B]."""
    for band in range(out.size):
        first, last = basis.ends[band, 0], basis.ends[band, 1]
        out[band] = weighed(values[first:last], basis.columns[band, first:last])


@compiled
def add_bands(bands: Floats, basis: Basis, factor: float, out: Floats) -> None:
    """Add `factor` U z to `out` [B], with z [b]."""
    for band in range(bands.size):
        value = bands[band] * _f4(factor)
        first, last = basis.ends[band, 0], basis.ends[band, 1]
        column, part = basis.columns[band, first:last], out[first:last]
        for k in range(part.size):
            part[k] += column[k] * value
