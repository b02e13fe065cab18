"""Replay: plays a take's dry sound through a chain again, with the same changes at the same samples.

In the engine the sound passes the chain and then the gate of the mute. Neither depends on the size of the blocks. So
the same chain, from the same state, gives the samples that were played, wherever no deadline was missed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...media.errors import InputError
from ...media.files import shown
from ...models.live.stylizer_settings import StylizerSettings
from ...plugins import mute
from ...plugins.chain import Chain
from ...plugins.effects import BUILT_IN, Effect
from ...plugins.found import is_installed, look_at
from ...plugins.knobs import MUTE
from ...plugins.live_chain import CHAIN_VERSION, live_chain
from ...plugins.mute import Gate
from ...takes.automation import Event, Move, Restart, StyleChange, between
from ...takes.header import Span, effects_of
from ...takes.reader import Take
from ...takes.sound import interleaved, to_steps
from .slot_replay import SlotReplay, StyleCache

Sound = NDArray[np.float32]

#: As in the engine, whose chain is prepared for blocks of up to so many samples.
BLOCK = 1024
# Live, `auto` does as many iterations as there is time for; a replay has no clock and does the most it may.
_AUTOMATIC = 8


@dataclass(frozen=True)
class ReplayChain:
    """A chain, and the replay of its style slots; None if it has no such slots."""

    chain: Chain
    slot_replay: SlotReplay | None


def live_again(take: Take, effects: Sequence[Effect] | None = None) -> ReplayChain:
    """Return the live chain with its state at a take's first frame, prepared.

    Args:
        take: that is played again
        effects: those of its header, where the user has named them; None loads what it names, if that is installed

    Raises:
        InputError: a style is damaged or does not fit the settings, or the state, unless another version wrote it
    """
    header = take.header
    found = {key: value for key, value in header.stylizer.items() if value is not None}
    if "iterations" in header.stylizer and "iterations" not in found:
        found["iterations"] = _AUTOMATIC
    settings = StylizerSettings(**found)  # type: ignore[arg-type]
    if not take.style_files():
        raise InputError(f"{shown(take.folder)} has no style; there is nothing to play")
    slots = _slots(take)
    chain = live_chain(
        [take.style(name) for name in slots],
        settings,
        effects=trusted_effects(take) if effects is None else effects,
    )
    chain.prepare(sample_rate=header.sample_rate, block=BLOCK, channels=header.channels)
    _set_all(chain, header.values)
    own = chain.style_slots
    slot_replay = None if own is None else SlotReplay(own, take, StyleCache(take, settings))
    empty = [slot for slot in range(len(slots)) if not (header.styles[slot : slot + 1] or ("",))[0]]
    if empty and slot_replay is not None:
        # Closed as the engine does it: at weight 0.
        _set_all(chain, {f"style_{slot + 1}": 0.0 for slot in empty})
        chain.reset()
        for slot in empty:
            slot_replay.empty(slot)
        _set_all(chain, header.values)
    chain.reset()
    if (state := take.state()) is not None:
        try:
            chain.restore(state)
        except InputError:
            if header.chain == CHAIN_VERSION:
                raise
            # Another version's: what had been learnt before the take began is learnt anew.
            _set_all(chain, header.values)
            chain.reset()
    return ReplayChain(chain, slot_replay)


def trusted_effects(take: Take) -> tuple[Effect, ...]:
    """Return a take's effects, of which only those are loaded that are installed here.

    A take may come from anywhere, and loading a plugin runs it.

    Raises:
        InputError: one lies elsewhere than where plugins are installed, or cannot be loaded
    """
    effects = effects_of(take.header)
    for effect in effects:
        if effect.reference in BUILT_IN:
            continue
        if not is_installed(effect.reference):
            raise InputError(
                f"{shown(take.folder)} was played with {effect.title}, from {shown(effect.reference)}, where no "
                "plugins are installed; if you trust it, name its folder in VST3_PATH (or LV2_PATH)"
            )
        # Once in a process of its own, which it may crash.
        look_at(effect.reference, sample_rate=take.header.sample_rate, channels=take.header.channels)
    return effects


def _slots(take: Take) -> list[str]:
    """Return a style for each slot up to the last one that is filled at first; another stands in where none is."""
    names = list(take.header.styles)
    while names and not names[-1]:
        del names[-1]
    any_style = take.style_files()[0]
    return [name or any_style for name in names] or [any_style]


def _set_all(chain: Chain, values: Mapping[str, float]) -> None:
    for identity, value in values.items():
        if identity != MUTE.id:
            chain.set(identity, value)


def play_again(take: Take, replay: ReplayChain, *, frames: int) -> Iterator[Sound]:
    """Feed a take's dry sound to a chain, with its changes; yield the output, in time with the input.

    Args:
        take: with the changes
        replay: its chain is prepared for the take's rate and channels and blocks of 1024 samples, and has the state
            at the take's start
        frames: length of the output; after the end of the dry sound, silence follows

    Yields:
        [channels, n], n at most 1024
    """
    player = _Player(take, replay)
    skip = replay.chain.latency_samples
    position, left = 0, frames
    for sound in _followed_by_silence(take, frames + skip):
        for start, stop, events in _pieces(take.events, position, position + sound.shape[1]):
            player.apply(start, events)
            heard = player.play(start, sound[:, start - position : stop - position])
            if start < skip:
                heard = heard[:, skip - start :]
            heard = heard[:, :left]
            left -= heard.shape[1]
            if heard.shape[1]:
                # The chain may use its memory for the next block.
                yield heard.copy()
        position += sound.shape[1]


def _followed_by_silence(take: Take, frames: int) -> Iterator[Sound]:
    position = 0
    for sound in take.dry():
        yield sound[:, : frames - position]
        position += sound.shape[1]
        if position >= frames:
            return
    while position < frames:
        count = min(BLOCK, frames - position)
        yield np.zeros((take.header.channels, count), dtype=np.float32)
        position += count


def _pieces(events: tuple[Event, ...], start: int, stop: int) -> Iterator[tuple[int, int, list[Event]]]:
    """Cut frames into pieces of up to 1024: first frame, the one after the last, and the events before the piece."""
    due: dict[int, list[Event]] = {}
    for event in between(events, start, stop):
        due.setdefault(event.frame, []).append(event)
    cuts = sorted({*range(start, stop, BLOCK), *due, stop})
    for first, last in pairwise(cuts):
        yield first, last, due.get(first, [])


class _Player:
    """The chain and the gate behind it, as the engine has them."""

    def __init__(self, take: Take, replay: ReplayChain) -> None:
        self._chain = replay.chain
        self._slot_replay = replay.slot_replay
        self._parameters = len(take.parameters)
        self._length = round(mute.SECONDS * take.header.sample_rate)
        muted = take.header.values.get(MUTE.id, MUTE.default)
        self._gate = Gate(self._length, opened=not muted)

    def apply(self, frame: int, events: list[Event]) -> None:
        """Apply events before a frame."""
        place = 0
        while place < len(events):
            event = events[place]
            place += 1
            if isinstance(event, Restart):
                place += self._restart(event, events[place:])
            elif isinstance(event, StyleChange):
                if self._slot_replay is not None:
                    self._slot_replay.change(event)
            elif event.id == MUTE.id:
                self._gate.set(opened=not event.value, at=frame)
            else:
                self._chain.set(event.id, event.value)

    def _restart(self, event: Restart, following: list[Event]) -> int:
        """Have the chain forget; return how many of the following events said where it stands then."""
        count = 0
        if event.kind == "begin":
            # All parameters, and before or after them the styles that another engine found in its slots.
            moves = 0
            for later in following:
                if isinstance(later, Restart) or (isinstance(later, Move) and moves == self._parameters):
                    break
                moves += isinstance(later, Move)
                count += 1
        for move in following[:count]:
            if not isinstance(move, Move):
                continue
            if move.id == MUTE.id:
                self._gate = Gate(self._length, opened=not move.value)
            else:
                self._chain.set(move.id, move.value)
        if self._slot_replay is not None:
            self._slot_replay.begin_with(following[:count])
        self._chain.reset()
        return count

    def play(self, start: int, sound: Sound) -> Sound:
        return self._gate.apply(start, self._chain.process(sound))


class Comparison:
    """Compares a replay, block by block, with what was heard.

    Args:
        take: that is played again
    """

    def __init__(self, take: Take) -> None:
        self._take = take
        #: stretches of the wet sound that differ when rounded to 24 bits; those that are near each other are joined
        self.differing: list[Span] = []
        self._hash = hashlib.sha256()
        self._wet = take.wet()
        self._held = np.zeros((take.header.channels, 0), dtype=np.float32)
        self._position = 0

    def feed(self, sound: Sound) -> None:
        """Compare the next [channels, n]."""
        self._hash.update(interleaved(sound))
        count = sound.shape[1]
        while self._held.shape[1] < count and (block := next(self._wet, None)) is not None:
            self._held = np.concatenate([self._held, block], axis=1)
        heard, self._held = self._held[:, :count], self._held[:, count:]
        differs = to_steps(sound[:, : heard.shape[1]]) != to_steps(heard)
        places = np.flatnonzero(differs.any(axis=0))
        if places.size:
            self._differ(self._position + int(places[0]), self._position + int(places[-1]) + 1)
        self._position += count

    def _differ(self, start: int, stop: int) -> None:
        near = self._take.header.sample_rate // 2
        if self.differing and start - self.differing[-1][1] < near:
            start = self.differing.pop()[0]
        self.differing.append((start, stop))

    @property
    def same(self) -> bool:
        """Whether every sample is the same: as 32-bit floats where their hash is known, else rounded to 24 bits."""
        known = self._take.header.wet_sha256
        return not self.differing and known in ("", self._hash.hexdigest())
