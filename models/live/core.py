"""The streaming stylizer's core: its memory, and the hop that works on it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .band_map import solve_map, solve_wide_map
from .carrier import INPUT, NOISE, STYLE, noise_clip
from .core_memory import MAX_ITERATIONS, Kept, Work, fingerprint, made_of, sizes_of
from .first_state import is_first_state, put_first_state
from .hop import DUE, SOLVE, hop, memory_of
from .loudness import loudness_weights, reset_loudness
from .memory import Bytes, fields_of, new_memory, table_of
from .mixture import mix_styles, take_note
from .notes import SILENT_DB
from .prepared_style import WIDE, Layout
from .quantiles import forget_quantiles
from .style_bank import StoredStyle, new_bank

__all__ = ["INPUT", "NOISE", "STYLE", "Core", "map_thread"]

_Floats = NDArray[np.float32]


class Core:
    """Plays one hop after the other; see models.live.hop.

    Args:
        layout: of the styles
        channels: of the input
        carrier: whose phase is taken, see `models.live.carrier`
        slots: how many styles can be mixed; they are empty at first

    Attributes:
        kept: what is kept from hop to hop
        sizes: in the shapes of views, see `models.live.core_memory`
        styles: what is, or was last, in each slot
    """

    def __init__(self, layout: Layout, *, channels: int, carrier: int, slots: int) -> None:
        self.layout = layout
        self.sizes = sizes_of(layout, channels=channels, slots=slots, places=1, samples=layout.n_fft)
        fields = fields_of(Kept, self.sizes)
        self._kept, kept = new_memory(fields)
        self._fingerprint = fingerprint(fields)
        self.kept, self._work = Kept(**kept), Work(**new_memory(fields_of(Work, self.sizes))[1])
        self._bank = new_bank(slots)
        silent = StoredStyle(**new_memory(fields_of(StoredStyle, self.sizes))[1])
        self.styles = [silent] * slots
        self._bank.styles[:] = table_of(silent)
        noise = noise_clip() if carrier == NOISE else np.zeros((1, 1), dtype=np.float32)
        weights = loudness_weights(layout, channels)
        self._made = made_of(layout, weights=weights, noise=noise, carrier=carrier)
        self._memory = memory_of(self.kept, self._made, self._bank, self._work)
        self._job: Future[tuple[_Floats, _Floats]] | None = None
        self._due = False
        self._bank.slots["stride"] = layout.hop

    @property
    def solve_every(self) -> int:
        """Hops from one map to the next."""
        return int(self._made.plan["solve_every"][0])

    def step(self) -> None:
        """Play the hop that is in `kept.input`; the output is in `kept.output`."""
        if self._due:
            self._take_up()
        wanted = hop(self._memory)
        if wanted == SOLVE:
            # Aside: it takes longer than a hop may, and does not need Python's lock.
            style = self.styles[int(self.kept.now["solving"][0])]
            self._job = map_thread().submit(
                _solved, self.kept.snapshot.copy(), self.kept.wide_snapshot.copy(), style
            )
        self._due = wanted == DUE

    def _take_up(self) -> None:
        job, self._job = self._job, None
        if job is not None and job.done():
            solved = job.result()
        else:
            # Nobody is waited for: it is the same map whoever solves it.
            style = self.styles[int(self.kept.now["solving"][0])]
            solved = _solved(self.kept.snapshot, self.kept.wide_snapshot, style)
        self._work.solved[:], self._work.wide_solved[:] = solved

    def mix(self) -> None:
        """Take up weights that have been written to `kept.weights`."""
        mix_styles(self.kept, self._bank)

    def close_slot(self, slot: int) -> None:
        """Take a style out of the mixture. Whoever calls this of one that is heard mixes again."""
        self._bank.slots["filled"][slot] = 0
        self.kept.filled[slot] = 0
        self.kept.weights[slot] = self.kept.shares[slot] = self.kept.known[slot] = 0.0
        if self.kept.now["solving"][0] == slot:
            self.kept.now["solving"] = -1
            self._job, self._due = None, False

    def open_slot(self, slot: int, style: StoredStyle, *, top: float, stride: int) -> None:
        """Put a style into a slot that is closed.

        Args:
            slot: which
            style: stays as it is for as long as it is there
            top: largest eigenvalue of its covariance
            stride: samples from one place of its clip to the next
        """
        self._bank.styles[slot] = table_of(style)
        self.styles[slot] = style
        self._bank.slots[slot] = (1, top, style.places.shape[1], stride, style.clip.shape[0])
        self.kept.filled[slot] = 1
        self.kept.stale[slot] = 1

    def reset(self) -> None:
        """Forget all sound. The input is expected to be like the style until it has been heard."""
        kept, now = self.kept, self.kept.now
        for array in (
            kept.input,
            kept.output,
            kept.frames,
            kept.newest,
            kept.past,
            kept.sum,
            kept.rumble,
            kept.offset,
            kept.wide_past,
            kept.ring,
            kept.voiced,
        ):
            array.fill(0.0)
        reset_loudness(now)
        # The first block is the covariance; it is symmetric.
        kept.covariance[:] = kept.style_lagged[: self.layout.bands]
        kept.variance[:] = np.square(kept.style_rest)
        kept.gram[:] = kept.style_lagged
        forget_quantiles(kept.quantiles, kept.widths, kept.style_quantiles, 1.0)
        kept.means[:] = kept.style_mean
        kept.map[:] = np.eye(self.layout.bands)
        kept.maps[:] = np.eye(self.layout.bands)
        kept.rest_gain.fill(1.0)
        kept.wide_covariance[:WIDE] = kept.style_wide_lagged[:WIDE]
        kept.wide_covariance[WIDE] = np.square(np.expm1(kept.style_wide_mean))
        kept.wide_gram[:] = kept.style_wide_lagged
        forget_quantiles(kept.wide_quantiles, kept.wide_widths, kept.style_wide_quantiles, 1.0)
        kept.wide_means[:] = kept.style_wide_mean
        kept.wide_map[:] = np.eye(WIDE)
        kept.wide_maps[:] = np.eye(WIDE)
        kept.floors.fill(SILENT_DB)
        kept.stale.fill(0)
        heard = np.flatnonzero(kept.shares)
        now["slot"] = heard[0] if heard.size else 0
        # The first map is solved at the first hop of all, when nothing is known yet.
        now["turn"] = kept.shares.size - 1
        for name in (
            "filling",
            "held",
            "count",
            "place",
            "past_place",
            "emitted",
            "reduction",
            "limited",
            "learnt",
        ):
            now[name] = 0
        now["seconds"], now["solving"], now["taken_at"], now["voiced_by"] = 0.5, -1, 0, -1
        self._job, self._due = None, False
        take_note(kept, 1.0)

    def state(self) -> Bytes:
        """Return a copy of all that is kept."""
        return np.concatenate([np.array([self._fingerprint]).view(np.uint8), self._kept])

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of a core that was made in the same way, with the same styles in the same slots.

        From states of before the core was compiled the sound goes on as well, but not bit for bit.

        Raises:
            KeyError, ValueError: it is that of something else, or other slots were filled; then nothing has changed
        """
        before = self._kept.copy()
        filled = self.kept.filled.copy()
        try:
            if is_first_state(state):
                put_first_state(self.kept, state)
            else:
                self._put(state["core"])
            if not np.array_equal(self.kept.filled, filled):
                raise ValueError("other slots were filled")
            if not self._sound():
                raise ValueError("it is damaged")
        except (KeyError, ValueError):
            self._kept[:] = before
            raise
        now = self.kept.now
        if is_first_state(state):
            reference = {name: getattr(self.kept, name).copy() for name in ("map", "rest_gain")}
            self.mix()
            for name, array in reference.items():
                getattr(self.kept, name)[:] = array
        self._job = None
        self._due = bool(now["solving"][0] >= 0 and now["count"][0] == now["taken_at"][0])

    def _put(self, state: NDArray[Any]) -> None:
        if state.dtype != np.uint8 or state.size != self._kept.size + 8:
            raise ValueError("it is of another version, or there were other channels or slots")
        if int(state[:8].view(np.int64)[0]) != self._fingerprint:
            raise ValueError("it is of another version")
        self._kept[:] = state[8:]

    def _sound(self) -> bool:
        """Whether no number of the state leads out of the memory."""
        now, slots = self.kept.now[0], self.kept.filled.size
        slot, solving = int(now["slot"]), int(now["solving"])
        return (
            0 <= slot < slots
            and -1 <= solving < slots
            and 0 <= int(now["turn"]) < slots
            and 0 <= int(now["filling"]) < self.layout.hop
            and 0 <= int(now["place"]) < 2**32
            and 0 <= int(now["past_place"]) < 2**22
            and 0 <= int(now["count"]) < 2**53
            and (solving < 0 or 0 <= int(now["taken_at"]) - int(now["count"]) < self.solve_every)
            and 0 <= int(now["iterations"]) <= MAX_ITERATIONS
        )


@lru_cache(maxsize=1)
def map_thread() -> ThreadPoolExecutor:
    """Return the one thread of this process that solves maps."""
    return ThreadPoolExecutor(1, thread_name_prefix="gramophone map")


def _solved(covariance: _Floats, wide_covariance: _Floats, style: StoredStyle) -> tuple[_Floats, _Floats]:
    solved, wide = np.empty_like(covariance), np.empty_like(wide_covariance[:-1])
    solve_map(covariance, style.root, solved)
    solve_wide_map(wide_covariance, style.wide_root, style.wide_power, wide)
    return solved, wide
