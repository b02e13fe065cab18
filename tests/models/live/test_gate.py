"""How loud the output may be, what a pause teaches, and when the gate opens: docs/design.md, "Level and silence"."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.models.live.noise_gate import follow_level, forget_room, loudest, reset_gate, taught
from tests.models.live.parts import Numbers

HOP = 0.005
LEVELS = st.floats(-150.0, 10.0)


class LevelGate(Numbers):
    """What a core keeps for its gate."""

    def __init__(self) -> None:
        super().__init__()
        reset_gate(self.record)

    def follow(self, decibels: float, running: float, threshold: float) -> None:
        self.gate = threshold
        follow_level(self.now, HOP, decibels, running)

    def taught(self) -> float:
        return taught(self.now)

    def most(self) -> float:
        return loudest(self.now)


def after(
    *levels: float, running: float = -20.0, threshold: float = 0.0, measuring: bool = False
) -> LevelGate:
    """A gate that has followed levels, dB full scale; `threshold` is its knob, dB above the room."""
    gate = LevelGate()
    gate.soundcheck = float(measuring)
    for level in levels:
        gate.follow(level, running, threshold)
    return gate


@given(x=st.floats(-100.0, 30.0), running=st.floats(-60.0, 0.0))
def test_the_output_is_as_loud_at_most_as_the_law_says(x: float, running: float) -> None:
    law = x - 2.0 if x <= -30.0 else -32.0 + 1.75 * (x + 30.0)
    assert after(running + x, running=running).most() == pytest.approx(law, abs=1e-6)


@given(levels=st.lists(LEVELS, min_size=2, max_size=60))
def test_the_level_rises_at_once_and_falls_by_150_db_a_second_but_bridges_30_at_most(
    levels: list[float],
) -> None:
    gate = after(levels[0], running=0.0)
    for level in levels[1:]:
        before = gate.relative
        gate.follow(level, 0.0, 0.0)
        assert level <= gate.relative <= max(level, level + 30.0)
        if level < gate.relative < level + 30.0 - 1e-6:
            assert gate.relative == pytest.approx(before - 150.0 * HOP)
        assert gate.relative == pytest.approx(level) or gate.relative < before


@given(levels=st.lists(st.floats(-60.0, 0.0), min_size=2, max_size=20))
def test_a_pause_teaches_nothing_and_the_louder_it_is_the_more(levels: list[float]) -> None:
    taught = [after(-20.0 + level).taught() for level in sorted(levels)]
    assert taught == sorted(taught)
    for level, part in zip(sorted(levels), taught, strict=True):
        assert 0.0 <= part <= 1.0
        assert level > -45.0 or part < 1e-6
        assert level < -30.0 or part > 1.0 - 1e-6


@given(
    room=st.floats(-80.0, -45.0),
    knob=st.floats(0.5, 40.0),
    above=st.floats(-60.0, 60.0).filter(lambda above: abs(above) > 1e-9),
)
def test_it_opens_within_the_frame_that_stands_so_far_above_the_room(
    room: float, knob: float, above: float
) -> None:
    gate = LevelGate()
    gate.room = room
    gate.follow(room + knob + above, 0.0, knob)
    assert gate.opened == (1.0 if above > 0.0 else 0.0)
    assert above > 0.0 or gate.taught() == 0.0


def test_it_shuts_in_a_tenth_of_a_second_four_decibels_below_where_it_opens() -> None:
    # Nothing is known of the room: it opens at -75 dB.
    assert after(-75.1, threshold=6.0).opened == 0.0
    gate = after(-74.9, threshold=6.0)
    for _ in range(200):
        gate.follow(-78.9, -20.0, 6.0)
        assert gate.opened == 1.0
    course = []
    for _ in range(25):
        gate.follow(-79.2, -20.0, 6.0)
        course.append(gate.opened)
    assert course[19] == pytest.approx(0.0, abs=1e-9)
    assert [before - opened for before, opened in itertools.pairwise(course[:20])] == pytest.approx(
        [HOP / 0.1] * 19
    )
    gate.follow(-74.9, -20.0, 6.0)
    assert gate.opened == 1.0


def test_a_gap_between_two_beats_does_not_shut_it_and_a_rest_does() -> None:
    gate = after(-50.0, threshold=6.0)
    for _ in range(round(0.1 / HOP)):
        gate.follow(-75.5, -20.0, 6.0)
        assert gate.opened == 1.0
    for _ in range(round(0.3 / HOP)):
        gate.follow(-110.0, -20.0, 6.0)
    assert gate.opened == 0.0


@given(levels=st.lists(st.floats(-119.0, 0.0), min_size=1, max_size=30))
def test_at_0_there_is_no_gate_but_for_what_is_nothing(levels: list[float]) -> None:
    gate = after(*levels, threshold=0.0)
    assert gate.opened == 1.0
    for _ in range(400):
        gate.follow(-200.0, -20.0, 0.0)
    assert gate.opened == 0.0


@settings(max_examples=30)
@given(quiet=st.floats(-110.0, -21.0), loud=st.floats(-40.0, 0.0))
def test_a_soundcheck_takes_the_quietest_for_the_room_within_what_can_be_one(
    quiet: float, loud: float
) -> None:
    courses = [loud] * 100 + [quiet] * 800 + [loud] * 100
    gate = after(*courses, running=loud, measuring=True)
    assert gate.room == pytest.approx(max(-81.0, min(quiet, loud, loud - 30.0)), abs=0.1)
    # What comes after it changes nothing; the next one begins anew.
    room, gate.soundcheck = gate.room, 0.0
    gate.follow(-100.0, loud, 6.0)
    assert gate.room == room
    forget_room(gate.record)
    assert gate.room == -81.0


def test_a_soundcheck_does_not_take_a_short_gap_for_the_room() -> None:
    gate = after(*([-40.0] * 400 + [-70.0] * 10 + [-40.0] * 10), running=0.0, measuring=True)
    assert gate.room > -45.0


def test_reset_forgets_all() -> None:
    gate = after(-10.0, -70.0, threshold=6.0, measuring=True)
    reset_gate(gate.record)
    gate.soundcheck = 0.0
    gate.follow(-74.0, -20.0, 6.0)
    fresh = after(-74.0, threshold=6.0)
    assert (gate.opened, gate.relative, gate.room) == (fresh.opened, fresh.relative, fresh.room)
