import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gramophone.app.live.session_settings import parameters
from gramophone.app.session.control_router import starting_map
from gramophone.app.session.session_state import SessionState, load_state, save_state
from gramophone.app.session.settings_folder import set_aside, settings_folder

PARAMETERS = parameters()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
# What can stand in a file that is JSON at all.
SPOILT = JSON.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value))


def test_a_session_starts_where_the_last_one_ended_but_not_muted(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    values = {one.id: one.from_unit(0.3) for one in PARAMETERS} | {"mute": 1.0}
    state = SessionState(values=values, styles=("/sounds/rain.wav",), folder="/sounds", preset="Opening")
    save_state(path, state)
    again, line = load_state(path, PARAMETERS)
    assert line is None
    del values["mute"]
    assert again == SessionState(values=values, styles=state.styles, folder="/sounds", preset="Opening")


# Any bytes that a file system takes for a name, but for what separates names and what ends them.
PATHS = st.binary(min_size=1, max_size=80).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@given(styles=st.lists(PATHS, max_size=4), folder=st.none() | PATHS, preset=st.none() | st.text(min_size=1))
def test_what_is_written_can_be_read_whatever_it_is_called(
    tmp_path_factory: pytest.TempPathFactory, styles: list[str], folder: str | None, preset: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "named.json"
    state = SessionState(styles=tuple(styles), folder=folder, preset=preset)
    save_state(path, state)
    again, line = load_state(path, PARAMETERS)
    assert line is None
    assert (again.styles, again.folder) == (state.styles, state.folder)
    assert again.preset == (preset if preset is None or "\0" not in preset else None)
    path.read_bytes().decode("utf-8")


@given(
    bad=SPOILT.filter(lambda value: not isinstance(value, str)),
    key=st.sampled_from(["mix", "styles", "folder", "preset"]),
)
def test_what_one_entry_spoils_is_that_entry(
    tmp_path_factory: pytest.TempPathFactory, bad: object, key: str
) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    good = {
        "values": {"strength": 0.25, "mix": 0.5},
        "styles": ["a.wav", "b.wav"],
        "folder": "f",
        "preset": "p",
    }
    found = json.loads(json.dumps(good))
    if key == "mix":
        found["values"]["mix"] = bad
    elif key == "styles":
        found["styles"].insert(1, bad)
    else:
        found[key] = bad
    path.write_text(json.dumps({"format": "gramophone session", "version": 1, **found}))
    state, line = load_state(path, PARAMETERS)
    assert state.values["strength"] == 0.25
    assert state.styles == ("a.wav", "b.wav")
    assert state.folder == ("f" if key != "folder" else None)
    assert state.preset == ("p" if key != "preset" else None)
    assert line is None or path.name in line


def test_nothing_remembered_is_no_news(tmp_path: Path) -> None:
    assert load_state(tmp_path / "none.json", PARAMETERS) == (SessionState(), None)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"format": "other", "version": 1}']
)
def test_a_broken_state_is_moved_aside_and_the_start_goes_on(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    state, line = load_state(path, PARAMETERS)
    assert state == SessionState()
    assert line is not None
    assert "\n" not in line
    [aside] = tmp_path.iterdir()
    assert aside.name.startswith("state.broken-")
    assert aside.read_bytes() == content
    assert aside.name in line


@given(
    content=st.binary(max_size=100)
    | st.dictionaries(st.sampled_from(["values", "styles", "folder", "preset", "version"]), JSON).map(
        lambda fields: json.dumps({"format": "gramophone session", "version": 1, **fields}).encode()
    )
)
def test_no_file_stops_the_start(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("state") / "state.json"
    path.write_bytes(content)
    state, line = load_state(path, PARAMETERS)
    known = {one.id: one for one in PARAMETERS}
    assert all(known[key].clamp(value) == value for key, value in state.values.items())
    assert (line is None) == path.exists()
    midi, line = starting_map(PARAMETERS, (), path if path.exists() else None)
    assert midi.knobs.assignments


def test_what_cannot_be_moved_is_left_and_said(tmp_path: Path) -> None:
    assert "left" in set_aside(tmp_path / "gone.json")


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAMOPHONE_SETTINGS", str(tmp_path))
    assert settings_folder() == tmp_path
    monkeypatch.delenv("GRAMOPHONE_SETTINGS")
    assert settings_folder().name == "gramophone"


def test_typed_controllers_go_before_saved_ones(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    midi, _ = starting_map(PARAMETERS, ("none", "1=mix", "20=notes"), path)
    midi.save(path)
    again, _ = starting_map(PARAMETERS, (), path)
    assert [str(item) for item in again.knobs.assignments] == ["CC 1 mix", "CC 20 notes"]
    typed, _ = starting_map(PARAMETERS, ("1=strength",), path)
    assert [str(item) for item in typed.knobs.assignments] == ["CC 20 notes", "CC 1 strength"]
    alone, _ = starting_map(PARAMETERS, ("none", "1=strength"), path)
    assert [str(item) for item in alone.knobs.assignments] == ["CC 1 strength"]
