"""The running Gram matrix of the output in bands, and steps of the newest frame towards the style's.

Covariances of b bands of the newest frame with those of frames some lags before, one below the other: [L b, b], a row
for each band of an earlier frame. That is the Gram matrix of linear features over time: of all filters as long as the
longest lag. `past` [longest lag + 1, b] are the frames, the newest one first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled

_f4 = np.float32
Floats = NDArray[np.float32]


@compiled
def follow_frame(gram: Floats, past: Floats, lags: NDArray[np.int64], frame: Floats, learnt: float) -> None:
    """Take in the band vector [b] of a frame of the output, by a part `learnt`; the first lag is 0."""
    for row in range(past.shape[0] - 1, 0, -1):
        past[row] = past[row - 1]
    past[0] = frame
    part, kept = _f4(learnt), _f4(1.0 - learnt)
    bands = frame.size
    for place in range(lags.size):
        for band in range(bands):
            row = gram[place * bands + band]
            value = part * past[lags[place], band]
            for k in range(bands):
                row[k] = kept * row[k] + value * frame[k]


@compiled
def descend(
    z: Floats,
    target: Floats,
    gram: Floats,
    style: Floats,
    past: Floats,
    lags: NDArray[np.int64],
    gradient: Floats,
    iterations: int,
    top: float,
    spread: float,
) -> None:
    """K gradient steps on the Gram matrix with respect to this frame's band vector; `z` [b] gets the change.

    With Ḡ the output's running Gram matrix, z_l the output l hops ago and ΔG_l = (Ḡ - G_s)_l, the gradient of
    ½‖ΔG‖² with respect to the current frame z is 2 ΔG_0 z + Σ_l ΔG_l z_l, up to the rate of the running mean; the
    largest eigenvalue of the style's covariance makes the step size free of units. λ ½‖z - z̃‖² holds z near
    what the map asks for. The change is bounded: where the output cannot follow (a bin in which the style is
    always silent) the steps would otherwise grow without end.

    Args:
        z: array [b], for the result
        target: z̃ [b]
        gram, style: Ḡ and G_s [L b, b]
        past, lags: the frames before; that l hops ago is still one row nearer
        gradient: array [b], room
        iterations: K
        top, spread: largest eigenvalue and trace of the style's covariance
    """
    bands = target.size
    scale = _f4(1.0 / top)
    for band in range(bands):
        z[band] = target[band]
    for _ in range(iterations):
        gradient[:] = _f4(0.0)
        for place in range(lags.size):
            for band in range(bands):
                value = z[band] + z[band] if place == 0 else past[lags[place] - 1, band]
                value *= scale
                ours, theirs = gram[place * bands + band], style[place * bands + band]
                for k in range(bands):
                    gradient[k] += value * (ours[k] - theirs[k])
        # z - ½ (gradient + ½ (z - z̃))
        for band in range(bands):
            z[band] += _f4(0.25) * (target[band] - z[band]) - _f4(0.5) * gradient[band]
    size = long = 0.0
    for band in range(bands):
        z[band] -= target[band]
        size += z[band] * z[band]
        long += target[band] * target[band]
    size = math.sqrt(size)
    bound = 0.7 * (math.sqrt(long) + 0.3 * math.sqrt(spread))
    if size > bound:
        factor = _f4(bound / size)
        for band in range(bands):
            z[band] *= factor
