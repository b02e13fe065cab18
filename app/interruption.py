"""What Ctrl-C means while the command's modules are still being loaded."""

import os
import signal
from types import FrameType

EXIT_INTERRUPTED = 128 + signal.SIGINT


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End this process, which has done nothing yet that would have to be undone."""
    # No exception: the module that is being loaded might swallow it, or turn it into another one.
    os.write(2, b"gramophone: interrupted, nothing was written\n")
    os._exit(EXIT_INTERRUPTED)
