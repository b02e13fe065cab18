"""The maps from the input's bands to a style's, solved from their covariances.

With R = C_s^{1/2} known beforehand, the transport of one Gaussian to another (Peyré and Cuturi 2019, remark 2.31, with
content and style exchanged and inverted) takes a single eigen-decomposition:

    A = R (R C_c R)^{-1/2} R.

Of all maps from one covariance to the other, A = R Q M^{-1} with C_c = M Mᵀ and Q orthogonal, that in wide bands is
the one that ties the style's loudness to the input's: Q is the polar factor of (K R)ᵀ M, with K = κ I + λ d_c d_sᵀ and
d the directions in which powers grow (docs/design.md, the closed form).
"""

import math

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .eigen import eigenvectors, multiply

# How much the map in wide bands moves things least, and ties loudness to loudness.
_STRAIGHT, _TIED = 2.0, 5.0


@compiled
def solve_map(
    covariance: NDArray[np.float32], style_root: NDArray[np.float64], out: NDArray[np.float32]
) -> None:
    """Write A [b, b] to `out`.

    Args:
        covariance: array [b, b], C_c
        style_root: array [b, b], R
        out: array [b, b]
    """
    bands = covariance.shape[0]
    content = covariance.astype(np.float64)
    mean = 0.0
    for band in range(bands):
        mean += content[band, band]
    extra = 1e-3 * mean / bands + 1e-9
    root = style_root.copy()
    for band in range(bands):
        content[band, band] += extra
        root[band, band] += math.sqrt(extra)
    inner = multiply(multiply(root, content), root)
    for i in range(bands):
        for j in range(i):
            inner[i, j] = inner[j, i] = 0.5 * (inner[i, j] + inner[j, i])
    values, vectors = eigenvectors(inner)
    half = multiply(vectors, root)
    for row in range(bands):
        # R C R holds products of variances; what is below the product of what was added is rounding.
        scale = max(values[row], extra * extra) ** -0.25
        for band in range(bands):
            half[row, band] *= scale
    solved = multiply(half.T.copy(), half)
    for i in range(bands):
        for j in range(bands):
            out[i, j] = solved[i, j]


@compiled
def solve_wide_map(
    covariance: NDArray[np.float32],
    style_root: NDArray[np.float64],
    style_power: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write the map in wide bands [W, W] to `out`.

    Args:
        covariance: array [W + 1, W], C_c, and mean powers as the last row
        style_root: array [W, W], R
        style_power: array [W], d_s
        out: array [W, W]
    """
    bands = style_root.shape[0]
    content = covariance[:bands].astype(np.float64)
    mean = 0.0
    for band in range(bands):
        mean += content[band, band]
    extra = 1e-3 * mean / bands + 1e-9
    root = style_root.copy()
    length = 1e-30
    for band in range(bands):
        content[band, band] += extra
        root[band, band] += math.sqrt(extra)
        length += covariance[bands, band] * covariance[bands, band]
    lower = _cholesky(content)
    # (K R)ᵀ M = R Kᵀ M, with R symmetric and Kᵀ M = κ M + λ d_s (d_cᵀ M).
    tied = lower.copy()
    for j in range(bands):
        along = 0.0
        for i in range(bands):
            along += covariance[bands, i] * lower[i, j]
        along *= _TIED / math.sqrt(length)
        for i in range(bands):
            tied[i, j] = _STRAIGHT * lower[i, j] + along * style_power[i]
    both = multiply(root, tied)
    # The polar factor of B is (B Bᵀ)^{-1/2} B.
    values, vectors = eigenvectors(multiply(both, both.T.copy()))
    largest = 0.0
    for row in range(bands):
        largest = max(largest, values[row])
    half = vectors.copy()
    for row in range(bands):
        scale = 1.0 / math.sqrt(max(values[row], 1e-12 * largest))
        for band in range(bands):
            half[row, band] *= scale
    turned = multiply(multiply(vectors.T.copy(), half), both)
    solved = multiply(root, turned)
    # X M = R Q, from the last column on.
    for row in range(bands):
        for j in range(bands - 1, -1, -1):
            value = solved[row, j]
            for k in range(j + 1, bands):
                value -= solved[row, k] * lower[k, j]
            solved[row, j] = value / lower[j, j]
            out[row, j] = solved[row, j]


@compiled
def _cholesky(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the lower triangle L with L Lᵀ = a positive definite matrix [n, n]."""
    n = matrix.shape[0]
    lower = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            value = matrix[i, j]
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(max(value, 1e-30)) if i == j else value / lower[j, j]
    return lower
