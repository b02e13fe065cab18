import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.control.midi_bindings import DEFAULT_MAP, CcMap, parse_assignment

PARAMETERS = {parameter.id: parameter for parameter in LIVE_PARAMETERS}
BYTES = st.integers(0, 127)


def cc(number: int, data: int, channel: int = 0) -> list[int]:
    return [0xB0 | channel, number, data]


def only(knobs: CcMap, message: list[int]) -> float:
    [(_, value)] = knobs.receive(message)
    return value


def test_every_default_is_there_and_the_wheel_is_strength() -> None:
    knobs = CcMap([], LIVE_PARAMETERS)
    assert len(knobs.assignments) == len(DEFAULT_MAP)
    assert knobs.receive(cc(1, 127)) == [("strength", 1.0)]
    assert knobs.receive(cc(1, 0, channel=9)) == [("strength", 0.0)]
    assert knobs.receive(cc(7, 127)) == [("gain", 0.0)]
    assert knobs.receive(cc(64, 127)) == [("freeze", 1.0)]
    assert knobs.receive(cc(64, 0)) == [("freeze", 0.0)]


@pytest.mark.parametrize("parameter", LIVE_PARAMETERS, ids=lambda parameter: parameter.id)
def test_a_controller_reaches_both_ends_and_stays_inside(parameter) -> None:
    knobs = CcMap([f"20={parameter.id}"], LIVE_PARAMETERS)
    values = [only(knobs, cc(20, data)) for data in range(128)]
    assert (values[0], values[-1]) == (parameter.low, parameter.high)
    assert values == sorted(values)
    assert all(parameter.low <= value <= parameter.high for value in values)


def test_a_range_follows_the_curve_of_its_parameter() -> None:
    values = [only(CcMap(["20=adapt:1:16"], LIVE_PARAMETERS), cc(20, data)) for data in (0, 64, 127)]
    # A log curve: halfway is the geometric mean.
    assert values == [1.0, pytest.approx(4.0, rel=0.02), 16.0]


def test_min_above_max_turns_it_round_and_units_are_read() -> None:
    knobs = CcMap(["74=mix:80%:20%", "7=gain:-20 dB:6dB"], LIVE_PARAMETERS)
    assert [only(knobs, cc(74, data)) for data in (0, 127)] == [0.8, 0.2]
    assert [only(knobs, cc(7, data)) for data in (0, 127)] == [-20.0, 6.0]


def test_own_assignments_replace_the_default_of_their_controller_only() -> None:
    knobs = CcMap(["1=mix", "1=notes"], LIVE_PARAMETERS)
    assert knobs.receive(cc(1, 127)) == [("mix", 1.0), ("notes", 1.0)]
    assert knobs.receive(cc(91, 0)) == [("mix", 0.0)]
    bare = CcMap(["none", "3=mix"], LIVE_PARAMETERS)
    assert [str(item) for item in bare.assignments] == ["CC 3 mix"]


@given(position=st.integers(0, 16383))
def test_fourteen_bits_are_exact(position: int) -> None:
    knobs = CcMap(["1+33=strength"], LIVE_PARAMETERS)
    knobs.receive(cc(1, position >> 7))
    assert only(knobs, cc(33, position & 127)) == pytest.approx(position / 16383, abs=1e-12)


@given(positions=st.lists(st.integers(0, 16383), min_size=2, max_size=20))
def test_between_the_halves_a_fader_never_leaves_its_way(positions: list[int]) -> None:
    knobs = CcMap(["1+33=strength"], LIVE_PARAMETERS)
    knobs.receive(cc(1, positions[0] >> 7))
    before = only(knobs, cc(33, positions[0] & 127))
    for position in positions[1:]:
        coarse = only(knobs, cc(1, position >> 7))
        fine = only(knobs, cc(33, position & 127))
        if position >> 7 != round(before * 16383) >> 7:
            assert min(before, fine) - 1e-12 <= coarse <= max(before, fine) + 1e-12
        before = fine


def test_a_coarse_half_alone_has_the_whole_range_and_channels_are_apart() -> None:
    knobs = CcMap(["1+33=strength"], LIVE_PARAMETERS)
    assert [only(knobs, cc(1, data)) for data in (0, 127)] == [0.0, 1.0]
    knobs.receive(cc(1, 127))
    knobs.receive(cc(33, 127))
    assert only(knobs, cc(33, 0, channel=1)) == 0.0


@given(number=st.integers(120, 127), data=BYTES, channel=st.integers(0, 15))
def test_reserved_controllers_are_left_alone(number: int, data: int, channel: int) -> None:
    assert CcMap([], LIVE_PARAMETERS).receive(cc(number, data, channel)) == []


@given(message=st.lists(st.integers(0, 255), max_size=5))
def test_no_message_upsets_it(message: list[int]) -> None:
    for identity, value in CcMap([], LIVE_PARAMETERS).receive(message):
        assert message[0] & 0xF0 == 0xB0
        assert math.isfinite(value)
        assert PARAMETERS[identity].clamp(value) == value


@pytest.mark.parametrize(
    "written",
    [
        "strength", "=strength", "1=", "x=strength", "-1=strength", "1.5=strength", "128=strength", "120=strength",
        "127=mix", "1=volume", "1=strength:0", "1=strength:0:2", "1=strength:a:b", "1=strength:0.5:0.5",
        "1=strength:0:1:2", "1+34=strength", "40+72=strength", "1+=strength", "1=gain:0 Hz:1 Hz", "",
    ],
)  # fmt: skip
def test_bad_assignments_are_refused_in_one_line(written: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_assignment(written, PARAMETERS)
    assert "\n" not in str(refusal.value)


def test_the_knob_that_was_called_detail_is_notes_turned_round() -> None:
    knobs = CcMap(["none", "1=detail", "2=detail:0.2:0.6"], LIVE_PARAMETERS)
    assert knobs.receive(cc(1, 127)) == [("notes", 0.0)]
    assert knobs.receive(cc(1, 0)) == [("notes", 1.0)]
    assert dict(knobs.receive(cc(2, 127))) == {"notes": pytest.approx(0.4)}
