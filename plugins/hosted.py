"""Effects that others have made, VST3 and LV2, as plugins of ours; minihost loads them (`gramophone[host]`)."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from ..media.files import shown
from .effects import BUILT_IN, Effect
from .gain import Gain
from .limiter import Limiter
from .plugin import Plugin
from .slot import EffectSlot
from .state import State

Block = NDArray[np.float32]

#: A reference to a `Plugin` of yours: `python:package.module:Class`. Only in settings that a program makes.
PYTHON = "python:"
_MISSING = "playing plugins of others needs minihost; install it with: pip install 'gramophone[host]'"
_BUILT_IN: Mapping[str, type[Plugin]] = {"gain": Gain, "limiter": Limiter}


def is_uri(reference: str) -> bool:
    """Whether a reference is the URI of an LV2 plugin, and not a file."""
    return "://" in reference or reference.startswith("urn:")


def check_installed() -> None:
    """Raise InputError, with what to do, if the library that loads plugins is not there."""
    if importlib.util.find_spec("minihost") is None:
        raise InputError(_MISSING)


def preload() -> None:
    """Load the library, if it is there, so that nobody has to wait for that later."""
    with suppress(ImportError):
        importlib.import_module("minihost")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what plugins write to the terminal away from it while they are loaded."""
    with suppress(OSError, ValueError):
        sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def open_plugin(reference: str, *, sample_rate: int, block: int, channels: int) -> Any:
    """Load one instance of a plugin.

    Args:
        reference: a VST3's file, an LV2's folder, or the URI of an LV2
        sample_rate: Hz
        block: the largest number of samples
        channels: that are wanted; the plugin may have others

    Raises:
        InputError: minihost is missing, or the plugin cannot be loaded
    """
    check_installed()
    import minihost

    options = {
        "sample_rate": float(sample_rate),
        "max_block_size": block,
        "in_channels": channels,
        "out_channels": channels,
    }
    try:
        if not is_uri(reference):
            return minihost.Plugin(reference, **options)
        from xml.sax.saxutils import quoteattr

        # JUCE's own description of a plugin: of an LV2, its URI is all that counts.
        xml = f'<PLUGIN name="" format="LV2" file={quoteattr(reference)} uniqueId="0" isInstrument="0"/>'
        return minihost.Plugin.from_descriptor(xml, **options)
    except RuntimeError as error:
        name = reference if is_uri(reference) else shown(reference)
        raise InputError(f"{name} cannot be loaded as a plugin: {error}") from None


@_quiet()
def _close(instances: list[Any]) -> None:
    """Put instances down, without what some of them then say."""
    for instance in instances:
        instance.close()
    # Whoever still holds the list holds nothing of the library's at the end of the process, where it would complain.
    instances.clear()


class Hosted(Plugin):
    """A VST3 or LV2 effect.

    Where it has other channels than the sound, there are several instances of it, each for some of the channels: a
    mono effect works on left and right apart. A stereo effect on mono sound gets it on both sides, and the mean of
    both is heard.

    Args:
        effect: what was found out about it
        beside: whether it is made beside a thread that must not wait. What takes long then lets others work: what has
            heard nothing but silence is not made to forget.
    """

    neutral = None

    def __init__(self, effect: Effect, *, beside: bool = False) -> None:
        self.name = effect.key  # type: ignore[misc]
        self.parameters = effect.parameters  # type: ignore[misc]
        super().__init__()
        self._effect = effect
        self._indexes = {one.id: index for one, index in zip(effect.parameters, effect.indexes, strict=True)}
        self._instances: list[Any] = []
        self._prepared: tuple[int, int, int] | None = None
        self._latency = effect.latency
        self._beside = beside
        # Whether it has heard nothing but silence since it was loaded.
        self._fresh = False
        #: whether `rewind` leaves something of the sound, so that it has to die away in silence
        self.lingers = is_uri(effect.reference) or effect.reference.endswith(".lv2")

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Load it; see `Plugin.prepare`. Takes a noticeable part of a second."""
        if self._prepared != (sample_rate, block, channels):
            self._load(sample_rate, block, channels)
            self._prepared = (sample_rate, block, channels)
            self._fresh = True
        for id in self._indexes:
            self._put(id)
        # An LV2 says its latency only once it has worked.
        fresh = self._fresh
        self.process(np.zeros((channels, block), dtype=np.float32))
        self._fresh = fresh
        self.reset()

    def _load(self, sample_rate: int, block: int, channels: int) -> None:
        self._instances = []

        @_quiet()
        def one() -> Any:
            return open_plugin(
                self._effect.reference, sample_rate=sample_rate, block=block, channels=min(channels, 2)
            )

        first = one()
        inputs, outputs = first.num_input_channels, first.num_output_channels
        if not inputs or not outputs:
            raise InputError(
                f"{self._effect.title} takes no sound or gives none; only effects can be in the chain"
            )
        self._each = max(inputs, outputs)
        self._groups = range(0, channels, self._each)
        self._instances = [first, *(one() for _ in self._groups[1:])]
        weakref.finalize(self, _close, self._instances)
        if self._effect.state:
            for instance in self._instances:
                instance.set_state(self._effect.state)
        # In one piece for any number of samples: into another form the library would write nothing.
        self._given = np.zeros(inputs * block, dtype=np.float32)
        self._made = np.zeros(outputs * block, dtype=np.float32)
        self._inputs, self._outputs = inputs, outputs
        self._out = np.zeros((channels, block), dtype=np.float32)

    def process(self, block: Block) -> Block:
        """Take and return one block; see `Plugin.process`."""
        self._fresh = False
        count = block.shape[1]
        given = self._given[: self._inputs * count].reshape(self._inputs, count)
        made = self._made[: self._outputs * count].reshape(self._outputs, count)
        out = self._out[:, :count]
        for start, instance in zip(self._groups, self._instances, strict=True):
            part, result = block[start : start + self._each], out[start : start + self._each]
            if part.shape[0] == self._inputs:
                given[:] = part
            else:
                given[:] = part.mean(axis=0) if part.shape[0] > 1 else part
            instance.process(given, made)
            if result.shape[0] == self._outputs:
                result[:] = made
            else:
                result[:] = made.mean(axis=0)
        self._latency = self._instances[0].latency_samples
        return out

    def reset(self) -> None:
        """Forget all sound; see `Plugin.reset`. Takes up to a quarter of a second, in which no other thread works."""
        if self._fresh and self._beside:
            self.rewind()
        else:
            self._settle()

    @_quiet()
    def _settle(self) -> None:
        for instance in self._instances:
            # Of what `reset` of the library leaves in some plugins (the tail of a reverb), this leaves nothing.
            instance.sample_rate = instance.sample_rate
        for id in self._indexes:
            self._put(id)

    def rewind(self) -> None:
        """Forget the sound, as far as that takes no time."""
        for instance in self._instances:
            instance.reset()

    def take_state(self, state: bytes) -> None:
        """Have what the plugin calls its state; its knobs stay. Not while it works. RuntimeError if it refuses."""
        self._effect = replace(self._effect, state=state)
        for instance in self._instances:
            instance.set_state(state)
        for id in self._indexes:
            self._put(id)

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target; see `Plugin.set`. Whether it glides there is the effect's own matter."""
        super().set(id, value)
        self._put(id)

    def _put(self, id: str) -> None:
        index, value = self._indexes[id], self.get(id)
        for instance in self._instances:
            # What it has already may be what it calls by another number: left alone, it stays as it is.
            if abs(instance.get_param(index) - value) > 1e-7:
                instance.set_param(index, value)

    def restore(self, state: State | Mapping[str, NDArray[Any]]) -> None:
        """Go on from there, as far as its knobs say; see `Plugin.restore`. What it heard, no plugin can tell."""
        super().restore(state)

    @property
    def latency_samples(self) -> int:
        """What the effect reports; see `Plugin.latency_samples`."""
        return max(0, int(self._latency))

    @property
    def channels(self) -> tuple[int, int]:
        """How many channels one instance takes and gives; after `prepare`."""
        return self._inputs, self._outputs


class _BuiltIn(Plugin):
    """An effect of ours, under the ids of an effect."""

    def __init__(self, effect: Effect) -> None:
        self.name = effect.key  # type: ignore[misc]
        self.parameters = effect.parameters  # type: ignore[misc]
        super().__init__()
        self._inner = _BUILT_IN[effect.reference]()

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        self._inner.prepare(sample_rate=sample_rate, block=block, channels=channels)

    def process(self, block: Block) -> Block:
        return self._inner.process(block)

    def reset(self) -> None:
        self._inner.reset()

    def set(self, id: str, value: float) -> None:
        super().set(id, value)
        self._inner.set(id.partition(".")[2], value)

    def state(self) -> State:
        return self._inner.state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._inner.restore(state)
        for parameter in self.parameters:
            super().set(parameter.id, self._inner.get(parameter.id.partition(".")[2]))


def make_slot(effect: Effect, *, beside: bool = False) -> EffectSlot:
    """Return the slot of an effect, with the effect in it; loaded when it is prepared.

    Args:
        effect: what is known of it
        beside: see `Hosted`
    """
    inside: Plugin
    if effect.reference.startswith(PYTHON):
        module, _, name = effect.reference.removeprefix(PYTHON).partition(":")
        inside = getattr(importlib.import_module(module), name)()
    else:
        inside = _BuiltIn(effect) if effect.reference in BUILT_IN else Hosted(effect, beside=beside)
    return EffectSlot(inside, key=effect.key, title=effect.title, before=effect.before)


def built_in_effect(name: str, *, key: str, before: bool) -> Effect:
    """Return what is known of an effect of ours."""
    own = tuple(replace(one, id=f"{key}.{one.id}") for one in BUILT_IN[name])
    return Effect(key=key, reference=name, title=name.capitalize(), before=before, parameters=own)
