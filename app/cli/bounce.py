"""`gramophone bounce`: a recorded performance, rendered again."""

import time
from pathlib import Path
from typing import Annotated

import typer

from ...media.errors import InputError
from ...media.files import shown
from .. import console
from . import effect_options
from . import render_options as options


def bounce(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="A take, as `gramophone live --record FOLDER` writes it."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The result; its extension sets the format.")
    ],
    quality: Annotated[
        str,
        typer.Option(
            metavar="full|live",
            help="Full: rendered offline at the best quality, with the same moves. Live: exactly as it was heard.",
        ),
    ] = "full",
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="For full quality: gramophone (best) or transport (seconds).")
    ] = "gramophone",
    notes: options.Notes = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="For full quality: same seed, same machine, same file.",
            callback=options.check_seed,
        ),
    ] = 0,
    device: options.Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    before: effect_options.Before = None,
    after: effect_options.After = None,
) -> None:
    """Render a recorded performance again, with every move that was made.

    The take's folder has the input, the moves and the styles. Full quality renders offline: strength, notes and the
    mix of styles follow the recorded moves, and so do gain, mix, bypass and mute. Where notes was moved, each style is
    rendered twice, which takes twice as long; --notes holds one value for the whole take.
    Live plays the live chain again; if no deadline was missed, the result is what was heard, sample for sample, and
    the command says so. Effects that were played through are used again; --before and --after name others.

    $ gramophone live rain.wav --record evening

    $ gramophone bounce evening -o evening.wav

    $ gramophone bounce evening -o as-heard.flac --quality live
    """
    from ..bounce import QUALITIES, bounce_file

    if quality not in QUALITIES:
        raise InputError(f"--quality {quality} is unknown; give one of {', '.join(QUALITIES)}")
    if notes is not None and quality != "full":
        raise InputError(f"--notes is for --quality full; {quality} plays the take again as it was heard")
    from ...media.formats import output_format

    output_format(output)
    console.check_output(output, overwrite=overwrite)
    effects = effect_options.found(before, after)
    start = time.perf_counter()
    with console.Display() as display:
        display.stage("loading")
        result = bounce_file(
            folder,
            output,
            quality=quality,
            recipe=recipe,
            notes=notes,
            seed=seed,
            device=device,
            overwrite=overwrite,
            effects=effects or None,
            progress=display,
        )
    console.written.append(output)
    seconds = time.perf_counter() - start
    pace = f"{result.seconds:.1f} s in {seconds:.1f} s (real-time factor {seconds / result.seconds:.2f})"
    out = console.out()
    out.print(f"{shown(output)}: {pace}")
    for line in result.lines:
        out.print(line)
