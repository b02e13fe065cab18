"""Standard streams that are closed, full, or no longer read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="the shell of Linux")

# How the streams are left, and the exit code that follows for a command that prints its result.
STREAMS = {
    ">&-": 0,
    "2>&-": 0,
    "<&- >&- 2>&-": 0,
    "2>/dev/full": 0,
    ">/dev/full": 2,
    "| head -c0": 141,
    "2>&1 | head -c0": 141,
}
QUICK = ("--help", "recipes", "render nothing.wav style.wav -o out.wav")
RENDER = "render content.wav style.wav -o out.wav --recipe transport"
CASES = [
    *((command, streams) for command in QUICK for streams in STREAMS),
    *(("--version", streams) for streams in (">/dev/full", "| head -c0")),
    *((RENDER, streams) for streams in ("<&- >&- 2>&-", "2>&1 | head -c0")),
    *(("style make style.wav -o out.wav.style", streams) for streams in (">&-", ">/dev/full")),
]


@pytest.mark.parametrize(("command", "streams"), CASES)
def test_the_work_is_done_and_nothing_is_a_traceback(command: str, streams: str, folder: Path) -> None:
    script = f'"{sys.executable}" -m gramophone {command} {streams}; exit ${{PIPESTATUS[0]}}'
    # What is not held back fails at another place.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1" if command == "recipes" else ""}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    wrong = "nothing.wav" in command
    assert done.returncode == (2 if wrong else STREAMS[streams]), done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    made = {name for name in ("out.wav", "out.wav.style") if name in command.split() and not wrong}
    if streams == ">/dev/full" and not wrong:
        told = done.stderr.splitlines()[-1]
        assert told.startswith("gramophone: error: standard output cannot be written")
        assert all(f"{name} is complete" in told for name in made)
    assert {path.name for path in folder.iterdir()} - {"content.wav", "style.wav"} == made


def test_no_file_takes_the_place_of_a_closed_stream(folder: Path) -> None:
    script = folder / "show.py"
    script.write_text(
        "from gramophone.app import standard_streams; standard_streams.prepare(); print(open(__file__).fileno())"
    )
    shell = f'"{sys.executable}" show.py <&- 2>&-'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert int(done.stdout) > 2
