"""What is heard at every moment, whether or not the chain was in time.

The chain's output is late by its algorithmic latency A; the ring adds B, so that there is time to compute. With n
frames of input taken in, the delayed dry signal is therefore known up to frame n + A + B of the output, which is A
frames further than the chain can have got. The ring always holds this dry signal behind the last wet sample, joined to
it without a step, and a fade to silence behind that. The chain's output replaces it as soon as it is computed; when it
comes too late, the device has played what stood there.

    ... wet wet wet | dry + (wet - dry of the last sample) · falling  | dry dry dry | mirrored dry · falling | silence
                 frontier                                                         n + A + B
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from plugins import gate
from plugins.gate import Gate
from realtime.rings import Frames, History, OutputRing

# Seconds: of the join, of the crossfade back to wet, of the fade into and out of silence.
JOIN = 0.003
CROSSFADE = 0.005
FADE = 0.005


def rising(count: int) -> Frames:
    """Return a raised cosine [count] from just above 0 to exactly 1."""
    return (0.5 - 0.5 * np.cos(math.pi * np.arange(1, count + 1) / count)).astype(np.float32)


class WriteAhead:
    """Writes the output ring.

    Parameters
    ----------
    ring
        where the device reads
    dry
        the input, at the level that it shall have where it stands in
    clock
        gives the first frame that the device may not have begun to read
    algorithmic, buffer
        A and B, samples
    start
        frame of the input at which the chain begins
    sample_rate
        Hz
    muted
        whether the gate is shut at first
    """

    def __init__(
        self,
        ring: OutputRing,
        dry: History,
        clock: Callable[[], int],
        *,
        algorithmic: int,
        buffer: int,
        start: int,
        sample_rate: int,
        muted: bool,
    ) -> None:
        self._ring = ring
        self._dry = dry
        self._clock = clock
        self._delay = algorithmic + buffer
        #: every frame before this one is settled: wet, or too late for it
        self.frontier = start + buffer
        #: times that the chain was late, and times that even the dry signal had run out
        self.deadlines_missed = 0
        self.ring_empty = 0
        self._falling = 1.0 - rising(round(JOIN * sample_rate))
        self._crossfade = rising(round(CROSSFADE * sample_rate))
        # How far the crossfade to wet is; all the way at the start.
        self._place = self._crossfade.size
        self._skipped = False
        # Until this frame the chain's output is of no use.
        self._settled = 0
        # Added to the dry signal: what joins it to what is heard before it. The second one is what was added when
        # the crossfade that is under way began.
        self._offset = self._under = _Offset(0, np.zeros((ring.channels, 0), dtype=np.float32))
        self._fade = rising(round(FADE * sample_rate))
        # From this frame on the dry signal fades in.
        self._dry_from = start - self._fade.size
        # Before this frame the ring holds sound at full level.
        self._known = self.frontier
        self._gate = Gate(round(gate.SECONDS * sample_rate), opened=not muted)

    def open_gate(self, *, opened: bool) -> None:
        """Let the output through, or silence it, from where it can still be changed; takes 10 ms."""
        self._gate.turn(opened=opened, at=max(self.frontier, self._clock()))

    @property
    def silenced_from(self) -> int | None:
        """The frame from which on the shut gate gives silence; None while it is open."""
        return self._gate.done if not self._gate.opened else None

    def lay(self) -> None:
        """Write the delayed dry signal behind the frontier, as far as the input is known."""
        self._ring.extend()
        now = self._clock()
        if now > self._known:
            self._recover(now)
        self._write(np.zeros((self._ring.channels, 0), dtype=np.float32), max(self.frontier, now))

    def place(self, wet: Frames | None, count: int) -> Frames:
        """Write the next `count` samples of the chain, [channels, count], and the dry signal behind them.

        None in their place says that the chain has failed: the dry signal stands in.

        Returns
        -------
        [channels, n], what will be heard, n up to `count`: fewer where it is too late for the first ones
        """
        now = self._clock()
        end = self.frontier + count
        start = min(max(self.frontier, now), end)
        if start > self.frontier and self._place:
            self.deadlines_missed += 1
            self._place = 0
        if wet is None or end <= self._settled:
            wet = None
            self._place = 0
            heard = self._fallback(start, end)
        else:
            heard = self._faded(wet[:, count - (end - start) :], start)
        if wet is not None and start < end:
            # From here on the dry signal starts out where the wet one ends.
            self._offset = _Offset(end, (heard[:, -1:] - self._plain(end - 1, end)) * self._falling)
        self.frontier = end
        heard = self._write(heard, start if start < end else max(end, now))
        if start < end and wet is not None and self._clock() > start:
            # The device began to read just then, and may have got some of the old and some of the new.
            self.deadlines_missed += 1
        return heard

    def skip(self, count: int) -> None:
        """Give up `count` samples of the chain: they were never computed."""
        # The first time it belongs to the deadline that was missed; after that, each time is one of its own.
        self.deadlines_missed += bool(self._place or self._skipped)
        self._skipped = True
        self._place = 0
        self.frontier += count

    def settle(self, count: int) -> None:
        """Let the dry signal stand in for the next `count` samples of the chain."""
        self._settled = self.frontier + count

    def _faded(self, wet: Frames, start: int) -> Frames:
        """Return `wet` on its way from dry to wet, itself where it is there."""
        count = min(wet.shape[1], self._crossfade.size - self._place)
        if count == 0:
            return wet
        self._skipped = False
        if self._place == 0:
            self._under = self._offset
        dry = self._under.add(self._plain(start, start + count), start)
        gain = self._crossfade[self._place : self._place + count]
        self._place += count
        return np.concatenate([dry + gain * (wet[:, :count] - dry), wet[:, count:]], axis=1)

    def _write(self, heard: Frames, start: int) -> Frames:
        """Write `heard` to frame `start` on and the dry signal behind it; return `heard` as the gate leaves it."""
        count = heard.shape[1]
        known = self._dry.position + self._delay
        end = max(start + count, known + self._fade.size)
        block = np.concatenate([heard, self._fallback(start + count, end)], axis=1)
        block = self._gate.apply(start, block)
        self._ring.write(start, block)
        self._known = known
        return block[:, :count]

    def _plain(self, start: int, stop: int) -> Frames:
        """Return the delayed dry signal [channels, stop - start], mirrored and faded beyond what is known of it."""
        known = self._dry.position + self._delay
        split = min(max(known, start), stop)
        out = self._dry.get(start - self._delay, split - self._delay)
        if split < stop:
            # Mirrored at its end it goes on without a step, and no louder than it was.
            size = self._fade.size
            mirror = self._dry.get(self._dry.position - size, self._dry.position)[:, ::-1] * (
                1.0 - self._fade
            )
            tail = np.zeros((out.shape[0], stop - split), dtype=np.float32)
            part = mirror[:, split - known : stop - known]
            tail[:, : part.shape[1]] = part
            out = np.concatenate([out, tail], axis=1)
        if start < self._dry_from + self._fade.size:
            place = np.arange(start, stop) - self._dry_from
            gain = np.where(place < 0, np.float32(0.0), self._fade[np.clip(place, 0, self._fade.size - 1)])
            out *= gain
        return out

    def _fallback(self, start: int, stop: int) -> Frames:
        """Return what is heard [channels, stop - start] where the chain's output is missing."""
        return self._offset.add(self._plain(start, stop), start)

    def _recover(self, now: int) -> None:
        """Fade the dry signal in again after it had run out; what is left of its fade-out goes on below it."""
        self.ring_empty += 1
        self.deadlines_missed += bool(self._place)
        self._place = 0
        self._offset = _Offset(now, self._ring.read(now, max(0, self._known + self._fade.size - now)))
        self._dry_from = now


@dataclass(frozen=True)
class _Offset:
    """Something to be added to a signal from a frame on."""

    at: int
    samples: Frames

    def add(self, block: Frames, start: int) -> Frames:
        """Add it to a block that begins at `start`, in place; return the block."""
        first = max(start, self.at)
        last = min(start + block.shape[1], self.at + self.samples.shape[1])
        if first < last:
            block[:, first - start : last - start] += self.samples[:, first - self.at : last - self.at]
        return block
