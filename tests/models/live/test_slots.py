"""Styles that are replaced while the stylizer plays, and its state: the sound says whether they are right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.models.live.memory import Bytes
from gramophone.models.live.prepared_style import live_style, make_layout
from gramophone.models.live.slots import most_bytes, most_samples, pack
from gramophone.models.live.stylizer import PHASES, Stylizer, StylizerSettings
from gramophone.models.live.stylizer_settings import stylizer_layout
from gramophone.models.style import Style
from tests.sounds import plucked

Samples = NDArray[np.float32]
RATE = 48_000
LAYOUT = make_layout(RATE)
MOST = most_bytes(LAYOUT, most_samples(RATE))


def style(seed: int, seconds: float = 1.0) -> Style:
    """Noise that swells, of a colour that depends on the seed."""
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    noise = np.convolve(rng.standard_normal(count + 63), rng.standard_normal(64), mode="valid")
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * (3.0 + seed) * np.arange(count) / RATE)
    return Style.from_audio(0.01 * (noise * swell)[None], RATE, name=f"noise {seed}")


def packed(seed: int, seconds: float = 1.0, *, phase: str = "style", most: int = MOST) -> Bytes:
    layout = stylizer_layout(RATE, StylizerSettings(phase=phase))
    return pack(live_style(style(seed, seconds), layout), layout, most=most)


def with_slots(*seeds: int, phase: str = "style", **knobs: float) -> Stylizer:
    made = Stylizer(
        [style(seed) for seed in seeds],
        sample_rate=RATE,
        channels=1,
        settings=StylizerSettings(phase=phase),
        slots=4,
    )
    for name, value in knobs.items():
        made.set(name, value)
    made.reset()
    return made


def test_slots_that_are_empty_change_nothing() -> None:
    sound = plucked(0.5)
    exact = Stylizer([style(1)], sample_rate=RATE, channels=1)
    np.testing.assert_array_equal(with_slots(1).feed(sound), exact.feed(sound))


@pytest.mark.parametrize("phase", PHASES)
def test_a_style_brought_in_later_sounds_as_if_it_had_been_there_from_the_start(phase: str) -> None:
    sound = plucked(0.5)
    made = with_slots(1, phase=phase, style_1=0.0, style_3=1.0)
    made.open(2, packed(2, phase=phase))
    assert made.filled == (True, False, True, False)
    made.reset()
    np.testing.assert_array_equal(made.feed(sound), with_slots(2, phase=phase).feed(sound))


def test_it_comes_in_while_the_sound_goes_on_and_is_not_heard_before_it_has_a_weight() -> None:
    sound = plucked(1.0)
    alone, made = with_slots(1, style_2=0.0), with_slots(1, style_2=0.0)
    for number, at in enumerate(range(0, sound.shape[1], made.hop)):
        if number == 50:
            made.open(1, packed(2, 12.0))
        elif number == 100:
            assert made.close(1)
        np.testing.assert_array_equal(
            made.feed(sound[:, at : at + made.hop]), alone.feed(sound[:, at : at + made.hop])
        )
    assert made.filled == (True, False, False, False)


def test_a_slot_that_is_heard_is_not_emptied() -> None:
    made = with_slots(1, 2)
    assert not made.close(0)
    made.set("style_1", 0.0)
    assert not made.close(0)
    # Its weight is on the way down; once there, it may go.
    made.feed(plucked(0.1))
    assert made.close(0)
    assert made.filled == (False, True, False, False)


def steepest(sound: Samples) -> float:
    return float(np.abs(np.diff(sound, 2)).max())


@pytest.mark.parametrize("phase", PHASES)
def test_no_click_in_going_from_style_to_style(phase: str) -> None:
    time = np.arange(2 * RATE) / RATE
    sine = (0.3 * np.sin(2 * np.pi * 220.0 * time))[None].astype(np.float32)
    made = with_slots(1, 2, phase=phase, style_2=0.0)
    # Each for itself, also while it still learns: whoever comes in does so as in the beginning.
    calm = max(steepest(with_slots(seed, phase=phase).feed(sine)[:, 4800:]) for seed in (1, 2, 3))
    heard = []
    for number, at in enumerate(range(0, sine.shape[1], 9600)):
        made.set("style_1", float(number % 2 == 0))
        made.set("style_2", float(number % 2))
        heard.append(made.feed(sine[:, at : at + 4800]))
        # The one that is silent now is another one when it comes back.
        assert made.close(1 - number % 2)
        made.open(1 - number % 2, packed(3 if number % 4 > 1 else 1 + (1 - number % 2), phase=phase))
        heard.append(made.feed(sine[:, at + 4800 : at + 9600]))
    # A style that has just come in may be rougher for some hops. The sine's own beginning has 80 times as much.
    assert steepest(np.concatenate(heard, axis=1)[:, RATE // 2 :]) < 3.0 * calm


def test_what_does_not_fit_is_refused_and_nothing_is_lost() -> None:
    made = with_slots(1, style_2=0.0)
    other = make_layout(44_100, window="full", hop=128)
    whole = packed(2)
    for wrong in (
        pack(live_style(style(2), other), other, most=MOST),
        np.zeros(4096, dtype=np.uint8),
        # Of one that was being written over.
        whole[: whole.size // 2],
        whole[: whole.size // 2 // 8 * 8],
    ):
        with pytest.raises(ValueError, match=r"packed|dtype"):
            made.open(1, wrong)
    np.testing.assert_array_equal(made.feed(plucked(0.2)), with_slots(1).feed(plucked(0.2)))


def test_of_a_clip_that_is_too_long_the_end_is_left_out() -> None:
    most = MOST - 8 * 28 * RATE
    cut = packed(2, 4.0, most=most)
    assert cut.size <= most
    assert cut.size < packed(2, 4.0).size
    made = with_slots(1, style_1=0.0)
    made.open(1, cut)
    assert np.isfinite(made.feed(plucked(0.5))).all()


KNOBS = ("strength", "mix", "notes", "freeze", "soundcheck", "style_1", "style_2", "gate")


@settings(max_examples=6)
@given(
    split=st.integers(1, 9000),
    moves=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(KNOBS), st.floats(0.0, 1.0)), max_size=20),
)
def test_from_its_state_it_goes_on_bit_for_bit(split: int, moves: list[tuple[int, str, float]]) -> None:
    sound = plucked(0.4)

    def play(made: Stylizer, begin: int, end: int) -> Samples:
        heard = []
        for at in range(0, sound.shape[1], 640):
            start, stop = max(at, begin), min(at + 640, end)
            if start < stop:
                for block, knob, value in moves:
                    if block * 640 == at and start == at:
                        made.set(knob, value)
                heard.append(made.feed(sound[:, start:stop]))
        return np.concatenate(heard, axis=1)

    made, again = MADE, AGAIN
    made.reset()
    play(made, 0, split)
    state = made.state()
    assert sum(array.nbytes for array in state.values()) < 2e6
    again.feed(sound[:, :777])
    again.restore(state)
    np.testing.assert_array_equal(play(again, split, sound.shape[1]), play(made, split, sound.shape[1]))
    for stylizer in (made, again):
        for knob in KNOBS:
            stylizer.set(knob, 0.0 if knob in ("freeze", "soundcheck") else 1.0)


MADE, AGAIN = with_slots(1, 2), with_slots(1, 2)


def test_the_state_of_something_else_is_refused() -> None:
    state = MADE.state()
    with pytest.raises(ValueError, match="slots"):
        with_slots(1).restore(state)
    with pytest.raises(ValueError, match=r"slots|values|shape"):
        Stylizer([style(1)], sample_rate=RATE, channels=1).restore(state)
    stereo = Stylizer([style(1), style(2)], sample_rate=RATE, channels=2, slots=4)
    with pytest.raises(ValueError, match="channels"):
        stereo.restore(state)
    with pytest.raises(KeyError):
        MADE.restore({})
    before = MADE.state()["core"]
    for name, value in (
        ("slot", 7),
        ("slot", -1),
        ("filling", 256),
        ("place", -1),
        ("past_place", 2**40),
        ("iterations", 99),
    ):
        broken = with_slots(1, 2)
        broken._core.kept.now[name] = value
        with pytest.raises(ValueError, match="damaged"):
            MADE.restore(broken.state())
    np.testing.assert_array_equal(MADE.state()["core"], before)
