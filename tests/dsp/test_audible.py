from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.dsp.audible import audible, audible_track
from gramophone.media.spool import Held, Spool

RATES = [8_000, 22_050, 44_100, 48_000, 96_000]


def tone(hertz: float, rate: int, seconds: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)[None]


@given(rate=st.sampled_from(RATES), place=st.floats(0.0, 1.0), offset=st.floats(-10.0, 10.0))
def test_what_is_heard_stays_as_it_is_and_an_offset_goes(rate: int, place: float, offset: float) -> None:
    hertz = 40.0 * (min(19_500.0, 0.45 * rate) / 40.0) ** place
    sound = tone(hertz, rate, 1.5)
    inside = slice(rate // 2, -rate // 2)
    np.testing.assert_allclose(audible(sound + offset, rate)[:, inside], sound[:, inside], atol=2e-4)


@given(rate=st.sampled_from(RATES), low=st.floats(0.0, 20.0), high=st.floats(20_000.0, 47_000.0))
def test_what_is_not_heard_goes(rate: int, low: float, high: float) -> None:
    for hertz in (low, high):
        if hertz < rate / 2:
            assert np.abs(audible(tone(hertz, rate, 1.5), rate)[:, rate // 2 : -rate // 2]).max() < 2e-5


@pytest.mark.parametrize("count", [1, 50, 4000])
def test_a_sound_may_be_shorter_than_the_filter(count: int) -> None:
    sound = np.random.default_rng(0).standard_normal((2, count)) + 3.0
    heard = audible(sound, 44_100)
    assert heard.shape == sound.shape
    assert np.abs(audible(np.full((2, count), 3.0), 44_100)).max() < 1e-4


def test_a_track_in_pieces_is_the_same(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).standard_normal((2, 300_000)) + 0.5
    out = Spool.create(tmp_path / "out", channels=2, length=300_000)
    audible_track(Held(sound), out, 48_000)
    np.testing.assert_allclose(out.read(0, 300_000), audible(sound, 48_000), atol=1e-6)
