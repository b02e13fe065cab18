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
