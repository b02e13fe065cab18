"""`gramophone style`: makes and shows style files."""

import dataclasses
import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ...media.errors import InputError
from ...media.files import shown
from .. import console
from .many_tasks import Board, Jobs, Scheduler, check_one_place, run_tasks

if TYPE_CHECKING:
    from ...models.style import Style
    from ...offline.corpus.collection import Collection

_EXIT_INTERRUPTED = 130
# How often what has been done is written down.
_SAVE_SECONDS = 20.0
# Files that are left out, one line each.
_MOST_TOLD = 20
# Bytes that a process takes which surveys files.
_MEMORY_PER_FILE = 0.5e9

style_app = typer.Typer(
    help=console.prose("""Make and show style files.

    A style file holds a clip of at most 30 s and what was computed from it, or from the hours of sound that it stands
    for; nothing in it is ever executed.
    Wherever a command takes a style, a sound file will do as well."""),
    rich_markup_mode="rich",
    no_args_is_help=True,
)


def make(
    clips: Annotated[
        list[str],
        typer.Argument(
            metavar="CLIPS...",
            help="Sound files, folders of them, or addresses such as s3://bucket/rain.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="NAME.style", help="Default: the clip's name, here.", show_default=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it. Default: the file's name.")] = None,
    author: Annotated[str, typer.Option(help="Who made the clip.")] = "",
    licence: Annotated[str, typer.Option(help="On what terms it may be used.")] = "",
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Make a style file of a clip, or of hours of sound.

    It takes about a second: nothing is trained.

    $ gramophone style make rain.wav -o rain.style --author "A. Field" --licence CC0

    Of several files, of folders, or of a file longer than 30 s, the statistics are those of all the sound in them. The
    clip in the file is 30 s of stretches that together have these statistics. Files that are silent, clipped, damaged
    or there already are left out. An hour takes two to three minutes. After an interruption, the same command goes on.

    $ gramophone style make recordings/ s3://bucket/more -o rain.style
    """
    path = output if output is not None else Path(f"{called(clips[0])}.style")
    if path.suffix.lower() != ".style":
        raise InputError(f"{shown(path)}: a style file must end in .style; rename the output")
    check_one_place(jobs, scheduler)
    console.check_output(path, overwrite=overwrite, inputs=tuple(Path(clip) for clip in clips))
    described = {"name": name or (path.stem if len(clips) > 1 else called(clips[0]))}
    described |= {"author": author, "licence": licence}
    with console.Display() as display:
        display.stage("loading")
        style = _of_clip(clips, display, described) if len(clips) == 1 else None
        if style is None:
            style = _of_corpus(clips, path, display, described, jobs, scheduler)
        style.save(path, overwrite=overwrite)
        _unfinished(path).unlink(missing_ok=True)
        console.written.append(path)
    console.out().print(shown(path))


def called(clip: str) -> str:
    """The name of a style: the file's or the folder's, of a pattern that of the folder which it looks into."""
    from ...media import addresses

    while set(addresses.name_of(clip)) & set("*?[") and addresses.is_address(clip):
        clip = clip.rpartition("/")[0]
    return Path(addresses.name_of(clip)).stem or Path(clip).resolve().name or "style"


def _of_clip(clips: list[str], display: console.Display, described: dict[str, str]) -> "Style | None":
    """Make a style of a single file, unless it is a folder or longer than a clip."""
    from ...media import addresses
    from ...media.audiofile import read_audio
    from ...media.decoding import open_sound
    from ...models.style import MAX_SECONDS, Style

    here = addresses.as_local(clips[0])
    if here is None or here.is_dir():
        return None
    with open_sound(here) as reader:
        if reader.frames is not None and reader.frames > MAX_SECONDS * reader.sample_rate:
            return None
    audio = read_audio(here, seconds=MAX_SECONDS)
    display.stage("computing the style's statistics")
    # Errors name the clip's path; the style then gets its name.
    style = Style.from_audio(audio.samples, audio.sample_rate, **(described | {"name": shown(here)}))
    return dataclasses.replace(style, name=described["name"])


def _of_corpus(
    clips: list[str],
    path: Path,
    display: console.Display,
    described: dict[str, str],
    jobs: int | None,
    scheduler: str | None,
) -> "Style":
    """Survey all files, and make a style of what they have in common."""
    from ...media.addresses import shown_address
    from ...media.output_lock import alone_at
    from ...offline.batch import inputs
    from ...offline.corpus.survey import SurveyTask, identity

    names = inputs.expand(clips, deep=True)
    inputs.check_places(names, str(path.parent), jobs=jobs, scheduler=scheduler)
    tasks = [
        SurveyTask(shown_address(name), place, identity(place))
        for name in names
        for place in (inputs.absolute(name),)
    ]
    with alone_at(_unfinished(path)):
        collection = _begun(_unfinished(path))
        left = [task for task in tasks if task.key not in collection.files]
        if len(left) < len(tasks):
            console.say(f"going on: {len(tasks) - len(left)} of {len(tasks)} files are done")
        board = Board(display, done=len(tasks) - len(left), total=len(tasks), unit="files")
        saved = time.monotonic()
        try:
            for found in run_tasks(left, jobs, scheduler, board, display, memory=_MEMORY_PER_FILE):
                board.end(collection.add(found).place)
                if time.monotonic() > saved + _SAVE_SECONDS:
                    collection.save(_unfinished(path))
                    saved = time.monotonic()
            wanted = {task.key for task in tasks}
            if wanted != set(collection.files):
                raise InputError(
                    f"{shown(_unfinished(path))} holds other files; remove it to begin anew, or give all of them"
                )
            _tell(collection)
            style = collection.style(show=display.part, **described)
        except KeyboardInterrupt:
            collection.save(_unfinished(path))
            done = len(collection.files)
            console.say(
                f"interrupted, but {done} of {len(tasks)} files are done; run the same command to go on"
            )
            raise typer.Exit(_EXIT_INTERRUPTED) from None
    return style


def _unfinished(path: Path) -> Path:
    # Not the output's name itself, which may be as long as a name can be.
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return path.with_name(f".unfinished-{digest}.part")


def _begun(path: Path) -> "Collection":
    from ...offline.corpus.collection import Collection

    if not path.exists():
        return Collection()
    try:
        return Collection.load(path)
    except InputError as error:
        console.warn(f"{error}; beginning anew")
        return Collection()


def _tell(collection: "Collection") -> None:
    """Say what is left out, and why."""
    out = [one for one in collection.files.values() if one.why]
    for one in out[:_MOST_TOLD]:
        console.warn(one.why if one.name in one.why else f"{one.name} is left out: {one.why}")
    if len(out) > _MOST_TOLD:
        console.warn(f"{len(out) - _MOST_TOLD} more files are left out")
    for note in [note for one in collection.used for note in one.notes][:_MOST_TOLD]:
        console.warn(note)
    rests = sum(one.rests for one in collection.used)
    if rests >= 1.0:
        console.say(f"{rests:.0f} s of silence within the files are left out")


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
