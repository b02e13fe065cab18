"""Running loudness, and the gains that follow: what a change of level, a rest and a loud accident do to them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.dsp.level import REFERENCE_LUFS, S0, loudness
from gramophone.models.live.loudness import balance, hold, listen, loudness_weights, reset_loudness
from gramophone.models.live.prepared_style import make_layout
from tests.models.live.parts import Numbers

RATE = 8000
LAYOUT = make_layout(RATE)
HOP = LAYOUT.hop / RATE
WINDOW = LAYOUT.pair.analysis
# Falls towards the treble, as most sounds do; about -20 LUFS.
SPECTRUM = np.logspace(-4.0, -7.0, LAYOUT.bins).astype(np.float32)
ADAPT = 0.02


def db(factor: float) -> float:
    return 20.0 * math.log10(factor)


class RunningLoudness(Numbers):
    """What a core keeps of loudness."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        object.__setattr__(self, "weights", loudness_weights(LAYOUT, channels))
        object.__setattr__(self, "channels", channels)
        self.reset()

    def reset(self) -> None:
        reset_loudness(self.record)

    def listen(self, power: NDArray[np.float32], rate: float, gate: float) -> float:
        self.gate = gate
        return listen(self.now, HOP, power.astype(np.float32), self.weights, rate)

    def hold(self, wished: NDArray[np.float32], strength: float) -> float:
        return hold(self.now, np.square(wished, dtype=np.float32), self.weights, self.channels, strength)

    def balance(
        self, heard: NDArray[np.float32], made: NDArray[np.float32], learnt: float, most: float
    ) -> None:
        balance(self.now, np.stack([heard, made]).astype(np.float32), self.weights, learnt, most)


def powers(sound: NDArray[np.float64]) -> NDArray[np.float32]:
    """Power spectra [T, B] of all channels of a sound together, as the stylizer has them."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, LAYOUT.n_fft, axis=-1)[:, :: LAYOUT.hop]
    spectra = np.fft.rfft(frames * (WINDOW * (2.0 / WINDOW.sum())))
    return np.square(np.abs(spectra)).sum(axis=0).astype(np.float32)


def heard(*levels: tuple[float, float], rate: float = ADAPT, gate: float = 0.0) -> RunningLoudness:
    """What has heard a spectrum at levels in dB, each for so many seconds."""
    made = RunningLoudness(channels=1)
    hear(made, *levels, rate=rate, gate=gate)
    return made


def hear(
    made: RunningLoudness, *levels: tuple[float, float], rate: float = ADAPT, gate: float = 0.0
) -> list[float]:
    """Have it hear more; return how much each frame taught."""
    return [
        made.listen(SPECTRUM * 10.0 ** (level / 10.0), rate, gate)
        for level, seconds in levels
        for _ in range(round(seconds / HOP))
    ]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("level", [-40.0, -12.0])
def test_the_gain_brings_a_sound_to_the_reference_loudness(channels: int, level: float) -> None:
    noise = np.random.default_rng(0).standard_normal((channels, 6 * RATE))
    sound = 10.0 ** (level / 20.0) * np.apply_along_axis(np.convolve, 1, noise, [0.25, 0.5, 0.25], "same")
    made = RunningLoudness(channels=channels)
    for power in powers(sound):
        made.listen(power, 0.005, 0.0)
    # A mean over the channels here, a sum in BS.1770.
    expected = REFERENCE_LUFS - loudness(sound, RATE) + 10.0 * math.log10(channels)
    assert db(made.gain) == pytest.approx(expected, abs=0.7)


@pytest.mark.parametrize("change", [-25.0, -9.0, -1.0, 1.0, 9.0, 25.0])
def test_the_gain_follows_a_change_of_level(change: float) -> None:
    made = heard((0.0, 6.0))
    before = made.gain
    hear(made, (change, 12.0), rate=0.1)
    assert db(made.gain) - db(before) == pytest.approx(-change, abs=0.2)


@settings(max_examples=12)
@given(depth=st.floats(31.0, 80.0), seconds=st.floats(0.5, 4.0))
def test_a_rest_sinks_the_level_with_fifty_times_the_time_constant(depth: float, seconds: float) -> None:
    made = heard((0.0, 6.0))
    before = made.gain
    hear(made, (-depth, seconds))
    raised = db(made.gain) - db(before)
    # Of a rest of R hops at rate r: exp(-r R / 50) of the power are left.
    expected = 10.0 * math.log10(math.e) * ADAPT * round(seconds / HOP) / 50.0
    assert raised == pytest.approx(expected, rel=0.1)


def test_rests_teach_nothing() -> None:
    made = heard((0.0, 6.0), gate=6.0)
    level, seconds = made.level, made.heard
    # What the gate shuts out is not even heard, however long; the level of SPECTRUM is well above -75 dB by then.
    taught = hear(made, (-100.0, 30.0), gate=6.0)
    assert not any(taught[5:])
    hear(made, (-100.0, 30.0), gate=6.0)
    assert made.level == pytest.approx(level, rel=0.02)
    assert made.heard - seconds < 0.5
    # Without a gate it is heard, and yet nothing can be learnt from it.
    assert not any(hear(heard((0.0, 6.0)), (-60.0, 1.0))[round(0.3 / HOP) :])
    assert hear(made, (0.0, 0.1), gate=6.0) == [1.0] * round(0.1 / HOP)


def test_an_accident_counts_for_no_more_than_ten_decibels_above_the_level() -> None:
    made = heard((0.0, 6.0))
    before = made.level
    hear(made, (60.0, HOP))
    assert made.level == pytest.approx(before * (1.0 + 9.0 * ADAPT), rel=1e-4)


def test_what_was_first_is_forgotten_by_and_by_even_in_a_soundcheck() -> None:
    # There all counts alike, but the memory is a third of what has been heard: plugging in may have been loud.
    first = heard((20.0, 0.5), (0.0, 9.5), rate=1e-6)
    assert db(first.gain) == pytest.approx(db(heard((0.0, 9.5), rate=1e-6).gain), abs=1.0)


def test_at_rate_0_it_holds_what_it_has_heard() -> None:
    made = heard((0.0, 6.0))
    gain = made.gain
    hear(made, (20.0, 2.0), (-20.0, 2.0), rate=0.0)
    assert made.gain == gain
    made.reset()
    assert (made.gain, made.makeup, made.heard) == (1.0, 1.0, 0.0)


@settings(max_examples=12)
@given(ratio=st.floats(-80.0, 80.0))
def test_the_makeup_brings_the_output_to_the_input_by_12_db_up_at_most(ratio: float) -> None:
    made = heard((0.0, 6.0))
    # The input at the reference loudness is what the output is compared with.
    level = SPECTRUM * (made.gain * made.gain)
    for _ in range(1500):
        made.balance(SPECTRUM, level * 10.0 ** (ratio / 10.0), 0.01, 0.01)
        assert 0.003 <= made.makeup <= 4.0
    assert made.makeup == pytest.approx(min(4.0, max(0.003, 10.0 ** (-ratio / 20.0))), rel=0.02)


def test_the_makeup_learns_from_what_came_out_too_loud_even_where_little_is_learnt() -> None:
    made = heard((0.0, 6.0))
    made.balance(SPECTRUM, 1e-4 * SPECTRUM, 0.0, 0.5)
    assert made.makeup == 1.0
    made.balance(SPECTRUM, 1e4 * SPECTRUM, 0.0, 0.5)
    assert made.makeup < 0.1


@settings(max_examples=25)
@given(
    below=st.floats(-70.0, 0.0),
    wished=st.floats(-60.0, 20.0),
    makeup=st.floats(0.01, 4.0),
    strength=st.floats(0.1, 1.0),
)
def test_what_the_map_wants_louder_is_held_at_the_law(
    below: float, wished: float, makeup: float, strength: float
) -> None:
    made = heard((0.0, 6.0))
    # Long enough for what is held of the level before to have fallen; nothing is learnt meanwhile.
    hear(made, (below, 0.6), rate=0.0)
    made.makeup = makeup
    magnitudes = np.sqrt(SPECTRUM) * made.gain / S0 * 10.0 ** (wished / 20.0)
    held = made.hold(magnitudes, strength)
    most = below - 2.0 if below <= -30.0 else -32.0 + 1.75 * (below + 30.0)
    # Relative to the running level, and with the makeup that is still to come.
    loud = wished + strength * db(makeup)
    assert db(held) == pytest.approx(min(0.0, most - loud), abs=0.05)
    # What is held down teaches less.
    assert made.listen(SPECTRUM, 0.0, 0.0) == pytest.approx(held)


def test_the_shut_gate_silences_as_far_as_the_style_is_asked_for() -> None:
    made = heard((0.0, 6.0), gate=6.0)
    hear(made, (-100.0, 1.0), rate=0.0, gate=6.0)
    nothing = np.zeros(LAYOUT.bins, dtype=np.float32)
    assert [made.hold(nothing, strength) for strength in (0.0, 0.25, 1.0)] == pytest.approx([1.0, 0.75, 0.0])
