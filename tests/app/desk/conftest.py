"""What tests of the desk need: a JACK server, a browser, and a place for screenshots."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from benchmarks.browser import find_chromium, open_page
from tests.realtime.conftest import jack, knobs

__all__ = ["jack", "knobs"]


@pytest.fixture
def page() -> Iterator[Page]:
    program = find_chromium()
    if program is None:
        message = "no Chromium: on Debian, apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with open_page(program) as opened:
        yield opened


@pytest.fixture(scope="session")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: the folder that GRAMOPHONE_ARTEFACTS names, or one among pytest's temporary ones."""
    named = os.environ.get("GRAMOPHONE_ARTEFACTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("artefacts")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
