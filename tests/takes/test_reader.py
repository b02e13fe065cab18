"""Takes: the folder has what was written, and damage gives a one-line error."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.takes.automation import Move, StyleChange
from gramophone.takes.header import HEADER, Header, read_header, write_header
from gramophone.takes.reader import MOVES, STATE, Take, open_take, write_state
from gramophone.takes.sound import DRY, EXACT, WET
from gramophone.takes.writer import TakeWriter
from tests.sounds import joined
from tests.take_maker import RATE, noisy_tune, style_file

quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
PARTS = (HEADER, MOVES, DRY, EXACT, WET, STATE)


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    found = noisy_tune(1.0)
    # As from a sound card of 24 bits, but for two stretches.
    found[:, :20_000] = np.rint(found[:, :20_000] * 2**23) / 2**23
    found[:, 30_000:40_000] = 0.0
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sound: np.ndarray) -> Path:
    folder = tmp_path_factory.mktemp("take") / "one"
    header = Header(sample_rate=RATE, channels=2, values={"strength": 0.25}, resumed=True)
    writer = TakeWriter(folder, header)
    style_file(folder / "styles", "rain", seed=1)
    writer.header = Header(**{**vars(writer.header), "styles": ("styles/rain.wav",)})
    for start in range(0, sound.shape[1], 1000):
        writer.dry(sound[:, start : start + 1000])
        writer.wet(np.float32(0.5) * sound[:, start : start + 1000])
        writer.event(Move(start, "strength", start / sound.shape[1]))
    writer.event(StyleChange(sound.shape[1], 1, ""))
    writer.close()
    write_state(folder, {"a": np.arange(3.0), "b": np.zeros((2, 2), dtype=np.float32)})
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "copy"))


def play(take: Take) -> None:
    """Use all that a take has."""
    for blocks in (take.dry(777), take.wet(4096)):
        assert np.isfinite(joined(blocks)).all()
    take.state()
    for name in take.style_files():
        take.style(name)


def refusal(call: Callable[[], object]) -> str:
    """Call; return what was wrong with what it was given, "" if nothing was."""
    try:
        call()
    except InputError as error:
        return str(error)
    return ""


def test_the_dry_sound_is_what_came_in_bit_for_bit(made: Path, sound: np.ndarray) -> None:
    take = open_take(made)
    assert take.frames == take.wet_frames == sound.shape[1]
    for size in (997, 1 << 16):
        np.testing.assert_array_equal(joined(take.dry(size)), sound)
        assert np.abs(joined(take.wet(size)) - 0.5 * sound).max() <= 2.0**-24
    # Only what 24 bits do not hold is kept a second time.
    assert take.header.exact == ((20_000, 30_000), (40_000, sound.shape[1]))
    assert len(take.events) == sound.shape[1] // 1000 + 1
    state = take.state()
    assert state is not None
    np.testing.assert_array_equal(state["a"], [0.0, 1.0, 2.0])
    assert take.style("styles/rain.wav").sample_rate == RATE


def test_a_header_is_read_as_it_was_written(tmp_path: Path) -> None:
    header = Header(
        sample_rate=44_100, channels=1, stylizer={"iterations": None, "window": "full"}, styles=("styles/a.style", ""),
        values={"gain": -3.25, "mix": 0.25},
        gaps=((1, 2), (2, 9)), missed=(4, 4), frames=0, wet_frames=0, note="it was late",
    )  # fmt: skip
    write_header(tmp_path, header)
    from gramophone.takes.reader import PARAMETERS

    data = (tmp_path / HEADER).read_bytes()
    assert read_header(tmp_path / HEADER, data, PARAMETERS) == header
    # What was the knob `detail` is `notes`, turned round.
    older = read_header(tmp_path / HEADER, data.replace(b'"mix"', b'"detail"'), PARAMETERS)
    assert older.values == {"gain": -3.25, "notes": 0.75}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "tape"}, "not the header of a take"),
        ({"version": 4}, "made by a newer Gramophone"),
        ({"version": "1"}, "not the header of a take"),
        ({"channels": 3}, "rate or channels differ"),
        ({"channels": 0}, "channels: expected a whole number of at least 1"),
        ({"sample_rate": True}, "sample_rate: expected a whole number, got true or false"),
        ({"styles": ["/etc/passwd"]}, "is not a style in the take's folder"),
        ({"styles": ["styles/../../x.wav"]}, "is not a style in the take's folder"),
        ({"styles": ["styles/gone.style"]}, "gone.style is missing"),
        ({"values": {"volume": 1}}, "no parameter 'volume'"),
        ({"values": {"strength": 7}}, "strength cannot be 7"),
        ({"stylizer": {"hop": "256"}}, "hop: expected a whole number, got text"),
        ({"stylizer": {"exec": "x"}}, "unknown field `exec`"),
        ({"exact": [[5, 1]]}, "not in order"),
        ({"frames": 10**9}, "the take is damaged"),
        ({"frames": 0}, "nothing was recorded"),
        ({"resumed": 1}, "resumed: expected true or false"),
    ],
)
def test_what_is_wrong_with_a_header_is_told(copy: Path, change: dict[str, object], told: str) -> None:
    found = json.loads((copy / HEADER).read_text())
    (copy / HEADER).write_text(json.dumps(found | change))
    with pytest.raises(InputError, match=told) as caught:
        open_take(copy)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PARTS)
def test_what_is_missing_is_told(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=name.replace(".", r"\.")):
        play(open_take(copy))


def test_what_is_no_take_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, told in (
        (tmp_path / "none", "does not exist"),
        (tmp_path / "file", "not a folder"),
        (tmp_path, "has no"),
    ):
        with pytest.raises(InputError, match=told):
            open_take(path)


@quick
@given(name=st.sampled_from(PARTS), data=st.data())
def test_damage_is_told_or_does_no_harm(made: Path, copy: Path, name: str, data: st.DataObject) -> None:
    content = bytearray((made / name).read_bytes())
    if data.draw(st.booleans(), label="cut"):
        content = content[: data.draw(st.integers(0, len(content)), label="length")]
    else:
        for _ in range(data.draw(st.integers(1, 4), label="count")):
            # Most of a file is sound; what says how to read it stands in front.
            place = data.draw(st.integers(0, min(len(content) - 1, 4000)), label="place")
            content[place] = data.draw(st.integers(0, 255), label="byte")
    (copy / name).write_bytes(content)
    told = refusal(lambda: play(open_take(copy)))
    shutil.copyfile(made / name, copy / name)
    assert "\n" not in told


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@quick
@given(key=st.sampled_from(sorted(vars(Header(sample_rate=RATE, channels=2)))), value=json_values)
def test_any_value_in_a_header_is_told_or_fits(made: Path, copy: Path, key: str, value: object) -> None:
    found = json.loads((made / HEADER).read_text())
    (copy / HEADER).write_text(json.dumps(found | {key: value}))
    assert "\n" not in refusal(lambda: play(open_take(copy)))
