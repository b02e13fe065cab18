"""Decides what is heard at every moment, also when the chain misses a deadline.

The chain's output has the algorithmic latency A; the ring adds B, as time to compute. After n frames of input, the
delayed dry signal is known up to frame n + A + B of the output, A frames further than the chain's output. The ring
always holds this dry signal after the last wet sample, joined without a step, and then a fade to silence. The chain's
output replaces it as soon as it is computed; if that is too late, the device has played the dry signal.

    ... wet wet wet | dry + (wet - dry of the last sample) · falling  | dry dry dry | mirrored dry · falling | silence
                 frontier                                                         n + A + B

No join is louder than what it joins. Fades are mixtures whose shares add up to 1 at most, and the sum in the picture is
held within the larger of the last wet sample and the dry signal. All of these are continuous, so the result is, too.

The device takes a block at a time, and after a stall nobody knows when. The way back to wet must spare the block that
the device may be reading, which would otherwise mix old and new samples. It begins a block later, or right after the
engine has waited for the device, when nearly a whole block's time is left.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...dsp.dry_path import free_rows, put_wet, stand_in
from ...dsp.history import History
from ...plugins import mute
from ...plugins.mute import Gate
from .rings import Frames, OutputRing

# Seconds: of the join, of the crossfade back to wet, of the fade into and out of silence.
JOIN = 0.003
CROSSFADE = 0.005
FADE = 0.005
_OPEN = Gate(1, opened=True)
_NO_TAP = np.zeros((0, 0), dtype=np.float32)


def rising(count: int) -> Frames:
    """Return a raised cosine [count] from just above 0 to exactly 1."""
    return (0.5 - 0.5 * np.cos(math.pi * np.arange(1, count + 1) / count)).astype(np.float32)


class OutputScheduler:
    """Writes the output ring.

    Args:
        ring: where the device reads
        dry: the input, at the level at which it replaces the wet sound
        clock: returns the first frame that the device cannot have begun to read
        algorithmic, buffer: A and B, samples
        period: the most frames that the device reads at a time
        start: frame of the input at which the chain begins
        sample_rate: Hz
        muted: whether the gate is shut at the start
    """

    def __init__(
        self,
        ring: OutputRing,
        dry: History,
        clock: Callable[[], int],
        *,
        algorithmic: int,
        buffer: int,
        period: int,
        start: int,
        sample_rate: int,
        muted: bool,
    ) -> None:
        self._ring = ring
        self._dry = dry
        self._clock = clock
        self._delay = algorithmic + buffer
        self._period = period
        #: every frame before this one is final: wet, or too late for wet
        self.frontier = start + buffer
        #: times that the chain was late, and times that even the dry signal had run out
        self.deadlines_missed = 0
        self.ring_empty = 0
        self._falling = 1.0 - rising(round(JOIN * sample_rate))
        self._crossfade = rising(round(CROSSFADE * sample_rate))
        # How far the crossfade to wet is; all the way at the start.
        self._place = self._crossfade.size
        self._skipped = False
        self._waited = False
        # Until this frame the chain's output is not used.
        self._settled = 0
        # What joins the dry signal to what is heard before it. The second one did when the crossfade that is under
        # way began; the last is that which begins at the end of the wet sound.
        nothing = np.zeros((ring.channels, 0), dtype=np.float32)
        self._nothing = _Join(0, nothing, np.zeros(ring.channels, dtype=np.float32))
        self._join = self._under = self._nothing
        falling = np.zeros((ring.channels, self._falling.size), dtype=np.float32)
        self._wet_join = _Join(0, falling, np.zeros(ring.channels, dtype=np.float32))
        self._fade = rising(round(FADE * sample_rate))
        # From this frame on the dry signal fades in.
        self._dry_from = start - self._fade.size
        # The dry signal is in the ring up to this frame; behind it, it fades out.
        self._known = self.frontier
        # Behind it, up to this frame, there may be dry sound of another delay.
        self._stale = 0
        # Behind the frontier, what is in the ring up to this frame need not be written again.
        self._sure = 0
        self._gate = Gate(round(mute.SECONDS * sample_rate), opened=not muted)

    def open_gate(self, *, opened: bool) -> None:
        """Open or shut the gate, from the first frame that can still be changed; takes 10 ms."""
        self._gate.set(opened=opened, at=max(self.frontier, self._clock()))
        self._sure = 0

    @property
    def silenced_from(self) -> int | None:
        """The first silent frame of the shut gate; None while it is open."""
        return self._gate.done if not self._gate.opened else None

    def free(self, played: int, tap: Frames = _NO_TAP, tapped: int = 0) -> None:
        """Have what has been played be silence again, which the ring needs within its length.

        Args:
            played: the first frame that the device has not read
            tap, tapped: see `dsp.dry_path.take_in`
        """
        free_rows(self._ring.memory, self._ring.kept, played, tap, tapped)
        self._ring.free(played)

    def lay(self, played: int, *, waited: bool, tap: Frames = _NO_TAP, tapped: int = 0) -> None:
        """Write the delayed dry signal behind the frontier, as far as the input is known.

        Args:
            played: the frame up to which the ring may be used again
            waited: whether the device has only just moved
        """
        self._waited = waited
        if played == self._ring.kept and self._sure == self._dry.position + self._delay:
            # Nothing has been played and nothing has come in: it lies there.
            return
        self.free(played, tap, tapped)
        now = self._clock()
        late = now > self.frontier
        if now + late * self._period > self._known:
            self._recover(now)
        start = max(self.frontier, now, self._sure)
        self._known = self._sure = self._dry.position + self._delay
        self._write_dry(
            self._ring.memory, self._ring.row_0(start), start, self._until(start), self._join, self._gate
        )
        self._ring.publish()

    def place(self, wet: Frames | None, count: int) -> Frames:
        """Write the next `count` samples of the chain, [channels, count], and the dry signal behind them.

        None instead of samples means that the chain has failed: the dry signal replaces them.

        Returns:
            [channels, n], what will be heard, n up to `count`: fewer if it is too late for the first ones
        """
        now = self._clock()
        start, end = self.frontier, self.frontier + count
        self.frontier = end
        if now > start:
            self._miss()
        if now > start or not (self._place or self._waited):
            start = min(max(start, now + self._period), end)
        if wet is None or end <= self._settled:
            self._place = 0
            return self._gate.apply(start, self._dry_sound(start, end, self._join))
        if start == end:
            return self._nothing.samples
        # Of any other form there would be another compiled function.
        wet = np.ascontiguousarray(wet, dtype=np.float32)
        heard = np.ascontiguousarray(self._faded(wet[:, count - (end - start) :], start))
        # Between here and the end of the writing lies as little as possible.
        if self._clock() > start:
            self._miss()
            return self._nothing.samples
        # From here on the dry signal starts out where the wet one ends. Where the join was such a one before, there is
        # nothing but dry signal behind it already.
        same = self._sure and self._join is self._wet_join
        put_wet(
            heard,
            wet,
            self._wet_join.samples,
            self._wet_join.held,
            self._dry.memory,
            self._delay,
            self._known,
            self._fade,
            self._dry_from,
            self._under.held,
            self._falling,
            self._gate.line,
            start,
            end + self._falling.size if same else self._until(end),
            self._ring.memory,
            self._ring.row_0(start),
        )
        self._ring.publish()
        self._join = self._wet_join
        self._join.at = end
        if self._clock() > start:
            # The device began to read just then, and may have got some of the old and some of the new.
            self.deadlines_missed += 1
        return self._gate.apply(start, heard)

    def skip(self, count: int) -> None:
        """Skip `count` samples of the chain that were never computed."""
        # The first time it belongs to the deadline that was missed; after that, each time is one of its own.
        self.deadlines_missed += bool(self._place or self._skipped)
        self._skipped = True
        self._place = 0
        self.frontier += count

    def move(self, delay: int) -> None:
        """Have another delay of the dry signal, A + B samples, from now on: the wet sound is late by so much."""
        self._stale = max(self._stale, self._known + self._fade.size)
        self._known += delay - self._delay
        self._delay = delay
        self._sure = 0

    def settle(self, count: int) -> None:
        """Use the dry signal for the next `count` samples of the chain."""
        self._settled = self.frontier + count

    def _faded(self, wet: Frames, start: int) -> Frames:
        """Return `wet` on its way from dry to wet, itself where it is there."""
        count = min(wet.shape[1], self._crossfade.size - self._place)
        if count == 0:
            return wet
        self._skipped = False
        if self._place == 0:
            self._under = _Join(self._join.at, self._join.samples.copy(), self._join.held.copy())
        dry = self._dry_sound(start, start + count, self._under)
        gain = self._crossfade[self._place : self._place + count]
        self._place += count
        return np.concatenate([dry + gain * (wet[:, :count] - dry), wet[:, count:]], axis=1)

    def _miss(self) -> None:
        """Count a missed deadline, unless the last one is not over; the way back to wet begins anew."""
        self.deadlines_missed += bool(self._place)
        self._place = 0

    def _until(self, frame: int) -> int:
        """Return how far the dry signal is written, at least to a frame."""
        return max(frame, self._known + self._fade.size, self._stale)

    def _dry_sound(self, start: int, stop: int, join: _Join) -> Frames:
        """Return what is heard [channels, stop - start] where the chain's output is missing."""
        rows = np.empty((stop - start, self._ring.channels), dtype=np.float32)
        self._write_dry(rows, start, start, stop, join, _OPEN)
        return rows.T

    def _write_dry(self, rows: Frames, row_0: int, start: int, stop: int, join: _Join, gate: Gate) -> None:
        stand_in(
            self._dry.memory,
            self._delay,
            self._known,
            self._fade,
            self._dry_from,
            join.samples,
            join.at,
            join.held,
            gate.line,
            start,
            stop,
            rows,
            row_0,
        )

    def _recover(self, now: int) -> None:
        """Let the dry signal, which has run out, fade to its end, and in again behind that."""
        self.ring_empty += 1
        self._miss()
        end = max(now, self._known + self._fade.size)
        left = np.ascontiguousarray(self._dry_sound(now, end, self._join))
        self._join = _Join(now, left, np.abs(left).max(axis=1, initial=0.0))
        self._dry_from = max(end, now + self._period)
        self._sure = 0


@dataclass
class _Join:
    """The correction to the dry signal from a frame on, so that it continues the sound before without a step.

    Attributes:
        at: the frame
        samples: [channels, n], falling to 0
        held: [channels], not below 0; the sum stays within this or, where that is louder, the dry signal
    """

    at: int
    samples: Frames
    held: Frames
