"""`gramophone batch`: many sounds in many styles, on all cores or on a cluster."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ...media.files import shown
from .. import console
from . import render_options as options
from .many_tasks import Board, Jobs, Scheduler, check_one_place, run_tasks
from .several_values import STYLES

if TYPE_CHECKING:
    from ...offline.batch.batch import BatchSettings, Outcome, Task

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130


def batch(
    contents: Annotated[
        list[str],
        typer.Argument(
            metavar="CONTENTS...",
            help="Sound files, folders of them, or addresses such as s3://bucket/*.flac.",
            show_default=False,
        ),
    ],
    styles: Annotated[
        list[str],
        typer.Option(
            STYLES,
            metavar="STYLES...",
            help="The styles: sound files, .style files, folders or addresses; up to the next option.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Where the results go: a folder or an address."
        ),
    ],
    recipe: options.Recipe = "gramophone",
    strength: options.Strength = 1.0,
    notes: options.Notes = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    settings: options.Settings = None,
    format: Annotated[
        str, typer.Option(metavar="wav|flac|ogg|mp3|aiff", help="The format of the results.")
    ] = "wav",
    subtype: options.Subtype = None,
    local: options.Local = None,
    loudness: options.Loudness = None,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    force: Annotated[
        bool,
        typer.Option("--force", "--overwrite", help="Replace results that were made with other settings."),
    ] = False,
) -> None:
    """Play every one of CONTENTS in every one of STYLES.

    Results are called FOLDER/content--style.wav. What is there already and was made of the same sounds with the same
    settings is skipped: run the command again to finish what was interrupted, or to try again what failed.

    $ gramophone batch album/*.flac --styles rain.wav choir.style -o out --format flac

    $ gramophone batch s3://songs/*.wav --styles rain.wav -o s3://songs/rain --scheduler tcp://cluster:8786

    It ends with 0 if every result is there, with 1 if some failed.
    """
    from ...media.formats import check_subtype, output_format
    from ...offline.batch.batch import BatchSettings
    from ...offline.recipes.registry import get_recipe

    changes = options.changes(settings, notes=notes)
    for caution in get_recipe(recipe, changes).cautions():
        console.warn(caution)
    extension = format.lower().lstrip(".")
    kind, _ = output_format(f"output.{extension}", format=extension)
    if subtype is not None:
        check_subtype(f"--subtype {subtype}", kind, subtype.upper())
    check_one_place(jobs, scheduler)
    shared = BatchSettings(
        folder=output,
        recipe=recipe,
        settings=tuple(sorted(changes.items())),
        strength=strength,
        seed=seed,
        device=device,
        local=local,
        loudness=loudness,
        subtype=(subtype or "").upper(),
        force=force,
        run=f"{time.strftime('%Y%m%dT%H%M%S')}-{_token()}",
    )
    with ExitStack() as stack:
        display = stack.enter_context(console.Display())
        outcomes = _batch(contents, styles, extension, shared, jobs, scheduler, display, stack)
    _conclude(outcomes, output)


def _token() -> str:
    import secrets

    return secrets.token_hex(4)


def _batch(
    contents: list[str],
    styles: list[str],
    extension: str,
    shared: "BatchSettings",
    jobs: int | None,
    scheduler: str | None,
    display: console.Display,
    stack: ExitStack,
) -> "list[Outcome]":
    """Find out what there is to do, and do it."""
    from ...offline.batch import inputs as batch_inputs
    from ...offline.batch.batch import Outcome, finished, is_made, this_process
    from ...offline.batch.store import open_store

    sources = batch_inputs.expand(contents), batch_inputs.expand(styles)
    batch_inputs.check_places([*sources[0], *sources[1]], shared.folder, jobs=jobs, scheduler=scheduler)
    read = [
        batch_inputs.read(names, stack=stack, fetch=scheduler is None, show=display.part) for names in sources
    ]
    tasks = batch_inputs.tasks(read[0], read[1], extension, shared, warn=console.warn)
    store = open_store(batch_inputs.absolute(shared.folder))
    store.prepare(shared.run)
    stack.callback(store.clean, shared.run)
    done: list[Outcome] = []
    left: list[Task] = []
    for number, task in enumerate(tasks):
        display.part("looking for finished results", number, len(tasks))
        if finished(task, store):
            done.append(Outcome(task.output, "skipped", worker=this_process()))
        else:
            left.append(task)
    board = Board(display, done=len(done), total=len(tasks))
    try:
        for outcome in run_tasks(left, jobs, scheduler, board, display):
            done.append(outcome)
            board.end(outcome.output)
    except KeyboardInterrupt:
        # Some may have been finished that nobody has told of yet.
        made = sum(is_made(task, store) for task in tasks)
        console.say(
            f"interrupted, but {made} of {len(tasks)} are complete; run the same command again to make the rest"
        )
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    by_name = {task.output: task for task in tasks}
    for place, outcome in enumerate(done):
        # A worker may have finished what it could tell nobody, because the scheduler was gone.
        if outcome.state == "failed" and is_made(by_name[outcome.output], store):
            done[place] = replace(outcome, state="made", why="")
    order = {name: place for place, name in enumerate(by_name)}
    return sorted(done, key=lambda outcome: order[outcome.output])


def _conclude(outcomes: "list[Outcome]", folder: str) -> None:
    """Print what became of all tasks, and end with 1 if some failed."""
    from ...media.addresses import shown_address

    out = console.out()
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("result", "", "time", ""):
        grid.add_column(heading, overflow="fold")
    colours = {"made": "green", "skipped": "dim", "failed": "red"}
    for outcome in outcomes:
        seconds = f"{outcome.seconds:.1f} s" if outcome.state == "made" else ""
        why = "; ".join([outcome.why] if outcome.why else outcome.notes)
        state = Text(outcome.state, colours[outcome.state])
        grid.add_row(shown(outcome.output), state, seconds, why)
    out.print(grid)
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in colours}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    out.print(f"{shown_address(folder)}: {', '.join(parts)}")
    console.written.append(Path(folder))
    if counts["failed"]:
        raise typer.Exit(_EXIT_FAILED)
