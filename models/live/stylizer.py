"""The streaming stylizer: plays what is fed to it in the style of up to four clips, a few milliseconds later."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...media.errors import InputError
from ..style import Clip
from .core import Core
from .core_memory import DEFAULTS, MAX_STYLES, RAMPED
from .memory import Bytes
from .noise_gate import forget_room
from .prepared_style import Layout, live_style
from .slots import most_bytes, most_samples, pack, put
from .stylizer_settings import MAX_ITERATIONS, PHASES, StylizerSettings, stylizer_layout

__all__ = ["MAX_ITERATIONS", "MAX_STYLES", "PHASES", "Stylizer", "StylizerSettings"]

_MOST_AUTOMATIC = 8
# Automatic iterations keep a hop's work between these shares of its time.
_IDLE, _BUSY = 0.25, 0.4


class Stylizer:
    """Style transfer on a stream; the same samples come out whatever blocks the stream is fed in.

    Args:
        styles: one to four
        sample_rate: Hz, any; styles made at another rate are computed again from their clips
        channels: of what is fed; all share one spectrum and keep their balance
        settings: see `StylizerSettings`
        slots: how many styles there can be; None is for these and no others

    Raises:
        InputError: No style or too many, or a hop that does not fit the window.
    """

    def __init__(
        self,
        styles: Sequence[Clip],
        *,
        sample_rate: int,
        channels: int,
        settings: StylizerSettings | None = None,
        slots: int | None = None,
    ) -> None:
        settings = settings or StylizerSettings()
        if not 1 <= len(styles) <= MAX_STYLES:
            raise InputError(f"{len(styles)} styles cannot be played at once; give 1 to {MAX_STYLES}")
        layout = stylizer_layout(sample_rate, settings)
        self.hop = layout.hop
        self.latency_samples = layout.pair.latency
        self._layout = layout
        self._hop_seconds = layout.hop / sample_rate
        self._automatic = settings.iterations is None
        self._first_iterations = settings.iterations or 0
        self._core = Core(
            layout, channels=channels, carrier=PHASES.index(settings.phase), slots=slots or len(styles)
        )
        self._now = self._core.kept.now
        for name, value in DEFAULTS.items():
            self._now[_cell(name)] = value
        most = most_bytes(layout, max(most_samples(sample_rate), layout.n_fft))
        for slot, style in enumerate(styles):
            self.open(slot, pack(live_style(style, layout), layout, most=most))
        self._warm_up()
        self.reset()

    @property
    def limiter_active(self) -> bool:
        """Whether the limiter held the wet signal in the last hop."""
        return bool(self._now["limited"][0])

    def set(self, name: str, value: float) -> None:
        """Turn a knob; heard from the next hop on, and ramped.

        Args:
            name: strength, mix, notes (0 to 1); adapt (time constant of what is learnt, 0.5 to 60 s); freeze (not 0:
                learn nothing); soundcheck (not 0: learn afresh, all counting alike, and measure the room; back at 0:
                hold what was learnt, until the next one or, but for the room, until freeze is turned on and off);
                style_1 to style_4 (weights, 0 to 1); gate (dB above the room's noise at which sound passes; 0 lets
                all pass)
            value: within those ranges

        Raises:
            KeyError: There is no such knob.
        """
        if name not in DEFAULTS:
            raise KeyError(name)
        now = self._now
        before = float(now[_cell(name)][0])
        now[_cell(name)] = value
        if name == "soundcheck" and (before == 0.0) != (value == 0.0):
            now["held"] = value == 0.0
            if value != 0.0:
                now["seconds"] = 0.5
                now["heard"] = 0.0
                forget_room(now)
        elif name == "freeze" and value == 0.0 and before != 0.0:
            now["held"] = 0

    def reset(self) -> None:
        """Forget all sound and all that was learnt; knobs stand where they were set."""
        now, kept = self._now, self._core.kept
        for name in RAMPED:
            now[name] = now[_cell(name)]
        for slot in range(kept.weights.size):
            kept.weights[slot] = now[f"style_{slot + 1}"][0] if kept.filled[slot] else 0.0
        self._core.mix()
        self._core.reset()
        now["iterations"] = self._first_iterations
        now["wet"] = now["mix"] * np.minimum(1.0, now["strength"] * 20.0)

    def feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and give [channels, n] samples, n at least 1; the output is `latency_samples` late.

        The array that is returned is the caller's. Samples must be finite.
        """
        out = np.empty_like(block, dtype=np.float32)
        kept, hop = self._core.kept, self.hop
        filling = int(self._now["filling"][0])
        done, count = 0, block.shape[-1]
        while done < count:
            # Of the hop computed last, all but the first sample go out while the next one fills.
            take = min(count - done, hop - filling)
            kept.input[:, filling : filling + take] = block[:, done : done + take]
            complete = filling + take == hop
            ready = take - 1 if complete else take
            out[:, done : done + ready] = kept.output[:, filling + 1 : filling + 1 + ready]
            filling += take
            if complete:
                self._hop()
                filling = 0
                out[:, done + ready] = kept.output[:, 0]
            done += take
        self._now["filling"] = filling
        return out

    def flush(self) -> NDArray[np.float32]:
        """Return the tail [channels, latency_samples]: what is still under way when the input has ended."""
        return self.feed(np.zeros((self._core.kept.input.shape[0], self.latency_samples), dtype=np.float32))

    def _hop(self) -> None:
        begin = time.perf_counter() if self._automatic else 0.0
        self._core.step()
        if self._automatic:
            share = (time.perf_counter() - begin) / self._hop_seconds
            now = self._now
            if share < _IDLE:
                now["iterations"] = np.minimum(_MOST_AUTOMATIC, now["iterations"] + 1)
            elif share > _BUSY:
                now["iterations"] = np.maximum(0, now["iterations"] - 1)

    @property
    def layout(self) -> Layout:
        """How sound becomes frames; a style that is packed for a slot must be made for the same."""
        return self._layout

    @property
    def filled(self) -> tuple[bool, ...]:
        """Which slots have a style."""
        return tuple(bool(one) for one in self._core.kept.filled)

    def close(self, slot: int, *, heard: bool = False) -> bool:
        """Empty a slot; see `models.live.slots.StyleSlots`."""
        if self._core.kept.shares[slot] > 0.0 and not heard:
            return False
        self._core.close_slot(slot)
        return True

    def open(self, slot: int, packed: Bytes) -> None:
        """Put a style into a slot; see `models.live.slots.StyleSlots`."""
        heard = self._core.kept.shares[slot] > 0.0
        put(self._core, slot, packed)
        # Where nothing has any weight, it is one of those that are heard alike.
        if heard or not self._core.kept.weights.any():
            self._core.mix()

    def state(self) -> dict[str, NDArray[Any]]:
        """Return a copy of all that is kept from hop to hop, knobs and weights included, but not the styles."""
        return {"core": self._core.state()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of a stylizer that was made in the same way, with the same styles in the same slots.

        Raises:
            KeyError, ValueError: It is that of something else, or other slots were filled.
        """
        self._core.restore(state)

    def _warm_up(self) -> None:
        """Run some hops of noise, so that the first one that is heard takes no longer than any other."""
        rng = np.random.default_rng(0)
        kept = self._core.kept
        for _ in range(self._core.solve_every + 4):
            kept.input[:] = 0.1 * rng.standard_normal(kept.input.shape, dtype=np.float32)
            kept.weights[:] = rng.random(kept.weights.size)
            self._core.mix()
            self._hop()


def _cell(knob: str) -> str:
    """Return where a knob stands among the core's numbers."""
    return f"{knob}_set" if knob in RAMPED else knob
