"""The map from the input's bands to a style's, solved from their covariances.

With R = C_s^{1/2} known beforehand, the transport of one Gaussian to another (Peyré and Cuturi 2019, remark 2.31, with
content and style exchanged and inverted) takes a single eigen-decomposition:

    A = R (R C_c R)^{-1/2} R.
"""

import math

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from .eigen import eigenvectors, multiply


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
