"""Automation: lines that can be read back, and functions of time that are those of the plugins."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.ramp import Ramp
from gramophone.takes.automation import Automation, Move, Restart, StyleChange, between, read_lines, to_line
from gramophone.takes.reader import PARAMETERS

RATE = 48_000


def moves_of(parameter):
    value = st.floats(0.0, 1.0).map(parameter.from_unit)
    return st.builds(Move, frame=st.integers(0, 2**40), id=st.just(parameter.id), value=value)


events = st.one_of(
    st.sampled_from(PARAMETERS).flatmap(moves_of),
    st.builds(
        StyleChange,
        frame=st.integers(0, 2**40),
        slot=st.integers(0, 3),
        style=st.sampled_from(["", "styles/r\u00e4in.style", "styles/a b.wav"]),
    ),
    st.builds(Restart, frame=st.integers(0, 2**40), kind=st.sampled_from(["begin", "reset"])),
)
in_order = st.lists(events, max_size=30).map(lambda found: sorted(found, key=lambda event: event.frame))


def read(text):
    data = text if isinstance(text, bytes) else text.encode()
    return read_lines(data, PARAMETERS, name="moves.jsonl")


@given(in_order)
def test_what_was_written_is_read_exactly(found):
    assert list(read("".join(f"{to_line(event)}\n" for event in found))) == found


@given(in_order, st.data())
def test_a_file_that_was_cut_off_has_all_its_whole_lines(found, data):
    text = "".join(f"{to_line(event)}\n" for event in found).encode()
    cut = data.draw(st.integers(0, len(text)))
    assert list(read(text[:cut])) == found[: text[:cut].count(b"\n")]


@given(st.binary(max_size=200) | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_anything_else_is_refused_in_one_line(data):
    told = "moves.jsonl, line "
    try:
        read(data)
    except InputError as error:
        told = str(error)
    assert told.startswith("moves.jsonl, line ")
    assert "\n" not in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"frame": 1, "id": "volume", "value": 0}', "no parameter 'volume'"),
        ('{"frame": 1, "id": "strength", "value": 1.5}', "strength cannot be 1.5"),
        ('{"frame": 1, "id": "strength", "value": NaN}', "no change"),
        ('{"frame": 1, "id": "freeze", "value": 0.5}', "freeze cannot be 0.5"),
        ('{"frame": true, "id": "freeze", "value": 1}', "frame True"),
        ('{"frame": -1, "id": "freeze", "value": 1}', "frame -1"),
        ('{"frame": 1, "slot": 4, "style": ""}', "slot 4"),
        ('{"frame": 1, "event": "explode"}', "no event 'explode'"),
        ("[" * 5000, "far too long"),
        ("[" * 4000, "no change"),
    ],
)
def test_what_is_wrong_with_a_line_is_told(line, told):
    with pytest.raises(InputError, match=told):
        read(f'{{"frame": 0, "id": "strength", "value": 1}}\n{line}\n')


def test_lines_must_be_in_order():
    lines = [to_line(Move(frame, "strength", 0.5)) for frame in (5, 4)]
    with pytest.raises(InputError, match="line 2: frame 4 comes after frame 5"):
        read("\n".join(lines) + "\n")


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(0, 900), st.floats(-60.0, 12.0)), max_size=12),
    st.integers(1, 200),
)
def test_values_are_where_a_ramp_is(targets, length):
    found = [Move(frame, "gain", value) for frame, value in sorted(targets, key=lambda pair: pair[0])]
    automation = Automation(PARAMETERS, values={"gain": -3.0}, events=found, sample_rate=RATE)
    ramp = Ramp(-3.0, length / RATE)
    ramp.prepare(sample_rate=RATE, block=1)
    target, expected = -3.0, []
    for frame in range(1200):
        target = next((move.value for move in reversed(found) if move.frame == frame), target)
        expected.append(float(np.ravel(ramp.next(target, 1))[0]))
    frames = np.arange(1200)
    np.testing.assert_allclose(automation.values("gain", frames, seconds=length / RATE), expected, atol=1e-4)
    stands = [next((m.value for m in reversed(found) if m.frame <= frame), -3.0) for frame in range(1200)]
    np.testing.assert_array_equal(automation.targets("gain", frames), stands)


def test_switches_do_not_pass_through_what_lies_between():
    automation = Automation(PARAMETERS, values={}, events=[Move(10, "freeze", 1.0)], sample_rate=RATE)
    np.testing.assert_array_equal(automation.values("freeze", np.array([9, 10, 11])), [0.0, 1.0, 1.0])
    assert automation.moved("freeze")
    assert not automation.moved("strength")
    with pytest.raises(KeyError):
        automation.values("volume", np.array([0]))


@given(in_order, st.integers(0, 2**40), st.integers(0, 2**40))
def test_events_between_two_frames(found, one, other):
    start, stop = sorted((one, other))
    assert list(between(found, start, stop)) == [event for event in found if start <= event.frame < stop]


def test_the_knob_that_was_called_detail_is_notes_turned_round():
    assert read(b'{"frame": 7, "id": "detail", "value": 0.25}\n') == (Move(7, "notes", 0.75),)
