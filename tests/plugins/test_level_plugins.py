import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.plugins.chain import Chain
from gramophone.plugins.gain import RAMP_SECONDS, Gain
from gramophone.plugins.limiter import Limiter
from gramophone.plugins.ramp import Fade, Ramp
from tests.plugins.playing import play, prepared

Block = NDArray[np.float32]
repeatable = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def sine(seconds: float, *, rate: int = 48_000, frequency: float = 110.0, level: float = 0.5) -> Block:
    return (level * np.sin(2.0 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(
        np.float32
    )[np.newaxis]


@pytest.mark.parametrize("decibels", [-59.9, -20.0, 0.0, 12.0])
def test_gain_is_what_it_says(decibels: float) -> None:
    sound = sine(0.05)
    out = play(prepared(Gain(), {"gain": decibels}), sound)
    np.testing.assert_allclose(out, sound * 10.0 ** (decibels / 20.0), rtol=1e-6)
    if decibels == 0.0:
        np.testing.assert_array_equal(out, sound)


def test_the_lowest_gain_is_silence_and_it_comes_back_bit_for_bit() -> None:
    gain, sound = prepared(Gain(), {"gain": -60.0}), sine(0.1)
    assert not play(gain, sound).any()
    gain.set("gain", 0.0)
    out = play(gain, sound)
    ramp = round(RAMP_SECONDS * 48_000)
    np.testing.assert_array_equal(out[:, ramp:], sound[:, ramp:])


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
@pytest.mark.parametrize("block", [1, 48, 512])
def test_sweeping_the_gain_makes_no_click(rate: int, block: int) -> None:
    sound = sine(0.5, rate=rate)
    gain = prepared(Gain(), rate=rate, block=block)
    parts = []
    for at in range(0, sound.shape[1], block):
        # A controller of 128 steps over its whole way, up and down, a step in each block; or jumps at random.
        place = abs(at // block % 254 - 127)
        gain.set("gain", Gain.parameters[0].from_unit(place / 127.0 if block != 512 else at // block % 2))
        parts.append(gain.process(sound[:, at : at + block]).copy())
    out = np.concatenate(parts, axis=1)
    # Amplitude times the sine's own slope, and its height times the ramp's.
    highest = 10.0 ** (12.0 / 20.0)
    steepest = 0.5 * highest * (2.0 * np.pi * 110.0 / rate + 1.0 / (RAMP_SECONDS * rate))
    assert np.abs(np.diff(out)).max() <= 1.01 * steepest


def square(channels: int, count: int, level: float) -> Block:
    out = np.full((channels, count), level, dtype=np.float32)
    out[:, (np.arange(count) // 50) % 2 == 1] *= -1.0
    return out


@repeatable
@given(
    rate=st.sampled_from([8_000, 44_100, 96_000]),
    block=st.integers(1, 300),
    channels=st.integers(1, 4),
    ceiling=st.floats(-12.0, 0.0),
    release=st.floats(20.0, 500.0),
    level=st.sampled_from([0.5, 1.0, 4.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_the_limiter_is_never_above_its_ceiling(
    rate: int, block: int, channels: int, ceiling: float, release: float, level: float, seed: int
) -> None:
    limiter = prepared(
        Limiter(), {"ceiling": ceiling, "release": release}, rate=rate, block=block, channels=channels
    )
    noise = np.random.default_rng(seed).uniform(-level, level, (channels, 800)).astype(np.float32)
    for sound in (square(channels, 800, level), noise):
        assert np.abs(play(limiter, sound, [block])).max() <= 10.0 ** (ceiling / 20.0)


def test_what_fits_the_limiter_passes_bit_for_bit_also_at_full_scale() -> None:
    sound = sine(0.1, level=1.0)
    np.testing.assert_array_equal(play(prepared(Limiter(), {"ceiling": 0.0}), sound), sound)
    quiet = prepared(Limiter(), {"ceiling": -1.0})
    np.testing.assert_array_equal(play(quiet, sine(0.1)), sine(0.1))
    assert not quiet.limiter_active


def test_the_limiter_says_when_it_works() -> None:
    limiter = prepared(Limiter(), {"release": 20.0})
    limiter.process(square(1, 128, 1.0))
    assert limiter.limiter_active
    play(limiter, np.zeros((1, 48_000), dtype=np.float32))
    assert not limiter.limiter_active


def test_turning_the_ceiling_while_limiting_makes_no_step() -> None:
    limiter = prepared(Limiter())
    out = []
    for turn in range(60):
        limiter.set("ceiling", (-12.0, 0.0)[turn // 10 % 2])
        limiter.set("release", (20.0, 500.0)[turn // 7 % 2])
        out.append(limiter.process(np.full((1, 128), 2.0, dtype=np.float32)).copy())
    moved = np.abs(np.diff(np.concatenate(out, axis=1)))
    assert moved.max() <= 1.0 / (0.020 * 48_000)


@repeatable
@given(
    turns=st.lists(st.tuples(st.integers(1, 900), st.floats(-4.0, 4.0)), min_size=1, max_size=6),
    cuts=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
def test_ramps_and_fades_are_the_same_in_any_partition_and_arrive(
    turns: list[tuple[int, float]], cuts: list[int]
) -> None:
    def walk(pieces: list[int]) -> tuple[Block, Block]:
        ramp, fade = Ramp(0.0, 0.010), Fade(on=False, seconds=0.010)
        ramp.prepare(sample_rate=48_000, block=1000)
        fade.prepare(sample_rate=48_000, block=1000, on=False)
        values, gains, turn = [], [], 0
        for length, target in [*turns, (2000, 3.0)]:
            while length > 0:
                count = min(length, pieces[turn % len(pieces)])
                values.append(np.broadcast_to(ramp.next(target, count), count).copy())
                gains.append(np.broadcast_to(fade.next(count, on=target > 0.0), count).copy())
                length, turn = length - count, turn + 1
        return np.concatenate(values), np.concatenate(gains)

    whole, parts = walk([1000]), walk(cuts)
    np.testing.assert_allclose(parts[0], whole[0], rtol=0.0, atol=2e-6)
    np.testing.assert_array_equal(parts[1], whole[1])
    assert (whole[0][-500:] == 3.0).all()
    assert (whole[1][-500:] == 1.0).all()
    assert np.abs(np.diff(whole[0])).max() <= 8.0 / 480.0 * 1.001
    assert np.abs(np.diff(whole[1])).max() <= np.pi / 2.0 / 480.0 * 1.001


def test_playing_takes_no_more_and_more_memory() -> None:
    chain = Chain([Gain(), Limiter()])
    chain.prepare(sample_rate=48_000, block=128, channels=2)
    sound = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 128)).astype(np.float32)

    def some(turns: int) -> None:
        for turn in range(turns):
            chain.set("gain", float(turn % 13))
            chain.set("bypass", float(turn % 50 > 25))
            chain.process(sound)

    some(200)
    tracemalloc.start()
    some(50)
    before = tracemalloc.get_traced_memory()[0]
    some(1000)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 4096
