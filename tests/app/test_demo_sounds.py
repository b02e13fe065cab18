import numpy as np
import pytest

from gramophone.app import demo_sounds

MAKERS = (demo_sounds.plucked_strings, demo_sounds.bubbling_water)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_shape_level_and_ends(make, rate: int) -> None:
    samples = make(rate)
    assert samples.shape == (2, 8 * rate)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() == pytest.approx(0.7)
    assert abs(samples.mean()) < 1e-3
    assert np.abs(samples[:, -2:]).max() < 0.01
    assert not np.allclose(samples[0], samples[1])


@pytest.mark.parametrize("make", MAKERS)
def test_the_seed_decides(make) -> None:
    np.testing.assert_array_equal(make(8000, seed=3), make(8000, seed=3))
    assert not np.allclose(make(8000, seed=3), make(8000, seed=4))


def levels(samples: np.ndarray, rate: int, seconds: float) -> np.ndarray:
    block = round(seconds * rate)
    mono = samples.mean(axis=0)
    return np.sqrt((mono[: mono.size // block * block].reshape(-1, block) ** 2).mean(axis=1))


def test_the_tune_has_attacks_in_time() -> None:
    rate = 16000
    level = levels(demo_sounds.plucked_strings(rate), rate, 0.02)
    rise = level / (np.concatenate([[0.0], level[:-1]]) + 1e-3)
    attacks = np.flatnonzero(rise > 1.5) * 0.02
    assert len(attacks) >= 16
    for bar in range(4):
        # Bass and tune begin every bar together.
        assert np.abs(attacks - 2.0 * bar).min() < 0.06


def test_strings_are_in_tune() -> None:
    rate = 44100
    string = demo_sounds._pluck(69, 1.0, 1.5, rate, np.random.default_rng(0))[rate // 10 : rate]
    spectrum = np.abs(np.fft.rfft(string * np.hanning(string.size), 1 << 19))
    low, high = (round(hertz * (1 << 19) / rate) for hertz in (400, 480))
    peak = (low + int(np.argmax(spectrum[low:high]))) * rate / (1 << 19)
    assert abs(1200 * np.log2(peak / 440.0)) < 5.0


def test_the_water_never_stops() -> None:
    rate = 16000
    level = levels(demo_sounds.bubbling_water(rate), rate, 0.1)[:-1]
    assert level.min() > 0.2 * level.mean()
