import numpy as np
import pytest

from gramophone.dsp.windows import WindowPair, full_pair, low_delay_pair

PAIRS = [
    full_pair(2048, 512),
    full_pair(512, 256),
    low_delay_pair(2048, 512, 256),
    low_delay_pair(2048, 512, 128),
    low_delay_pair(2048, 256, 128),
    low_delay_pair(512, 512, 256),
]


@pytest.mark.parametrize("pair", PAIRS)
def test_frames_that_nothing_was_done_to_add_up_to_the_sound(pair: WindowPair) -> None:
    size = pair.analysis.size
    sound = np.random.default_rng(0).standard_normal(8 * size)
    out = np.zeros_like(sound)
    for start in range(0, sound.size - size + 1, pair.hop):
        frame = np.fft.rfft(sound[start : start + size] * pair.analysis)
        out[start : start + size] += np.fft.irfft(frame, n=size) * pair.synthesis
    whole = slice(size, -size)
    np.testing.assert_allclose(out[whole], sound[whole])


@pytest.mark.parametrize("pair", PAIRS)
def test_a_sample_is_complete_after_the_latency(pair: WindowPair) -> None:
    assert not pair.synthesis[: -pair.length].any()
    assert pair.latency == pair.length - 1


def test_the_low_delay_pair_ends_level() -> None:
    corner = np.sin(0.5 * np.pi / 256)
    assert low_delay_pair(2048, 512, 256).synthesis[-1] < 0.05 * corner


@pytest.mark.parametrize(("length", "hop"), [(513, 171), (512, 200), (512, 512), (4096, 256)])
def test_pairs_that_do_not_add_up_are_refused(length: int, hop: int) -> None:
    with pytest.raises(ValueError, match="does not add up"):
        low_delay_pair(2048, length, hop)
