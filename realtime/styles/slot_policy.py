"""Decides which style goes to which slot and how the weights move, without threads, processes or sound.

A slot can get another style only while it is silent. Missing styles are loaded to silent slots; if there is none, the
quietest slot is silenced first. The weights then move to their targets in straight lines, all in the same time, so that
their sum never falls to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

EMPTY, LOADING, READY = "empty", "loading", "ready"


@dataclass
class Slot:
    """What is in one slot.

    Attributes:
        key: of the style that it holds; empty where it holds none
        state: EMPTY, LOADING or READY
        serial: number of the style; 0 for those of the start
        coming: key of the style that is being loaded
        used: when it was last heard
    """

    key: str = ""
    state: str = EMPTY
    serial: int = 0
    coming: str = ""
    used: float = 0.0


@dataclass(frozen=True)
class _Ramp:
    begin: float
    seconds: float
    start: tuple[float, ...]
    end: tuple[float, ...]


def _slots(keys: Sequence[str], count: int) -> list[Slot]:
    return [Slot(key, READY) for key in keys] + [Slot() for _ in range(count - len(keys))]


class SlotPolicy:
    """See the module.

    Args:
        keys: of the styles in the first slots
        slots: number of slots
        get, put: read and write the weight of a slot
    """

    def __init__(
        self,
        keys: Sequence[str],
        slots: int,
        *,
        get: Callable[[int], float],
        put: Callable[[int, float], None],
    ) -> None:
        self.slots = _slots(keys, slots)
        self._get = get
        self._put = put
        self._wish: dict[str, float] = {}
        self._seconds = 0.0
        self._ramp: _Ramp | None = None
        # Whether the weights are on their way to all that is wanted, and not only to a part of it.
        self._whole = False

    def restart(self, keys: Sequence[str]) -> None:
        """Note that only `keys` are left, in the first slots; all styles from before are wanted again, as loud."""
        wish = self._wish or {
            key: self.weight(place)
            for place, slot in enumerate(self.slots)
            if (key := slot.coming or slot.key)
        }
        self.slots = _slots(keys, len(self.slots))
        self._ramp = None
        # If none has any weight, all get the same.
        self.want(wish if any(wish.values()) else dict.fromkeys(wish, 1.0), self._seconds)

    @property
    def busy(self) -> bool:
        """Whether anything is still to be done."""
        loading = any(slot.state == LOADING for slot in self.slots)
        return bool(self._wish) or self._ramp is not None or loading

    @property
    def wished(self) -> tuple[str, ...]:
        """The wanted weights that have not been reached yet."""
        return tuple(self._wish)

    def weight(self, place: int) -> float:
        """Return the audible weight of a slot."""
        return self._get(place) if self.slots[place].state == READY else 0.0

    def holds(self, key: str) -> int | None:
        """Return the slot that has a style, or soon will; None if there is none."""
        for place, slot in enumerate(self.slots):
            if key in ((slot.coming,) if slot.state == LOADING else (slot.key,)):
                return place
        return None

    def want(self, weights: Mapping[str, float], seconds: float) -> None:
        """Want these styles, at most as many as there are slots, with these weights, and no others."""
        self._wish = dict(weights)
        self._seconds = seconds
        self._whole = False
        # No weight at all is as good as all of them: the sound stays, and there is something to go from.
        ready = [place for place, slot in enumerate(self.slots) if slot.state == READY]
        if not any(self._get(place) for place in ready):
            for place in ready:
                self._put(place, 1.0)

    def forget(self, key: str) -> None:
        """Drop a style that cannot be loaded from the wanted ones."""
        self._wish.pop(key, None)

    def free(self) -> int | None:
        """Return a slot for loading, an empty one or the one silent for longest; None if there is none."""
        end = self._ramp.end if self._ramp is not None else (0.0,) * len(self.slots)
        found = [
            place
            for place, slot in enumerate(self.slots)
            if slot.state != LOADING
            and slot.key not in self._wish
            and self.weight(place) == 0.0
            and end[place] == 0.0
        ]
        return min(
            found, key=lambda place: (self.slots[place].state != EMPTY, self.slots[place].used), default=None
        )

    def begin(self, place: int, key: str) -> None:
        """Note that a style is being loaded to a slot, which falls silent."""
        slot = self.slots[place]
        slot.state, slot.coming = LOADING, key
        self._put(place, 0.0)

    def loaded(self, place: int, serial: int) -> None:
        """Note that the style has been loaded."""
        slot = self.slots[place]
        slot.key, slot.coming, slot.state, slot.serial = slot.coming, "", READY, serial

    def failed(self, place: int, *, emptied: bool = False) -> None:
        """Note that loading failed; the style before is still in the slot, unless that has been emptied already."""
        slot = self.slots[place]
        self.forget(slot.coming)
        if emptied:
            slot.key, slot.serial = "", 0
        slot.coming, slot.state = "", READY if slot.key else EMPTY

    def step(self, now: float) -> tuple[int, str] | None:
        """Move the weights; return a slot and the key of a style to load there, if there is one.

        Args:
            now: time, seconds
        """
        self._move(now)
        for place, slot in enumerate(self.slots):
            if self.weight(place) > 0.0:
                slot.used = now
            elif slot.state == LOADING and self._get(place) != 0.0:
                # Somebody turned this knob meanwhile; the slot would never fall silent.
                self._put(place, 0.0)
        if not self._wish:
            return None
        missing = [key for key in self._wish if self.holds(key) is None]
        if missing:
            found = self.free()
            if found is not None:
                return found, missing[0]
            if self._ramp is None:
                self._make_room(now)
        elif not self._whole and all(self._ready(key) for key in self._wish):
            self._whole = True
            self._go(self._wish, now)
            self._move(now)
        return None

    def arrived(self) -> tuple[str, ...]:
        """Return the wanted styles once the weights have arrived, and only once; before that, nothing."""
        if not self._whole or self._ramp is not None:
            return ()
        wish, self._wish = self._wish, {}
        self._whole = False
        return tuple(wish)

    def _ready(self, key: str) -> bool:
        place = self.holds(key)
        return place is not None and self.slots[place].state == READY

    def _make_room(self, now: float) -> None:
        """Silence a slot that is not wanted, but never the last one that sounds."""
        heard = [place for place in range(len(self.slots)) if self.weight(place) > 0.0]
        spare = [place for place in heard if self.slots[place].key not in self._wish]
        if not spare:
            return
        if len(heard) > 1:
            self._put(min(spare, key=self.weight), 0.0)
            return
        part = {key: weight for key, weight in self._wish.items() if self._ready(key) and weight > 0.0}
        if part:
            self._go(part, now)

    def _go(self, wish: Mapping[str, float], now: float) -> None:
        end = tuple(wish.get(slot.key, 0.0) if slot.state == READY else 0.0 for slot in self.slots)
        start = tuple(self.weight(place) for place in range(len(self.slots)))
        self._ramp = _Ramp(now, self._seconds, start, end)

    def _move(self, now: float) -> None:
        ramp = self._ramp
        if ramp is None:
            return
        way = 1.0 if ramp.seconds <= 0.0 else min(1.0, (now - ramp.begin) / ramp.seconds)
        for place, (start, end) in enumerate(zip(ramp.start, ramp.end, strict=True)):
            # At its end the weight is exactly what was wanted.
            value = end if way >= 1.0 else start + (end - start) * way
            if value != self._get(place):
                self._put(place, value)
        if way >= 1.0:
            self._ramp = None
