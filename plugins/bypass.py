"""Bypass: a click-free switch between an effect and its own input, delayed by the effect's latency."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dsp.dry_path import let_pass
from ..dsp.history import History
from .ramp import Fade
from .state import State, numbers, put

Block = NDArray[np.float32]

FADE_SECONDS = 0.010
_JOIN_SECONDS = 0.0015


class Delay:
    """A delay of a whole number of samples, bit for bit; another delay comes in by a crossfade."""

    def __init__(self) -> None:
        self._samples = self._from = self._most = 0
        self._fade = Fade(on=True, seconds=FADE_SECONDS)
        self._take(History(1, 1))

    def prepare(
        self, *, samples: int, block: int, channels: int, sample_rate: int = 48_000, most: int | None = None
    ) -> None:
        """Get ready, silent. This allocates all memory.

        Args:
            samples: of delay, now
            block, channels, sample_rate: as for a plugin
            most: samples of delay that `move` may ask for; None is `samples`
        """
        self._samples = self._from = samples
        self._most = samples if most is None else most
        self._take(History(self._most + block, channels))
        self._block = block
        self._fade.prepare(sample_rate=sample_rate, block=block, on=True)
        self.reset()

    def reset(self) -> None:
        """Forget the input, and end a crossfade at once."""
        self._line.begin(0)
        self._from = self._samples
        self._fade.jump(on=True)

    def widen(self, most: int) -> None:
        """Let `move` ask for up to so many samples from now on, while it plays."""
        if most <= self._most:
            return
        # All that there is: the new delay may come in with a block that has begun before.
        size = self._line.memory.shape[1]
        heard = self._line.get(self._line.position - size, self._line.position)
        self._most = most
        self._take(History(max(most + self._block, size), heard.shape[0]))
        self._line.push(heard)

    def _take(self, line: History) -> None:
        self._line = line
        # What does not delay has nothing to remember.
        self._memory = line.memory if self._most else line.memory[:, :0].copy()

    def move(self, samples: int) -> None:
        """Go over to another delay."""
        samples = min(samples, self._most)
        if samples != self._samples:
            self._from, self._samples = self._samples, samples
            self._fade.jump(on=False)

    def jump(self, samples: int) -> None:
        """Have another delay at once."""
        self._from = self._samples = min(samples, self._most)

    def state(self) -> State:
        """Return the delayed samples, [channels, most]; see `plugins.state`."""
        return {"line": self._line.get(self._line.position - self._most, self._line.position)}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        line = np.zeros((self._line.memory.shape[0], self._most), dtype=np.float32)
        put(line, state, "line")
        self._line.begin(0)
        self._line.push(line)

    def let_pass(self, block: Block, wet: Block, last: NDArray[np.float32], most: float) -> bool:
        """Take [channels, n] where nobody wants to hear it, and note what is heard; see `dsp.dry_path.let_pass`."""
        if wet is block and not self._most:
            # It passed unchanged, and nobody asks for it again.
            last[:] = wet[:, -1]
            return True
        whole = np.ascontiguousarray(block, dtype=np.float32)
        heard = np.ascontiguousarray(wet, dtype=np.float32)
        if not let_pass(whole, heard, self._memory, self._line.position, last, most):
            return False
        if self._most:
            self._line.position += block.shape[1]
        return True

    @property
    def at_rest(self) -> bool:
        """Whether it stands at one delay."""
        return self._fade.rests(on=True)

    def skip(self, block: Block) -> None:
        """Take [channels, n] where nobody wants to hear it."""
        if self._most:
            self._line.push(block)
            self._fade.next(block.shape[1], on=True)

    def process(self, block: Block) -> Block:
        """Return the input of `samples` ago, [channels, n]."""
        if self._most == 0:
            return block
        count, start = block.shape[1], self._line.position
        self._line.push(block)
        there = self._line.get(start - self._samples, start - self._samples + count)
        share = self._fade.next(count, on=True)
        if isinstance(share, float):
            return there
        earlier = self._line.get(start - self._from, start - self._from + count)
        there -= earlier
        there *= share
        there += earlier
        return there


class Join:
    """Leads from a sound that has just broken off to another one, without a step.

    After a fault there is no wet sound left to fade from: a fade starts from the value of the last sample. A mixture
    of both is never louder than the louder one.

    Attributes:
        last: array [channels], the last samples that were heard
        held: array [channels], those from which it leads away
        place: how far it is, in samples
    """

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready for blocks of up to `block` samples."""
        self._length = max(1, round(_JOIN_SECONDS * sample_rate))
        falling = np.arange(self._length, 0, -1) / (self._length + 1)
        self._falling = np.concatenate([falling, np.zeros(block)]).astype(np.float32)
        self.last = np.zeros(channels, dtype=np.float32)
        self.held = np.zeros((channels, 1), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Have nothing to join."""
        self.place = self._length
        self.last[:] = 0.0

    @property
    def under_way(self) -> bool:
        """Whether it has not come to its end."""
        return self.place < self._length

    def begin(self) -> None:
        """Begin with the next sample."""
        self.place = 0
        self.held[:, 0] = self.last

    def process(self, block: Block) -> Block:
        """Return what is heard in place of [channels, n]."""
        if self.place < self._length:
            falling = self._falling[self.place : self.place + block.shape[1]]
            block = block + (self.held - block) * falling
            self.place += block.shape[1]
        self.last[:] = block[:, -1]
        return block


class Bypass:
    """Passes an effect's output, or its input delayed by its latency.

    A crossfade of 10 ms leads from one to the other. Its gains add up to 1: dry and wet are in time with each other, so
    equal parts keep their level. At either end of it the output is one of the two, bit for bit.
    """

    def __init__(self) -> None:
        self.bypassed = False
        self._delay = Delay()
        self._fade = Fade(on=True, seconds=FADE_SECONDS)
        self._join = Join()
        self._latency = 0

    def prepare(
        self, *, latency: int, sample_rate: int, block: int, channels: int, most: int | None = None
    ) -> None:
        """Get ready for blocks of up to `block` samples and an effect that takes `latency`, at `most` so many."""
        self._latency = latency
        self._delay.prepare(
            samples=latency, block=block, channels=channels, sample_rate=sample_rate, most=most
        )
        self._fade.prepare(sample_rate=sample_rate, block=block, on=not self.bypassed)
        self._join.prepare(sample_rate=sample_rate, block=block, channels=channels)
        self._mixed = np.zeros((channels, block), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the input, and end a crossfade at once."""
        self._delay.reset()
        self._fade.jump(on=not self.bypassed)
        self._join.reset()
        self._wait = 0

    def move(self, latency: int) -> None:
        """Have the effect take another latency from now on."""
        self._latency = latency
        self._delay.move(latency)

    def widen(self, most: int) -> None:
        """Have room for a latency of up to so many samples from now on."""
        self._delay.widen(most)

    def jump(self, latency: int) -> None:
        """Have the effect take another latency at once, for a moment in which nothing is heard."""
        self._latency = latency
        self._delay.jump(latency)

    def state(self) -> State:
        """Return the switch and the delayed samples; see `plugins.state`."""
        return {
            "switch": numbers(self.bypassed, self._join.place, self._wait),
            "last": self._join.last.copy(),
            # Under the name that it has in takes.
            "step": self._join.held.copy(),
            **self._delay.state(),
            **self._fade.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        put(self._join.last, state, "last")
        put(self._join.held, state, "step")
        self._delay.restore(state)
        self._fade.restore(state)
        bypassed, joined, wait = state["switch"].tolist()
        self.bypassed = bool(bypassed)
        self._join.place, self._wait = int(joined), int(wait)

    @property
    def at_rest(self) -> bool:
        """Whether the effect is heard as it is, for as long as nobody turns a switch and it does not fail."""
        fades = self.bypassed or self._wait or self._join.under_way or not self._fade.rests(on=True)
        return not fades and self._delay.at_rest

    def lets_pass(self, block: Block, wet: Block, most: float) -> bool:
        """Whether `wet` [channels, n] is heard as it is, which is taken note of; as `process`, at rest, and sooner.

        Args:
            block, wet: see `process`
            most: what is louder, or no number, does not pass
        """
        return self._delay.let_pass(block, wet, self._join.last, most)

    def process(self, block: Block, wet: Block | None) -> Block:
        """Return the next samples [channels, n]; valid until the next call.

        Args:
            block: [channels, n], the effect's input
            wet: [channels, n], its output. None means that it failed and starts anew: the dry sound replaces it within
                this very block, and the wet sound fades in again after the effect's latency.
        """
        if wet is not None and not (self.bypassed or self._wait) and self._fade.rests(on=True):
            self._delay.skip(block)
            return self._join.process(wet)
        count = block.shape[1]
        dry = self._delay.process(block)
        if wet is None:
            self._fade.jump(on=False)
            self._wait = self._latency + count
            self._join.begin()
        waiting = self._wait > 0
        self._wait = max(0, self._wait - count)
        share = self._fade.next(count, on=not self.bypassed and not waiting)
        if wet is None or isinstance(share, float):
            out = wet if wet is not None and share else dry
        else:
            out = np.subtract(wet, dry, out=self._mixed[:, :count])
            out *= share
            out += dry
            # Where the fade is over it is the wet sound itself, and not what is left of it by rounding.
            np.copyto(out, wet, where=share == 1.0)
        return self._join.process(out)
