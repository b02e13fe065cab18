import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from gramophone.app import demo_sounds
from gramophone.app.cli.main import app

CONTENT_RATE = 16000
STYLE_RATE = 22050

Run = Callable[..., "Outcome"]


class Outcome:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture(scope="session")
def tune() -> np.ndarray:
    """A second and a half of the demo's content, stereo, 16 kHz."""
    return demo_sounds.plucked_strings(CONTENT_RATE)[:, : CONTENT_RATE * 3 // 2].copy()


@pytest.fixture(scope="session")
def water() -> np.ndarray:
    """Two seconds of the demo's style, mono, 22.05 kHz."""
    return demo_sounds.bubbling_water(STYLE_RATE)[:1, : STYLE_RATE * 2].copy()


@pytest.fixture
def folder(tmp_path: Path, tune: np.ndarray, water: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with content.wav and style.wav in it."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("content.wav", tune.T, CONTENT_RATE, subtype="PCM_16")
    soundfile.write("style.wav", water.T, STYLE_RATE, subtype="PCM_16")
    return tmp_path


@pytest.fixture
def call() -> Run:
    """Run the command line in this process: quick, since torch is loaded once."""

    def run(*args: object) -> Outcome:
        result = CliRunner().invoke(app, [str(arg) for arg in args])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def spawn() -> Run:
    """Run the command line as a user does, in a process of its own."""

    def run(*args: object, **options: Any) -> Outcome:
        command = [sys.executable, "-m", "gramophone", *map(str, args)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env=environment, **options
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def listing() -> Callable[[Path], dict[str, bytes]]:
    """Everything in a folder, hidden files too."""

    def snapshot(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"/"
            for path in folder.rglob("*")
        }

    return snapshot
