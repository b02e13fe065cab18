"""Two sessions in a row: what the second remembers, and a start with --safe."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

RATE = 48_000
PATIENCE = 60.0


@pytest.fixture
def style(tmp_path: Path) -> Path:
    # Not UTF-8, and with a space that is no plain one: what is written down of it must be there the next evening.
    path = tmp_path / os.fsdecode(b"caf\xe9\xc2\xa0\x1b[31m.wav")
    noise = np.random.default_rng(0).standard_normal(RATE * 3 // 2)
    soundfile.write(os.fsencode(path), 0.2 * noise, RATE)
    return path


def evening(jack: Any, folder: Path, *arguments: object) -> tuple[str, str]:
    """Start a session, end it as soon as it plays; return what it printed."""
    environment = {**jack.environment, "GRAMOPHONE_SETTINGS": str(folder)}
    process, printed = jack.live("--midi", "none", *arguments, env=environment)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "\x1b" not in printed + out + err
    return printed + out, err


def remembered(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "state.json").read_text())


def test_the_next_evening_starts_where_the_last_one_ended(jack: Any, style: Path, tmp_path: Path) -> None:
    folder = tmp_path / "settings"
    first, _ = evening(
        jack, folder, style, "--set", "mix=25%", "--muted", "--desk", "--desk-port", "0", "--osc", "0"
    )
    assert "http://127.0.0.1:" in first
    assert "OSC" in first
    assert remembered(folder)["values"]["mix"] == 0.25
    # No style has to be named again, and silence is not kept.
    second, _ = evening(jack, folder)
    assert remembered(folder)["styles"] == [str(style)]
    assert "muted" not in second
    assert remembered(folder)["values"]["mix"] == 0.25
    # Safe: everything as it comes, and silent.
    safe, _ = evening(jack, folder, style, "--safe")
    assert "muted" in safe
    assert remembered(folder)["values"]["mix"] == 1.0
    # Broken files are moved aside, with a word.
    (folder / "state.json").write_text('{"format": "gramophone session", "version": 1, "values": 7}')
    (folder / "midi-map.json").write_text("{")
    _, err = evening(jack, folder, style)
    assert err.count("moved to") == 2
    assert len(list(folder.glob("*.broken-*"))) == 2


def test_without_any_style_it_says_what_to_give(jack: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gramophone", "live"]
    environment = {**jack.environment, "GRAMOPHONE_SETTINGS": str(tmp_path)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert "style" in done.stderr
    assert done.stderr.count("\n") == 1
