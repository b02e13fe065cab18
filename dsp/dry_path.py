"""The way of the dry sound through the engine, compiled: from the device, and to where it stands in for the chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

Frames = NDArray[np.float32]
Doubles = NDArray[np.float64]

_f4 = np.float32


@compiled
def take_in(
    rows: Frames,
    fade: Frames,
    faded: int,
    gain: Frames,
    ceiling: Frames,
    heard: Frames,
    dry: Frames,
    at: int,
) -> int:
    """Take over what the device has recorded; what is no number becomes silence.

    Args:
        rows: array [n, C or more], from the device; faded in and made finite in place
        fade: array [F], a fade in, of which `faded` samples are over
        gain, ceiling: arrays [1] or [n]; what the gain lifts ends at the ceiling, and what was louder before passes
        heard, dry: memories [C, size] of two histories, for the sound and for what stands in for the chain
        at: frame of both at which the rows begin

    Returns:
        how many samples were no numbers
    """
    channels, mask = heard.shape[0], heard.shape[1] - 1
    wrong = 0
    for n in range(rows.shape[0]):
        share = fade[faded + n] if faded + n < fade.size else _f4(1.0)
        level = gain[0] if gain.size == 1 else gain[n]
        highest = ceiling[0] if ceiling.size == 1 else ceiling[n]
        place = (at + n) & mask
        for channel in range(rows.shape[1]):
            sample = rows[n, channel]
            if not np.isfinite(sample):
                sample = _f4(0.0)
                wrong += 1
            sample *= share
            rows[n, channel] = sample
            if channel < channels:
                heard[channel, place] = sample
                most = max(abs(sample), highest)
                dry[channel, place] = min(max(sample * level, -most), most)
    return wrong


@compiled
def stand_in(
    dry: Frames,
    delay: int,
    known: int,
    fade: Frames,
    since: int,
    join: Frames,
    joined: int,
    held: Frames,
    gate: Doubles,
    start: int,
    stop: int,
    out: Frames,
    origin: int,
) -> None:
    """Write what is heard where the chain's output is missing: the delayed dry signal, joined to what is before it.

    Args:
        dry: memory [C, size] of a history
        delay: frames by which it is heard late
        known: from this frame on nothing is known of it; there it goes on mirrored, without a step and no louder, and
            fades out
        fade: array [F], rising
        since: frame at which it fades in
        join: array [C, J], falling to 0, which is added from frame `joined` on, so that there is no step
        held: array [C]; the sum stays within this or, where that is louder, the dry signal
        gate: array [4], see `level_at`
        start, stop: frames that are written
        out: array [F, C], a ring of which frame `origin` is row 0, and the last one written less than 2 F behind it
    """
    mask = dry.shape[1] - 1
    for frame in range(start, stop):
        level, row = level_at(gate, frame), frame - origin
        if row >= out.shape[0]:
            row -= out.shape[0]
        source, share = frame - delay, _f4(1.0)
        beyond = frame - known
        if beyond >= 0:
            source -= 2 * beyond + 1
            share = _f4(1.0) - fade[beyond] if beyond < fade.size else _f4(0.0)
        risen = frame - since
        if risen < fade.size:
            share *= fade[risen] if risen >= 0 else _f4(0.0)
        place = frame - joined
        for channel in range(out.shape[1]):
            sample = dry[channel, source & mask] * share if source >= 0 else _f4(0.0)
            if 0 <= place < join.shape[1]:
                most = max(abs(sample), held[channel])
                sample = min(max(sample + join[channel, place], -most), most)
            out[row, channel] = sample * level


@compiled
def level_at(gate: Doubles, frame: int) -> np.float32:
    """Return the gain at a frame of a straight fade; `gate` is [from, 1 up or -1 down or 0, first frame, frames]."""
    way = max((frame - gate[2] + 1.0) / gate[3], 0.0)
    return _f4(min(max(gate[0] + gate[1] * way, 0.0), 1.0))


@compiled
def put_wet(
    heard: Frames,
    wet: Frames,
    dry: Frames,
    delay: int,
    known: int,
    fade: Frames,
    since: int,
    under: Frames,
    falling: Frames,
    gate: Doubles,
    start: int,
    stop: int,
    out: Frames,
    origin: int,
) -> tuple[Frames, Frames]:
    """Write the chain's output, and behind it the dry signal, which joins it without a step; see `stand_in`.

    Args:
        heard: array [C, n], n at least 1, from frame `start` on: the chain's output, or on the way to it
        wet: array [C, n or more], the chain's output
        under: array [C], within which a crossfade that is under way holds the dry signal
        falling: array [J], how the join falls to 0
        stop: frame behind the last that is written, not before the wet sound's end

    Returns:
        the join [C, J] and what it is held within [C], both for `stand_in`, from the wet sound's end on
    """
    channels, count = heard.shape
    end = start + count
    for n in range(count):
        level, row = level_at(gate, start + n), start + n - origin
        if row >= out.shape[0]:
            row -= out.shape[0]
        for channel in range(channels):
            out[row, channel] = heard[channel, n] * level
    last, opened = np.empty((1, channels), dtype=np.float32), np.array([1.0, 0.0, 0.0, 1.0])
    nothing, held = np.empty((channels, 0), dtype=np.float32), np.empty(channels, dtype=np.float32)
    stand_in(dry, delay, known, fade, since, nothing, 0, under, opened, end - 1, end, last, end - 1)
    join = np.empty((channels, falling.size), dtype=np.float32)
    for channel in range(channels):
        sample = heard[channel, count - 1]
        held[channel] = max(abs(wet[channel, wet.shape[1] - 1]), min(abs(sample), under[channel]))
        for n in range(falling.size):
            join[channel, n] = (sample - last[0, channel]) * falling[n]
    stand_in(dry, delay, known, fade, since, join, end, held, gate, end, stop, out, origin)
    return join, held


@compiled
def copy_frames(source: Frames, start: int, out: Frames, at: int, count: int) -> None:
    """Copy frames from a ring [S, C] to one [C, T]; frame n of either stands at n modulo its length."""
    first, second = start % source.shape[0], at % out.shape[1]
    for _ in range(count):
        for channel in range(out.shape[0]):
            out[channel, second] = source[first, channel]
        first, second = first + 1, second + 1
        if first == source.shape[0]:
            first = 0
        if second == out.shape[1]:
            second = 0


@compiled
def follow_peaks(peaks: Doubles, fall: float, sound: Frames) -> None:
    """Have peak meters [C] fall by a factor, or rise to the largest |x| of a sound [C, n]."""
    for channel in range(peaks.size):
        most = _f4(0.0)
        for n in range(sound.shape[1]):
            most = max(most, abs(sound[channel, n]))
        peaks[channel] = max(peaks[channel] * fall, most)


@compiled
def loudest(sound: Frames) -> float:
    """Return the largest |x| of a sound [C, n]; infinity where something in it is no number."""
    most = _f4(0.0)
    for channel in range(sound.shape[0]):
        for n in range(sound.shape[1]):
            size = abs(sound[channel, n])
            if not size <= most:
                most = size if size == size else _f4(np.inf)
    return float(most)


def load_dry_path() -> None:
    """Have all of it compiled, or loaded, before sound waits for it."""
    one, few = np.ones(1, dtype=np.float32), np.zeros((1, 1), dtype=np.float32)
    take_in(few.copy(), one, 0, one, one, few.copy(), few.copy(), 0)
    gate = np.ones(4)
    stand_in(few, 0, 0, one, 0, few, 0, one, gate, 0, 0, few.copy(), 0)
    put_wet(few, few, few, 0, 0, one, 0, one, one, gate, 0, 1, few.copy(), 0)
    copy_frames(few, 0, few.copy(), 0, 1)
    follow_peaks(np.zeros(1), 1.0, few)
    loudest(few)
