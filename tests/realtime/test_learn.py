import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.control.learn import Learner
from gramophone.realtime.control.midi_bindings import Assignment
from gramophone.realtime.control.midi_map import Pad


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def learner(clock: Clock) -> Learner:
    made = Learner(LIVE_PARAMETERS, clock=clock)
    made.start()
    return made


def knob(made: object) -> tuple[int, int | None, str]:
    assert isinstance(made, Assignment)
    return made.controller, made.fine, made.parameter.id


def test_knob_first_or_control_first(learner: Learner, clock: Clock) -> None:
    assert learner.touch("strength") is None
    clock.now = 1.0
    assert knob(learner.handle_midi([0xB0, 21, 5])) == (21, None, "strength")
    clock.now = 2.0
    assert learner.handle_midi([0xB3, 22, 5]) is None
    assert knob(learner.touch("mix")) == (22, None, "mix")
    assert learner.active


def test_the_rest_of_a_movement_does_not_reach_the_next_knob(learner: Learner, clock: Clock) -> None:
    learner.touch("strength")
    assert learner.handle_midi([0xB0, 21, 5]) is not None
    for step in range(20):
        clock.now += 0.02
        assert learner.handle_midi([0xB0, 21, 6 + step]) is None
    assert learner.touch("mix") is None
    clock.now += 0.02
    assert learner.handle_midi([0xB0, 21, 30]) is None
    assert knob(learner.handle_midi([0xB0, 22, 30])) == (22, None, "mix")
    # After a rest the same control may be learnt once more.
    learner.touch("notes")
    clock.now += 2.0
    assert knob(learner.handle_midi([0xB0, 22, 30])) == (22, None, "notes")


def test_both_halves_of_fourteen_bits_are_one_control(learner: Learner, clock: Clock) -> None:
    learner.touch("strength")
    assert knob(learner.handle_midi([0xB0, 1, 5])) == (1, None, "strength")
    clock.now += 0.001
    assert knob(learner.handle_midi([0xB0, 33, 5])) == (1, 33, "strength")
    clock.now += 0.01
    assert learner.handle_midi([0xB0, 1, 6]) is None
    # Moved first, touched afterwards.
    clock.now += 2.0
    for number in (2, 34, 2, 34):
        clock.now += 0.001
        learner.handle_midi([0xB0, number, 7])
    assert knob(learner.touch("mix")) == (2, 34, "mix")


def test_two_controls_32_apart_are_two_if_they_do_not_come_together(learner: Learner, clock: Clock) -> None:
    learner.touch("strength")
    learner.handle_midi([0xB0, 1, 5])
    clock.now += 1.0
    assert learner.handle_midi([0xB0, 33, 5]) is None
    assert knob(learner.touch("mix")) == (33, None, "mix")


def test_notes_press_and_do_not_turn(learner: Learner, clock: Clock) -> None:
    learner.touch("capture")
    assert learner.handle_midi([0x99, 36, 100]) == Pad(note=36, target="capture")
    learner.touch("bypass")
    clock.now += 1.0
    assert learner.handle_midi([0x90, 37, 1]) == Pad(note=37, target="bypass")
    learner.touch("strength")
    clock.now += 1.0
    assert learner.handle_midi([0x90, 38, 100]) is None
    assert learner.target == "strength"
    assert learner.handle_midi([0x80, 38, 100]) is None
    assert knob(learner.handle_midi([0xB0, 9, 100])) == (9, None, "strength")
    # A controller on what is only pressed is a pad.
    learner.touch("next_style")
    clock.now += 1.0
    assert learner.handle_midi([0xB0, 10, 127]) == Pad(controller=10, target="next_style")


def test_touched_again_it_waits_no_longer_and_left_it_learns_nothing(learner: Learner) -> None:
    learner.touch("strength")
    learner.touch("strength")
    assert learner.target is None
    learner.touch("mix")
    learner.leave()
    assert learner.handle_midi([0xB0, 21, 1]) is None
    assert learner.touch("mix") is None


@given(number=st.integers(120, 127), data=st.integers(0, 127), channel=st.integers(0, 15))
def test_reserved_controllers_are_never_learnt(number: int, data: int, channel: int) -> None:
    learner = Learner(LIVE_PARAMETERS)
    learner.start()
    learner.touch("strength")
    assert learner.handle_midi([0xB0 | channel, number, data]) is None
    assert learner.target == "strength"


@given(messages=st.lists(st.lists(st.integers(0, 255), max_size=4), max_size=20))
def test_no_bytes_upset_it(messages: list[list[int]]) -> None:
    learner = Learner(LIVE_PARAMETERS)
    learner.start()
    for message in messages:
        learner.touch("strength")
        made = learner.handle_midi(message)
        if made is not None:
            assert isinstance(made, Assignment)
            assert 0 <= made.controller < 120
