"""`gramophone bounce` and `gramophone live --record`: what a user sees, and what is written."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.app.bounce import bounce_file, find_take
from gramophone.app.cli.main import app  # noqa: F401 - what the commands load first
from gramophone.takes.header import HEADER
from gramophone.takes.reader import MOVES, open_take
from gramophone.takes.sound import DRY, WET
from tests.take_maker import make_take, noisy_tune, random_moves, style_file

SECONDS = 1.5
QUICK = ("--recipe", "transport", "--device", "cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takes")
    dry = noisy_tune(SECONDS)
    make_take(
        folder / "one",
        dry,
        [style_file(folder, "hiss", seed=1)],
        events=random_moves(40, dry.shape[1], seed=1),
    )
    return folder / "one"


@pytest.fixture
def take(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(made, "evening"))


def test_live_is_what_was_heard(take: Path, call) -> None:
    outcome = call("bounce", "evening", "-o", "again.flac", "--quality", "live")
    assert outcome.code == 0, outcome.err
    assert "identical to what was heard, sample for sample (32-bit floats)" in outcome.out
    assert "again.flac: 1.5 s in" in outcome.out
    heard, again = (soundfile.read(name, dtype="int32")[0] for name in (take / WET, "again.flac"))
    np.testing.assert_array_equal(again, heard)
    assert sorted(path.name for path in Path().iterdir()) == ["again.flac", "evening"]


def test_full_is_as_long_and_something_else(take: Path, call) -> None:
    outcome = call("bounce", "evening", "-o", "full.wav", *QUICK)
    assert outcome.code == 0, outcome.err
    assert "identical" not in outcome.out
    heard, rendered = (soundfile.read(name)[0] for name in (take / WET, "full.wav"))
    assert rendered.shape == heard.shape
    assert np.abs(rendered - heard).max() > 1e-3


@pytest.mark.usefixtures("take")
def test_notes_are_as_played_or_hold_for_the_whole_bounce(call) -> None:
    sounds = []
    for number, notes in enumerate(((), ("--notes", 1), ("--notes", 0))):
        outcome = call("bounce", "evening", "-o", f"{number}.wav", *QUICK, *notes)
        assert outcome.code == 0, outcome.err
        sounds.append(soundfile.read(f"{number}.wav")[0])
    for one, other in itertools.combinations(sounds, 2):
        assert np.abs(one - other).max() > 1e-3


def test_a_move_that_is_missing_is_noticed(take: Path, call) -> None:
    lines = (take / MOVES).read_text().splitlines(keepends=True)
    (take / MOVES).write_text("".join(line for line in lines if '"strength"' not in line))
    outcome = call("bounce", "evening", "-o", "again.flac", "--quality", "live")
    assert outcome.code == 0
    assert "differs from what was heard at 0:0" in outcome.out


def test_a_folder_with_one_take_is_enough(take: Path, tmp_path: Path, call) -> None:
    (tmp_path / "all").mkdir()
    shutil.move(take, tmp_path / "all" / "take-1")
    assert find_take(Path("all")) == Path("all/take-1")
    shutil.copytree(tmp_path / "all" / "take-1", tmp_path / "all" / "take-2")
    outcome = call("bounce", "all", "-o", "out.wav")
    assert outcome.code == 2
    assert "all holds 2 takes; give one of them, such as all/take-2" in outcome.err


@pytest.mark.parametrize(
    ("spoil", "options", "told"),
    [
        (lambda take: shutil.rmtree(take), (), "evening does not exist"),
        (lambda take: (take / HEADER).unlink(), (), "has no take.json"),
        (lambda take: (take / HEADER).write_text("{}"), (), "not the header of a take"),
        (lambda take: (take / MOVES).write_text("x\n"), (), "moves.jsonl, line 1"),
        (lambda take: (take / DRY).write_bytes(b""), (), "dry.flac"),
        (lambda take: (take / DRY).write_bytes((take / DRY).read_bytes()[:9000]), ("--quality", "live"), "dry.flac"),
        (lambda take: (take / "styles" / "hiss.wav").write_bytes(b"RIFF"), QUICK, "hiss.wav"),
        (lambda _: None, ("--quality", "best"), "--quality best is unknown; give one of full, live"),
        (lambda _: None, ("--recipe", "magic"), "magic"),
        (lambda _: None, ("--notes", "-1"), "--notes -1"),
        (lambda _: None, ("--notes", "1", "--quality", "live"), "--notes is for --quality full"),
        (lambda _: None, ("--notes", "1", "--recipe", "dipani2018"), "recipes that have it: gramophone, transport"),
        (lambda _: None, ("--device", "tpu"), "--device tpu is unknown"),
        (lambda _: None, ("--seed", "-1"), "--seed"),
        (lambda _: Path("out.wav").touch(), (), "out.wav already exists"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_and_leaves_nothing(take: Path, call, spoil, options, told: str) -> None:
    spoil(take)
    before = sorted(Path().iterdir())
    outcome = call("bounce", "evening", "-o", "out.wav", *options)
    assert outcome.code == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err
    assert len([line for line in outcome.err.splitlines() if "error:" in line]) == 1
    assert sorted(Path().iterdir()) == before


def test_the_function_behind_the_command_replaces_only_what_it_may(take: Path) -> None:
    Path("out.wav").write_bytes(b"mine")
    result = bounce_file(take, Path("out.wav"), quality="live", overwrite=True)
    assert result.seconds == pytest.approx(SECONDS, abs=0.02)
    assert soundfile.info("out.wav").frames == open_take(take).wet_frames


@pytest.mark.usefixtures("folder")
def test_a_session_is_recorded_and_bounced(spawn, call) -> None:
    files = ("--virtual-input", "content.wav", "--virtual-output", "out.wav", "--as-fast-as-possible")
    outcome = spawn("live", "style.wav", *files, "--record", "evening", "--set", "strength=0.8")
    assert outcome.code == 0, outcome.err
    assert "recorded 0:01 in evening" in outcome.out
    take = open_take(Path("evening"))
    assert take.header.values["strength"] == 0.8
    bounced = call("bounce", "evening", "-o", "again.wav", "--quality", "live")
    assert "identical to what was heard, sample for sample" in bounced.out
    again = spawn("live", "style.wav", *files, "--record", "evening", "--overwrite")
    assert again.code == 2
    assert "evening is a take already" in again.err


@pytest.mark.parametrize("channels", [9, 16])
def test_more_channels_than_flac_has_are_played_recorded_and_bounced(
    folder: Path, tune: np.ndarray, spawn, call, channels: int
) -> None:
    several = np.resize(tune, (channels, tune.shape[1])) * np.linspace(0.2, 1.0, channels)[:, None]
    soundfile.write(folder / "several.wav", several.T, 16000, subtype="FLOAT")
    files = ("--virtual-input", "several.wav", "--virtual-output", "out.wav", "--as-fast-as-possible")
    outcome = spawn("live", "style.wav", *files, "--record", "evening")
    assert outcome.code == 0, outcome.err
    assert soundfile.info("out.wav").channels == channels
    assert soundfile.info("evening/wet.wav").channels == channels
    bounced = call("bounce", "evening", "-o", "again.wav", "--quality", "live")
    assert "identical to what was heard, sample for sample" in bounced.out
    assert soundfile.info("again.wav").channels == channels
    full = call("bounce", "evening", "-o", "full.wav", *QUICK)
    assert full.code == 0, full.err
    assert soundfile.info("full.wav").channels == channels


def test_a_take_without_its_end_is_bounced_to_where_it_goes_and_told_so(take: Path, call) -> None:
    """As a machine leaves it that loses power: no lengths anywhere, and a last block that is not whole."""
    header = json.loads((take / HEADER).read_text())
    cut = {"frames": None, "wet_frames": None, "wet_sha256": ""}
    (take / HEADER).write_text(json.dumps({**header, **cut}))
    for name in (DRY, WET):
        data = bytearray((take / name).read_bytes())
        data[21] &= 0xF0
        data[22:26] = bytes(4)
        (take / name).write_bytes(data[:-500])
    outcome = call("bounce", "evening", "-o", "out.wav", "--quality", "live")
    assert outcome.code == 0, outcome.err
    assert "cut short" in outcome.out
    assert "another machine" not in outcome.out
    assert 0 < soundfile.info("out.wav").frames < header["wet_frames"]
