"""Ctrl-C while the command's modules are still being loaded."""

import os
import signal
from types import FrameType

EXIT_INTERRUPTED = 128 + signal.SIGINT


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End this process at once; nothing has to be undone yet."""
    # No exception: the module that is being loaded might swallow it or change it.
    os.write(2, b"gramophone: interrupted, nothing was written\n")
    os._exit(EXIT_INTERRUPTED)
