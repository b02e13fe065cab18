"""Two runs for one output: the second is refused at once, and the first goes on undisturbed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from gramophone.media.errors import InputError
from gramophone.media.output_lock import alone_at
from gramophone.offline.batch.store import LocalStore
from gramophone.realtime.recorder import Recorder
from tests.take_maker import make_take, noisy_tune, style_file

COMMANDS = {
    "render": ("render", "content.wav", "style.wav", "-o", "out.wav", "--recipe", "transport"),
    "render, replacing": (
        *("render", "content.wav", "style.wav", "-o", "out.wav", "--recipe", "transport"),
        "--overwrite",
    ),
    "render, going on": (
        *("render", "content.wav", "style.wav", "-o", "out.wav", "--recipe", "transport"),
        "--resume",
    ),
    "texture": ("texture", "style.wav", "-o", "out.wav", "--seconds", "1", "--recipe", "transport"),
    "bounce": ("bounce", "evening", "-o", "out.wav", "--quality", "live"),
    "live": (
        *("live", "style.wav", "--virtual-input", "content.wav", "--virtual-output", "out.wav"),
        *("--as-fast-as-possible", "--midi", "none", "--safe"),
    ),
}


@pytest.fixture
def evening(folder: Path) -> None:
    dry = noisy_tune(0.5)
    make_take(folder / "evening", dry, [style_file(folder, "hiss", seed=1)], events=[])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.usefixtures("evening")
def test_every_command_is_refused_while_another_run_makes_its_output(
    name: str, folder: Path, call, listing: Callable[[Path], dict[str, bytes]]
) -> None:
    with alone_at("out.wav"):
        before = listing(folder)
        outcome = call(*COMMANDS[name])
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1
        assert "out.wav is being made by another run" in outcome.err
        assert listing(folder) == before
    assert call(*COMMANDS[name]).code == 0
    assert soundfile.info("out.wav").frames


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_the_first_of_two_renders_goes_on_and_what_it_leaves_when_killed_is_taken_over(
    folder: Path, call
) -> None:
    def render(*options: str) -> tuple[str, ...]:
        return ("render", "content.wav", "style.wav", "-o", "out.wav", *options)

    work = folder / "out.wav.work"
    long = [sys.executable, "-m", "gramophone", *render("--steps", "100000")]
    with subprocess.Popen(long, stderr=subprocess.DEVNULL) as first:
        # From then on there are steps to be lost.
        while not (work / "out.spool").exists():
            assert first.poll() is None
            time.sleep(0.02)
        assert call(*render("--steps", "2")).code == 2
        assert first.poll() is None
        assert (work / "out.spool").exists()
        first.send_signal(signal.SIGKILL)
    outcome = call(*render("--steps", "2", "--resume"))
    assert outcome.code == 0, outcome.err
    assert "begun again" in outcome.err
    assert sorted(path.name for path in folder.iterdir()) == ["content.wav", "out.wav", "style.wav"]


def test_every_recording_has_a_folder_of_its_own(tmp_path: Path) -> None:
    made: list[Path] = []
    barrier = threading.Barrier(8)

    def record() -> None:
        recorder = Recorder.__new__(Recorder)
        recorder._folder, recorder._next = tmp_path / "takes", None
        barrier.wait()
        made.append(recorder._made())

    workers = [threading.Thread(target=record) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(set(made)) == 8
    assert all(path.is_dir() for path in made)
    recorder = Recorder.__new__(Recorder)
    recorder._next = made[0]
    with pytest.raises(InputError, match="made meanwhile"):
        recorder._made()


def test_a_batch_leaves_the_work_of_another_that_still_runs_however_old_it_is(tmp_path: Path) -> None:
    folder = str(tmp_path / "out")
    first, second = LocalStore(folder), LocalStore(folder)
    first.prepare("first")
    dead = tmp_path / "out" / ".gramophone" / "work-dead"
    shutil.copytree(first._work("first"), dead)
    for work in (dead, first._work("first")):
        os.utime(work, (0, 0))
    second.prepare("second")
    assert first._work("first").is_dir()
    assert not dead.exists()
    second.clean("second")
    first.clean("first")
    assert list((tmp_path / "out").iterdir()) == []
