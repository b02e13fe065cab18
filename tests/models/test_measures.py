"""The measures: style distances, content kept, notes."""

import numpy as np
import pytest

from gramophone.media.errors import InputError
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.notes import notes_kept
from gramophone.models.measures.style_distance import StyleMeter, style_distance
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.offline.render.baselines import BASELINES, matched_equaliser
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


def chords(seconds: float, *, semitones: float = 0.0) -> Samples:
    """Chords of plucked strings over a bass, a new one each half second."""
    t = np.arange(round(seconds * RATE)) / RATE
    turn = np.floor(t / 0.5).astype(int) % 3
    out = np.zeros_like(t)
    for voice in ((48, 45, 43), (60, 60, 59), (64, 65, 62), (67, 69, 67)):
        hertz = 440.0 * 2.0 ** ((np.array(voice)[turn] + semitones - 69.0) / 12.0)
        phase = 2.0 * np.pi * np.cumsum(hertz) / RATE
        out += sum(np.sin(h * phase) / h for h in range(1, 7))
    return 0.05 * (out * np.exp(-3.0 * np.mod(t, 0.5)))[None]


@pytest.mark.parametrize("sound", [tones(3.0), chords(3.0)], ids=["single notes", "chords"])
def test_notes_are_kept_by_what_changes_only_colour_level_and_noise(sound: Samples) -> None:
    treble = sound + 2.0 * np.diff(sound, prepend=0.0)
    hiss = 0.01 * sound.std() * np.random.default_rng(0).standard_normal(sound.shape)
    assert notes_kept(sound, sound, RATE) == pytest.approx(1.0)
    assert (notes_kept(sound, 0.2 * treble + 0.2 * hiss, RATE) or 0.0) > 0.95
    assert (notes_kept(sound, matched_equaliser(sound, CONTENT, RATE), RATE) or 0.0) > 0.85


def test_notes_are_not_kept_by_other_notes_by_noise_or_at_another_time() -> None:
    sound = chords(3.0)
    for other in (chords(3.0, semitones=1.0), noise(3.0, 3), CONTENT, np.zeros_like(sound)):
        assert (notes_kept(sound, other, RATE) or 0.0) < 0.1
    assert (notes_kept(sound, np.roll(sound, RATE // 2), RATE) or 0.0) < 0.5


def test_added_notes_cost_as_lost_ones_do() -> None:
    sound = tones(3.0)
    added = notes_kept(sound, sound + chords(3.0, semitones=0.5), RATE) or 0.0
    assert 0.1 < added < 0.85
    everything = sum(chords(3.0, semitones=k / 2.0) for k in range(24))
    assert (notes_kept(sound, np.asarray(everything), RATE) or 0.0) < 0.1


def test_what_has_no_notes_has_none_kept() -> None:
    for sound in (CONTENT, noise(3.0, 2), np.zeros((1, RATE))):
        kept = content_kept(sound, tones(3.0)[:, : sound.shape[-1]], RATE)
        assert kept.notes is None
        assert kept.overall == pytest.approx((kept.onset + kept.energy + kept.mel) / 3.0)
    same = content_kept(STYLE, STYLE, RATE)
    assert same.overall == pytest.approx((same.onset + same.energy + same.mel + (same.notes or 0.0)) / 4.0)


def test_transposition_free_distance_ends_at_content_and_style() -> None:
    meter = TranspositionFreeMeter(CONTENT, STYLE, RATE)
    unchanged, arrived = meter.distance(CONTENT), meter.distance(STYLE)
    assert (unchanged.raw, unchanged.centred) == pytest.approx((1.0, 1.0))
    assert (arrived.raw, arrived.centred) == pytest.approx((0.0, 0.0), abs=1e-5)
    floor = TranspositionFreeMeter(CONTENT, noise(3.0, 5), RATE).floor()
    assert max(floor.raw, floor.centred) < 0.2


def test_a_style_played_three_semitones_away_is_still_that_style() -> None:
    style = chords(3.0)
    meter = TranspositionFreeMeter(CONTENT, style, RATE)
    moved = [meter.distance(chords(3.0, semitones=semitones)) for semitones in (-3.0, 3.0)]
    raw, centred = max(d.raw for d in moved), max(d.centred for d in moved)
    assert raw < 0.4
    assert centred < 0.4
    for name in ("matched equaliser", "channel vocoder"):
        other = meter.distance(BASELINES[name](CONTENT, style, RATE))
        assert other.raw > raw
        assert other.centred > 2.0 * centred
