"""The streaming stylizer: plays what is fed to it in the style of up to four clips, a few milliseconds later."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...media.errors import InputError
from ..style import Style
from .core import StylizerCore
from .prepared_style import MOST_PLACES, Layout, live_style
from .slots import Bytes, SlotWriter, most_bytes, most_samples, pack
from .state import core_state, restore_core
from .stylizer_settings import MAX_ITERATIONS, PHASES, StylizerSettings, stylizer_layout

__all__ = ["MAX_ITERATIONS", "MAX_STYLES", "PHASES", "Stylizer", "StylizerSettings"]

MAX_STYLES = 4
_MOST_AUTOMATIC = 8
# Knobs move from end to end in this time, so that none is heard as a step.
_RAMP_SECONDS = 0.03
# Automatic iterations keep a hop's work between these shares of its time.
_IDLE, _BUSY = 0.25, 0.4
_RAMPED = ("strength", "mix", "detail")
_DEFAULTS = {
    "strength": 1.0,
    "mix": 1.0,
    "detail": 1.0,
    "adapt": 8.0,
    "freeze": 0.0,
    "soundcheck": 0.0,
    **{f"style_{number + 1}": 1.0 for number in range(MAX_STYLES)},
    "gate": 6.0,
}


class Stylizer:
    """Style transfer on a stream; the same samples come out whatever blocks the stream is fed in.

    Args:
        styles: one to four
        sample_rate: Hz, any; styles made at another rate are computed again from their clips
        channels: of what is fed; all share one spectrum and keep their balance
        settings: see `StylizerSettings`
        slots: how many styles there can be; each slot then has room for a clip of 30 s, and its style can be
            replaced. None is for these styles and no others, and takes only the memory that they need

    Raises:
        InputError: No style or too many, or a hop that does not fit the window.
    """

    def __init__(
        self,
        styles: Sequence[Style],
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
        self._slots = slots or len(styles)
        self._filled = [False] * self._slots
        self._hop_seconds = layout.hop / sample_rate
        self._automatic = settings.iterations is None
        self._iterations = settings.iterations or 0
        self._first_iterations = self._iterations
        # Tensors made in inference mode are spared all bookkeeping for gradients: a sixth of a hop's time.
        with torch.inference_mode():
            made = [live_style(style, layout) for style in styles]
            places, samples = MOST_PLACES, most_samples(sample_rate)
            if slots is None:
                places = max(style.places.shape[0] for style in made)
                samples = max(style.clip.shape[0] for style in made)
            self._core = _compiled(
                StylizerCore(
                    layout,
                    channels=channels,
                    carrier=PHASES.index(settings.phase),
                    slots=self._slots,
                    places=places,
                    samples=samples,
                )
            )
        self._writer = SlotWriter(self._core, layout)
        self._replacing: int | None = None
        self._knobs = dict(_DEFAULTS)
        self._now = {name: self._knobs[name] for name in _RAMPED}
        self._weights = [0.0] * self._slots
        most = most_bytes(layout.bins, layout.basis.shape[1], len(layout.lags), max(samples, layout.n_fft))
        for slot, style in enumerate(made):
            packed = pack(style, layout, most=most)
            # TorchScript compiles what it runs in the first two runs; no later one shall take longer than another.
            for _ in range(3):
                self.replace(slot, packed)
        self._step = self._hop_seconds / _RAMP_SECONDS
        self._in = np.zeros((channels, self.hop), dtype=np.float32)
        self._out = np.zeros((channels, self.hop), dtype=np.float32)
        self._warm_up()
        self.reset()

    @property
    def limiter_active(self) -> bool:
        """Whether the limiter held the wet signal in the last hop."""
        return bool(self._core.output.limited)

    def set(self, name: str, value: float) -> None:
        """Turn a knob; heard from the next hop on, and ramped.

        Args:
            name: strength, mix, detail (0 to 1); adapt (time constant of what is learnt, 0.5 to 60 s); freeze (not 0:
                learn nothing); soundcheck (not 0: learn afresh, all counting alike, and measure the room; back at 0:
                hold what was learnt, until the next one or, but for the room, until freeze is turned on and off);
                style_1 to style_4 (weights, 0 to 1); gate (dB above the room's noise at which sound passes; 0 lets
                all pass)
            value: within those ranges

        Raises:
            KeyError: There is no such knob.
        """
        if name not in self._knobs:
            raise KeyError(name)
        before, self._knobs[name] = self._knobs[name], float(value)
        if name == "soundcheck" and (before == 0.0) != (value == 0.0):
            self._held = value == 0.0
            if value != 0.0:
                self._core.seconds = 0.5
                self._core.loudness.heard = 0.0
                self._core.loudness.gate.forget_room()
        elif name == "freeze" and value == 0.0 and before != 0.0:
            self._held = False

    def reset(self) -> None:
        """Forget all sound and all that was learnt; knobs stand where they were set."""
        self._now = {name: self._knobs[name] for name in _RAMPED}
        self._held = False
        self._iterations = self._first_iterations
        self._filling = 0
        self._in.fill(0.0)
        self._out.fill(0.0)
        with torch.inference_mode():
            self._weights = self._wanted_weights()
            self._core.mix_styles(torch.tensor(self._weights))
            self._core.reset()
            self._core.output.wet = self._now["mix"] * min(1.0, self._now["strength"] * 20.0)

    def feed(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and give [channels, n] samples, n at least 1; the output is `latency_samples` late.

        The array that is returned is the caller's. Samples must be finite.
        """
        out = np.empty_like(block, dtype=np.float32)
        done, count = 0, block.shape[-1]
        while done < count:
            # Of the hop computed last, all but the first sample go out while the next one fills.
            take = min(count - done, self.hop - self._filling)
            self._in[:, self._filling : self._filling + take] = block[:, done : done + take]
            complete = self._filling + take == self.hop
            ready = take - 1 if complete else take
            first = self._filling + 1
            out[:, done : done + ready] = self._out[:, first : first + ready]
            self._filling += take
            if complete:
                self._hop()
                self._filling = 0
                out[:, done + ready] = self._out[:, 0]
            done += take
        return out

    def flush(self) -> NDArray[np.float32]:
        """Return the tail [channels, latency_samples]: what is still under way when the input has ended."""
        return self.feed(np.zeros((self._in.shape[0], self.latency_samples), dtype=np.float32))

    def _hop(self) -> None:
        for name in _RAMPED:
            gap = self._knobs[name] - self._now[name]
            # The last bit of a ramp is taken whole, so that a knob at its end is exactly there.
            self._now[name] = (
                self._knobs[name]
                if abs(gap) <= self._step
                else self._now[name] + (self._step if gap > 0 else -self._step)
            )
        with torch.inference_mode():
            self._mix_styles()
            self._core.loudness.gate.measuring = self._knobs["soundcheck"] != 0.0
            begin = time.perf_counter() if self._automatic else 0.0
            out = self._core(
                torch.from_numpy(self._in),
                self._now["strength"],
                self._now["mix"],
                self._now["detail"],
                self._rate(),
                self._iterations,
                self._knobs["gate"],
            )
            self._out[:] = out.numpy()
        if self._automatic:
            share = (time.perf_counter() - begin) / self._hop_seconds
            if share < _IDLE:
                self._iterations = min(_MOST_AUTOMATIC, self._iterations + 1)
            elif share > _BUSY:
                self._iterations = max(0, self._iterations - 1)

    def _rate(self) -> float:
        """Share by which running statistics move in one hop."""
        if self._knobs["soundcheck"] != 0.0:
            return 1e-6
        if self._knobs["freeze"] != 0.0 or self._held:
            return 0.0
        return min(1.0, self._hop_seconds / max(self._knobs["adapt"], 0.1))

    def _wanted_weights(self) -> list[float]:
        return [
            self._knobs[f"style_{slot + 1}"] if filled else 0.0 for slot, filled in enumerate(self._filled)
        ]

    def _mix_styles(self) -> None:
        wanted = self._wanted_weights()
        if wanted != self._weights:
            self._weights = [
                have + min(self._step, max(-self._step, want - have))
                for have, want in zip(self._weights, wanted, strict=True)
            ]
            self._core.mix_styles(torch.tensor(self._weights))

    @property
    def layout(self) -> Layout:
        """How sound becomes frames; a style that is packed for a slot must be made for the same."""
        return self._layout

    @property
    def filled(self) -> tuple[bool, ...]:
        """Which slots have a style."""
        return tuple(self._filled)

    def begin(self, slot: int, packed: Bytes) -> bool:
        """Empty a slot; see `models.live.slots.StyleSlots`."""
        if self._core.share(slot) > 0.0:
            return False
        self._empty(slot, packed)
        return True

    def _empty(self, slot: int, packed: Bytes) -> None:
        with torch.inference_mode():
            heard = self._core.share(slot) > 0.0
            self._writer.begin(slot, packed)
            self._replacing = slot
            self._filled[slot] = False
            self._weights[slot] = 0.0
            if heard:
                self._core.mix_styles(torch.tensor(self._weights))

    def step(self) -> bool:
        """Write the next piece to a slot; see `models.live.slots.StyleSlots`."""
        with torch.inference_mode():
            done = self._writer.step()
            if done and self._replacing is not None:
                self._filled[self._replacing] = True
                self._replacing = None
                # Where nothing has any weight, it is one of those that are heard alike.
                if not any(self._weights):
                    self._core.mix_styles(torch.tensor(self._weights))
        return done

    def replace(self, slot: int, packed: Bytes) -> None:
        """Write a whole style to a slot; see `models.live.slots.StyleSlots`."""
        self._empty(slot, packed)
        while not self.step():
            pass

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all that is kept from hop to hop, knobs and weights included, but not the styles."""
        numbers = [
            *self._knobs.values(),
            *self._now.values(),
            *self._weights,
            *self._filled,
            self._held,
            self._iterations,
            self._filling,
        ]
        own: dict[str, NDArray[Any]] = {
            "in": self._in.copy(),
            "out": self._out.copy(),
            "numbers": np.array(numbers, dtype=np.float64),
        }
        with torch.inference_mode():
            return own | core_state(self._core)

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of a stylizer that was made in the same way, with the same styles in the same slots.

        Raises:
            KeyError, ValueError: It is that of something else, or other slots were filled.
        """
        written = state["numbers"].tolist()
        if len(written) == len(self._knobs) + len(self._now) + 2 * self._slots + 2:
            # The first takes knew no gate, the last of the knobs.
            written.insert(len(self._knobs) - 1, self._knobs["gate"])
        numbers = iter(written)
        knobs = {name: next(numbers) for name in self._knobs}
        now = {name: next(numbers) for name in self._now}
        weights = [next(numbers) for _ in self._weights]
        if [bool(next(numbers)) for _ in self._filled] != self._filled:
            raise ValueError("other slots were filled")
        held, iterations, filling = numbers
        if state["in"].shape != self._in.shape or state["out"].shape != self._out.shape:
            raise ValueError("there were other channels, or another hop")
        with torch.inference_mode():
            restore_core(self._core, state, torch.tensor(weights))
        self._in[:], self._out[:] = state["in"], state["out"]
        self._knobs, self._now, self._weights = knobs, now, weights
        self._held, self._iterations, self._filling = bool(held), int(iterations), int(filling)

    def _warm_up(self) -> None:
        """Run some hops of noise, so that the first one that is heard takes no longer than any other."""
        rng = np.random.default_rng(0)
        for _ in range(int(self._core.solve_every) + 4):
            self._in[:] = 0.1 * rng.standard_normal(self._in.shape, dtype=np.float32)
            self._held = False
            with torch.inference_mode():
                self._core.mix_styles(torch.from_numpy(rng.random(self._slots, dtype=np.float32)))
            self._hop()


def _compiled(core: StylizerCore) -> Any:
    with warnings.catch_warnings():
        # TorchScript is what nn~ and other hosts load; that PyTorch itself now prefers others is no news to the user.
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(core.eval())
