import errno
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from gramophone.media.errors import InputError
from gramophone.media.files import check_writable, replacing, shown


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_file_appears_only_when_complete(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    with replacing(target, overwrite=False) as temporary:
        temporary.write_bytes(b"sound")
        assert not target.exists()
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".wav"
        assert temporary.name.startswith(".")
    assert target.read_bytes() == b"sound"
    assert names(tmp_path) == ["out.wav"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("overwrite", [False, True])
def test_interrupted_block_leaves_things_as_they_were(
    tmp_path: Path, error: type[BaseException], overwrite: bool
) -> None:
    target = tmp_path / "out.wav"
    if overwrite:
        target.write_bytes(b"old")

    def interrupted() -> None:
        with replacing(target, overwrite=overwrite) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == (["out.wav"] if overwrite else [])
    assert not overwrite or target.read_bytes() == b"old"


def test_existing_file_is_kept_unless_overwriting(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with pytest.raises(InputError, match="already exists"), replacing(target, overwrite=False):
        pytest.fail("the block must not run")
    with pytest.raises(InputError, match="already exists"):
        check_writable(target, overwrite=False)
    with replacing(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize("hard_links", [True, False])
def test_file_that_appears_meanwhile_is_not_clobbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    if not hard_links:

        def link(*_: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", link)
    target = tmp_path / "out.wav"

    def raced() -> None:
        with replacing(target, overwrite=False) as temporary:
            temporary.write_bytes(b"mine")
            target.write_bytes(b"theirs")

    with pytest.raises(InputError, match="already exists"):
        raced()
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["out.wav"]
    with replacing(tmp_path / "other.wav", overwrite=False) as temporary:
        temporary.write_bytes(b"mine")
    assert (tmp_path / "other.wav").read_bytes() == b"mine"
    assert names(tmp_path) == ["other.wav", "out.wav"]


def test_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    target, link = folder / "real.wav", tmp_path / "link.wav"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replacing(link, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert names(folder) == ["real.wav"]


def test_longest_possible_name_works(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".wav")
    with replacing(target, overwrite=False) as temporary:
        temporary.write_bytes(b"x")
    assert names(tmp_path) == [target.name]


def impossible(folder: Path) -> list[tuple[Path, str]]:
    (folder / "file").write_bytes(b"")
    (folder / "loop").symlink_to(folder / "loop")
    return [
        (folder, "it is a folder"),
        (folder / "missing" / "out.wav", "missing does not exist; create it"),
        (folder / "file" / "out.wav", "is not a folder"),
        (folder / ("n" * 300), "too long"),
        (folder / "nul\0.wav", "NUL"),
        (Path(os.devnull), "not a regular file"),
    ]


@pytest.mark.parametrize("case", range(6))
def test_impossible_place_is_found_early(tmp_path: Path, case: int) -> None:
    path, reason = impossible(tmp_path)[case]
    before = names(tmp_path)
    for attempt in (check_writable, lambda path, overwrite: replacing(path, overwrite=overwrite).__enter__()):
        with pytest.raises(InputError, match=re.escape(reason)) as caught:
            attempt(path, overwrite=True)
        message = str(caught.value)
        assert "\n" not in message
        assert shown(path) in message
        assert ".part-" not in message
    assert names(tmp_path) == before


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_folder_that_takes_no_files_is_found_even_for_root() -> None:
    with pytest.raises(InputError, match=r"cannot write /proc/out\.wav"):
        check_writable("/proc/out.wav", overwrite=False)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_missing_permission_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    with pytest.raises(InputError, match="no permission"):
        check_writable(folder / "out.wav", overwrite=False)


def test_check_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "out.wav", overwrite=False)
    assert names(tmp_path) == []


def test_os_error_of_the_block_names_the_users_file(tmp_path: Path) -> None:
    target = tmp_path / "out.wav"
    full = pytest.raises(InputError, match="disk is full; free some space")
    with full as caught, replacing(target, overwrite=False):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(target) in str(caught.value)
    assert names(tmp_path) == []


def test_os_error_about_another_file_is_not_blamed_on_the_target(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "out.wav", overwrite=False):
        (tmp_path / "input.wav").read_bytes()
    assert names(tmp_path) == []


def test_folder_removed_meanwhile_is_an_input_error(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    with (
        pytest.raises(InputError, match="does not exist"),
        replacing(folder / "x", overwrite=False) as temporary,
    ):
        shutil.rmtree(temporary.parent)


def test_shown_paths_are_one_line() -> None:
    assert shown("plain ü.wav") == "plain ü.wav"
    assert "\n" not in shown("two\nlines.wav")
    shown("odd\udcff.wav").encode("utf-8")
