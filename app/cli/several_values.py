"""Several values after one option (`--styles a b c`), which the command line parser does not support."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

STYLES = "--styles"


class BatchCommand(TyperCommand):
    """Takes several names after `--styles`, as a shell writes them for `styles/*.wav`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say `--styles` before each of the names that follow it, up to the next option."""
        return super().parse_args(ctx, spread(args))


def spread(args: Sequence[str]) -> list[str]:
    """Return arguments in which `--styles a b` has become `--styles a --styles b`."""
    done: list[str] = []
    styles = False
    for index, arg in enumerate(args):
        if arg == "--":
            return [*done, *args[index:]]
        if arg.startswith("-") and arg != "-":
            styles = arg == STYLES
            # Alone it is left for the parser to complain of.
            if not styles or index + 1 == len(args) or args[index + 1].startswith("-"):
                done.append(arg)
        else:
            done += [STYLES, arg] if styles else [arg]
    return done
