import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.dsp.live_limiter import limit

Floats = NDArray[np.float32]
CEILING = np.float32(10.0 ** (-1.0 / 20.0))
RELEASE = 80e-3 * 48_000
repeatable = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def bursts(seed: int, count: int = 3000, channels: int = 2) -> Floats:
    """Noise [channels, count] whose level jumps between -40 and +30 dBFS."""
    rng = np.random.default_rng(seed)
    level = np.repeat(10.0 ** (rng.uniform(-40, 30, size=1 + count // 250) / 20.0), 250)[:count]
    return (level * rng.standard_normal((channels, count))).astype(np.float32)


def stream(
    sound: Floats, lengths: list[int], *, ceiling: Floats | np.float32, release: float = RELEASE
) -> Floats:
    height = np.atleast_1d(np.asarray(ceiling, dtype=np.float32))
    reduction, start, turn = 0.0, 0, 0
    out = np.empty_like(sound)
    while start < sound.shape[1]:
        part = slice(start, start + lengths[turn % len(lengths)])
        most = height if height.size == 1 else np.ascontiguousarray(height[part])
        held = np.empty_like(np.ascontiguousarray(sound[:, part]))
        reduction, _ = limit(np.ascontiguousarray(sound[:, part]), most, release, reduction, held)
        out[:, part] = held
        start, turn = part.stop, turn + 1
    return out


@repeatable
@given(
    seed=st.integers(0, 1000),
    channels=st.integers(1, 5),
    release=st.floats(1.0, 50_000.0),
    ceiling=st.floats(0.01, 1.0),
    lengths=st.lists(st.integers(1, 700), min_size=1, max_size=5),
)
def test_never_above_the_ceiling_in_any_partition_and_always_the_same_samples(
    seed: int, channels: int, release: float, ceiling: float, lengths: list[int]
) -> None:
    sound, height = bursts(seed, 2000, channels), np.float32(ceiling)
    whole = stream(sound, [2000], ceiling=height, release=release)
    parts = stream(sound, lengths, ceiling=height, release=release)
    assert (np.abs(parts) <= height).all()
    assert (np.abs(whole) <= height).all()
    np.testing.assert_array_equal(parts, whole)


@repeatable
@given(seed=st.integers(0, 1000), ceiling=st.floats(0.01, 1.0), count=st.integers(1, 500))
def test_what_fits_passes_bit_for_bit(seed: int, ceiling: float, count: int) -> None:
    sound, height = bursts(seed, count), np.float32(ceiling)
    sound = np.clip(sound * (height / np.abs(sound).max()), -height, height)
    out = np.empty_like(sound)
    assert limit(sound, np.array([height]), RELEASE, 0.0, out) == (0.0, False)
    np.testing.assert_array_equal(out, sound)


def test_a_hair_over_the_ceiling_is_taken_off() -> None:
    for ceiling in np.linspace(0.5, 1.0, 200, dtype=np.float32):
        sound = np.nextafter(np.full((1, 3), ceiling, dtype=np.float32), np.float32(2.0))
        out = np.empty_like(sound)
        _, active = limit(sound, np.array([ceiling]), RELEASE, 0.0, out)
        assert active
        assert float(out.max()) <= ceiling


def test_the_gain_follows_the_recursion() -> None:
    sound = bursts(3, 600)
    envelope, expected = 1.0, []
    for peak in np.abs(sound).max(axis=0).tolist():
        envelope = max(1.0, peak / CEILING, envelope * math.exp(-1.0 / 200.0))
        expected.append(1.0 / envelope)
    out = stream(sound, [600], ceiling=CEILING, release=200.0)
    np.testing.assert_allclose(out, sound * np.array(expected), rtol=1e-5, atol=1e-6)


def test_the_reduction_falls_in_a_straight_line_and_ends() -> None:
    sound = np.full((1, 48_000), 0.1, dtype=np.float32)
    sound[0, 100] = 4.0
    out = stream(sound, [64], ceiling=CEILING)
    reduction = 20.0 * np.log10(sound[0, 101:] / out[0, 101:])
    steps = np.diff(reduction[:3000])
    assert steps.mean() == pytest.approx(-20.0 / math.log(10.0) / RELEASE, rel=1e-3)
    np.testing.assert_array_equal(out[:, :100], sound[:, :100])
    over = math.ceil(RELEASE * math.log(4.0 / CEILING))
    np.testing.assert_array_equal(out[:, 101 + over :], sound[:, 101 + over :])


def test_all_channels_have_one_gain() -> None:
    sound = bursts(1)
    sound[1] *= 0.01
    out = stream(sound, [100], ceiling=CEILING)
    gains = out / sound
    np.testing.assert_allclose(gains[0], gains[1], rtol=1e-5, atol=1e-5)
    assert float(gains.min()) < 0.9


def test_an_attack_makes_no_step() -> None:
    # 10 dB over: the wave is held flat where it would pass the ceiling, and is nowhere steeper than it was.
    time = np.arange(4800) / 48_000
    sound = (3.2 * np.sin(2 * np.pi * 200.0 * time))[None].astype(np.float32)
    out = stream(sound, [37], ceiling=CEILING)
    assert np.abs(np.diff(out)).max() <= np.abs(np.diff(sound)).max()


def test_a_moving_ceiling_is_followed_sample_by_sample() -> None:
    ceiling = np.linspace(1.0, 0.25, 2000, dtype=np.float32)
    square = np.ones((2, 2000), dtype=np.float32)
    square[:, ::2] = -1.0
    out = stream(square, [33], ceiling=ceiling)
    assert (np.abs(out) <= ceiling).all()
    np.testing.assert_allclose(np.abs(out), np.tile(ceiling, (2, 1)), rtol=1e-4)


def test_lowering_the_ceiling_does_not_touch_what_is_below_it() -> None:
    quiet = (0.2 * np.sin(np.arange(2000) / 7.0))[None].astype(np.float32)
    np.testing.assert_array_equal(
        stream(quiet, [50], ceiling=np.linspace(1.0, 0.25, 2000, dtype=np.float32)), quiet
    )


@pytest.mark.parametrize("loud", [1.0, 1e6, 3e38])
def test_survives_square_waves_of_any_level(loud: float) -> None:
    square = np.full((2, 48_000), loud, dtype=np.float32)
    square[:, ::3] = -loud
    out = stream(square, [128], ceiling=CEILING)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= CEILING
    # and what comes after is heard again
    after = stream(
        np.concatenate([square, np.full((2, 96_000), 0.1, dtype=np.float32)], axis=1), [128], ceiling=CEILING
    )
    assert float(after[0, -1]) == pytest.approx(0.1)


def test_a_minute_in_one_block_comes_to_rest() -> None:
    sound = np.full((1, 48_000 * 60), 0.5, dtype=np.float32)
    sound[0, 0] = 2.0
    out = np.empty_like(sound)
    assert limit(sound, np.array([CEILING]), 8.0, 0.0, out) == (0.0, True)
    np.testing.assert_array_equal(out[:, -1000:], sound[:, -1000:])
