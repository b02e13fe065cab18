"""What can be heard of a sound, 20 Hz to 20 kHz: all that is taken from a style, and all that it adds to a content.

Loudness says little of what lies outside: a sound that is brought to a loudness would bring any amount of it along.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import cheby2, fftconvolve, firwin, sosfilt

from dsp.spool import Block, Held, Sink, Source

LOWEST_HZ = 20.0
HIGHEST_HZ = 20_000.0

# The filter goes from nothing to all within so many Hz, and leaves 1e-5 of what is outside (Kaiser and Schafer 1980).
_TRANSITION_HZ = 10.0
_ATTENUATION_DB = 100.0

# Samples that are filtered at a time.
_PIECE = 1 << 18


def audible(samples: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Return what can be heard of a sound [channels, samples], one sample at least; no delay, the ends included."""
    return _filtered(Held(samples), 0, samples.shape[1], sample_rate).astype(np.float64)


def audible_track(source: Source, sink: Sink, sample_rate: int) -> None:
    """Write what can be heard of a track of any length to `sink`, which is as long, and another one."""
    for start in range(0, source.length, _PIECE):
        stop = min(start + _PIECE, source.length)
        sink.write(start, _filtered(source, start, stop, sample_rate))


def _filtered(source: Source, start: int, stop: int, sample_rate: int) -> Block:
    kernel = _kernel(sample_rate)
    reach = kernel.size // 2
    first, last = start - reach, stop + reach
    inside = source.read(max(first, 0), min(last, source.length))
    # Beyond its ends the sound goes on as in a mirror: silence there would be a step, wherever it has an offset.
    missing = (max(-first, 0), max(last - source.length, 0))
    around = np.pad(inside, ((0, 0), missing), mode="symmetric")
    out: Block = fftconvolve(around, kernel[None].astype(around.dtype), mode="valid", axes=-1)
    return out


@lru_cache(maxsize=8)
def _kernel(sample_rate: int) -> NDArray[np.float64]:
    """A symmetric band-pass, whose transitions lie within the band."""
    taps = (_ATTENUATION_DB - 7.95) / 14.36 * sample_rate / _TRANSITION_HZ
    edges = [LOWEST_HZ + _TRANSITION_HZ / 2.0]
    if sample_rate / 2.0 > HIGHEST_HZ:
        edges.append(HIGHEST_HZ - _TRANSITION_HZ / 2.0)
    window = ("kaiser", 0.1102 * (_ATTENUATION_DB - 8.7))
    kernel: NDArray[np.float64] = firwin(
        2 * int(np.ceil(taps / 2.0)) + 1, edges, pass_zero=False, window=window, fs=sample_rate
    )
    return kernel


def block_highpass(sample_rate: int, block: int) -> NDArray[np.float64]:
    """Return a high-pass for a stream as one matrix [block + k, block + k].

    A block of samples and the k numbers that are carried from block to block, side by side in a row, times the matrix
    are the filtered block and the next numbers, which are 0 at first. The filter, a Chebyshev of the second kind, takes
    40 dB from what is below 20 Hz, all of an offset, and 0.2 dB at 41 Hz, the low E of a bass. What rings on has
    fallen by 60 dB after 0.14 s.
    """
    sections = cheby2(5, 40.0, LOWEST_HZ, "highpass", output="sos", fs=sample_rate)
    carried = 2 * len(sections)
    # Being linear, it is known by what it makes of each unit vector.
    units = np.eye(block + carried)
    before = units[:, block:].reshape(-1, len(sections), 2).swapaxes(0, 1)
    filtered, after = sosfilt(sections, units[:, :block], zi=before)
    return np.concatenate([filtered, after.swapaxes(0, 1).reshape(-1, carried)], axis=1)
