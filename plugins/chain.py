"""The chain: plugins in a row, with one latency, one list of knobs, and a bypass for each and for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..dsp.dry_path import loudest
from ..media.errors import InputError
from .bypass import Bypass
from .knob_ids import SlotNames, chain_parameters, slot_names, whole_bypass
from .parameter import Parameter
from .plugin import Plugin
from .slot import EffectSlot, slots_of
from .state import State, part, within

if TYPE_CHECKING:
    from ..models.live.slots import StyleSlots

Block = NDArray[np.float32]

# 80 dB over full scale: no sound is as loud. Larger values, or NaN, are faults, and are kept out of filters that would
# remember them.
_LOUDEST_INPUT = 1e4
_LOUDEST_OUTPUT = 1e30


class Chain:
    """Plugins in the order in which sound passes them. Used like a `plugins.plugin.Plugin`.

    The output is finite for any input. A plugin whose output is not is reset and bypassed until its output is good
    again; `faults` counts this.

    Args:
        plugins: at least one; each of them in this chain only
        defaults: values of knobs at the start, by id, if not their plugin's defaults

    Raises:
        InputError: two knobs have the same id, or `defaults` does not fit
    """

    def __init__(self, plugins: Sequence[Plugin], *, defaults: Mapping[str, float] | None = None) -> None:
        self.plugins = tuple(plugins)
        self.faults = 0
        self._most = 0
        #: the effects that can come, go and move while it plays
        self.effects = slots_of(self.plugins)
        # The slot of an effect is its own bypass.
        self._bypasses = [None if isinstance(plugin, EffectSlot) else Bypass() for plugin in self.plugins]
        self._whole = Bypass()
        # Whether no bypass fades; asked again after whatever could have changed that.
        self._at_rest = False
        self._latency = 0
        names = slot_names([(plugin.name, plugin.parameters) for plugin in self.plugins], defaults)
        self.parameters: tuple[Parameter, ...] = chain_parameters(names)
        # Each id leads to a plugin's knob or to a switch.
        self._keys = tuple(name.key for name in names)
        self._knobs: dict[str, tuple[Plugin, str]] = {}
        self._switches: dict[str, Bypass | EffectSlot] = {whole_bypass().id: self._whole}
        for plugin, bypass, name in zip(self.plugins, self._bypasses, names, strict=True):
            self._lead(plugin, bypass, name)
        self._order = self._sorted = self._sort()
        for identity, value in (defaults or {}).items():
            self.set(identity, value)

    def _lead(self, plugin: Plugin, bypass: Bypass | None, name: SlotNames) -> None:
        """Have the ids of a plugin lead to it."""
        self._switches[name.bypass.id] = plugin if isinstance(plugin, EffectSlot) else bypass or Bypass()
        for own, parameter in name.parameters.items():
            self._knobs[parameter.id] = (plugin, own)

    def add(self, slot: EffectSlot) -> None:
        """Add an effect while the chain plays. Takes no noticeable time.

        Args:
            slot: prepared as the chain is, with `<key>_on` at 0

        Raises:
            InputError: one of its knobs has the id of another
        """
        (name,) = slot_names([(slot.name, slot.parameters)])
        added = (*name.parameters.values(), name.bypass)
        if taken := {parameter.id for parameter in self.parameters} & {parameter.id for parameter in added}:
            raise InputError(f"the chain has {min(taken)!r} already")
        self.plugins = (*self.plugins, slot)
        self.effects = (*self.effects, slot)
        self._bypasses.append(None)
        self._keys = (*self._keys, name.key)
        self.parameters = (*self.parameters, *added)
        self._lead(slot, None, name)
        settled = self._order is self._sorted
        self._order, self._sorted = [*self._order, len(self.plugins) - 1], self._sort()
        if settled:
            # Nobody hears it yet, so the others need not leave for that.
            self._order = self._sorted
        self._whole.widen(self._most_latency)

    @property
    def _most_latency(self) -> int:
        return sum(
            plugin.most_latency if isinstance(plugin, EffectSlot) else plugin.latency_samples
            for plugin in self.plugins
        )

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready to play, silent, every knob at its target; see `Plugin.prepare`."""
        for plugin, bypass in zip(self.plugins, self._bypasses, strict=True):
            plugin.prepare(sample_rate=sample_rate, block=block, channels=channels)
            if bypass is not None:
                bypass.prepare(
                    latency=plugin.latency_samples, sample_rate=sample_rate, block=block, channels=channels
                )
        self._latency = self.latency_samples
        self._whole.prepare(
            latency=self._latency,
            sample_rate=sample_rate,
            block=block,
            channels=channels,
            most=self._most_latency,
        )
        self._order = self._sorted
        self._most = block
        self._at_rest = False
        self.faults = 0

    def process(self, block: Block) -> Block:
        """Take [channels, n] samples, 1 <= n <= block, and return as many; valid until the next call.

        Bypassed plugins go on working: they know the sound when they come back, and the time for a block does not
        depend on the switches.
        """
        if block.shape[1] > self._most:
            raise ValueError(f"prepared for blocks of up to {self._most} samples, given {block.shape[1]}")
        if _loudest(block) > _LOUDEST_INPUT:
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0).clip(
                -_LOUDEST_INPUT, _LOUDEST_INPUT
            )
        if self._order is not self._sorted and (left := self._reorder()) and left < block.shape[1]:
            # The new order is in force at the same sample, wherever blocks end.
            parts = [self._pass(block[:, :left]).copy(), self.process(block[:, left:])]
            return np.concatenate(parts, axis=1)
        return self._pass(block)

    def _pass(self, block: Block) -> Block:
        sound = block
        calm = self._at_rest
        for number in self._order:
            plugin, bypass = self.plugins[number], self._bypasses[number]
            wet = plugin.process(sound)
            if bypass is None or ((calm or bypass.at_rest) and bypass.lets_pass(sound, wet, _LOUDEST_OUTPUT)):
                sound = wet
                continue
            calm = self._at_rest = False
            # A block that passed unchanged needs no check.
            if wet is sound or _loudest(wet) <= _LOUDEST_OUTPUT:
                sound = bypass.process(sound, wet)
            else:
                self.faults += 1
                plugin.reset()
                sound = bypass.process(sound, None)
        if self.effects and (latency := self.latency_samples) != self._latency:
            self._latency = latency
            self._whole.move(latency)
            calm = self._at_rest = False
        if (calm or self._whole.at_rest) and self._whole.lets_pass(block, sound, _LOUDEST_OUTPUT):
            if not calm:
                self._at_rest = all(one is None or one.at_rest for one in self._bypasses)
            return sound
        self._at_rest = False
        return self._whole.process(block, sound)

    def _sort(self) -> list[int]:
        """Return the order that the places of the effects ask for; those at one place stay as they were given."""
        places = {
            number: plugin.get(f"{plugin.name}_place")
            for number, plugin in enumerate(self.plugins)
            if isinstance(plugin, EffectSlot)
        }
        ordered = sorted(places, key=lambda number: places[number])
        others = [number for number in range(len(self.plugins)) if number not in places]
        before = [number for number in ordered if places[number] < 0.0]
        return [*before, *others[:1], *ordered[len(before) :], *others[1:]]

    def _reorder(self) -> int:
        """Have the effects whose place changes leave the chain, and then put them where they belong.

        Returns:
            after how many samples to call this again; 0 if all is done
        """
        places = [places for places in zip(self._order, self._sorted, strict=True) if len(set(places)) > 1]
        moving = slots_of([self.plugins[number] for pair in places for number in pair])
        left = max(slot.samples_left for slot in moving)
        for slot in self.effects:
            slot.held = bool(left) and slot in moving
        if not left:
            self._order = self._sorted
        return left

    def reset(self) -> None:
        """Forget all sound; knobs stay."""
        self._order = self._sorted
        self._at_rest = False
        for slot in self.effects:
            slot.held = False
        for plugin, bypass in zip(self.plugins, self._bypasses, strict=True):
            plugin.reset()
            if bypass is not None:
                bypass.reset()
        self._latency = self.latency_samples
        self._whole.jump(self._latency)
        self._whole.reset()

    def state(self) -> State:
        """Return copies of the chain's whole state, including switches and targets; see `Plugin.state`."""
        state = within(whole_bypass().id, self._whole.state())
        for key, plugin, bypass in zip(self._keys, self.plugins, self._bypasses, strict=True):
            state |= within(key, plugin.state())
            if bypass is not None:
                state |= within(f"{key}_bypass", bypass.state())
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same chain, prepared in the same way; not while playing.

        The same input, with the same knobs turned between the same samples, then gives the same output, bit for bit.

        Raises:
            InputError: it is that of another chain, or damaged
        """
        self._at_rest = False
        try:
            self._whole.restore(part(whole_bypass().id, state))
            for key, plugin, bypass in zip(self._keys, self.plugins, self._bypasses, strict=True):
                plugin.restore(part(key, state))
                if bypass is not None:
                    bypass.restore(part(f"{key}_bypass", state))
            self._sorted = self._order = self._sort()
            self._latency = self.latency_samples
            self._whole.jump(self._latency)
        except (KeyError, ValueError, IndexError) as error:
            raise InputError(
                f"this state is not one of this chain ({error}); use the settings that it was recorded with"
            ) from error

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target, clamped to its range; KeyError if there is no such knob."""
        if id in self._switches:
            self._switches[id].bypassed = value >= 0.5
            self._at_rest = False
        else:
            plugin, own = self._knobs[id]
            plugin.set(own, value)
            if isinstance(plugin, EffectSlot) and own == f"{plugin.name}_place":
                ordered = self._sort()
                self._sorted = self._order if ordered == self._order else ordered

    def get(self, id: str) -> float:
        """Return a knob's target; KeyError if there is no such knob."""
        if id in self._switches:
            return float(self._switches[id].bypassed)
        plugin, own = self._knobs[id]
        return plugin.get(own)

    @property
    def style_slots(self) -> StyleSlots | None:
        """The slots for styles of the first plugin that has any; None where there are none. After `prepare`."""
        found = (plugin.style_slots for plugin in self.plugins)
        return next((slots for slots in found if slots is not None), None)

    @property
    def latency_samples(self) -> int:
        """The delay of the output in samples, with or without bypass; after `prepare`."""
        return sum(plugin.latency_samples for plugin in self.plugins)

    @property
    def hop(self) -> int | None:
        """The longest time between bursts of work in any of the plugins, samples; None if there are none."""
        return max((plugin.hop for plugin in self.plugins if plugin.hop is not None), default=None)

    @property
    def limiter_active(self) -> bool:
        """Whether any limiter in the chain held the level down in the last block."""
        return any(plugin.limiter_active for plugin in self.plugins)


def _loudest(block: Block) -> float:
    # Of any other form there would be another compiled function.
    return loudest(np.ascontiguousarray(block, dtype=np.float32))
