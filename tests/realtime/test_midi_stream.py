"""Whole MIDI messages out of any bytes."""

from hypothesis import given
from hypothesis import strategies as st

from gramophone.realtime.control.midi_stream import MidiStream

data = st.integers(0, 127)
messages = st.one_of(
    st.tuples(st.integers(0x80, 0xBF), data, data),
    st.tuples(st.integers(0xE0, 0xEF), data, data),
    st.tuples(st.integers(0xC0, 0xDF), data),
).map(list)
broken = st.one_of(
    st.lists(st.integers(0, 255), max_size=8),
    st.lists(data, max_size=8).map(lambda rest: [0xF0, *rest]),
    st.sampled_from([[0xF4], [0xF5], [0xFD], [0xF7], [0xF1, 3], [0xB0, 2], []]),
)


def heard(*pieces: list[int]) -> list[list[int]]:
    stream = MidiStream()
    return [message for piece in pieces for message in stream.feed(piece)]


@given(st.lists(st.tuples(broken, messages)))
def test_a_message_is_heard_whatever_came_before_it(pairs: list[tuple[list[int], list[int]]]) -> None:
    stream = MidiStream()
    for before, message in pairs:
        found = list(stream.feed(before))
        assert all(one[0] < 0xF0 and max(one[1:]) < 128 and len(one) in (2, 3) for one in found)
        assert list(stream.feed(message)) == [message]


@given(st.lists(messages), st.data())
def test_how_bytes_are_cut_and_what_is_between_them_changes_nothing(
    sent: list[list[int]], draw: st.DataObject
) -> None:
    pieces = [
        [byte, *draw.draw(st.lists(st.integers(0xF8, 0xFF), max_size=2))]
        for message in sent
        for byte in message
    ]
    assert heard(*pieces) == heard([byte for piece in pieces for byte in piece]) == sent


@given(st.integers(0xB0, 0xBF), st.lists(st.tuples(data, data)))
def test_running_status(status: int, pairs: list[tuple[int, int]]) -> None:
    running = [status, *(byte for pair in pairs for byte in pair)]
    assert heard(running) == [[status, *pair] for pair in pairs]


@given(st.lists(data), st.lists(data))
def test_no_message_is_made_of_what_is_exclusive(first: list[int], rest: list[int]) -> None:
    assert heard([0xB0, 1, 64], [0xF0, *first], rest, [0xF7], rest) == [[0xB0, 1, 64]]
