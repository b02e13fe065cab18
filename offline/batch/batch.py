"""Batches: every content in every style. A task can be run anywhere and any number of times; its work is done once.

What has been made is told by the store (see `offline.batch.store`), and not by whoever ran the task: a task that
finds its output finished says so and ends. So it does no harm if a cluster runs one again because a worker was
killed, or if the whole batch is started again.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...media import addresses
from ...media.errors import InputError, noted
from .store import Record, Store, open_store

if TYPE_CHECKING:
    from ..work.progress import Progress

_RECORD = "gramophone-batch"
_VERSION = 1
# How often a task tells how far it has come.
_REPORT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """What all tasks of a batch share.

    Attributes:
        folder: name or address of the folder of the outputs
        recipe, settings: name of a recipe, and the settings that are not its own
        strength, seed, device, local, loudness: as in `offline.render.render.render_track`
        subtype: libsndfile's name, or "" for the format's default
        force: whether outputs may be replaced that were made with other settings, or by others
        run: a name for this run of the batch
    """

    folder: str
    recipe: str
    settings: tuple[tuple[str, object], ...] = ()
    strength: float = 1.0
    seed: int = 0
    device: str = "auto"
    local: float | None = None
    loudness: float | None = None
    subtype: str = ""
    force: bool = False
    run: str = "run"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One content in one style.

    Attributes:
        content, style: file names (absolute) or addresses
        content_name, style_name: what messages and records call them
        content_sha256, style_sha256: of their bytes, hexadecimal
        output: name of the output in the folder; its extension says the format
    """

    content: str
    style: str
    content_name: str
    style_name: str
    content_sha256: str
    style_sha256: str
    output: str
    shared: BatchSettings

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides what the output sounds like, hexadecimal."""
        text = json.dumps(self._described(), sort_keys=True, default=list)
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()

    def _described(self) -> dict[str, object]:
        from ..recipes.registry import get_recipe

        shared = self.shared
        return {
            "content_sha256": self.content_sha256,
            "style_sha256": self.style_sha256,
            "recipe": shared.recipe,
            # All of them: the defaults of a later version may be others.
            "settings": get_recipe(shared.recipe, dict(shared.settings)).settings(),
            "strength": shared.strength,
            "seed": shared.seed,
            "local": shared.local,
            "loudness": shared.loudness,
            "subtype": shared.subtype,
        }

    @property
    def identity(self) -> str:
        """What a cluster calls the task; see `offline.batch.processes.Work`."""
        return f"{self.shared.run}-{hashlib.sha256(self.output.encode()).hexdigest()[:16]}"

    def perform(self, listener: Listener | None = None) -> Outcome:
        """Do the task; see `perform`."""
        return perform(self, listener)

    def failed(self, why: str) -> Outcome:
        """Return what became of it where no process could do it."""
        return Outcome(self.output, "failed", why)

    def record(self, seconds: float) -> Record:
        """What is kept beside the finished output; `seconds` is the time that it took."""
        from importlib.metadata import version

        return {
            "format": _RECORD,
            "version": _VERSION,
            "fingerprint": self.fingerprint,
            "content": self.content_name,
            "style": self.style_name,
            **self._described(),
            "seconds": round(seconds, 3),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "run": self.shared.run,
            "by": f"gramophone {version('gramophone')}",
        }


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes:
        output: name of the output
        state: "made", "skipped" (it was there already, made with the same settings) or "failed"
        why: of a failure, one line
        seconds: time that it took
        notes: what else is worth saying, one line each
        worker: machine and process
    """

    output: str
    state: Literal["made", "skipped", "failed"]
    why: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    worker: tuple[str, int] = ("", 0)


@dataclass(frozen=True)
class TaskEvent:
    """How far a task has come, from 0 to 1; `begins` in the first that tells of a rendering."""

    output: str
    fraction: float
    worker: tuple[str, int]
    begins: bool = False


Listener = Callable[[TaskEvent], None]


def this_process() -> tuple[str, int]:
    """Return the names by which outcomes and events call this machine and this process."""
    return socket.gethostname(), os.getpid()


def is_made(task: Task, store: Store) -> bool:
    """Return whether the task's output is there, made of the same sounds with the same settings."""
    record = store.record(task.output)
    return record is not None and record.get("fingerprint") == task.fingerprint


def finished(task: Task, store: Store) -> bool:
    """Return what `is_made` does, where the output is either made or may be.

    Raises:
        InputError: If there is an output of this name that was made with other settings, or by others, and `force` is
            not set.
    """
    if is_made(task, store):
        return True
    if not task.shared.force and store.exists(task.output):
        how = (
            "was made with other settings"
            if store.record(task.output)
            else "is there already, and not from a batch"
        )
        raise InputError(
            f"{store.shown(task.output)} {how}; add --force to replace it, or choose another folder"
        )
    return False


def perform(task: Task, listener: Listener | None = None) -> Outcome:
    """Do a task, unless its output is there; never raises for what is the task's own fault.

    Args:
        task: what to do
        listener: told when rendering begins, and about once a second how far it has come
    """
    start = time.perf_counter()
    outcome = Outcome(task.output, "failed", worker=this_process())
    try:
        notes = _make(task, listener)
        state: Literal["made", "skipped"] = "skipped" if notes is None else "made"
        outcome = replace(outcome, state=state, notes=tuple(notes or ()))
    except InputError as error:
        outcome = replace(outcome, why=str(error))
    except MemoryError:
        outcome = replace(outcome, why="not enough memory: render fewer at a time (--jobs)")
    except Exception as error:
        # A mistake of ours in one of them shall not cost the others.
        why = " ".join(str(error).split())
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        outcome = replace(outcome, why=f"unexpected {type(error).__name__} in {where}: {why}")
    return replace(outcome, seconds=time.perf_counter() - start)


def _make(task: Task, listener: Listener | None) -> list[str] | None:
    """Make the output and return what is worth noting; None if it was there before this run."""
    shared, start = task.shared, time.perf_counter()
    store = open_store(shared.folder)
    if finished(task, store):
        record = store.record(task.output) or {}
        # A worker may die after the last step, before it can say that it is done.
        return [] if record.get("run") == shared.run else None
    reporter = _Reporter(task.output, listener)
    with (
        addresses.local_copy(task.content) as content,
        addresses.local_copy(task.style) as style,
        store.working(shared.run) as folder,
        addresses.called(content, task.content_name),
        addresses.called(style, task.style_name),
        addresses.called(folder / task.output, store.shown(task.output)),
    ):
        for path, name, expected in (
            (content, task.content_name, task.content_sha256),
            (style, task.style_name, task.style_sha256),
        ):
            if addresses.digest(path) != expected:
                raise InputError(f"{name} has changed since the batch began; run the batch again")
        made = folder / task.output
        with noted() as warned:
            notes = render_file(content, style, made, shared, progress=reporter)
        notes += warned
        try:
            store.finish(made, task.output, task.record(time.perf_counter() - start), overwrite=shared.force)
        except FileExistsError:
            # Somebody was quicker: another worker with the same task, or somebody else.
            if not finished(task, store):
                raise
            return None
    return notes


class _Reporter:
    """Reports the progress of a rendering, at most once a second."""

    def __init__(self, output: str, listener: Listener | None) -> None:
        self._output, self._listener = output, listener
        self._next = 0.0
        self._report(0.0, begins=True)

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._report(progress.fraction)

    def _report(self, fraction: float, *, begins: bool = False) -> None:
        self._next = time.monotonic() + _REPORT_SECONDS
        if self._listener is not None:
            self._listener(TaskEvent(self._output, fraction, this_process(), begins))


def render_file(
    content: Path,
    style: Path,
    made: Path,
    shared: BatchSettings,
    *,
    progress: Callable[[Progress], None] | None,
) -> list[str]:
    """Render one file in the style of another to a third; return what is worth noting, one line each.

    Raises:
        InputError: If one of them cannot be read, stylised or written.
    """
    from ...media.tags import read_tags
    from ...models.style import load_style
    from ..recipes.registry import get_recipe
    from ..render.render_file import FileJob, rendered_file

    tags = read_tags(content)
    job = FileJob(
        content,
        load_style(style),
        made,
        get_recipe(shared.recipe, dict(shared.settings)),
        strength=shared.strength,
        seed=shared.seed,
        device=shared.device,
        local=shared.local,
        loudness=shared.loudness,
        subtype=shared.subtype or None,
        tags=tags,
    )
    with rendered_file(job, progress=progress):
        pass
    lost = tags.lost_in(made)
    return [f"tags not kept: {', '.join(lost)}"] if lost else []
