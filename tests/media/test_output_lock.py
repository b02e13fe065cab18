import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gramophone.media.errors import InputError
from gramophone.media.output_lock import alone_at, claimed

HOLD = """
import sys
from gramophone.media.output_lock import claimed
with claimed("out.wav", overwrite=True):
    print("held", flush=True)
    sys.stdin.read()
"""
TAKE_TURNS = """
import os
from contextlib import suppress
from gramophone.media.output_lock import alone_at
from gramophone.media.errors import InputError
turns = 0
while turns < 200:
    with suppress(InputError), alone_at("out.wav"):
        # Fails where somebody else is inside.
        os.close(os.open("inside", os.O_CREAT | os.O_EXCL))
        os.unlink("inside")
        turns += 1
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def another_run() -> Iterator[subprocess.Popen[str]]:
    """A process that holds out.wav."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_run_is_refused_and_the_first_leaves_nothing_behind(here: Path) -> None:
    with another_run() as process:
        for name in ("out.wav", here / "out.wav", "./nothing/../out.wav"):
            with pytest.raises(InputError, match=r"out\.wav is being made by another run"), alone_at(name):
                pass
        with claimed("other.wav", overwrite=False):
            pass
        process.communicate()
        with claimed("out.wav", overwrite=False), pytest.raises(InputError), alone_at("out.wav"):
            pass
    assert list(here.iterdir()) == []


def test_what_a_dead_run_held_is_free(here: Path) -> None:
    with another_run() as process:
        process.kill()
        process.wait()
        assert len(list(here.iterdir())) == 1
        with claimed("out.wav", overwrite=False):
            pass
    assert list(here.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights elsewhere")
def test_a_link_is_the_file_that_it_leads_to(here: Path) -> None:
    (here / "link.wav").symlink_to("out.wav")
    with alone_at("link.wav"), pytest.raises(InputError), alone_at("out.wav"):
        pass


def test_no_two_are_inside_however_often_they_come_and_go(here: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", TAKE_TURNS]) for _ in range(3)]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert list(here.iterdir()) == []


def test_what_appeared_meanwhile_is_not_made_again(here: Path) -> None:
    (here / "out.wav").touch()
    with pytest.raises(InputError, match="already exists"), claimed("out.wav", overwrite=False):
        pass
    with claimed("out.wav", overwrite=True):
        pass
    with pytest.raises(InputError, match="does not exist"), claimed("nowhere/out.wav", overwrite=True):
        pass


@pytest.mark.skipif(os.name != "posix", reason="of flock")
def test_where_the_file_system_has_no_locks_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed("out.wav", overwrite=False):
        pass
