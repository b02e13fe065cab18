"""The results of a batch in this process."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
import soundfile

from gramophone.app import demo_sounds
from gramophone.media.errors import InputError
from gramophone.offline.batch import inputs as batch_inputs
from gramophone.offline.batch.batch import BatchSettings, Outcome, Task, finished, perform
from gramophone.offline.batch.names import clashing, labels, outputs
from gramophone.offline.batch.store import open_store

RATE = 16000


def test_each_label_is_given_once() -> None:
    sources = ["a/song.wav", "b/song.wav", "b/Song.flac", "tune.wav", "x/tune.mp3", "other.wav"]
    found = labels(sources)
    assert len({label.casefold() for label in found}) == len(sources)
    assert found[3:] == ["tune-wav", "tune-mp3", "other"]
    assert clashing(sources, found)[-2:] == ["tune.wav", "x/tune.mp3"]
    assert labels(["a/song.wav", "b/song.wav"]) == ["a-song", "b-song"]
    assert labels(["s3://one/song.wav", "s3://two/album/song.wav"]) == ["one-song", "album-song"]
    assert labels(["a/b/song.wav", "c/b/song.wav"]) == ["song", "song-2"]
    # Nobody's name depends on how many others there are.
    assert labels(["song-2.wav", "a/b/song.wav", "c/b/song.wav"])[0] == "song-2"


def test_each_output_has_its_own_name() -> None:
    names = outputs(["a--b", "a"], ["c", "b--c"], "wav")
    assert names == ["a--b--c.wav", "a--b--b--c.wav", "a--c.wav", "a--b--c-2.wav"]
    assert outputs(labels(["x" * 300 + ".wav"]), labels(["y" * 300 + ".wav"]), "flac")[0].startswith("xxx")
    assert len(outputs(labels(["é" * 300 + ".wav"]), ["y"], "flac")[0].encode()) < 255
    assert "/" not in "".join(labels(["https://host/a%2Fb.wav"]))


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "content.wav", tmp_path / "style.wav"]
    for path, sound in zip(
        paths, (demo_sounds.plucked_strings(RATE), demo_sounds.bubbling_water(RATE)), strict=True
    ):
        soundfile.write(path, sound[:1, :RATE].T, RATE)
    return paths


def make_task(sounds: list[Path], folder: str, **shared: Any) -> Task:
    settings: dict[str, Any] = {"recipe": "transport", "strength": 0.0, "folder": folder, **shared}
    with ExitStack() as stack:
        read = [
            batch_inputs.read([str(path)], stack=stack, fetch=True, show=lambda *_: None) for path in sounds
        ]
    return batch_inputs.tasks(read[0], read[1], "wav", BatchSettings(**settings), warn=pytest.fail)[0]


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://out"
    return str(tmp_path / "out")


def run(task: Task) -> Outcome:
    store = open_store(task.shared.folder)
    store.prepare(task.shared.run)
    outcome = perform(task)
    store.clean(task.shared.run)
    return outcome


def contents(folder: str) -> dict[str, bytes]:
    place, inner = fsspec.core.url_to_fs(folder)
    return {path: place.cat_file(path) for path in place.find(inner)}


def test_a_finished_output_is_made_once(sounds: list[Path], folder: str) -> None:
    task = make_task(sounds, folder)
    assert run(task).state == "made"
    before = contents(folder)
    assert len(before) == 2
    # Whoever is given the task again in the same run says what the first one did not come to say.
    assert run(task).state == "made"
    # Another run of the same batch, with the same settings spelled out.
    assert run(make_task(sounds, folder, run="second")).state == "skipped"
    assert run(make_task(sounds, folder, run="later", settings=(("rounds", "2"),))).state == "skipped"
    assert contents(folder) == before


def test_other_settings_replace_only_by_force(sounds: list[Path], folder: str) -> None:
    run(make_task(sounds, folder))
    before = contents(folder)
    louder = make_task(sounds, folder, subtype="PCM_16")
    outcome = run(louder)
    assert outcome.state == "failed"
    assert "made with other settings" in outcome.why
    assert contents(folder) == before
    forced = make_task(sounds, folder, subtype="PCM_16", force=True)
    assert run(forced).state == "made"
    assert run(make_task(sounds, folder, subtype="PCM_16", force=True, run="second")).state == "skipped"
    assert run(make_task(sounds, folder, subtype="PCM_16", run="third")).state == "skipped"
    assert run(make_task(sounds, folder)).state == "failed"
    # One record for the one output.
    assert len(contents(folder)) == 2


def test_what_is_not_ours_is_not_touched(sounds: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    task = make_task(sounds, str(folder))
    folder.mkdir()
    (folder / task.output).write_bytes(b"precious")
    assert "not from a batch" in run(task).why
    with pytest.raises(InputError, match="--force"):
        finished(task, open_store(str(folder)))
    assert (folder / task.output).read_bytes() == b"precious"
    # Nor is an output that somebody has worked on since, though it has a record.
    (folder / task.output).unlink()
    assert run(task).state == "made"
    with (folder / task.output).open("ab") as file:
        file.write(b"edited")
    assert run(task).state == "failed"


def test_a_record_without_its_output_counts_for_nothing(sounds: list[Path], folder: str) -> None:
    task = make_task(sounds, folder)
    run(task)
    place, inner = fsspec.core.url_to_fs(folder)
    place.rm_file(f"{inner}/{task.output}")
    assert run(task).state == "made"


def test_changed_inputs_are_noticed(sounds: list[Path], folder: str) -> None:
    task = make_task(sounds, folder)
    soundfile.write(sounds[0], demo_sounds.plucked_strings(RATE)[:1, RATE : 2 * RATE].T, RATE)
    outcome = run(task)
    assert outcome.state == "failed"
    assert "content.wav has changed" in outcome.why
    assert run(make_task(sounds, folder)).state == "made"


def test_faults_become_outcomes_that_name_the_file(sounds: list[Path], folder: str) -> None:
    sounds[0].write_text("no sound")
    task = make_task(sounds, folder)
    outcome = run(task)
    assert outcome.state == "failed"
    assert outcome.why.startswith(f"{sounds[0]} is not a readable sound file")
    assert contents(folder) == {}
    # A mistake in the program is no end of the batch either.
    assert "unexpected" in run(replace(task, content=None)).why  # type: ignore[arg-type]


def test_half_written_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "out"))
    store.prepare("run")
    with store.working("run") as work:
        (work / "half.wav").write_bytes(b"half")
        store.clean("run")
    assert list((tmp_path / "out").iterdir()) == []
