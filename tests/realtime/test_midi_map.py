import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.control.midi_bindings import BENDS, Assignment, CcMap
from gramophone.realtime.control.midi_map import MidiMap, Pad, read_map

PARAMETERS = {parameter.id: parameter for parameter in LIVE_PARAMETERS}
CHANNELS = st.none() | st.integers(0, 15)


class Surface:
    """What a map acts on: knobs that stay where they are put, and a list of presses."""

    def __init__(self) -> None:
        self.values = {parameter.id: parameter.default for parameter in LIVE_PARAMETERS}
        self.pressed: list[tuple[str, bool, bool]] = []
        self.programs: list[int] = []

    def get(self, id: str) -> float:
        return self.values[id]

    def set(self, id: str, value: float) -> None:
        self.values[id] = PARAMETERS[id].clamp(value)

    def can(self, target: str) -> bool:
        return target != "nothing"

    def press(self, target: str, down: bool, *, hold: bool = False) -> None:
        self.pressed.append((target, down, hold))

    def program(self, number: int) -> None:
        self.programs.append(number)


def mapped(*knobs: Assignment, pads: tuple[Pad, ...] = ()) -> MidiMap:
    listed = CcMap(["none"], LIVE_PARAMETERS)
    listed.assign(knobs)
    return MidiMap(LIVE_PARAMETERS, knobs=listed, pads=pads)


@st.composite
def assignments(draw: st.DrawFn) -> Assignment:
    parameter = draw(st.sampled_from(LIVE_PARAMETERS))
    ends = st.floats(0.0, 1.0).map(parameter.from_unit)
    low = draw(ends)
    high = draw(ends.filter(lambda value: abs(parameter.to_unit(value) - parameter.to_unit(low)) > 1e-3))
    controller = draw(st.integers(0, 119))
    fine = controller + 32 if controller < 32 and draw(st.booleans()) else None
    return Assignment(
        controller=controller, fine=fine, parameter=parameter, low=low, high=high,
        bend=draw(st.sampled_from(list(BENDS))), channel=draw(CHANNELS), takeover=draw(st.booleans()),
    )  # fmt: skip


PADS = st.builds(
    Pad, note=st.integers(0, 127), channel=CHANNELS, hold=st.booleans(),
    target=st.sampled_from(["bypass", "capture", "next_style", "preset:Größe 1", "preset:\x1b\udce9"]),
)  # fmt: skip


@given(knobs=st.lists(assignments(), max_size=6), pads=st.lists(PADS, max_size=4))
def test_a_map_that_was_saved_is_the_same_when_it_is_read(
    tmp_path_factory: pytest.TempPathFactory, knobs: list[Assignment], pads: list[Pad]
) -> None:
    path = tmp_path_factory.getbasetemp() / "map.json"
    mapped(*knobs, pads=tuple(pads)).save(path)
    again, faults = read_map(path, LIVE_PARAMETERS)
    assert not faults
    assert again.knobs.assignments == tuple(knobs)
    assert again.pads == tuple(pads)


@given(item=assignments(), position=st.floats(0.0, 1.0))
def test_every_curve_stays_inside_and_has_a_way_back(item: Assignment, position: float) -> None:
    value = item.value(position)
    low, high = sorted((item.low, item.high))
    assert low - 1e-9 <= value <= high + 1e-9 or item.parameter.curve == "toggle"
    if item.parameter.curve in ("linear", "log"):
        assert item.value(item.position(value)) == pytest.approx(value, rel=1e-5, abs=1e-6)


@given(item=assignments(), data=st.lists(st.integers(0, 127), min_size=2, max_size=30))
def test_taken_over_softly_no_knob_jumps(item: Assignment, data: list[int]) -> None:
    if not item.takeover or item.parameter.curve == "toggle" or item.fine is not None:
        return
    surface, midi = Surface(), mapped(item)
    before = None
    for step in data:
        stood = item.position(surface.values[item.parameter.id])
        beyond = not min(item.low, item.high) <= surface.values[item.parameter.id] <= max(item.low, item.high)
        midi.receive([0xB0 | (item.channel or 0), item.controller, step], surface)
        stands = item.position(surface.values[item.parameter.id])
        # By no more than the controller itself moved, or two of its steps to meet.
        moved = 2.0 / 127.0 if before is None else max(abs(step - before), 2) / 127.0
        assert abs(stands - stood) <= moved + 1e-6 or beyond
        before = step


def test_takeover_waits_meets_and_lets_go() -> None:
    parameter = PARAMETERS["mix"]
    surface = Surface()
    midi = mapped(Assignment(controller=1, parameter=parameter, low=0.0, high=1.0))
    surface.values["mix"] = 0.5
    midi.receive([0xB0, 1, 10], surface)
    midi.receive([0xB0, 1, 30], surface)
    assert surface.values["mix"] == 0.5
    assert midi.knobs.waiting == {"mix": pytest.approx(30 / 127)}
    # Past it within one message: met.
    midi.receive([0xB0, 1, 90], surface)
    assert surface.values["mix"] == pytest.approx(90 / 127)
    assert not midi.knobs.waiting
    midi.receive([0xB0, 1, 0], surface)
    assert surface.values["mix"] == 0.0
    # Somebody else turns it: it is let go.
    surface.values["mix"] = 0.8
    midi.receive([0xB0, 1, 5], surface)
    assert surface.values["mix"] == 0.8


def test_notes_and_controllers_press_once_and_let_go() -> None:
    surface = Surface()
    midi = mapped(
        pads=(
            Pad(note=36, channel=9, target="capture"),
            Pad(controller=64, target="freeze", hold=True),
            Pad(note=40, target="nothing"),
        )
    )
    for message in (
        [0x99, 36, 90], [0x89, 36, 0], [0x90, 36, 90], [0x99, 36, 1], [0x99, 36, 0],
        [0xB0, 64, 127], [0xB0, 64, 100], [0xB0, 64, 3], [0x90, 40, 9],
    ):  # fmt: skip
        midi.receive(message, surface)
    capture = [("capture", True, False), ("capture", False, False)]
    assert surface.pressed == [*capture, *capture, ("freeze", True, True), ("freeze", False, True)]


def test_a_program_change_recalls() -> None:
    surface = Surface()
    mapped().receive([0xC5, 7], surface)
    assert surface.programs == [7]


@given(
    messages=st.lists(st.lists(st.integers(-5, 300), max_size=4), max_size=30),
    knobs=st.lists(assignments(), max_size=4),
)
def test_no_bytes_upset_it_or_take_a_knob_out_of_its_range(
    messages: list[list[int]], knobs: list[Assignment]
) -> None:
    surface = Surface()
    midi = mapped(*knobs, pads=(Pad(note=1, target="capture"), Pad(controller=2, target="bypass")))
    for message in messages:
        midi.receive(message, surface)
    assert all(PARAMETERS[key].clamp(value) == value for key, value in surface.values.items())


def test_what_is_learnt_takes_the_place_of_what_its_control_did() -> None:
    midi = MidiMap(LIVE_PARAMETERS, knobs=CcMap([], LIVE_PARAMETERS))
    before = len(midi.knobs.assignments)
    mix = PARAMETERS["mix"]
    midi.put(Assignment(controller=1, parameter=mix, low=0.0, high=1.0))
    assert len(midi.knobs.assignments) == before
    assert [item.parameter.id for item in midi.knobs.assignments if item.controller == 1] == ["mix"]
    midi.put(Pad(controller=1, target="capture"))
    assert len(midi.knobs.assignments) == before - 1


KNOB = {"cc": 21, "parameter": "strength", "low": 0.2, "high": 1.0, "curve": "slow", "takeover": True}
PAD = {"note": 36, "channel": 10, "press": "capture"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
# What can stand in a file that is JSON at all.
SPOILT = JSON.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value))


@given(
    content=st.binary(max_size=100)
    | st.builds(
        lambda entry, key, value, where: json.dumps(
            {"format": "gramophone MIDI map", "version": 1, where: [{**entry, key: value}]}
        ).encode(),
        st.sampled_from([KNOB, PAD]),
        st.sampled_from([*KNOB, *PAD, "fine", "hold", "x"]),
        JSON,
        st.sampled_from(["knobs", "pads"]),
    )
)
def test_any_file_is_a_map_or_one_line_that_names_it(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "odd-map.json"
    path.write_bytes(content)
    try:
        midi, messages = read_map(path, LIVE_PARAMETERS)
    except InputError as error:
        messages = [str(error)]
    else:
        exercise(midi)
    assert all("odd-map.json" in message and "\n" not in message for message in messages)


@given(bad=SPOILT, place=st.integers(0, 3), where=st.sampled_from(["knobs", "pads"]))
def test_what_one_entry_spoils_is_that_entry(
    tmp_path_factory: pytest.TempPathFactory, bad: object, place: int, where: str
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "one-bad.json"
    entries: dict[str, list[object]] = {
        "knobs": [{**KNOB, "cc": cc} for cc in (21, 22, 23)],
        "pads": [{**PAD, "note": note} for note in (1, 2, 3)],
    }
    entries[where].insert(place, bad)
    path.write_text(json.dumps({"format": "gramophone MIDI map", "version": 1, **entries}))
    midi, [message] = read_map(path, LIVE_PARAMETERS)
    assert f"{where[:-1]} {place + 1}" in message
    assert [item.controller for item in midi.knobs.assignments] == [21, 22, 23]
    assert [pad.note for pad in midi.pads] == [1, 2, 3]


def exercise(midi: MidiMap) -> None:
    surface = Surface()
    for data in (0, 64, 127):
        midi.receive([0xB9, 21, data], surface)
        midi.receive([0x99, 36, data], surface)
    assert all(PARAMETERS[key].clamp(value) == value for key, value in surface.values.items())


def test_a_saved_map_of_the_knob_that_was_called_detail_turns_notes_round(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    mapped(Assignment(controller=20, parameter=PARAMETERS["notes"], low=0.0, high=1.0)).save(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"notes"', '"detail"'))
    again, faults = read_map(path, LIVE_PARAMETERS)
    assert not faults
    assert [one.value(0.25) for one in again.knobs.assignments] == [pytest.approx(0.75)]
