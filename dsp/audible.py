"""The audible part of a sound, 20 Hz to 20 kHz: only this is taken from a style.

Loudness hardly counts what is outside, so a sound at a given loudness could hold any amount of it.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from ..media.spool import Block, Held, Sink, Source
from .filters import Sections, steep_high_pass, windowed_sinc
from .in_order import in_order

LOWEST_HZ = 20.0
HIGHEST_HZ = 20_000.0

# Within so many Hz from the edges of the band the filter goes from nothing to all. What is narrower rings for longer,
# and into rests.
_RISE_HZ = 20.0
_FALL_HZ = 500.0
_ATTENUATION_DB = 100.0

# Samples that are filtered at a time.
_PIECE = 1 << 18
_THREADS = 2


def audible(samples: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Return the audible part of a sound [channels, samples], at least one sample; without delay, also at the ends."""
    heard = Held(np.empty(samples.shape))
    # In pieces, too: the transforms of half a minute would take several times its memory.
    audible_track(Held(samples), heard, sample_rate)
    return heard.samples


def audible_track(source: Source, sink: Sink, sample_rate: int) -> None:
    """Write the audible part of a track of any length to `sink`, another one of the same length."""

    def work(start: int) -> tuple[int, Block]:
        return start, _filtered(source, start, min(start + _PIECE, source.length), sample_rate)

    with ThreadPoolExecutor(_THREADS) as pool:
        for start, piece in in_order(pool, work, range(0, source.length, _PIECE), ahead=_THREADS):
            sink.write(start, piece)


def _filtered(source: Source, start: int, stop: int, sample_rate: int) -> Block:
    kernel = _kernel(sample_rate)
    reach = kernel.size // 2
    first, last = start - reach, stop + reach
    inside = source.read(max(first, 0), min(last, source.length))
    # Beyond its ends the sound goes on as in a mirror: silence there would be a step, wherever it has an offset.
    missing = (max(-first, 0), max(last - source.length, 0))
    around = np.pad(np.ascontiguousarray(inside), ((0, 0), missing), mode="symmetric")
    size = next_fast_len(around.shape[1], real=True)
    # What wraps round falls on the ends, which are not part of the result.
    spectrum = rfft(around, size)
    spectrum *= _response(sample_rate, size, around.dtype)
    out: Block = irfft(spectrum, size, overwrite_x=True)
    return out[:, 2 * reach : around.shape[1]]


@lru_cache(maxsize=2)
def _response(sample_rate: int, size: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The band-pass's spectrum, of this many samples."""
    return np.asarray(rfft(_kernel(sample_rate).astype(dtype), size))


@lru_cache(maxsize=8)
def _kernel(sample_rate: int) -> NDArray[np.float64]:
    """A symmetric band-pass, whose transitions lie within the band."""
    kernel = _slope(LOWEST_HZ, _RISE_HZ, sample_rate, rising=True)
    if sample_rate / 2.0 > HIGHEST_HZ:
        lowpass = _slope(HIGHEST_HZ - _FALL_HZ, _FALL_HZ, sample_rate, rising=False)
        kernel = np.convolve(kernel, lowpass)
    return kernel


def _slope(start: float, width: float, sample_rate: int, *, rising: bool) -> NDArray[np.float64]:
    """One transition, from `start` on, with a Kaiser window as long as it must be (Kaiser and Schafer 1980)."""
    taps = (_ATTENUATION_DB - 7.95) / 14.36 * sample_rate / width
    middle = (start + width / 2.0) / (sample_rate / 2.0)
    count = 2 * math.ceil(taps / 2.0) + 1
    kernel = windowed_sinc(count, middle, beta=0.1102 * (_ATTENUATION_DB - 8.7))
    kernel /= kernel.sum()
    if rising:
        kernel = -kernel
        kernel[count // 2] += 1.0
    return kernel


def highpass_sections(sample_rate: int) -> Sections:
    """Return a high-pass for a stream, as sections of the second order [sections, 6].

    It takes 40 dB from what is below 20 Hz, all of an offset, and 0.2 dB at 41 Hz, the low E of a bass. What rings on
    has fallen by 60 dB after 0.14 s.
    """
    return steep_high_pass(sample_rate, LOWEST_HZ)
