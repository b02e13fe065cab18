"""The command `gramophone`, also as `python -m gramophone`. Ctrl-C ends it from the first moment on."""

import signal

from .app.interruption import leave


def main() -> None:
    """Run the command line and exit; see `app.cli.main.main`."""
    # A shell that starts a command in the background has it ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    from .app.cli import main as cli

    cli.main()


if __name__ == "__main__":
    main()
