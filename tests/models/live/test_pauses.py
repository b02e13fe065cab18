"""What comes of a pause, of a sound that dies away, and of the room: nothing is raised above what it was."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import sosfilt

from gramophone.dsp.filters import k_weighting
from gramophone.models.live.stylizer import Stylizer
from gramophone.models.style import Style

Samples = NDArray[np.float32]
RATE = 48_000
# Exponents of the frequency, of the power spectrum.
COLOURS = {"white": 0.0, "pink": -1.0, "brown": -2.0}


def decibels(sound: NDArray[np.floating]) -> float:
    return 20.0 * float(np.log10(np.sqrt(np.mean(np.square(sound))) + 1e-12))


def at(sound: NDArray[np.floating], level: float) -> Samples:
    return (sound * 10.0 ** ((level - decibels(sound)) / 20.0)).astype(np.float32)


def noise(seconds: float, colour: str = "pink", *, seed: int = 0) -> NDArray[np.float64]:
    count = round(seconds * RATE)
    frequencies = np.maximum(np.fft.rfftfreq(count, 1.0 / RATE), 20.0)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((1, count)))
    return np.fft.irfft(spectrum * frequencies ** (COLOURS[colour] / 2.0), n=count)


def hum(seconds: float, mains: float = 50.0) -> NDArray[np.float64]:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * n * mains * time + n) / n for n in (1, 2, 3, 5)))[None]


def room(seconds: float, kind: str) -> NDArray[np.float64]:
    return hum(seconds) if kind == "hum" else noise(seconds, kind)


def string(seconds: float, t60: float, pitch: float = 196.0) -> NDArray[np.float64]:
    """A tone that falls by 60 dB in `t60` seconds."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 8))
    return np.asarray(tone * 10.0 ** (-3.0 * time / t60))[None]


def playing(seconds: float) -> Samples:
    """Plucked strings, or, as their decay is short, something like drums."""
    out = np.zeros((1, round(seconds * RATE)))
    for number, start in enumerate(range(0, out.shape[1], RATE // 6)):
        out[:, start:] += string(seconds, 0.5 + 0.2 * (number % 3), 110.0 * 2 ** (number * 7 % 24 / 12))[
            :, : out.shape[1] - start
        ]
    return at(out, -20.0)


def stylizer(**knobs: float) -> Stylizer:
    """One whose style never falls silent."""
    clip = noise(2.0, seed=1) * (1.0 + 0.5 * np.sin(2 * np.pi * 5.0 * np.arange(2 * RATE) / RATE))
    made = Stylizer(
        [Style.from_audio(0.1 * clip / clip.std(), RATE, name="noise")], sample_rate=RATE, channels=1
    )
    for name, value in knobs.items():
        made.set(name, value)
    made.reset()
    return made


MADE = stylizer()


def heard(made: Stylizer, sound: Samples) -> Samples:
    return np.concatenate([made.feed(sound), made.flush()], axis=1)[:, made.latency_samples :]


def levels(sound: Samples, seconds: float) -> NDArray[np.float64]:
    """Short-time levels as the ear weighs them, dB."""
    size = round(seconds * RATE)
    weighted = sosfilt(k_weighting(RATE), sound.astype(float))[0]
    blocks = weighted[: weighted.size // size * size].reshape(-1, size)
    return np.asarray(10.0 * np.log10(np.square(blocks).mean(axis=1) + 1e-24))


@settings(max_examples=8)
@given(
    kind=st.sampled_from([*COLOURS, "hum"]),
    level=st.floats(-90.0, -45.0),
    loud=st.floats(-30.0, 0.0),
)
def test_a_pause_is_hardly_louder_than_the_room(kind: str, level: float, loud: float) -> None:
    sound = at(room(6.0, kind), level)
    sound[:, : 3 * RATE] += playing(3.0)
    sound *= np.float32(10.0 ** (loud / 20.0))
    MADE.reset()
    out = heard(MADE, sound)
    pause = slice(round(3.6 * RATE), None)
    came, went = levels(sound[:, pause], 0.4), levels(out[:, pause], 0.4)
    distance = levels(sound[:, : 3 * RATE], 3.0)[0] - came
    assert (went < came + np.where(distance > 30.0, 3.0, 6.0)).all()


@pytest.mark.parametrize("t60", [1.5, 3.0, 6.0])
def test_a_string_dies_away_at_its_own_pace(t60: float) -> None:
    sound = np.concatenate([playing(3.0), at(string(t60, t60), -24.0)], axis=1)
    sound += at(noise(sound.shape[1] / RATE), -95.0)
    MADE.reset()
    out = heard(MADE, sound)
    decay = slice(3 * RATE, None)
    came, went = levels(sound[:, decay], 0.05), levels(out[:, decay], 0.05)
    # From where it is clearly softer than the playing down to where the gate may shut.
    soft = (came < came[0] - 36.0) & (came > -72.0)
    assert soft.sum() > 8
    assert np.abs(went - came)[soft].max() < 8.0
    # It does not come and go: what falls goes on falling, give or take the style's own swell.
    assert np.diff(went)[soft[1:]].max() < 4.0


def test_a_soundcheck_measures_the_room_and_the_gate_shuts_it_out() -> None:
    pause = at(noise(2.5), -58.0)
    phrase = playing(2.0) + at(noise(2.0, seed=2), -58.0)
    made = stylizer(soundcheck=1.0)
    made.feed(np.concatenate([phrase, pause], axis=1))
    made.set("soundcheck", 0.0)
    room_level = levels(pause, 2.5)[0]
    assert made._core.kept.now["room"][0] == pytest.approx(room_level, abs=3.0)
    sound = np.concatenate([phrase, pause, phrase], axis=1)
    state = made.state()
    # Shut to the last bit, and open again with the first note.
    shut = made.feed(sound)[:, made.latency_samples :]
    assert not shut[:, 3 * RATE : round(4.4 * RATE)].any()
    made.restore(state)
    made.set("gate", 0.0)
    opened = made.feed(sound)[:, made.latency_samples :]
    assert (levels(opened[:, 3 * RATE : round(4.4 * RATE)], 0.4) > room_level - 12.0).all()
    attack = slice(round(4.5 * RATE), round(4.52 * RATE))
    assert decibels(shut[:, attack]) == pytest.approx(decibels(opened[:, attack]), abs=2.0)


def test_who_plays_through_the_soundcheck_is_not_taken_for_the_room() -> None:
    made = stylizer(soundcheck=1.0)
    made.feed(at(noise(3.0), -20.0))
    made.set("soundcheck", 0.0)
    soft = at(noise(1.0, seed=3), -40.0)
    assert levels(heard(made, soft), 1.0)[0] > levels(soft, 1.0)[0] - 10.0


def test_the_gate_does_not_chatter_over_what_lingers_at_its_threshold() -> None:
    for kind in (*COLOURS, "hum"):
        made = stylizer(soundcheck=1.0)
        sound = at(room(6.0, kind), -55.0)
        sound[:, : 2 * RATE] += playing(2.0)
        made.feed(sound[:, : 5 * RATE])
        made.set("soundcheck", 0.0)
        gates = []
        # The room, up and down by some decibels around the threshold, for some seconds.
        swell = 10.0 ** (8.0 * np.sin(2 * np.pi * np.arange(4 * RATE) / (4 * RATE)) / 20.0)
        for block in np.array_split(
            at(room(4.0, kind), -55.0) * swell.astype(np.float32), 4 * RATE // 256, axis=1
        ):
            made.feed(block)
            gates.append(made._core.kept.now["opened"][0] > 0.5)
        assert np.count_nonzero(np.diff(gates)) <= 4, kind


def test_the_gate_opens_and_shuts_without_a_click() -> None:
    time = np.arange(3 * RATE) / RATE
    sine = (0.003 * np.sin(2 * np.pi * 440.0 * time))[None].astype(np.float32)

    def roughest(out: Samples) -> float:
        return float(np.abs(np.diff(out, 2))[:, RATE:].max())

    calm = roughest(stylizer().feed(sine))
    made = stylizer()
    out, gates = [], []
    for number, start in enumerate(range(0, sine.shape[1], 9600)):
        # In steps of a controller from end to end, and in one step back.
        made.set("gate", 40.0 * (number % 6) / 5.0)
        out.append(made.feed(sine[:, start : start + 9600]))
        gates.append(made._core.kept.now["opened"][0])
    assert roughest(np.concatenate(out, axis=1)) < 1.5 * calm
    assert min(gates) == 0.0
    assert max(gates) == 1.0


def test_whatever_the_gate_at_strength_0_a_pause_is_the_input() -> None:
    sound = np.concatenate([playing(0.5), at(noise(0.5), -70.0)], axis=1)
    np.testing.assert_array_equal(heard(stylizer(strength=0.0, gate=40.0), sound), sound)


def test_pauses_and_soundcheck_do_not_depend_on_the_blocks() -> None:
    sound = np.concatenate([playing(0.5), at(noise(1.0), -60.0), playing(0.3)], axis=1)

    def play(size: int) -> Samples:
        made = stylizer(gate=20.0)
        out = []
        for start in range(0, sound.shape[1], size):
            # Turned between the same samples, whatever the blocks.
            made.set("soundcheck", float(9600 <= start < 57_600))
            out.append(made.feed(sound[:, start : start + size]))
        return np.concatenate(out, axis=1)

    np.testing.assert_array_equal(play(480), play(9600))
