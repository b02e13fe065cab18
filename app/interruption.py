"""What ends the command: Ctrl-C while its modules are still being loaded, and signals whose exception got lost."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 128 + signal.SIGINT
# Seconds until what got lost is raised again: by then the finaliser has ended.
_AGAIN = 0.01


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End this process at once; nothing has to be undone yet."""
    # No exception: the module that is being loaded might swallow it or change it.
    os.write(2, b"gramophone: interrupted, nothing was written\n")
    os._exit(EXIT_INTERRUPTED)


@contextmanager
def never_lost(
    kind: type[BaseException], again: Callable[[BaseException | None], int | None]
) -> Iterator[None]:
    """Have a signal handled once more where the exception that its handler raised got lost.

    Python raises it wherever the main thread is. In a finaliser nothing can catch it: Python shows its traceback and
    goes on.

    Args:
        kind: of the exception
        again: given the exception, makes its handler ready for another time; returns the signal's number, or None if
            another raised it
    """
    before = sys.unraisablehook

    def lost(unraisable: "sys.UnraisableHookArgs") -> None:
        number = again(unraisable.exc_value) if issubclass(unraisable.exc_type, kind) else None
        if number is None:
            before(unraisable)
            return
        timer = threading.Timer(_AGAIN, _send, [number])
        timer.daemon = True
        timer.start()

    sys.unraisablehook = lost
    try:
        yield
    finally:
        sys.unraisablehook = before


def _send(number: int) -> None:
    """Send the main thread a signal, which also ends its sleep."""
    if sys.platform == "win32":
        signal.raise_signal(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
