"""The way of the dry sound through the engine, compiled: from the device, and to where it stands in for the chain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

Frames = NDArray[np.float32]

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
    start: int,
    rows: Frames,
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
        start: frame at which the rows begin
        rows: array [n, C]
    """
    mask = dry.shape[1] - 1
    for n in range(rows.shape[0]):
        frame = start + n
        source, share = frame - delay, _f4(1.0)
        beyond = frame - known
        if beyond >= 0:
            source -= 2 * beyond + 1
            share = _f4(1.0) - fade[beyond] if beyond < fade.size else _f4(0.0)
        risen = frame - since
        if risen < fade.size:
            share *= fade[risen] if risen >= 0 else _f4(0.0)
        place = frame - joined
        for channel in range(rows.shape[1]):
            sample = dry[channel, source & mask] * share if source >= 0 else _f4(0.0)
            if 0 <= place < join.shape[1]:
                most = max(abs(sample), held[channel])
                sample = min(max(sample + join[channel, place], -most), most)
            rows[n, channel] = sample


def load_dry_path() -> None:
    """Have all of it compiled, or loaded, before sound waits for it."""
    one, few = np.ones(1, dtype=np.float32), np.zeros((1, 1), dtype=np.float32)
    take_in(few.copy(), one, 0, one, one, few.copy(), few.copy(), 0)
    stand_in(few, 0, 0, one, 0, few, 0, one, 0, few.copy())
