"""The measures: style distance, content kept, pitch."""

import numpy as np
import pytest

from gramophone.media.errors import InputError
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.pitch import pitch_track
from gramophone.models.measures.style_distance import StyleMeter, style_distance
from tests.sounds import beats, noise

RATE = 44100
Samples = np.ndarray


def tones(seconds: float) -> Samples:
    t = np.arange(round(seconds * RATE)) / RATE
    steps = np.floor(t / 0.25).astype(int) % 4
    pitch = np.array([220.0, 277.2, 329.6, 440.0])[steps]
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    partials = np.arange(1, 8)[:, None]
    wave = (np.sin(partials * phase) / partials).sum(axis=0)
    return 0.2 * wave[None] * np.exp(-4.0 * np.mod(t, 0.25))


CONTENT, STYLE = beats(3.0, 2.0), tones(3.0)


@pytest.fixture(scope="module")
def meter() -> StyleMeter:
    return StyleMeter(CONTENT, STYLE, RATE)


def test_unchanged_content_is_one_and_the_style_itself_is_zero(meter: StyleMeter) -> None:
    unchanged, arrived = meter.distance(CONTENT), meter.distance(STYLE)
    assert (unchanged.raw, unchanged.centred) == pytest.approx((1.0, 1.0))
    assert (arrived.raw, arrived.centred) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_level_rate_and_equal_channels_do_not_matter(meter: StyleMeter) -> None:
    from gramophone.media.audiofile import resample

    mixed = CONTENT + STYLE
    plain = meter.distance(mixed)
    louder = meter.distance(np.repeat(3.0 * mixed, 2, axis=0))
    assert louder.raw == pytest.approx(plain.raw, abs=1e-3)
    assert louder.centred == pytest.approx(plain.centred, abs=1e-3)
    elsewhere = StyleMeter(CONTENT, resample(STYLE, RATE, 48000), RATE, style_rate=48000).distance(mixed)
    assert elsewhere.raw == pytest.approx(plain.raw, abs=0.02)


def test_length_hardly_matters(meter: StyleMeter) -> None:
    assert meter.distance(np.tile(STYLE, (1, 3))).raw < 0.1


def test_other_networks_say_nearly_the_same() -> None:
    mixed = CONTENT + STYLE
    distances = [style_distance(CONTENT, STYLE, mixed, RATE, seed=seed) for seed in (1, 2, 3)]
    for part in ("raw", "centred"):
        values = [getattr(d, part) for d in distances]
        assert max(values) - min(values) < 0.03


def test_an_equaliser_lowers_raw_more_than_centred() -> None:
    from gramophone.offline.render.baselines import matched_equaliser

    output = matched_equaliser(CONTENT, STYLE, RATE)
    distance = style_distance(CONTENT, STYLE, output, RATE)
    assert distance.raw < distance.centred


def test_floor_is_lower_for_a_steady_style_than_for_one_that_changes() -> None:
    steady = StyleMeter(CONTENT, noise(3.0, 5), RATE).floor()
    changing = StyleMeter(
        CONTENT, np.concatenate([noise(1.5, 5), STYLE[:, : RATE * 3 // 2]], axis=1), RATE
    ).floor()
    assert steady.raw < 0.25
    assert steady.centred < 0.25
    assert changing.raw > 2.0 * steady.raw


def test_a_style_whose_second_half_is_silent_has_a_floor() -> None:
    stroke = np.concatenate([STYLE[:, :RATE], np.zeros((1, 2 * RATE))], axis=1)
    floor = StyleMeter(CONTENT, stroke, RATE).floor()
    assert floor.raw > 0.1
    assert np.isfinite(floor.centred)


def test_silence_is_refused() -> None:
    with pytest.raises(InputError, match="style is silent"):
        StyleMeter(CONTENT, np.zeros((1, RATE)), RATE)
    with pytest.raises(InputError, match="output is silent"):
        style_distance(CONTENT, STYLE, np.zeros_like(CONTENT), RATE)


def test_content_is_kept_by_itself_by_gain_and_nearly_by_an_equaliser() -> None:
    same = content_kept(CONTENT, CONTENT, RATE)
    assert (same.onset, same.energy, same.mel) == pytest.approx((1.0, 1.0, 1.0))
    assert content_kept(CONTENT, 0.2 * CONTENT, RATE).overall == pytest.approx(1.0, abs=1e-3)
    bright = np.diff(CONTENT, prepend=0.0)
    kept = content_kept(CONTENT, bright, RATE)
    assert kept.onset > 0.95
    assert kept.mel > 0.8


def test_unrelated_sounds_keep_nothing() -> None:
    kept = content_kept(CONTENT, noise(3.0, 9), RATE)
    assert abs(kept.onset) < 0.3
    assert abs(kept.mel) < 0.2
    assert kept.overall < 0.3


def test_shifted_beats_keep_less_than_aligned_ones() -> None:
    other = beats(3.0, 2.0, seed=7)
    aligned = content_kept(CONTENT, other, RATE)
    shifted = content_kept(CONTENT, np.roll(other, RATE // 8), RATE)
    assert aligned.onset > 0.8 > 0.3 > shifted.onset


def test_pitch_is_found_where_there_is_one_and_nowhere_else() -> None:
    for hertz in (82.4, 220.0, 440.0, 880.0):
        t = np.arange(RATE) / RATE
        wave = sum(np.sin(2 * np.pi * h * hertz * t) / h for h in range(1, 6))
        found = pitch_track(np.asarray(wave), RATE)
        cents = 1200 * np.abs(np.log2(found / hertz))
        assert np.nanmax(cents[4:-8]) < 10.0
        assert np.isfinite(found[4:-8]).all()
    assert np.isfinite(pitch_track(noise(1.0, 0)[0], RATE)).mean() < 0.1
    assert not np.isfinite(pitch_track(np.zeros(RATE), RATE)).any()


def test_pitch_kept_tells_a_transposition() -> None:
    assert content_kept(STYLE, STYLE, RATE).pitch == pytest.approx(1.0)
    t = np.arange(STYLE.shape[-1]) / RATE
    assert content_kept(STYLE, np.sin(2 * np.pi * 300.0 * t)[None], RATE).pitch == pytest.approx(
        0.0, abs=0.05
    )
    assert content_kept(CONTENT, CONTENT, RATE).pitch is None
