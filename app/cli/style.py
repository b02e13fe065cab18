"""`gramophone style`: makes and shows style files."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from ...media.errors import InputError
from ...media.files import shown
from .. import console

style_app = typer.Typer(
    help=console.prose("""Make and show style files.

    A style file holds a clip of at most 30 s and what was computed from it; nothing in it is ever executed.
    Wherever a command takes a style, a sound file will do as well."""),
    rich_markup_mode="rich",
    no_args_is_help=True,
)


def make(
    clip: Annotated[Path, typer.Argument(metavar="CLIP", help="A sound file; its first 30 s are used.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="NAME.style", help="Default: the clip's name, here.", show_default=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it. Default: the clip's name.")] = None,
    author: Annotated[str, typer.Option(help="Who made the clip.")] = "",
    licence: Annotated[str, typer.Option(help="On what terms it may be used.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Make a style file from a clip.

    It takes about a second: nothing is trained.

    $ gramophone style make rain.wav -o rain.style --author "A. Field" --licence CC0
    """
    path = output if output is not None else Path(f"{clip.stem}.style")
    if path.suffix.lower() != ".style":
        raise InputError(f"{shown(path)}: a style file must end in .style; rename the output")
    console.check_output(path, overwrite=overwrite, inputs=(clip,))
    with console.Display() as display:
        display.stage("loading")
        from ...media.audiofile import read_audio
        from ...models.style import MAX_SECONDS, Style

        audio = read_audio(clip, seconds=MAX_SECONDS)
        display.stage("computing the style's statistics")
        # Errors name the clip's path; the style then gets its name.
        faultless = Style.from_audio(
            audio.samples, audio.sample_rate, name=shown(clip), author=author, licence=licence
        )
        style = dataclasses.replace(faultless, name=name or clip.stem)
        style.save(path, overwrite=overwrite)
        console.written.append(path)
    console.out().print(shown(path))


def info(
    path: Annotated[Path, typer.Argument(metavar="NAME.style", help="A style file (or a sound file).")],
) -> None:
    """Show what a style file holds.

    $ gramophone style info rain.style
    """
    from ...models.style import load_style

    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for key, value in load_style(path).info().items():
        grid.add_row(Text(key, "bold"), value)
    console.out().print(grid)


for command in (make, info):
    style_app.command(help=console.prose(command.__doc__))(command)
