"""For all tests. Loaded before any of them, and so before torch."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# As the command line does: on a machine with other work, spinning threads make the tests tens of times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# How long an example takes says something of the machine only.
settings.register_profile("gramophone", deadline=None, derandomize=True, database=None)
settings.load_profile("gramophone")


@pytest.fixture(autouse=True)
def settings_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings folder of its own for each test: none touches the user's, or finds what another left."""
    folder = tmp_path_factory.mktemp("settings")
    monkeypatch.setenv("GRAMOPHONE_SETTINGS", str(folder))
    return folder


# What renders, plays or starts processes takes its time. The rest answers within a minute.
SLOW = (
    "test_any_bytes", "app/desk", "app/test_api", "app/test_arguments", "app/test_bad_input", "app/test_callers_state",
    "app/test_cli", "app/test_demo.py", "app/test_names", "app/test_one_run", "app/test_standard",
    "models/live",
    "offline/test_b", "offline/test_in", "offline/test_o", "offline/test_p", "offline/test_re", "offline/test_t",
    "plugins/test_s", "realtime/engine", "realtime/test_d", "realtime/test_engine", "realtime/test_learn_command",
    "realtime/test_live", "realtime/test_midi.py", "realtime/test_recorder", "realtime/test_sessions",
    "realtime/test_style", "realtime/test_take", "takes",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, by file."""
    here = Path(__file__).parent
    for item in items:
        if item.path.relative_to(here).as_posix().startswith(SLOW):
            item.add_marker(pytest.mark.slow)
