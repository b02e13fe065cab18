"""`gramophone texture`: a clip in, the same texture out, of any length."""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from ...media.files import shown
from .. import console
from . import render_options as options

_LONGEST = 24 * 3600.0


def texture(
    style: Annotated[Path, typer.Argument(metavar="STYLE", help="The clip: a sound file or a .style.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The result; its extension sets the format.")
    ],
    seconds: Annotated[float, typer.Option(metavar="N", help="Length of the result.")] = 60.0,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="The recipe: gramophone (best), transport (quick), or antognini2018."
        ),
    ] = "gramophone",
    steps: options.Steps = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", help="Another seed gives another texture.", callback=options.check_seed),
    ] = 0,
    device: options.Device = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    settings: options.Settings = None,
) -> None:
    """Make endless texture from a clip.

    Noise is changed until its statistics are the clip's: rain that goes on for ten minutes and never repeats. The
    result has the clip's rate, channels and loudness. Of a melody only the colours come back.

    $ gramophone texture rain.wav -o more-rain.wav --seconds 600

    $ gramophone texture choir.style -o choir.flac --recipe transport --seed 7
    """
    from ...media.audiofile import check_encodable, write_audio
    from ...media.formats import output_format
    from ...media.inputs import check_regular
    from ...media.output_lock import claimed
    from ...media.spool import Spool
    from ...offline.recipes.registry import get_recipe

    console.check_range("--seconds", seconds, 0.1, _LONGEST, "the length of the texture")
    # What the user sets goes before what texture asks of every recipe.
    chosen = get_recipe(recipe).without_content().replace(options.changes(settings, steps=steps))
    check_regular(style)
    output_format(output)
    console.check_output(output, overwrite=overwrite, inputs=(style,))
    start = time.perf_counter()
    with claimed(output, overwrite=overwrite), console.Display() as display:
        display.stage("loading")
        from ...models.style import load_style
        from ...offline.render.texture import texture as compute

        clip = load_style(style)
        channels, rate = clip.samples.shape[0], clip.sample_rate
        check_encodable(output, channels, rate)
        # Beside the output: where there is room for that, there should be for this.
        with tempfile.TemporaryDirectory(prefix=".texture-", dir=output.parent) as folder:
            spool = Spool.create(
                Path(folder) / "texture.spool", channels=channels, length=round(seconds * rate)
            )
            done = 0
            for piece in compute(clip, seconds, recipe=chosen, seed=seed, device=device, progress=display):
                spool.write(done, piece)
                done += piece.shape[1]
            display.stage(f"writing {output.name}")
            write_audio(output, spool, rate, overwrite=overwrite)
        console.written.append(output)
    spent = time.perf_counter() - start
    console.out().print(
        f"{shown(output)}: {seconds:.1f} s in {spent:.1f} s (real-time factor {spent / seconds:.2f})",
    )
