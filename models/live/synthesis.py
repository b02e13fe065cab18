"""From spectra to what is heard: overlap-add, level, high-pass, limiter, and the mix with the dry signal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from ...dsp.filters import filter_in_place
from ...dsp.live_limiter import limit

_f4 = np.float32
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_CEILING = _f4(10.0 ** (-1.0 / 20.0))
# What rings on in the high-pass after the sound is cut off here, linear: -100 dBFS.
_RINGING = 1e-5


@compiled
def overlap_add(frames: Floats, window: Floats, gain: float, sum: Floats, newest: Floats) -> None:
    """Add the ends of frames [C, n_fft] to those before; `newest` [C, hop] are the samples that are now complete.

    Args:
        frames: array [C, n_fft]
        window: array [length], the end of the synthesis window; before it there is nothing
        gain: factor
        sum: array [C, length], kept
        newest: array [C, hop]
    """
    length, hop = window.size, newest.shape[1]
    first = frames.shape[1] - length
    factor = _f4(gain)
    for channel in range(sum.shape[0]):
        row, frame = sum[channel], frames[channel, first:]
        for n in range(length):
            row[n] += factor * (frame[n] * window[n])
        newest[channel] = row[:hop]
        for n in range(length - hop):
            row[n] = row[n + hop]
        row[length - hop :] = _f4(0.0)


@compiled
def emit(
    now: Any,
    newest: Floats,
    dry: Floats,
    sections: Doubles,
    rumble: Doubles,
    release: float,
    level: float,
    wet: Floats,
    ceiling: Floats,
    out: Floats,
) -> None:
    """Bring the wet signal to a level, limit it, and mix it with the dry one.

    Frames that do not fit one another, and so short a synthesis window, make something below 20 Hz of any bass: a
    high-pass takes it out. It works on the wet signal less the dry one's part in it, so that it turns no phase of
    what stays the input's own.

    Args:
        now: the core's numbers, of which `strength` and `mix` say what is asked for
        newest, dry: arrays [C, hop]
        sections, rumble: of the high-pass, and what it keeps
        release: of the limiter, samples
        level: factor for the wet signal; ramped from that of the hop before
        wet: array [C, hop], room
        ceiling: array [1], room
        out: array [C, hop]
    """
    begin = now.emitted if now.emitted > 0.0 else level
    now.emitted = level
    # Below a strength of 0.05 the resynthesised sound gives way to the input itself.
    share = now.mix * min(1.0, now.strength * 20.0)
    before = now.wet
    now.wet = share
    if before == 0.0 and share == 0.0:
        now.reduction = 0.0
        rumble[:] = 0.0
        now.limited = 0
        out[:] = dry
        return
    channels, hop = dry.shape
    kept = _f4(1.0 - now.strength)
    for channel in range(channels):
        for n in range(hop):
            gain = _f4(begin + (level - begin) * (n + 1) / hop)
            wet[channel, n] = newest[channel, n] * gain - kept * dry[channel, n]
    _high_pass(wet, sections, rumble)
    for channel in range(channels):
        for n in range(hop):
            wet[channel, n] += kept * dry[channel, n]
    ceiling[0] = _CEILING
    now.reduction, worked = limit(wet, ceiling, release, now.reduction, wet)
    now.limited = 1 if worked else 0
    for channel in range(channels):
        for n in range(hop):
            part = _f4(before + (share - before) * (n + 1) / hop)
            mixed = dry[channel, n] + (wet[channel, n] - dry[channel, n]) * part
            out[channel, n] = wet[channel, n] if part == 1.0 else mixed


@compiled
def _high_pass(sound: Floats, sections: Doubles, kept: Doubles) -> None:
    """Filter [C, n] in place; see `dsp.filters.filter_in_place`."""
    channels, count = sound.shape
    still = True
    for channel in range(channels):
        for n in range(count):
            still = still and sound[channel, n] == 0.0
        for section in range(sections.shape[0]):
            still = still and max(abs(kept[channel, section, 0]), abs(kept[channel, section, 1])) < _RINGING
    if still:
        kept[:] = 0.0
    else:
        filter_in_place(sections, sound, kept)
