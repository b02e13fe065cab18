"""Single keys from the terminal, read without waiting."""

import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

# What terminals send for arrow keys, and the two bytes Windows gives for them.
_ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1bOA": "up", "\x1bOB": "down", "\xe0H": "up", "\xe0P": "down"}


class Keys:
    """A context manager in which keys are read as they are pressed, without waiting and without echo.

    If standard input is no terminal, or belongs to another job, there are none. Ctrl-C works as usual.
    """

    def __init__(self) -> None:
        self._windows = os.name == "nt"
        self._before: Any = None
        self.available = sys.stdin is not None and sys.stdin.isatty()

    def __enter__(self) -> Self:
        if self.available and sys.platform != "win32":
            import termios
            import tty

            # A job in the background would be stopped for changing the terminal.
            self.available = os.getpgrp() == os.tcgetpgrp(sys.stdin.fileno())
            if self.available:
                self._before = termios.tcgetattr(sys.stdin)
                tty.setcbreak(sys.stdin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None and sys.platform != "win32":
            import termios

            # It may have been closed meanwhile.
            with suppress(termios.error):
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)

    def pressed(self) -> list[str]:
        """Return the keys pressed since the last call: letters, "up", "down"."""
        if not self.available:
            return []
        text = self._waiting()
        for sent, name in _ARROWS.items():
            text = text.replace(sent, f"\0{name}\0")
        return [key for place, part in enumerate(text.split("\0")) for key in ([part] if place % 2 else part)]

    def _waiting(self) -> str:
        if sys.platform == "win32":
            import msvcrt

            text = ""
            while msvcrt.kbhit():
                text += msvcrt.getwch()
            return text
        import select

        number = sys.stdin.fileno()
        if not select.select([number], [], [], 0.0)[0]:
            return ""
        data = b""
        with suppress(OSError):
            data = os.read(number, 1024)
        # The terminal has gone.
        self.available = bool(data)
        return data.decode(errors="ignore")
