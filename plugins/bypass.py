"""Bypass: a click-free switch between an effect and its own input, delayed by the effect's latency."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ramp import Fade
from .state import State, numbers, put

Block = NDArray[np.float32]

FADE_SECONDS = 0.010
# After a fault there is no wet sound left to fade from. The fade then starts from the value of the last sample, so that
# the waveform has no step. A mixture of both is never louder than the louder one.
JOIN_SECONDS = 0.0015


class Delay:
    """A delay of a whole number of samples, bit for bit; another delay comes in by a crossfade."""

    def __init__(self) -> None:
        self._samples = self._from = self._most = 0
        self._fade = Fade(on=True, seconds=FADE_SECONDS)
        self._line: Block = np.zeros((1, 1), dtype=np.float32)
        self._end = 0

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
        # Long enough that the samples are moved to the front rarely, and never onto themselves.
        self._line = np.zeros((channels, 2 * self._most + max(block, 4096)), dtype=np.float32)
        self._mixed = np.zeros((channels, block if self._most else 1), dtype=np.float32)
        self._fade.prepare(sample_rate=sample_rate, block=block, on=True)
        self.reset()

    def reset(self) -> None:
        """Forget the input, and end a crossfade at once."""
        self._line[:, : self._most] = 0.0
        self._end = self._most
        self._from = self._samples
        self._fade.jump(on=True)

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
        return {"line": self._line[:, self._end - self._most : self._end].copy()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        put(self._line[:, : self._most], state, "line")
        self._end = self._most

    def process(self, block: Block) -> Block:
        """Return the input of `samples` ago, [channels, n]; valid until the next call."""
        if self._most == 0:
            return block
        count = block.shape[1]
        if self._end + count > self._line.shape[1]:
            self._line[:, : self._most] = self._line[:, self._end - self._most : self._end]
            self._end = self._most
        self._line[:, self._end : self._end + count] = block
        start = self._end - self._samples
        earlier = self._end - self._from
        self._end += count
        there = self._line[:, start : start + count]
        share = self._fade.next(count, on=True)
        if isinstance(share, float):
            return there
        out = np.subtract(there, self._line[:, earlier : earlier + count], out=self._mixed[:, :count])
        out *= share
        out += self._line[:, earlier : earlier + count]
        return out


class Bypass:
    """Passes an effect's output, or its input delayed by its latency.

    A crossfade of 10 ms leads from one to the other. Its gains add up to 1: dry and wet are in time with each other, so
    equal parts keep their level. At either end of it the output is one of the two, bit for bit.
    """

    def __init__(self) -> None:
        self.bypassed = False
        self._delay = Delay()
        self._fade = Fade(on=True, seconds=FADE_SECONDS)
        self._join = np.zeros(1, dtype=np.float32)
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
        length = max(1, round(JOIN_SECONDS * sample_rate))
        line = np.arange(length, 0, -1) / (length + 1)
        self._join = np.concatenate([line, np.zeros(block)]).astype(np.float32)
        self._join_length = length
        self._mixed = np.zeros((channels, block), dtype=np.float32)
        self._last = np.zeros(channels, dtype=np.float32)
        self._held = np.zeros((channels, 1), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget the input, and end a crossfade at once."""
        self._delay.reset()
        self._fade.jump(on=not self.bypassed)
        self._joined = self._join_length
        self._wait = 0
        self._last[:] = 0.0

    def move(self, latency: int) -> None:
        """Have the effect take another latency from now on."""
        self._latency = latency
        self._delay.move(latency)

    def jump(self, latency: int) -> None:
        """Have the effect take another latency at once, for a moment in which nothing is heard."""
        self._latency = latency
        self._delay.jump(latency)

    def state(self) -> State:
        """Return the switch and the delayed samples; see `plugins.state`."""
        return {
            "switch": numbers(self.bypassed, self._joined, self._wait),
            "last": self._last.copy(),
            # Under the name that it has in takes.
            "step": self._held.copy(),
            **self._delay.state(),
            **self._fade.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; prepared as then."""
        put(self._last, state, "last")
        put(self._held, state, "step")
        self._delay.restore(state)
        self._fade.restore(state)
        bypassed, joined, wait = state["switch"].tolist()
        self.bypassed = bool(bypassed)
        self._joined, self._wait = int(joined), int(wait)

    def process(self, block: Block, wet: Block | None) -> Block:
        """Return the next samples [channels, n]; valid until the next call.

        Args:
            block: [channels, n], the effect's input
            wet: [channels, n], its output. None means that it failed and starts anew: the dry sound replaces it within
                this very block, and the wet sound fades in again after the effect's latency.
        """
        count = block.shape[1]
        dry = self._delay.process(block)
        if wet is None:
            self._fade.jump(on=False)
            self._wait = self._latency + count
            self._joined = 0
            self._held[:, 0] = self._last
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
        if self._joined < self._join_length:
            decay = self._join[self._joined : self._joined + count]
            out = np.add(out, (self._held - out) * decay, out=self._mixed[:, :count])
            self._joined += count
        self._last[:] = out[:, -1]
        return out
