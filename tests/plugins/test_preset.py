import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.plugins.preset import PASSING, PresetFolder, check_name

HELD = [parameter for parameter in LIVE_PARAMETERS if parameter.id not in PASSING]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
# What can stand in a file that is JSON at all.
SPOILT = JSON.filter(lambda value: "NaN" not in json.dumps(value) and "Infinity" not in json.dumps(value))


@pytest.fixture
def presets(tmp_path: Path) -> PresetFolder:
    return PresetFolder(tmp_path / "presets", LIVE_PARAMETERS)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> PresetFolder:
    return PresetFolder(tmp_path_factory.mktemp("shelf"), LIVE_PARAMETERS)


@given(positions=st.lists(st.floats(0.0, 1.0), min_size=len(HELD), max_size=len(HELD)))
def test_what_was_saved_comes_back_exactly(shelf: PresetFolder, positions: list[float]) -> None:
    values = {
        parameter.id: parameter.from_unit(position)
        for parameter, position in zip(HELD, positions, strict=True)
    }
    shelf.save("any", values)
    assert shelf.load("any").values == values


def test_what_belongs_to_the_moment_is_left_out(presets: PresetFolder) -> None:
    values = {parameter.id: parameter.high for parameter in LIVE_PARAMETERS}
    assert not PASSING & set(presets.save("loud", {**values, "mute": 1.0}).values)


def test_programs_are_given_out_in_order_and_kept(presets: PresetFolder) -> None:
    assert [presets.save(name, {"mix": 0.5}).program for name in ("verse", "chorus", "bridge")] == [0, 1, 2]
    assert presets.save("verse", {"mix": 0.25}).program == 0
    presets.delete("chorus")
    assert presets.save("solo", {"mix": 1.0}).program == 1
    found = presets.by_program(1)
    assert found is not None
    assert found.name == "solo"
    assert presets.by_program(99) is None
    assert presets.names() == ["bridge", "solo", "verse"]


def test_a_preset_of_another_version_of_the_program_is_read_as_far_as_it_goes(presets: PresetFolder) -> None:
    presets.save("old", {"mix": 0.5})
    path = presets.path / "old.json"
    written = json.loads(path.read_text())
    written["values"] |= {"wow_and_flutter": 3.0, "strength": 7.0}
    path.write_text(json.dumps(written))
    assert presets.load("old").values == {"mix": 0.5, "strength": 1.0}


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=200) | JSON.map(lambda found: json.dumps(found).encode()))
def test_any_file_is_a_preset_or_one_line(shelf: PresetFolder, content: bytes) -> None:
    (shelf.path / "odd.json").write_bytes(content)
    with pytest.raises(InputError) as refusal:
        shelf.load("odd")
    assert "odd.json" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "odd" not in [preset.name for preset in shelf.all()]


@given(values=JSON, program=JSON)
def test_any_values_are_taken_within_their_ranges_or_refused(
    shelf: PresetFolder, values: object, program: object
) -> None:
    path = shelf.path / "odd.json"
    path.write_text(
        json.dumps({"format": "gramophone preset", "version": 1, "values": values, "program": program})
    )
    try:
        preset = shelf.load("odd")
    except InputError:
        return
    known = {parameter.id: parameter for parameter in HELD}
    assert all(known[key].clamp(value) == value for key, value in preset.values.items())


@given(value=st.floats() | st.integers())
def test_no_number_puts_a_knob_outside_of_its_range(shelf: PresetFolder, value: float) -> None:
    path = shelf.path / "far.json"
    path.write_text(json.dumps({"format": "gramophone preset", "version": 1, "values": {"gain": value}}))
    try:
        preset = shelf.load("far")
    except InputError:
        return
    # What no knob can be near to is left out.
    assert -60.0 <= preset.values.get("gain", 0.0) <= 12.0


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "../up",
        "a/b",
        "a\\b",
        "con",
        "NUL.x",
        "a\0b",
        "-x",
        "x" * 64,
        "a.",
        "\U00020000" * 61,
        "\u0301a",
        "a\u202e",
        "a\x1b",
    ],
)
def test_names_that_are_no_file_or_a_dangerous_one_are_refused(presets: PresetFolder, name: str) -> None:
    for use in (check_name, presets.load, presets.delete, lambda name: presets.save(name, {})):
        with pytest.raises(InputError):
            use(name)


@given(
    name=st.text(max_size=70)
    | st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=63)
    | st.sampled_from(["cafe\u0301", "हिन्दी", "ภาษาไทย", "a\xa0b", "\U00020000" * 60])
)
def test_a_name_that_is_taken_is_one_file_in_the_folder(shelf: PresetFolder, name: str) -> None:
    try:
        clean = check_name(name)
    except InputError:
        return
    path = shelf.path / f"{clean}.json"
    assert path.parent == shelf.path
    assert path.resolve().parent == shelf.path.resolve()
    assert shelf.save(name, {"mix": 0.5}).name == clean
    assert clean in shelf.names()
    assert shelf.load(name).name == clean
    shelf.delete(clean)


@pytest.mark.parametrize("name", ["cafe\u0301", "हिन्दी", "ภาษาไทย", "a\xa0b"])
def test_names_of_all_languages_are_names(name: str) -> None:
    assert check_name(name)


@given(stem=st.binary(min_size=1, max_size=60).filter(lambda name: not {0, 47} & set(name)).map(os.fsdecode))
def test_every_preset_that_is_listed_can_be_recalled(shelf: PresetFolder, stem: str) -> None:
    kept = shelf.path / f"{shelf.save('kept', {'mix': 0.5}).name}.json"
    stray = shelf.path / f"{stem}.json"
    stray.write_bytes(kept.read_bytes())
    assert {shelf.load(name).name for name in shelf.names()} == set(shelf.names())
    stray.unlink()


@given(
    bad=SPOILT,
    styles=st.dictionaries(st.text(max_size=9) | st.binary(max_size=9).map(os.fsdecode), st.floats(0.0, 1.0)),
)
def test_what_one_entry_spoils_is_that_entry(
    shelf: PresetFolder, bad: object, styles: dict[str, float]
) -> None:
    shelf.save("spoilt", {"mix": 0.5, "notes": 0.25}, styles=styles)
    path = shelf.path / "spoilt.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["styles"] == styles
    found["values"]["mix"] = found["program"] = found["styles"]["bad"] = bad
    path.write_text(json.dumps(found))
    preset = shelf.load("spoilt")
    assert preset.values["notes"] == 0.25
    assert {key: preset.styles[key] for key in styles if key != "bad"} == {
        key: v for key, v in styles.items() if key != "bad"
    }


def test_the_knob_that_was_called_detail_is_notes_turned_round(shelf: PresetFolder) -> None:
    shelf.save("old", {"mix": 0.5})
    path = shelf.path / "old.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    found["values"] = {"detail": 0.25}
    path.write_text(json.dumps(found))
    assert shelf.load("old").values == {"notes": 0.75}
    found["values"] = {"notes": 0.1, "detail": 0.25}
    path.write_text(json.dumps(found))
    assert shelf.load("old").values == {"notes": 0.1}
