"""Where compiled functions are kept: never in a folder that cannot be written, never those of other sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gramophone.dsp import compile_cache
from gramophone.dsp.compile_cache import clear, is_complete, mark_complete

ROOT = Path(__file__).parents[2]
CALL = """
import sys
from {package}.dsp.compile_cache import cache_folder
from {package}.dsp.live_limiter import limit
import numpy as np
sound = np.full((1, 8), 2.0, dtype=np.float32)
limit(sound, np.ones(1, dtype=np.float32), 100.0, 0.0, sound)
print(cache_folder(), sum(limit.stats.cache_hits.values()), float(sound.max()))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the few modules that this needs, whose sources may be changed."""
    copy = tmp_path / "copied"
    (copy / "models" / "live").mkdir(parents=True)
    for folder in ("dsp", "media"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "__init__.py").touch()
    return copy


def start(package: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CALL.format(package=package.name)]
    variables = os.environ | {"PYTHONPATH": str(package.parent)} | environment
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=package.parent
    )


def told(process: subprocess.Popen[str]) -> tuple[Path, int, str]:
    """The folder, how much came out of the cache, and what was said beside it."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    folder, hits, loudest = out.split()
    assert float(loudest) == 1.0
    return Path(folder), int(hits), err


def test_the_second_run_compiles_nothing_and_a_change_compiles_anew(package: Path, tmp_path: Path) -> None:
    cache = {"GRAMOPHONE_CACHE": str(tmp_path / "cache")}
    first, hits, _ = told(start(package, **cache))
    assert hits == 0
    assert told(start(package, **cache))[:2] == (first, 1)
    # In another module than the one that is called.
    with (package / "dsp" / "level.py").open("a") as file:
        file.write("\n# changed\n")
    second, hits, _ = told(start(package, **cache))
    assert second != first
    assert hits == 0


def test_by_another_name_it_is_compiled_anew_and_known_to_be(package: Path, tmp_path: Path) -> None:
    cache = {"GRAMOPHONE_CACHE": str(tmp_path / "cache")}
    first, *_ = told(start(package, **cache))
    (tmp_path / "linked").symlink_to(package)
    other, hits, _ = told(start(tmp_path / "linked", **cache))
    assert (hits, other == first) == (0, False)


def test_two_processes_may_compile_at_once(package: Path, tmp_path: Path) -> None:
    cache = {"GRAMOPHONE_CACHE": str(tmp_path / "cache")}
    both = [start(package, **cache) for _ in range(2)]
    assert len({told(process)[0] for process in both}) == 1
    assert told(start(package, **cache))[1] == 1


def test_what_was_cut_off_is_noticed_and_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "compiled"
    (folder / "live").mkdir(parents=True)
    monkeypatch.setattr(compile_cache, "cache_folder", lambda: folder)
    assert not is_complete()
    whole = folder / "live" / "hop.nbi"
    whole.write_bytes(bytes(100))
    mark_complete()
    assert is_complete()
    # Another form of a function that is compiled later makes its index longer.
    whole.write_bytes(bytes(150))
    assert is_complete()
    whole.write_bytes(bytes(50))
    assert not is_complete()
    clear()
    assert not whole.exists()
    (folder / "complete").write_text("{not JSON")
    assert not is_complete()


def test_what_was_not_used_for_a_month_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, old, used, other = (tmp_path / name for name in ("compiled-1", "compiled-2", "compiled-3", "mine"))
    for folder in (ours, old, used, other):
        folder.mkdir()
        (folder / "some.nbc").write_bytes(b"code")
        if folder != used:
            os.utime(folder, (0, 0))
    monkeypatch.setattr(compile_cache, "cache_folder", lambda: ours)
    mark_complete()
    assert [folder.exists() for folder in (ours, old, used, other)] == [True, False, True, True]


def test_a_folder_that_cannot_be_written_is_named_and_another_one_used(package: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "file"
    wrong.touch()
    folder, _, said = told(start(package, GRAMOPHONE_CACHE=str(wrong)))
    assert str(wrong) in said
    assert "GRAMOPHONE_CACHE" in said
    # It was this process's own, and is gone with it.
    assert not folder.exists()
