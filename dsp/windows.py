"""Pairs of analysis and synthesis windows for streaming overlap-add.

A frame of n samples ends at the newest sample. It is windowed by w_a, transformed, changed, transformed back and
windowed by w_s, and the frames are added `hop` samples apart. What comes out is what went in when

    Σ_k w_a[n + k hop] w_s[n + k hop] = 1    for every n,

and it is complete once the last frame that touches a sample has been added: the delay is the length of the stretch on
which w_s is not zero. So a long w_a (fine in frequency) and a short w_s (little delay) go together, if their
product is itself a short window that adds up to one (Mauler and Martin 2007, "A low delay, variable resolution, perfect
reconstruction spectral analysis-synthesis system").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class WindowPair:
    """Windows [n_fft] float64 for analysis and synthesis, and the samples in which the latter is not zero."""

    analysis: NDArray[np.float64]
    synthesis: NDArray[np.float64]
    hop: int
    length: int

    @property
    def latency(self) -> int:
        """Samples by which a sound that is fed sample by sample comes out later."""
        return self.length - 1


def full_pair(n_fft: int, hop: int) -> WindowPair:
    """Symmetric pair: the root of a Hann window, twice; delay `n_fft`.

    Args:
        n_fft: frame length in samples
        hop: divides `n_fft` into two parts or more
    """
    _check(n_fft, n_fft, hop)
    root = np.sqrt(_hann(n_fft))
    # Hann windows n_fft / hop apart add up to n_fft / (2 hop).
    return WindowPair(root, root * (2.0 * hop / n_fft), hop, n_fft)


def low_delay_pair(n_fft: int, length: int, hop: int) -> WindowPair:
    """Asymmetric pair: the analysis sees `n_fft` samples, the delay is that of `length`.

    The analysis window rises as a sine over all but the last `length` / 2 samples, and falls over those like the root
    of a short window p of `length`, which the product of the pair is, at the very end of the frame:

        w_s = p / w_a    where p is not zero, 0 before.

    p is the square of the Vorbis window, sin²(π/2 sin²(π (n + ½) / length)) (Vorbis I specification, section 1.3.2).
    Its root ends level. That of a Hann window ends in a corner: what is far above a frame's own level, as bins that
    were raised, then steps at the frames' borders.

    Args:
        n_fft: frame length in samples
        length: of the synthesis window in samples, even, at most `n_fft`
        hop: divides `length` into two parts or more
    """
    _check(n_fft, length, hop)
    half = length // 2
    rising = n_fft - half
    middles = (np.arange(length) + 0.5) / length
    product = np.sin(0.5 * np.pi * np.sin(np.pi * middles) ** 2) ** 2
    place = (np.arange(rising) + 0.5) / rising
    analysis = np.concatenate([np.sin(0.5 * np.pi * place), np.sqrt(product[half:])])
    synthesis = np.zeros(n_fft)
    synthesis[n_fft - length : rising] = product[:half] / analysis[n_fft - length : rising]
    synthesis[rising:] = np.sqrt(product[half:])
    return WindowPair(analysis, synthesis * (2.0 * hop / length), hop, length)


def _hann(size: int) -> NDArray[np.float64]:
    """A periodic Hann window."""
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size))


def _check(n_fft: int, length: int, hop: int) -> None:
    if not (0 < length <= n_fft and length % 2 == 0 and hop > 0 and length % hop == 0 and length >= 2 * hop):
        raise ValueError(f"a window of {length} in a frame of {n_fft} does not add up at a hop of {hop}")
