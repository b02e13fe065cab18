"""Where the command ``gramophone`` begins: Ctrl-C ends it from the first moment on, while modules are still loaded."""

import os
import signal
from types import FrameType

EXIT_INTERRUPTED = 128 + signal.SIGINT


def leave(_signal: int, _frame: FrameType | None) -> None:
    """End this process, which has done nothing yet that would have to be undone."""
    # No exception: the module that is being loaded might swallow it, or turn it into another one.
    os.write(2, b"gramophone: interrupted, nothing was written\n")
    os._exit(EXIT_INTERRUPTED)


def main() -> None:
    """Run the command line and exit; see `gramophone.cli.main`."""
    # A shell that starts a command in the background has it ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from gramophone import cli

    cli.main()
