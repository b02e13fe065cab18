"""The output while the device moves at the worst moments, and the gate. Whole engines are in test_deadlines.py."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.dsp.history import History
from gramophone.realtime.audio.output_scheduler import OutputScheduler
from gramophone.realtime.audio.rings import InputRing, OutputRing
from tests.sounds import steepest

RATE = 48_000
PERIOD, BUFFER, ALGORITHMIC = 128, 256, 512
DELAY = BUFFER + ALGORITHMIC
SOUND = (0.5 * np.sin(2 * np.pi * 440 * np.arange(56 * PERIOD) / RATE))[None].astype(np.float32)
DRY = np.pad(SOUND, ((0, 0), (DELAY, 0)))
WET = np.float32(-0.5)
# What the sine has, and what a join of 3 ms and a crossfade of 5 add where wet is turned round.
STEEPEST = 0.5 * 2 * np.pi * 440 / RATE + 0.75 * np.pi / 2 * (1 / 144 + 1 / 240)
# And the fade of the gate, 10 ms.
GATED = STEEPEST + 0.5 / 480
MOVES = st.sampled_from([0, 0, 0, 1, 2, 3, 9])


class Trial:
    """A device that plays the sound, and an engine that turns it round and halves it.

    The device takes a block when the engine waits for it, and as many as `moves` says whenever the engine looks at
    the clock.
    """

    def __init__(self, *, moves: Iterable[int] = (), muted: bool = False) -> None:
        self.input, self.output = InputRing(16_384, 1), OutputRing(16_384, 1)
        self.moves = iter(moves)
        self._still = False
        self.dry = History(32_768, 1)
        self.scheduler = OutputScheduler(
            self.output,
            self.dry,
            self._clock,
            algorithmic=ALGORITHMIC,
            buffer=BUFFER,
            period=PERIOD,
            start=0,
            sample_rate=RATE,
            muted=muted,
        )
        self.fed = 0
        self._heard: list[np.ndarray] = []
        #: by first frame, what the engine took to be heard
        self.placed: dict[int, np.ndarray] = {}

    @property
    def heard(self) -> np.ndarray:
        return np.concatenate(self._heard)[None]

    def move(self) -> None:
        at = self.input.position
        if at < SOUND.shape[1]:
            assert self.input.buffer.write(np.ascontiguousarray(SOUND[0, at : at + PERIOD])) == PERIOD
            out = np.zeros(PERIOD, dtype=np.float32)
            self.output.buffer.readinto(out)
            self._heard.append(out)

    def _clock(self) -> int:
        for _ in range(0 if self._still else next(self.moves, 0)):
            self.move()
        self._still = False
        return self.input.position

    def block(self, *, fails: bool = False, opened: bool | None = None) -> bool:
        """Let the engine do what it does with one block of the chain, and with the gate; False at the end."""
        waited = self.input.position == self.fed
        if waited:
            self.move()
        count = self.input.position - self.dry.position
        if count:
            rows = np.arange(self.dry.position, self.dry.position + count) % self.input.frames
            self.dry.push(np.ascontiguousarray(self.input.memory[rows].T))
            self.input.advance(count)
        if self.fed == self.dry.position:
            return False
        if opened is not None:
            self.scheduler.open_gate(opened=opened)
            # What was decided then is written at once: nothing asks again where the device is.
            self._still = True
        self.scheduler.lay(self.output.position, waited=waited)
        wet = None if fails else WET * self.dry.get(self.fed - ALGORITHMIC, self.fed - ALGORITHMIC + PERIOD)
        self.fed += PERIOD
        heard = self.scheduler.place(wet, PERIOD)
        self.placed[self.fed + BUFFER - heard.shape[1]] = heard
        return True


@settings(max_examples=60)
@given(moves=st.lists(MOVES, max_size=150))
def test_the_device_may_move_at_every_look_at_the_clock(moves: list[int]) -> None:
    trial = Trial(moves=moves)
    while trial.block():
        pass
    heard = trial.heard
    assert heard.shape == SOUND.shape
    assert steepest(heard) < STEEPEST
    # Wet or the delayed dry sound, or on the way between them.
    bound = np.abs(DRY[:, : heard.shape[1]])
    if not trial.scheduler.ring_empty:
        assert (np.abs(heard) <= np.maximum(bound, 0.25) + 1e-6).all()
    if not trial.scheduler.deadlines_missed:
        for start, block in trial.placed.items():
            block = block[:, : max(0, heard.shape[1] - start)]
            np.testing.assert_array_equal(heard[:, start : start + block.shape[1]], block)
    if not any(moves):
        assert trial.scheduler.deadlines_missed == trial.scheduler.ring_empty == 0
        np.testing.assert_allclose(heard, WET * DRY[:, : heard.shape[1]], atol=1e-6)


# The engine looks in laying, in placing, before it writes, and after.
@pytest.mark.parametrize("look", [0, 1, 2, 3])
def test_a_block_that_the_device_was_quicker_than_is_missed_once_and_not_written(look: int) -> None:
    trial = Trial()
    for _ in range(20):
        trial.block()
    # Two blocks are in hand.
    trial.moves = iter([0] * look + [2])
    trial.block()
    # After the writing it may have got some of it.
    assert trial.placed.popitem()[1].shape == (1, PERIOD if look == 3 else 0)
    while trial.block():
        pass
    assert (trial.scheduler.deadlines_missed, trial.scheduler.ring_empty) == (1, 0)
    assert steepest(trial.heard) < STEEPEST
    wet = trial.heard[:, -2000:]
    np.testing.assert_allclose(wet, WET * DRY[:, : SOUND.shape[1]][:, -2000:], atol=1e-6)
    if look < 3:
        missed = slice(20 * PERIOD + BUFFER + 144, 21 * PERIOD + BUFFER)
        np.testing.assert_allclose(trial.heard[:, missed], DRY[:, missed], atol=1e-6)


@settings(max_examples=30)
@given(
    moves=st.lists(MOVES, max_size=80),
    turns=st.dictionaries(st.integers(0, 50), st.booleans(), max_size=6),
    failures=st.sets(st.integers(0, 50), max_size=4),
    muted=st.booleans(),
)
def test_the_gate_shuts_and_opens_all_that_is_heard_without_a_click(
    moves: list[int], turns: dict[int, bool], failures: set[int], muted: bool
) -> None:
    trial = Trial(moves=moves, muted=muted)
    opened, silent = not muted, list[slice]()
    since: int | None = 0
    for number in itertools.count():
        turn = turns.get(number)
        before = trial.input.position
        if not trial.block(fails=number in failures, opened=turn):
            break
        if turn is not None:
            if turn and not opened:
                silent.append(slice(since, before))
            opened, since = turn, trial.scheduler.silenced_from
            assert (since is None) == opened
    if not opened:
        silent.append(slice(since, None))
    heard = trial.heard
    assert not any(heard[:, part].any() for part in silent)
    assert steepest(heard) < GATED
