"""Printed text cannot steer the terminal, and floods of messages are limited."""

import io
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Group
from rich.table import Table
from rich.text import Text

from gramophone.app import console
from gramophone.media.escaping import escaped

# What steers terminals, means something to rich, or is a byte that is not UTF-8.
PIECES = (
    "\x1b[2J", "\x1b]0;title\x07", "\x1b[31m", "\x9b31m", "\r", "\b", "\x00", "\u202e", "\u2066", "\u2028", "\ufeff",
    os.fsdecode(b"\xe0"), "[red]", "[/nope]", "[/]", ":bomb:", "\\", "%s", "{0}", "<b>", "é", "漢", " ", "\n", "x",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join)
#: Colours, the cursor, and lines: what the console itself sends.
OWN = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\n\r]")


def table(text: str) -> Table:
    made = Table(text)
    made.add_row(Text(text, "bold"))
    made.add_row(text)
    return made


def show_progress(text: str) -> None:
    with console.Display() as display:
        display.stage(text)
        display.part(text, 1, 2)
        if display._bar is not None:
            display._bar.refresh()


WAYS = {
    "said": console.say,
    "warned": console.warn,
    "printed": lambda text: console.out().print(text),
    "in a table": lambda text: console.out().print(Group(table(text), Text(text))),
    "on standard error": lambda text: console.err().print(text, table(text)),
    "progress": show_progress,
    "a traceback": console.show_trace,
    "a log": lambda text: console._LogLines().emit(
        logging.LogRecord("x", logging.ERROR, "x", 1, "%s", (text,), (ValueError, ValueError(text), None))
    ),
}


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=HOSTILE)
def test_nothing_that_is_printed_steers_the_terminal(
    way: str, terminal: bool, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(console, "fault", console.Faults(console.say, seconds=0.0))
    written = {name: io.TextIOWrapper(io.BytesIO(), "utf-8") for name in ("stdout", "stderr")}
    with monkeypatch.context() as patch:
        for name, stream in written.items():
            patch.setattr(f"sys.{name}", stream)
        patch.setenv("TTY_COMPATIBLE", str(int(terminal)))
        patch.setenv("COLUMNS", "400")
        WAYS[way](text)
    for stream in written.values():
        stream.flush()
        plain = stream.buffer.getvalue().decode("utf-8")
        if terminal and way != "progress":
            # No colour but the console's own: none comes with text.
            assert "\x1b[31m" not in plain
            assert "\x1b[2J" not in plain
        plain = OWN.sub("", plain) if terminal else plain
        assert not [letter for letter in plain if letter != "\n" and not letter.isprintable() and letter not in "\xa0"
                    and letter not in "\u200c\u200d" and escaped(letter) != letter]  # fmt: skip


def test_markup_and_emoji_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    console.out().print("[red]a[/nope] :bomb: b")
    assert capsys.readouterr().out == "[red]a[/nope] :bomb: b\n"


def test_of_many_faults_few_are_said_and_all_are_counted() -> None:
    lines: list[str] = []
    faults = console.Faults(lines.append, seconds=0.05)

    def many() -> None:
        for number in range(500):
            faults(f"fault {number}")

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while faults._resting:
        time.sleep(0.01)
    counted = [int(found[1]) for line in lines if (found := re.search(r"and (\d+) more", line))]
    assert len(lines) + sum(counted) == 2000
    assert len(lines) < 1000
    faults("afterwards")
    assert lines[-1] == "afterwards"


def test_a_fault_is_short_however_long_it_is() -> None:
    lines: list[str] = []
    console.Faults(lines.append, seconds=0.0)("x" * 60_000)
    assert len(lines[0]) < 500


def test_a_wrong_command_line_is_shown_as_text(call) -> None:
    for args in (
        ["--\x1b[31m\u202e[/x]"],
        ["\x1b]0;x\x07"],
        ["recipes", "\x1b[2J[/nope]"],
        ["render", "--strength", "\x1b[31m"],
    ):
        outcome = call(*args)
        assert outcome.code == 2
        assert "\x1b" not in outcome.out + outcome.err
        assert outcome.err.startswith("gramophone: error: ")
        assert outcome.err.count("\n") == 1


def test_logs_warnings_and_tracebacks_are_shown_too(tmp_path: Path) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(
        "import logging, threading, warnings\n"
        "from gramophone.app import console\n"
        "with console.everything_shown():\n"
        "    for n in range(100):\n"
        "        logging.getLogger('aiohttp.server').error('\\x1b[31m%d', n)\n"
        "    dead = threading.Thread(target=lambda: open('\\x1b]0;x'))\n"
        "    dead.start(); dead.join()\n"
        "    raise ValueError('\\x1b[2J')\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert done.stderr.count("gramophone: error: ") == 1
    assert done.stderr.count("Traceback") == 2


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("within", ["nullcontext()", "console.closing_whole('one moment')"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_that_comes_within_a_finaliser_ends_the_program(
    tmp_path: Path, number: int, code: int, within: str
) -> None:
    script = tmp_path / "finaliser.py"
    script.write_text(
        "import signal, time\n"
        "from contextlib import nullcontext\n"
        "from gramophone.app import console\n"
        "from gramophone.app.cli.main import app, main\n"
        "class Dying:\n"
        "    def __del__(self):\n"
        f"        signal.raise_signal({int(number)})\n"
        "@app.command()\n"
        "def wait():\n"
        f"    with {within}:\n"
        "        Dying()\n"
        "        time.sleep(20)\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, script, "wait"], capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
