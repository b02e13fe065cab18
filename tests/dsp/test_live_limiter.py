import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gramophone.dsp.live_limiter import limit_block, limiter_state

CEILING = 10.0 ** (-1.0 / 20.0)
RELEASE = 80e-3 * 48_000
repeatable = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def bursts(seed: int, count: int = 3000, channels: int = 2) -> Tensor:
    """Noise [channels, count] whose level jumps between -40 and +30 dBFS."""
    rng = np.random.default_rng(seed)
    level = np.repeat(10.0 ** (rng.uniform(-40, 30, size=1 + count // 250) / 20.0), 250)[:count]
    return torch.from_numpy(level * rng.standard_normal((channels, count))).float()


def stream(sound: Tensor, lengths: list[int], *, ceiling: Tensor, release: float = RELEASE) -> Tensor:
    state, out, start, turn = limiter_state(), [], 0, 0
    while start < sound.shape[1]:
        part = slice(start, start + lengths[turn % len(lengths)])
        height = ceiling[part] if ceiling.dim() else ceiling
        block, state, _ = limit_block(sound[:, part], state, height, release)
        out.append(block)
        start, turn = part.stop, turn + 1
    return torch.cat(out, dim=1)


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
    sound, height = bursts(seed, 2000, channels), torch.tensor(ceiling)
    whole = stream(sound, [2000], ceiling=height, release=release)
    parts = stream(sound, lengths, ceiling=height, release=release)
    assert bool((parts.abs() <= height).all())
    assert bool((whole.abs() <= height).all())
    torch.testing.assert_close(parts, whole, rtol=0.0, atol=1e-6)


@repeatable
@given(seed=st.integers(0, 1000), ceiling=st.floats(0.01, 1.0), count=st.integers(1, 500))
def test_what_fits_passes_bit_for_bit(seed: int, ceiling: float, count: int) -> None:
    sound, height = bursts(seed, count), torch.tensor(ceiling)
    sound = torch.clamp(sound * (ceiling / sound.abs().max()), -height, height)
    out, state, active = limit_block(sound, limiter_state(), height, RELEASE)
    assert out is sound
    assert torch.equal(state, limiter_state())
    assert not active


def test_a_hair_over_the_ceiling_is_taken_off() -> None:
    for ceiling in np.linspace(0.5, 1.0, 200, dtype=np.float32):
        sound = torch.from_numpy(np.nextafter(np.full((1, 3), ceiling, dtype=np.float32), np.float32(2.0)))
        out, _, active = limit_block(sound, limiter_state(), torch.tensor(ceiling), RELEASE)
        assert active
        assert float(out.max()) <= ceiling


def test_the_gain_follows_the_recursion() -> None:
    sound = bursts(3, 600)
    envelope, expected = 1.0, []
    for peak in sound.abs().amax(dim=0).double().tolist():
        envelope = max(1.0, peak / CEILING, envelope * math.exp(-1.0 / 200.0))
        expected.append(1.0 / envelope)
    out = stream(sound, [600], ceiling=torch.tensor(CEILING), release=200.0)
    wanted = sound * torch.tensor(expected)
    torch.testing.assert_close(out, wanted.float(), rtol=1e-5, atol=1e-6)


def test_the_reduction_falls_in_a_straight_line_and_ends() -> None:
    sound = torch.full((1, 48_000), 0.1)
    sound[0, 100] = 4.0
    out = stream(sound, [64], ceiling=torch.tensor(CEILING))
    reduction = 20.0 * torch.log10(sound[0, 101:] / out[0, 101:])
    steps = reduction[:3000].diff()
    assert steps.mean() == pytest.approx(-20.0 / math.log(10.0) / RELEASE, rel=1e-3)
    assert torch.equal(out[:, :100], sound[:, :100])
    over = math.ceil(RELEASE * math.log(4.0 / CEILING))
    assert torch.equal(out[:, 101 + over :], sound[:, 101 + over :])


def test_all_channels_have_one_gain() -> None:
    sound = bursts(1)
    sound[1] *= 0.01
    out = stream(sound, [100], ceiling=torch.tensor(CEILING))
    gains = out / sound
    torch.testing.assert_close(gains[0], gains[1], rtol=1e-5, atol=1e-5)
    assert float(gains.min()) < 0.9


def test_an_attack_makes_no_step() -> None:
    # 10 dB over: the wave is held flat where it would pass the ceiling, and is nowhere steeper than it was.
    time = torch.arange(4800) / 48_000
    sound = 3.2 * torch.sin(2 * torch.pi * 200.0 * time)[None]
    out = stream(sound, [37], ceiling=torch.tensor(CEILING))
    assert float(out.diff().abs().max()) <= float(sound.diff().abs().max())


def test_a_moving_ceiling_is_followed_sample_by_sample() -> None:
    ceiling = torch.linspace(1.0, 0.25, 2000)
    square = torch.ones(2, 2000)
    square[:, ::2] = -1.0
    out = stream(square, [33], ceiling=ceiling)
    assert bool((out.abs() <= ceiling).all())
    torch.testing.assert_close(out.abs(), ceiling.expand(2, -1), rtol=1e-4, atol=0.0)


def test_lowering_the_ceiling_does_not_touch_what_is_below_it() -> None:
    quiet = 0.2 * torch.sin(torch.arange(2000) / 7.0)[None]
    assert torch.equal(stream(quiet, [50], ceiling=torch.linspace(1.0, 0.25, 2000)), quiet)


@pytest.mark.parametrize("loud", [1.0, 1e6, 3e38])
def test_survives_square_waves_of_any_level(loud: float) -> None:
    square = torch.full((2, 48_000), loud)
    square[:, ::3] = -loud
    out = stream(square, [128], ceiling=torch.tensor(CEILING))
    assert bool(out.isfinite().all())
    assert float(out.abs().max()) <= float(torch.tensor(CEILING))
    # and what comes after is heard again
    after = stream(
        torch.cat([square, torch.full((2, 96_000), 0.1)], dim=1), [128], ceiling=torch.tensor(CEILING)
    )
    assert float(after[0, -1]) == pytest.approx(0.1)


def test_a_minute_in_one_block_does_not_overflow() -> None:
    sound = torch.full((1, 48_000 * 60), 0.5)
    sound[0, 0] = 2.0
    out, state, _ = limit_block(sound, limiter_state(), torch.tensor(CEILING), 8.0)
    assert torch.equal(out[:, -1000:], sound[:, -1000:])
    assert float(state) == 0.0


def test_the_state_stays_one_number() -> None:
    state = limiter_state()
    for seed in range(20):
        _, state, _ = limit_block(bursts(seed, 100), state, torch.tensor(CEILING), RELEASE)
    assert state.shape == limiter_state().shape
    assert state.dtype == torch.float64


@pytest.mark.parametrize(
    "ceiling", [torch.tensor(CEILING), torch.linspace(1.0, 0.5, 300)], ids=["fixed", "moving"]
)
def test_the_script_does_the_same(ceiling: Tensor) -> None:
    with warnings.catch_warnings():
        # Newer releases point to another way of exporting; what loads the exports still takes this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(limit_block)
    for sound in (bursts(0, 300), 0.01 * bursts(0, 300) / 100.0):
        for got, wanted in zip(
            scripted(sound, limiter_state(), ceiling, RELEASE),
            limit_block(sound, limiter_state(), ceiling, RELEASE),
            strict=True,
        ):
            torch.testing.assert_close(got, wanted)
