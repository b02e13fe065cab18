"""`gramophone export`: styles in one file that plays in Max, Pure Data or a DAW."""

from pathlib import Path
from typing import Annotated

import typer

from ...media.errors import InputError
from ...media.files import shown
from .. import console

_SUFFIXES = {"nntilde": ".ts", "neutone": ".nm", "torchscript": ".pt"}


def export(
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE...", help="One to four sound files or .style files.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file: .ts for nn~, .nm for Neutone.")
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Who loads it: nntilde (Max, Pure Data), neutone (DAWs), or torchscript, the bare module.",
        ),
    ],
    rates: Annotated[
        list[int] | None,
        typer.Option(
            "--rate",
            metavar="HZ",
            help="A rate that it can play at; may be repeated. Default: 44100, 48000, 88200 and 96000.",
            show_default=False,
        ),
    ] = None,
    channels: Annotated[int, typer.Option(metavar="1|2", help="2 takes mono sound too.")] = 2,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Export styles to a file that plays elsewhere.

    The file is TorchScript. It runs where Gramophone is not installed, and names the styles, their authors and
    licences. Each rate adds to its size.

    $ gramophone export rain.style -o rain.ts --to nntilde

    $ gramophone export rain.wav choir.wav -o weather.nm --to neutone
    """
    if to not in _SUFFIXES:
        raise InputError(f"--to {to} is unknown; give one of {', '.join(_SUFFIXES)}")
    if to != "torchscript" and output.suffix.lower() != _SUFFIXES[to]:
        raise InputError(f"{shown(output)}: {to} loads files that end in {_SUFFIXES[to]}; rename the output")
    for style in styles:
        console.check_output(output, overwrite=overwrite, inputs=(style,))
    with console.Display() as display:
        display.stage("computing the styles' statistics")
        from ..export import RATES
        from ..export import export as write

        write(list(styles), output, to=to, rates=rates or RATES, channels=channels, overwrite=overwrite)
        console.written.append(output)
    console.out().print(f"{shown(output)}: {output.stat().st_size / 1e6:.1f} MB")
