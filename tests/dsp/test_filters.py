import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyloudnorm.iirfilter import IIRfilter
from scipy.signal import cheby2, firwin, sosfilt, sosfreqz

from gramophone.dsp.filters import filter_in_place, k_weighting, steep_high_pass, windowed_sinc

RATES = [8_000, 44_100, 48_000, 192_000]


@pytest.mark.parametrize("rate", RATES)
def test_filters_are_those_of_others(rate: int) -> None:
    omega = 2 * np.pi * np.geomspace(1.0, 0.49 * rate, 500) / rate
    ours = sosfreqz(steep_high_pass(rate, 20.0), omega)[1]
    theirs = sosfreqz(cheby2(5, 40.0, 20.0, "highpass", output="sos", fs=rate), omega)[1]
    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    shelf = IIRfilter(3.99984385397, 0.7071752369554193, 1681.9744509555319, rate, "high_shelf_DeMan")
    high_pass = IIRfilter(0.0, 0.5003270373253953, 38.13547087613982, rate, "high_pass_DeMan")
    expected = [[*stage.b, *stage.a] for stage in (shelf, high_pass)]
    np.testing.assert_allclose(k_weighting(rate), expected, rtol=1e-14)


@given(taps=st.integers(1, 100), cutoff=st.floats(0.01, 0.99), beta=st.floats(0.0, 12.0))
def test_a_windowed_sinc_is_scipys(taps: int, cutoff: float, beta: float) -> None:
    expected = firwin(taps, cutoff, window=("kaiser", beta), scale=False)
    np.testing.assert_allclose(windowed_sinc(taps, cutoff, beta=beta), expected, atol=1e-15)


@given(cuts=st.lists(st.integers(0, 700), max_size=4), single=st.booleans())
def test_sound_in_any_pieces_is_filtered_as_by_scipy(cuts: list[int], single: bool) -> None:
    noise = np.random.default_rng(0).standard_normal((3, 700))
    sound = noise.astype(np.float32) if single else noise
    sections = k_weighting(44_100)
    parts: list[np.ndarray] = [part.copy() for part in np.split(sound, sorted(cuts), axis=1)]
    kept = np.zeros((3, 2, 2))
    for part in parts:
        filter_in_place(sections, part, kept)
    expected = sosfilt(sections, sound.astype(np.float64))
    filter_in_place(sections, sound, np.zeros((3, 2, 2)))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), sound)
    np.testing.assert_allclose(sound, expected, atol=1e-6 if single else 1e-12)
