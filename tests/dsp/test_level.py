import math
import warnings

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.dsp.level import at_reference, gain_db, limit, loudness, true_peak
from gramophone.dsp.mastering import master, measure
from gramophone.media.errors import InputError
from gramophone.media.spool import Held

RATE = 48000
repeatable = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def tone(frequency: float, seconds: float, rate: int = RATE, phase: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate + phase)[np.newaxis]


def bursts(seed: int, seconds: float = 0.5, channels: int = 2) -> np.ndarray:
    """Noise [channels, samples] whose level jumps between -40 and +12 dBFS, with a few clicks."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    level = np.repeat(10.0 ** (rng.uniform(-40, 12, size=(1, 1 + count // 2000)) / 20.0), 2000, axis=1)[
        :, :count
    ]
    samples = level * rng.standard_normal((channels, count)) / 3.0
    samples[:, rng.integers(0, count, size=5)] *= 20.0
    return samples


def speech_like(seed: int = 0, seconds: float = 4.0) -> np.ndarray:
    """Noise [2, samples] with syllables: peaks stand about 18 dB over the mean."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((2, int(seconds * RATE)))
    syllables = np.maximum(np.sin(2 * np.pi * 3.0 * np.arange(samples.shape[1]) / RATE), 0.02) ** 4
    return 0.1 * samples * syllables


# ---- loudness


@pytest.mark.parametrize("rate", [8000, 22050, 32000, 44100, 48000, 96000, 192000])
def test_reference_tone_in_one_channel_is_minus_3_01(rate: int) -> None:
    samples = np.concatenate([tone(997.0, 3.0, rate), np.zeros((1, 3 * rate))])
    assert loudness(samples, rate) == pytest.approx(-3.01, abs=0.04)
    assert loudness(samples[:1], rate) == loudness(samples, rate)


def test_surround_counts_more_and_the_low_frequency_channel_not() -> None:
    samples = tone(997.0, 1.0)
    one = loudness(samples, RATE)

    def at(channel: int, channels: int) -> float:
        placed = np.zeros((channels, samples.shape[1]))
        placed[channel] = samples
        return loudness(placed, RATE)

    assert at(4, 6) - one == pytest.approx(10 * math.log10(1.41))
    assert at(3, 6) == -math.inf
    assert at(3, 5) - one == pytest.approx(10 * math.log10(1.41))
    assert at(11, 12) == pytest.approx(one)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_reference_meter(seed: int) -> None:
    samples = 0.1 * bursts(seed, seconds=4.0)
    meter = pyloudnorm.Meter(RATE, filter_class="DeMan")
    assert loudness(samples, RATE) == pytest.approx(meter.integrated_loudness(samples.T), abs=1e-6)


@repeatable
@given(db=st.floats(-20.0, 20.0), seed=st.integers(0, 5))
def test_gain_shifts_loudness_exactly(db: float, seed: int) -> None:
    # Steady noise: with pauses, gain may lift a block over the absolute gate.
    samples = 0.1 * np.random.default_rng(seed).standard_normal((2, RATE))
    shifted = loudness(gain_db(samples, db), RATE) - loudness(samples, RATE)
    assert shifted == pytest.approx(db, abs=1e-9)


def test_pauses_do_not_count() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 4 * RATE))
    with_pause = np.concatenate([noise, np.zeros((1, 8 * RATE))], axis=1)
    assert loudness(with_pause, RATE) == pytest.approx(loudness(noise, RATE), abs=0.2)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.2, 0.39, 0.4, 0.41, 0.55])
def test_short_clip_is_as_loud_as_a_long_one(seconds: float) -> None:
    assert loudness(tone(997.0, seconds), RATE) == pytest.approx(-3.01, abs=0.15)


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_a_few_samples_have_a_finite_loudness(count: int) -> None:
    assert math.isfinite(loudness(np.ones((1, count)), RATE))


@pytest.mark.parametrize("shape", [(1, 0), (2, 100), (2, RATE), (0, 10), (7, RATE)])
def test_silence_is_minus_infinity_without_a_warning(shape: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loudness(np.zeros(shape), RATE) == -math.inf
        assert loudness(np.full(shape, 1e-6), RATE) == -math.inf


def test_very_low_sample_rate_is_measured() -> None:
    assert loudness(tone(500.0, 2.0, 2000), 2000) == pytest.approx(loudness(tone(500.0, 2.0), RATE), abs=0.1)


# ---- gain and true peak


def test_gain_is_in_decibels() -> None:
    samples = np.array([[0.5, -0.25]])
    np.testing.assert_allclose(gain_db(samples, 20.0), 10.0 * samples)
    np.testing.assert_array_equal(gain_db(samples, 0.0), samples)
    np.testing.assert_array_equal(gain_db(samples, -math.inf), 0.0 * samples)


def faded(samples: np.ndarray) -> np.ndarray:
    ramp = np.minimum(np.arange(samples.shape[1]) / 200.0, 1.0)
    return samples * ramp * ramp[::-1]


def test_true_peak_lies_between_the_samples() -> None:
    samples = faded(tone(RATE / 4, 0.1, phase=np.pi / 4))
    assert np.abs(samples).max() == pytest.approx(math.sqrt(0.5))
    assert true_peak(samples, RATE) == pytest.approx(1.0, abs=0.003)


@repeatable
@given(frequency=st.floats(20.0, 20000.0), phase=st.floats(0.0, 6.28))
def test_true_peak_of_a_tone_is_its_amplitude(frequency: float, phase: float) -> None:
    # Four points per sample miss the top by up to cos(π/4 · f/(RATE/2)); the filter by 2 %.
    missed = 1.0 - math.cos(math.pi / 4.0 * frequency / (RATE / 2.0))
    peak = true_peak(faded(tone(frequency, 0.2, phase=phase)), RATE)
    assert 1.0 - missed - 0.02 <= peak <= 1.02


@repeatable
@given(seed=st.integers(0, 1000), factor=st.floats(0.01, 100.0))
def test_true_peak_scales_and_is_never_below_the_sample_peak(seed: int, factor: float) -> None:
    samples = bursts(seed, 0.02)
    peak = true_peak(samples, RATE)
    assert peak >= np.abs(samples).max()
    assert true_peak(factor * samples, RATE) == pytest.approx(factor * peak)
    assert peak == max(true_peak(samples[:1], RATE), true_peak(samples[1:], RATE))


def test_true_peak_of_nothing_is_zero() -> None:
    assert true_peak(np.zeros((2, 0)), RATE) == 0.0
    assert true_peak(np.zeros((2, 5)), RATE) == 0.0
    assert true_peak(np.array([[0.5]]), RATE) == 0.5


# ---- limiter


@repeatable
@given(
    seed=st.integers(0, 1000),
    ceiling_db=st.floats(-30.0, 3.0),
    lookahead_ms=st.floats(0.0, 20.0),
    release_ms=st.sampled_from([0.0, 1.0, 50.0, 1000.0]),
    count=st.sampled_from([1, 2, 30, 1000, 6000]),
)
def test_limiter_never_exceeds_the_ceiling(
    seed: int, ceiling_db: float, lookahead_ms: float, release_ms: float, count: int
) -> None:
    samples = bursts(seed)[:, :count]
    before = samples.copy()
    out = limit(samples, RATE, ceiling_db=ceiling_db, lookahead_ms=lookahead_ms, release_ms=release_ms)
    assert out.shape == samples.shape
    assert true_peak(out, RATE) <= 10.0 ** (ceiling_db / 20.0)
    np.testing.assert_array_equal(samples, before)


def test_limiter_returns_what_fits_itself() -> None:
    samples = bursts(0)
    samples /= true_peak(samples, RATE)
    assert limit(samples, RATE, ceiling_db=0.0001) is samples
    limited = limit(samples, RATE)
    assert limit(limited, RATE) is limited


def test_limiter_leaves_the_rest_of_the_signal_alone() -> None:
    samples = 0.1 * tone(440.0, 2.0)
    samples[0, RATE] = 4.0
    out = limit(samples, RATE)
    far = np.r_[0 : RATE - 500]
    np.testing.assert_allclose(out[0, far], samples[0, far], rtol=1e-6)
    # The reduction of 13 dB decays with 100 ms: after a second 0.0006 dB are left.
    np.testing.assert_allclose(out[0, -1000:], samples[0, -1000:], rtol=1e-4)


def gain_of(samples: np.ndarray, out: np.ndarray) -> np.ndarray:
    assert (samples != 0.0).all()
    return out / samples


@pytest.mark.parametrize("seed", range(3))
def test_limiter_is_linked_over_channels(seed: int) -> None:
    samples = bursts(seed)
    samples[1] *= 0.01
    gain = gain_of(samples, limit(samples, RATE))
    np.testing.assert_allclose(gain[0], gain[1], rtol=1e-9)
    assert gain.min() < 0.9


@pytest.mark.parametrize("lookahead_ms", [1.0, 5.0])
@pytest.mark.parametrize("release_ms", [0.0, 100.0])
@pytest.mark.parametrize("seed", range(3))
def test_gain_moves_no_faster_than_its_window(seed: int, lookahead_ms: float, release_ms: float) -> None:
    samples = bursts(seed)
    out = limit(samples, RATE, lookahead_ms=lookahead_ms, release_ms=release_ms)
    gain = gain_of(samples, out)[0]
    # The gain is a mean over boxes of about the lookahead each, of values between 0 and 1.
    assert np.abs(np.diff(gain)).max() <= 1.0 / (lookahead_ms * 1e-3 * RATE)
    assert gain.min() > 0.0
    assert gain.max() <= 1.0 + 1e-12


def test_gain_falls_before_the_peak_and_recovers_at_the_release() -> None:
    samples = np.full((1, 2 * RATE), 1e-3)
    samples[0, RATE // 2] = 8.0
    reduction = -20.0 * np.log10(gain_of(samples, limit(samples, RATE, release_ms=100.0))[0])
    at = RATE // 2
    assert reduction[at] == pytest.approx(20 * math.log10(8.0) + 1.0, abs=0.1)
    assert reduction[at - 600] == pytest.approx(0.0, abs=0.02)
    assert (np.diff(reduction[at - 480 : at]) >= -1e-9).all()
    assert (np.diff(reduction[at + 480 :]) <= 1e-9).all()
    assert reduction[at + 480 + 4800] / reduction[at + 480] == pytest.approx(1.0 / math.e, rel=0.02)


def test_limiter_is_the_same_backwards_without_release() -> None:
    samples = bursts(1)
    forward = limit(samples, RATE, release_ms=0.0)
    backward = limit(samples[:, ::-1], RATE, release_ms=0.0)[:, ::-1]
    np.testing.assert_allclose(forward, backward, rtol=1e-3, atol=1e-6)


def test_limiter_has_no_channels_limit_and_takes_nothing() -> None:
    assert limit(np.zeros((2, 0)), RATE).shape == (2, 0)
    assert np.abs(limit(np.full((12, 100), 5.0), RATE)).max() < 0.9


# ---- loudness matching


def match_loudness(
    samples: np.ndarray,
    sample_rate: int,
    target: float,
    *,
    ceiling_db: float = -1.0,
    most_limiting_db: float = 3.0,
) -> np.ndarray:
    """An array through `master`."""
    source, out = Held(samples), Held(np.zeros(samples.shape))
    master(
        source,
        out,
        sample_rate,
        target,
        level=measure(source, sample_rate),
        ceiling_db=ceiling_db,
        most_limiting_db=most_limiting_db,
    )
    return out.samples


@pytest.mark.parametrize("target", [-40.0, -23.0, -17.0])
@pytest.mark.parametrize("start_db", [-60.0, 0.0, 20.0])
def test_target_is_met_below_the_ceiling(target: float, start_db: float) -> None:
    samples = gain_db(speech_like(), start_db)
    out = match_loudness(samples, RATE, target)
    assert loudness(out, RATE) == pytest.approx(target, abs=0.05)
    assert true_peak(out, RATE) <= 10.0 ** (-1.0 / 20.0)


def test_without_limiting_only_the_gain_changes() -> None:
    samples = speech_like()
    out = match_loudness(samples, RATE, -40.0)
    np.testing.assert_allclose(out / samples, (out / samples)[0, 0])


def test_no_more_is_limited_than_allowed() -> None:
    samples = speech_like()
    peak_db = 20.0 * math.log10(true_peak(samples, RATE))
    for most in (0.0, 3.0, 6.0):
        out = match_loudness(samples, RATE, 6.0, most_limiting_db=most)
        wanted = limit(gain_db(samples, most - 1.0 - peak_db), RATE)
        np.testing.assert_allclose(out, wanted, rtol=1e-9, atol=1e-12)
        assert true_peak(out, RATE) <= 10.0 ** (-1.0 / 20.0) * (1.0 + 1e-12)


@pytest.mark.parametrize("target", [-30.0, -75.0, -100.0])
def test_targets_below_the_gate_are_met(target: float) -> None:
    samples = tone(997.0, 1.0)
    out = match_loudness(samples, RATE, target)
    assert 20.0 * math.log10(np.abs(out).max()) == pytest.approx(target + 3.01, abs=0.1)


def test_silence_stays_silence() -> None:
    for silence in (np.zeros((2, RATE)), np.zeros((1, 0)), np.full((1, RATE), 1e-6)):
        np.testing.assert_array_equal(match_loudness(silence, RATE, -14.0), silence)


def test_minus_infinity_gives_silence_and_other_targets_must_be_numbers() -> None:
    samples = speech_like()
    assert not match_loudness(samples, RATE, -math.inf).any()
    for target in (math.nan, math.inf):
        with pytest.raises(InputError, match="impossible"):
            match_loudness(samples, RATE, target)


@repeatable
@given(seed=st.integers(0, 1000), target=st.floats(-60.0, 0.0), ceiling_db=st.floats(-20.0, 0.0))
def test_matching_never_exceeds_the_ceiling(seed: int, target: float, ceiling_db: float) -> None:
    out = match_loudness(bursts(seed, 0.1), RATE, target, ceiling_db=ceiling_db)
    assert true_peak(out, RATE) <= 10.0 ** (ceiling_db / 20.0)


def test_the_reference_level_is_the_same_for_one_channel_and_for_two() -> None:
    samples = speech_like()[:1]
    once, twice = at_reference(samples, RATE), at_reference(np.repeat(7.0 * samples, 2, axis=0), RATE)
    np.testing.assert_allclose(twice[:1], once, rtol=1e-6)
    assert loudness(once, RATE) == pytest.approx(-23.0, abs=0.01)
    assert not at_reference(np.zeros((2, RATE)), RATE).any()
