import os
import subprocess
import sys
import time

import pytest

pytest.importorskip("pty", reason="terminals can only be made on Unix")

READER = """
import time
from gramophone.app.live.keys import Keys
with Keys() as keys:
    print("ready", keys.available, flush=True)
    pressed = []
    while "q" not in pressed:
        pressed += keys.pressed()
        time.sleep(0.01)
print(pressed)
"""


def test_keys_come_without_return_and_arrows_by_name() -> None:
    import pty
    import termios

    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)

    def own_terminal() -> None:
        os.setsid()
        import fcntl

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-c", READER],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=own_terminal,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready True\n"
    for sent in (b"m", b"\x1b[A", b"\x1b[Bb", b"q"):
        os.write(ours, sent)
        time.sleep(0.05)
    out, _ = process.communicate(timeout=20)
    assert out == "['m', 'up', 'down', 'b', 'q']\n"
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


def test_without_a_terminal_there_are_no_keys() -> None:
    done = subprocess.run(
        [sys.executable, "-c", READER.replace('while "q" not in pressed', "if True")],
        input="q",
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == "ready False\n[]\n"
