"""The place of an effect in the chain: it comes in, goes out and fails without a click, and never ends the sound."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from .bypass import FADE_SECONDS, Delay, Join
from .effects import SILENT_DB, slot_parameters
from .plugin import Plugin
from .ramp import Ramp
from .state import State, numbers, part, put, within

Block = NDArray[np.float32]

#: An effect that takes so long for one block is taken out: nothing played ahead lasts longer.
SLOWEST = 0.5
# One value that is no number may come of a single bad moment; after so many in a session, the effect is taken out.
_MOST_FAULTS = 3
_LOUDEST = 1e30
# Of a latency that grows while it plays, no more than this is compensated (0.7 s at 48 kHz).
_MOST_LATENCY = 32_768
_RAMP_SECONDS = 0.020
_TAIL_SECONDS = 10.0

# Shares of the input, of the delayed input, and of the effect.
_OUT = (1.0, 0.0, 0.0)
_DRY = (0.0, 1.0, 0.0)


class Watch(Protocol):
    """What is told of the effects while they work, so that whoever finds the process dead knows which one did it."""

    def enter(self, place: int, *, loading: bool = False) -> None:
        """An effect begins to work, or to be loaded, which may take a while."""

    def leave(self, place: int, seconds: float, samples: int) -> None:
        """It has ended."""

    def is_out(self, place: int) -> bool:
        """Whether an effect is not to be used any more."""

    def take_out(self, place: int, reason: str) -> None:
        """An effect is not to be used any more."""


class EffectSlot(Plugin):
    """An effect in a chain.

    In the chain, it adds its latency; switched off, it adds none and does no work. A change from one to the other is
    a crossfade, once the effect has heard what its latency needs. Whatever the effect does, what comes out is finite.

    Args:
        effect: what is in the slot
        key, title, before: see `plugins.effects.Effect`
    """

    def __init__(self, effect: Plugin, *, key: str, title: str, before: bool = False) -> None:
        own = effect.parameters
        self.name = key  # type: ignore[misc]
        self.title = title
        self.parameters = slot_parameters(key, title, before=before, own=own)  # type: ignore[misc]
        super().__init__()
        self.effect = effect
        self._own = {parameter.id for parameter in own}
        self.bypassed = False
        #: set to have it leave the chain for a moment, so that it can be moved
        self.held = False
        #: the same, so that it can be given another state
        self.resting = False
        self._watch: Watch | None = None
        self._place = 0
        self._latency = 0
        self._shares = tuple(Ramp(value, FADE_SECONDS) for value in (0.0, 0.0, 1.0))
        self._level, self._dry = Ramp(1.0, _RAMP_SECONDS), Ramp(0.0, _RAMP_SECONDS)
        self._line, self._join = Delay(), Join()
        self._faults = 0
        self._failed = False

    def watched(self, watch: Watch, place: int) -> None:
        """Tell `watch` of this effect from now on, as number `place`; its faults are then survived."""
        self._watch, self._place = watch, place

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready; see `Plugin.prepare`. An effect that cannot be prepared is taken out, where that is watched."""
        self._failed = self._out
        if not self._failed:
            self._guarded(
                lambda: self.effect.prepare(sample_rate=sample_rate, block=block, channels=channels),
                loading=True,
            )
        self._latency = 0 if self._failed else self.effect.latency_samples
        # Room for a latency that grows.
        self._most = max(self._latency, min(_MOST_LATENCY, 2 * self._latency + 4096))
        self._line.prepare(samples=self._latency, block=block, channels=channels, most=self._most)
        for ramp in (*self._shares, self._level, self._dry):
            ramp.prepare(sample_rate=sample_rate, block=block)
        self._fade_length = max(1, round(FADE_SECONDS * sample_rate))
        self._longest_tail = round(_TAIL_SECONDS * sample_rate)
        self._silence = np.zeros((channels, block), dtype=np.float32)
        self._whole = np.zeros((channels, block), dtype=np.float32)
        self._join.prepare(sample_rate=sample_rate, block=block, channels=channels)
        self._part = np.zeros((channels, block), dtype=np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget all sound; see `Plugin.reset`."""
        if not self._failed:
            self._guarded(self.effect.reset)
        self._line.reset()
        self._in = self._wanted
        # Samples until it may be heard, and what is heard meanwhile.
        self._wait, self._meanwhile = 0, _OUT
        self._leave = self._ringing = 0
        for ramp, value in zip(self._shares, (0.0, 0.0, 1.0) if self._in else _OUT, strict=True):
            ramp.jump(value)
        if self._in and self.bypassed:
            for ramp, value in zip(self._shares, _DRY, strict=True):
                ramp.jump(value)
        self._level.jump(self._volume)
        self._dry.jump(self.get(f"{self.name}_dry"))
        self._join.reset()

    @property
    def latency_samples(self) -> int:
        """That of the effect while it is in the chain, else 0."""
        return self._latency if self._in else 0

    @property
    def most_latency(self) -> int:
        """What `latency_samples` may become; after `prepare`."""
        return self._most

    @property
    def out_of_chain(self) -> bool:
        """Whether it can be moved: it is not heard, and nothing of it is left."""
        return not self._in and not self._leave and not self._wait

    @property
    def samples_left(self) -> int:
        """After how many samples it can be moved, if it is held from now on; at least, where it is on its way in."""
        if self.out_of_chain:
            return 0
        return self._wait or self._leave or self._fade_length

    @property
    def _out(self) -> bool:
        return self._failed or (self._watch is not None and self._watch.is_out(self._place))

    @property
    def _wanted(self) -> bool:
        return self.get(f"{self.name}_on") >= 0.5 and not (self.held or self.resting or self._out)

    @property
    def _volume(self) -> float:
        decibels = self.get(f"{self.name}_level")
        return 10.0 ** (decibels / 20.0) if decibels > SILENT_DB else 0.0

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target; see `Plugin.set`."""
        super().set(id, value)
        if id in self._own and not self._failed:
            self._guarded(lambda: self.effect.set(id, value))

    def process(self, block: Block) -> Block:
        """Take and return one block; see `Plugin.process`."""
        count, start = block.shape[1], 0
        while start < count:
            if self.out_of_chain:
                if not self._wanted:
                    self._die_away(count - start)
                    break
                # As if it had just been loaded; until it is heard, it hears the present sound.
                self._guarded(getattr(self.effect, "rewind", self.effect.reset))
                self._take_latency()
                self._wait, self._meanwhile = self._latency + 1, _OUT
            elif self._in and not self._out and (not self._wanted or self._moved):
                self._in, self._leave = False, self._fade_length
            # What begins or ends, does so at the same sample, wherever blocks end.
            stop = min(count, start + (self._leave or count), start + (self._wait or count))
            part = self._piece(block[:, start:stop])
            if stop - start == count:
                return part
            self._whole[:, start:stop] = part
            start = stop
        if start == 0:
            return block
        if start < count:
            self._whole[:, start:count] = block[:, start:]
        return self._whole[:, :count]

    def _die_away(self, count: int) -> None:
        """Let an effect that cannot simply forget its sound hear silence, so that it does not come back with it."""
        if (silence := min(count, self._ringing)) and not self._out:
            self._ringing -= silence
            self._work(self._silence[:, :silence])

    def _piece(self, block: Block) -> Block:
        """Return what is heard of a piece in which nothing begins or ends."""
        count = block.shape[1]
        failed = self._out
        dry = self._line.process(block)
        wet = None if failed else self._work(block)
        if wet is None and not (failed and self._leave):
            self._fault(count)
        return self._join.process(self._blend(block, dry, dry if wet is None else wet))

    @property
    def _moved(self) -> bool:
        """Whether the effect has another latency now."""
        return not self._failed and min(self.effect.latency_samples, self._most) != self._latency

    def _take_latency(self) -> None:
        self._latency = min(self.effect.latency_samples, self._most)
        self._line.reset()
        self._line.jump(self._latency)

    def _work(self, block: Block) -> Block | None:
        """Return what the effect makes of a block; None if it fails."""
        watch, begun = self._watch, time.perf_counter()
        if watch is None:
            try:
                wet = self.effect.process(block)
            except Exception as error:
                raise InputError(f"{self.title} failed ({error}); do without it") from error
            if not np.isfinite(wet).all():
                raise InputError(f"{self.title} gave something that is no number; do without it")
            return wet
        watch.enter(self._place)
        try:
            wet = self.effect.process(block)
            fine = wet.shape == block.shape and bool(np.abs(wet).max() <= _LOUDEST)
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
            return None
        finally:
            seconds = time.perf_counter() - begun
            watch.leave(self._place, seconds, block.shape[1])
        if not fine:
            self._faults += 1
            if self._faults >= _MOST_FAULTS:
                self._fail("it gave something that is no number")
            return None
        if seconds > SLOWEST:
            self._fail(f"it took {seconds:.1f} s for one block")
        return wet

    def _fault(self, count: int) -> None:
        """Have the delayed input take the place of the effect within this very block."""
        if self._in or self._leave:
            for ramp, value in zip(self._shares, _DRY, strict=True):
                ramp.jump(value)
            self._join.begin()
        if self._out:
            self._leave = self._fade_length if self._in or self._leave else 0
            self._in, self._wait = False, 0
            return
        self._guarded(self.effect.reset)
        self._wait, self._meanwhile = self._latency + count, _DRY if self._in else _OUT

    def _blend(self, block: Block, dry: Block, wet: Block) -> Block:
        count = block.shape[1]
        if self._wait:
            aim = self._meanwhile
            self._wait = max(0, self._wait - count)
            self._in = self._in or not self._wait
        elif self._in:
            aim = _DRY if self.bypassed else (0.0, 0.0, 1.0)
        else:
            aim = _OUT
            self._leave = max(0, self._leave - count)
            if not self._leave and getattr(self.effect, "lingers", False):
                self._ringing = self._longest_tail
        shares = [ramp.next(value, count) for ramp, value in zip(self._shares, aim, strict=True)]
        level = self._level.next(self._volume, count)
        beside = self._dry.next(self.get(f"{self.name}_dry"), count)
        plain = isinstance(level, float) and isinstance(beside, float) and (level, beside) == (1.0, 0.0)
        for share, sound in zip(shares, (block, dry, wet), strict=True):
            if isinstance(share, float) and share == 1.0 and (plain or sound is not wet or wet is dry):
                return sound
        out = np.multiply(block, shares[0], out=self._part[:, :count])
        out += dry * (shares[1] + shares[2] * beside)
        out += wet * (shares[2] * level)
        return out

    def _guarded(self, action: Any, *, loading: bool = False) -> None:
        """Do something with the effect; where it is watched, a failure takes it out."""
        if self._watch is None:
            action()
            return
        self._watch.enter(self._place, loading=loading)
        begun = time.perf_counter()
        try:
            action()
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            self._watch.leave(self._place, time.perf_counter() - begun, 0)

    def _fail(self, reason: str) -> None:
        self._failed = True
        if self._watch is not None:
            self._watch.take_out(self._place, reason)

    def state(self) -> State:
        """Return what it remembers, as far as the effect can say; see `Plugin.state`."""
        slot = numbers(
            self.bypassed,
            self._in,
            self._leave,
            self._wait,
            self._meanwhile == _DRY,
            self._join.place,
            self._latency,
            self._ringing,
        )
        state = super().state() | {
            "slot": slot,
            "last": self._join.last.copy(),
            "held": self._join.held.copy(),
        }
        state |= self._line.state()
        ramps = (*self._shares, self._level, self._dry)
        for number, ramp in enumerate(ramps):
            state |= within(f"ramp{number}", ramp.state())
        return state | within("effect", self.effect.state())

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there; see `Plugin.restore`."""
        super().restore(state)
        bypassed, inside, leave, wait, as_dry, joined, latency, ringing = state["slot"].tolist()
        self.bypassed, self._in, self._leave = bool(bypassed), bool(inside), int(leave)
        self._wait, self._join.place, self._latency = int(wait), int(joined), int(latency)
        self._meanwhile, self._ringing = _DRY if as_dry else _OUT, int(ringing)
        put(self._join.last, state, "last")
        put(self._join.held, state, "held")
        self._line.jump(self._latency)
        self._line.restore(state)
        for number, ramp in enumerate((*self._shares, self._level, self._dry)):
            ramp.restore(part(f"ramp{number}", state))
        self.effect.restore(part("effect", state))


def slots_of(plugins: Sequence[Plugin]) -> tuple[EffectSlot, ...]:
    """Return the slots of effects among the plugins of a chain."""
    return tuple(plugin for plugin in plugins if isinstance(plugin, EffectSlot))
