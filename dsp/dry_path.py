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
    ring: Frames,
    start: int,
    count: int,
    fade: Frames,
    faded: int,
    gain: Frames,
    ceiling: Frames,
    heard: Frames,
    dry: Frames,
    tap: Frames,
    tapped: int,
) -> int:
    """Take over what the device has recorded; what is no number becomes silence.

    Args:
        ring: array [F, C or more], from the device; a power of two, as all rings
        start, count: frames that are taken; n of them
        fade: array, a fade in, of which `faded` samples are over
        gain, ceiling: arrays [1] or [n]; what the gain lifts ends at the ceiling, and what was louder before passes
        heard, dry: memories [C, size] of two histories, for the sound and for what stands in for the chain
        tap: array [C or more, T], which gets all channels, any T; of no frames where nobody wants to know
        tapped: the tap's frame that the ring's frame 0 is

    Returns:
        how many samples were no numbers
    """
    channels, mask, inner = heard.shape[0], heard.shape[1] - 1, ring.shape[0] - 1
    wrong, size = 0, tap.shape[1]
    place_in_tap = (tapped + start) % size if size else 0
    for n in range(count):
        share = fade[faded + n] if faded + n < fade.size else _f4(1.0)
        level = gain[0] if gain.size == 1 else gain[n]
        highest = ceiling[0] if ceiling.size == 1 else ceiling[n]
        row, place = (start + n) & inner, (start + n) & mask
        for channel in range(ring.shape[1]):
            sample = ring[row, channel]
            if not np.isfinite(sample):
                sample = _f4(0.0)
                wrong += 1
            sample *= share
            if size:
                tap[channel, place_in_tap] = sample
            if channel < channels:
                heard[channel, place] = sample
                most = max(abs(sample), highest)
                dry[channel, place] = min(max(sample * level, -most), most)
        place_in_tap += 1
        if place_in_tap >= size:
            place_in_tap = 0
    return wrong


@compiled
def free_rows(ring: Frames, start: int, stop: int, tap: Frames, tapped: int) -> None:
    """Have frames of a ring [F, C] that have been played be silence again; copy them to a tap, see `take_in`."""
    size = tap.shape[1]
    place = (tapped + start) % size if size else 0
    for frame in range(start, stop):
        row = frame & (ring.shape[0] - 1)
        for channel in range(ring.shape[1]):
            if size:
                tap[channel, place] = ring[row, channel]
            ring[row, channel] = _f4(0.0)
        place += 1
        if place >= size:
            place = 0


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
    level = level_at(gate, start)
    still = level == level_at(gate, stop - 1)
    for frame in range(start, stop):
        row = frame - origin
        if not still:
            level = level_at(gate, frame)
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
    join: Frames,
    held: Frames,
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
) -> None:
    """Write the chain's output, and behind it the dry signal, which joins it without a step; see `stand_in`.

    Args:
        heard: array [C, n], n at least 1, from frame `start` on: the chain's output, or on the way to it
        wet: array [C, n or more], the chain's output
        join, held: arrays [C, J] and [C], written: the join from the wet sound's end on, and what it is held within
        under: array [C], within which a crossfade that is under way holds the dry signal
        falling: array [J], how the join falls to 0
        stop: frame behind the last that is written, not before the wet sound's end
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
    nothing = np.empty((channels, 0), dtype=np.float32)
    stand_in(dry, delay, known, fade, since, nothing, 0, under, opened, end - 1, end, last, end - 1)
    for channel in range(channels):
        sample = heard[channel, count - 1]
        held[channel] = max(abs(wet[channel, wet.shape[1] - 1]), min(abs(sample), under[channel]))
        for n in range(falling.size):
            join[channel, n] = (sample - last[0, channel]) * falling[n]
    stand_in(dry, delay, known, fade, since, join, end, held, gate, end, stop, out, origin)


@compiled
def follow_peaks(peaks: Doubles, sound: Frames, others: Doubles, heard: Frames, fall: float) -> None:
    """Have peak meters [C] fall by a factor, or rise to the largest |x| of a sound [C, n]; and others with another."""
    for channel in range(peaks.size):
        peaks[channel] = max(peaks[channel] * fall, _highest(sound[channel]))
        others[channel] = max(others[channel] * fall, _highest(heard[channel]))


@compiled
def _highest(sound: Frames) -> np.float32:
    most = _f4(0.0)
    for n in range(sound.size):
        most = max(most, abs(sound[n]))
    return most


@compiled
def let_pass(block: Frames, wet: Frames, line: Frames, at: int, last: Frames, most: float) -> bool:
    """Take note of what passes by a bypass at rest; nothing of it where `wet` is louder than `most`, or no number.

    Args:
        block, wet: arrays [C, n], an effect's input and output
        line: memory [C, size] of a history, which gets the input from frame `at` on; of no size, nothing
        last: array [C], for the last samples of the output

    Returns:
        whether that was done
    """
    if not loudest(wet) <= most:
        return False
    mask, count = line.shape[1] - 1, block.shape[1]
    for channel in range(last.size):
        last[channel] = wet[channel, count - 1]
        if line.shape[1]:
            for n in range(count):
                line[channel, (at + n) & mask] = block[channel, n]
    return True


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
    take_in(few, 0, 1, one, 0, one, one, few.copy(), few.copy(), few.copy(), 0)
    gate = np.ones(4)
    free_rows(few, 0, 1, few.copy(), 0)
    stand_in(few, 0, 0, one, 0, few, 0, one, gate, 0, 0, few.copy(), 0)
    put_wet(few, few, few.copy(), one, few, 0, 0, one, 0, one, one, gate, 0, 1, few.copy(), 0)
    follow_peaks(np.zeros(1), few, np.zeros(1), few, 1.0)
    let_pass(few, few, few.copy(), 0, one, 1.0)
    loudest(few)
