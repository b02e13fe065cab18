import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from gramophone.dsp.level import loudness
from gramophone.media.errors import InputError
from gramophone.models.live.stylizer import PHASES, Stylizer, StylizerSettings
from gramophone.models.style import Style
from tests.sounds import plucked

Samples = NDArray[np.float32]
RATE = 48_000


def noisy_style(rate: int = RATE, *, seed: int = 1) -> Style:
    rng = np.random.default_rng(seed)
    count = 2 * rate
    noise = np.cumsum(rng.standard_normal((1, count)), axis=-1)
    noise -= np.convolve(noise[0], np.ones(400) / 400, mode="same")
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 5.0 * np.arange(count) / rate)
    return Style.from_audio(0.02 * noise * swell, rate, name="noise")


def stylizer(
    channels: int = 1,
    rate: int = RATE,
    styles: int = 1,
    settings: StylizerSettings | None = None,
    **knobs: float,
) -> Stylizer:
    made = Stylizer(
        [noisy_style(seed=seed + 1) for seed in range(styles)],
        sample_rate=rate,
        channels=channels,
        settings=settings,
    )
    for name, value in knobs.items():
        made.set(name, value)
    made.reset()
    return made


def play(made: Stylizer, sound: Samples, *, block: int | None = None) -> Samples:
    """All that comes out, tail included, without the latency."""
    size = block or sound.shape[1]
    blocks = [made.feed(sound[:, at : at + size]) for at in range(0, sound.shape[1], size)]
    return np.concatenate([*blocks, made.flush()], axis=1)[:, made.latency_samples :]


@pytest.mark.parametrize("block", [1, 7, 128, 256, 1000])
def test_the_same_samples_come_out_whatever_blocks_go_in(block: int) -> None:
    sound = plucked(0.3, channels=2)
    made = stylizer(channels=2)
    whole = play(made, sound)
    made.reset()
    np.testing.assert_array_equal(play(made, sound, block=block), whole)
    assert np.abs(whole - sound).max() > 0.01


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("window", ["low-delay", "full"])
def test_strength_0_is_the_input_bit_for_bit_and_late_by_the_latency(rate: int, window: str) -> None:
    sound = 1.5 * np.random.default_rng(3).standard_normal((2, rate // 5)).astype(np.float32)
    made = stylizer(channels=2, rate=rate, settings=StylizerSettings(window=window), strength=0.0)
    fed = np.concatenate([made.feed(sound), made.flush()], axis=1)
    assert not fed[:, : made.latency_samples].any()
    np.testing.assert_array_equal(fed[:, made.latency_samples :], sound)


def test_mix_0_is_the_input_too_and_the_mix_is_aligned() -> None:
    sound = plucked(0.4)
    np.testing.assert_array_equal(play(stylizer(mix=0.0), sound), sound)
    wet, half = play(stylizer(), sound), play(stylizer(mix=0.5), sound)
    np.testing.assert_allclose(half, (wet + sound) / 2, atol=1e-5)


@pytest.mark.parametrize(("rate", "most"), [(44_100, 12.0), (48_000, 12.0)])
def test_the_low_delay_window_is_below_12_ms(rate: int, most: float) -> None:
    assert stylizer(rate=rate).latency_samples / rate * 1000 < most
    assert stylizer(rate=rate, settings=StylizerSettings(hop=64)).latency_samples == 127
    short = stylizer(rate=rate, settings=StylizerSettings(hop=128))
    assert short.latency_samples / rate * 1000 < 6.0


def test_a_weak_style_gives_back_the_input_nearly() -> None:
    # At a strength of 0.05 the resynthesis is all that is heard: the window pair must add up to one.
    sound = plucked(0.5)
    np.testing.assert_allclose(play(stylizer(strength=0.05), sound), sound, atol=0.05)


def test_silence_gives_silence_also_after_sound() -> None:
    sound = np.concatenate([np.zeros((1, RATE // 4)), plucked(1.0), np.zeros((1, RATE // 2))], axis=1)
    out = play(stylizer(), sound.astype(np.float32))
    assert not out[:, : RATE // 8].any()
    assert np.abs(out[:, -RATE // 4 :]).max() == 0.0


def test_noise_far_below_the_content_is_not_raised_to_the_style() -> None:
    rng = np.random.default_rng(5)
    loud = plucked(2.0)
    hiss = (10 ** (-65 / 20) * loud.std() * rng.standard_normal((1, RATE))).astype(np.float32)
    out = play(stylizer(), np.concatenate([loud, hiss], axis=1))
    tail, body = out[:, -RATE // 2 :], out[:, RATE : 2 * RATE]
    assert tail.std() < 10 ** (-55 / 20) * body.std()


@pytest.mark.parametrize("decibels", [-40.0, -20.0, 0.0])
def test_loudness_follows_the_input_from_the_first_second_and_nothing_blasts(decibels: float) -> None:
    sound = (10 ** (decibels / 20) * plucked(4.0)).astype(np.float32)
    out = play(stylizer(), sound)
    assert np.abs(out).max() <= 10 ** (-1 / 20) + 1e-6
    for part, most in ((slice(0, RATE), 8.0), (slice(RATE, None), 4.0)):
        assert (
            abs(loudness(out[:, part].astype(float), RATE) - loudness(sound[:, part].astype(float), RATE))
            < most
        )


def test_after_a_loud_accident_quiet_playing_is_not_made_loud() -> None:
    pop = np.ones((1, 200), dtype=np.float32)
    quiet = (10 ** (-40 / 20) * plucked(6.0)).astype(np.float32)
    out = play(stylizer(), np.concatenate([pop, quiet], axis=1))
    after = slice(RATE // 2, None)
    assert loudness(out[:, after].astype(float), RATE) < loudness(quiet[:, after].astype(float), RATE) + 9.0


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("window", ["low-delay", "full"])
def test_extreme_input_stays_finite_and_below_the_ceiling(phase: str, window: str) -> None:
    square = np.sign(np.sin(2 * np.pi * 61.0 * np.arange(RATE) / RATE))[None].astype(np.float32)
    click = np.zeros((1, RATE // 4), dtype=np.float32)
    click[0, 5000] = 1.0
    made = stylizer(settings=StylizerSettings(phase=phase, window=window, iterations=8))
    out = play(made, np.concatenate([square, click, 1e-6 * square, 20.0 * square], axis=1))
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 10 ** (-1 / 20) + 1e-6


def largest_step_ratio(out: Samples, reference: Samples) -> float:
    """How the largest second difference compares with that of sounds in which nothing was moved."""
    return float(np.abs(np.diff(out, 2)).max() / np.abs(np.diff(reference, 2)).max())


@pytest.mark.parametrize("knob", ["strength", "mix", "notes"])
def test_a_knob_makes_no_click(knob: str) -> None:
    time = np.arange(3 * RATE) / RATE
    sine = (0.3 * np.sin(2 * np.pi * 440.0 * time))[None].astype(np.float32)
    made, still = stylizer(), stylizer()
    calm = play(still, sine)
    moved = []
    for number, at in enumerate(range(0, sine.shape[1], 4800)):
        made.set(knob, float(number % 2))
        moved.append(made.feed(sine[:, at : at + 4800]))
    # What the knob's ends sound like, and nothing sharper between them.
    assert largest_step_ratio(np.concatenate(moved, axis=1)[:, RATE:], np.maximum(calm, sine)[:, RATE:]) < 2.0


def test_the_style_s_own_flicker_is_heard_where_the_input_is_even() -> None:
    rng = np.random.default_rng(3)
    seconds = np.arange(3 * RATE) / RATE
    flicker = 1.0 + 0.9 * np.sin(2 * np.pi * 18.0 * seconds)
    style = Style.from_audio(0.05 * flicker * rng.standard_normal((1, seconds.size)), RATE, name="flicker")
    made = Stylizer([style], sample_rate=RATE, channels=1)
    even = 0.05 * rng.standard_normal((1, seconds.size), dtype=np.float32)

    def depth(sound: Samples) -> float:
        """Of the movement of power from 12 to 24 times a second, after the first second; jumps in the clip shift it."""
        power = np.square(sound[0, RATE : 3 * RATE].astype(np.float64)).reshape(-1, 128).mean(axis=1)
        spectrum = np.fft.rfft(power)
        spectrum[:24] = spectrum[48:] = 0.0
        return float(np.sqrt(2.0) * np.fft.irfft(spectrum).std() / power.mean())

    assert depth(even) < 0.1
    assert depth(play(made, even)) > 0.5


@pytest.mark.parametrize("phase", PHASES)
def test_no_edge_at_the_hop(phase: str) -> None:
    # A tonal bass, with hardly anything above it: a step at the frames' borders would stand out.
    time = np.arange(3 * RATE) / RATE
    bass = sum(0.3 / n**3 * np.sin(2 * np.pi * 55.0 * n * time) for n in range(1, 8))
    made = stylizer(settings=StylizerSettings(phase=phase))
    out = play(made, np.asarray(bass, dtype=np.float32)[None])[0, RATE:].astype(float)
    rough = np.diff(out, 2) ** 2
    by_offset = rough[: rough.size // made.hop * made.hop].reshape(-1, made.hop).mean(axis=0)
    # Frames that cross over are a little smoother in the middle; a step would be a hundred times rougher.
    assert by_offset.max() < 5.0 * np.median(by_offset)


def test_reset_forgets() -> None:
    sound = plucked(0.5)
    made = stylizer()
    first = play(made, sound)
    made.reset()
    np.testing.assert_array_equal(play(made, sound), first)


def test_freeze_holds_what_was_learnt_and_soundcheck_learns_afresh() -> None:
    made = stylizer(adapt=0.5)
    made.feed(plucked(1.0))
    made.set("freeze", 1.0)
    before = made._core.kept.covariance.copy()
    made.feed(plucked(0.5, seed=9))
    np.testing.assert_array_equal(made._core.kept.covariance, before)
    made.set("freeze", 0.0)
    made.set("soundcheck", 1.0)
    made.feed(plucked(0.5, seed=9))
    learnt = made._core.kept.covariance.copy()
    assert not np.array_equal(learnt, before)
    made.set("soundcheck", 0.0)
    made.feed(plucked(0.5, seed=4))
    np.testing.assert_array_equal(made._core.kept.covariance, learnt)


def test_weights_choose_among_styles() -> None:
    sound = plucked(1.0)
    silenced = []
    for seed in (2, 3):
        styles = [noisy_style(seed=1), noisy_style(seed=seed)]
        made = Stylizer(styles, sample_rate=RATE, channels=1)
        made.set("style_2", 0.0)
        made.reset()
        silenced.append(play(made, sound))
    np.testing.assert_array_equal(silenced[0], silenced[1])
    mixtures = [play(stylizer(styles=2, style_1=1.0, style_2=w), sound) for w in (0.0, 0.5, 1.0)]
    for one, other in itertools.pairwise(mixtures):
        assert np.abs(one - other).max() > 1e-3
    # No weight at all is as good as all of them.
    np.testing.assert_array_equal(
        play(stylizer(styles=2, style_1=0.0, style_2=0.0), sound), play(stylizer(styles=2), sound)
    )


def test_the_input_s_stereo_image_is_kept() -> None:
    left = plucked(1.5)
    sound = np.concatenate([left, 0.25 * left])
    out = play(stylizer(channels=2), sound)
    assert out[0].std() / out[1].std() == pytest.approx(4.0, rel=0.1)


def test_automatic_iterations_and_settings_out_of_range() -> None:
    made = stylizer(settings=StylizerSettings(iterations=None))
    assert np.isfinite(play(made, plucked(0.3))).all()
    for wrong in ({"window": "narrow"}, {"phase": "random"}, {"iterations": 99}):
        with pytest.raises(InputError, match="give"):
            StylizerSettings(**wrong)
    for hop in (0, 100, 4096):
        with pytest.raises(InputError, match="power of two"):
            stylizer(settings=StylizerSettings(hop=hop))
    with pytest.raises(InputError, match="1 to 4"):
        Stylizer([], sample_rate=RATE, channels=1)
    with pytest.raises(KeyError):
        made.set("volume", 1.0)
