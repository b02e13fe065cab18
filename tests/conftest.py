"""For all tests. Loaded before any of them, and so before torch."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from platformdirs import user_cache_path

# As the command line does: on a machine with other work, spinning threads make the tests tens of times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Compiled once for all tests, also for those with a home of their own.
os.environ.setdefault("GRAMOPHONE_CACHE", str(user_cache_path("gramophone")))

# How long an example takes says something of the machine only.
settings.register_profile("whole", deadline=None, derandomize=True, database=None)
settings.register_profile("quick", settings.get_profile("whole"), max_examples=50)
settings.load_profile("whole")


@pytest.fixture(autouse=True)
def settings_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder of its own for each test: none touches the user's, or finds what another left."""
    folder = tmp_path_factory.mktemp("settings")
    monkeypatch.setenv("GRAMOPHONE_SETTINGS", str(folder))
    return folder


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's file system in memory, empty before and after."""
    import fsspec

    place = fsspec.filesystem("memory")
    place.store.clear()
    yield place
    place.store.clear()


# What renders, plays or starts processes takes its time. The rest answers within a minute.
SLOW = (
    "test_any_bytes", "app/desk", "app/test_api", "app/test_arguments", "app/test_bad_input", "app/test_callers_state",
    "app/test_cli", "app/test_demo.py", "app/test_names", "app/test_one_run", "app/test_standard",
    "models/live", "models/export",
    "offline/test_b", "offline/test_in", "offline/test_o", "offline/test_p", "offline/test_re", "offline/test_t",
    "plugins/test_s", "realtime/engine", "realtime/link/test_slot_mailbox", "realtime/test_d", "realtime/test_engine",
    "realtime/test_learn_command", "realtime/test_live", "realtime/test_midi.py", "realtime/test_recorder",
    "realtime/test_sessions", "realtime/test_style", "realtime/test_take", "takes",
)  # fmt: skip


def only_quick(config: pytest.Config) -> bool:
    """Whether nobody asks for the slow tests."""
    return bool(config.option.markexpr == "not slow")


def pytest_configure(config: pytest.Config) -> None:
    """Try fewer examples where the answer is to be quick."""
    if only_quick(config):
        settings.load_profile("quick")


def is_slow(path: Path) -> bool:
    return path.relative_to(Path(__file__).parent).as_posix().startswith(SLOW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave slow files alone, so that they need not even be imported."""
    return True if only_quick(config) and is_slow(collection_path) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, by file."""
    for item in items:
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
