"""A batch on processes of this machine, one of which is killed."""

import os
import signal
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from gramophone.app import demo_sounds
from gramophone.offline.batch import inputs as batch_inputs
from gramophone.offline.batch import processes
from gramophone.offline.batch.batch import BatchSettings, Outcome, Task, TaskEvent, finished
from gramophone.offline.batch.store import open_store

RATE = 16000
QUICK = (
    ("bands", 24),
    ("hop", 256),
    ("n_fft", 1024),
    ("phase_iterations", 4),
    ("rounds", 1),
    ("sample_rate", RATE),
)


def make_tasks(folder: Path) -> list[Task]:
    """Four contents of a second and three styles, and the twelve tasks of them."""
    notes, water = demo_sounds.plucked_strings(RATE)[:1], demo_sounds.bubbling_water(RATE)[:1]
    names: dict[str, list[str]] = {"content": [], "style": []}
    for kind, sound, count in (("content", notes, 4), ("style", water, 3)):
        for number in range(count):
            path = folder / f"{kind}{number}.wav"
            soundfile.write(path, sound[:, number * RATE :][:, :RATE].T, RATE)
            names[kind].append(str(path))
    shared = BatchSettings(folder=str(folder / "out"), recipe="transport", settings=QUICK)

    def show(name: str, done: float, total: float | None) -> None:
        pass

    with ExitStack() as stack:
        read = [batch_inputs.read(names[kind], stack=stack, fetch=True, show=show) for kind in names]
    return batch_inputs.tasks(read[0], read[1], "wav", shared, warn=pytest.fail)


class Murderer:
    """Kills the first worker that has made two outputs and begins the next."""

    def __init__(self) -> None:
        self.starts: list[TaskEvent] = []
        self.made: list[Outcome] = []
        self.victim: int | None = None
        self.kept: dict[Path, tuple[int, int]] = {}

    def __call__(self, event: TaskEvent) -> None:
        if event.begins:
            self.starts.append(event)
        made = sum(outcome.worker == event.worker for outcome in self.made)
        if self.victim is None and event.begins and made >= 2:
            self.victim = event.worker[1]
            os.kill(self.victim, signal.SIGKILL)


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_a_killed_worker_costs_only_what_it_was_at(tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path)
    assert len(tasks) == 12
    folder = tmp_path / "out"
    store = open_store(str(folder))
    store.prepare("run")
    murderer = Murderer()
    for outcome in processes.run(tasks, murderer, jobs=2):
        murderer.made.append(outcome)
        murderer.kept[folder / outcome.output] = identity(folder / outcome.output)
    store.clean("run")

    assert murderer.victim is not None
    assert [outcome for outcome in murderer.made if outcome.state != "made"] == []
    assert Counter(outcome.output for outcome in murderer.made) == Counter(task.output for task in tasks)
    # One rendering was lost and begun again; no other was begun twice.
    starts = Counter(event.output for event in murderer.starts)
    assert sorted(starts.values()) == [1] * 11 + [2]
    lost = next(output for output, count in starts.items() if count == 2)
    assert next(event.worker[1] for event in murderer.starts if event.output == lost) == murderer.victim
    # What was finished is still the same file.
    assert {path: identity(path) for path in murderer.kept} == murderer.kept
    assert sorted(path.name for path in folder.glob("*.wav")) == sorted(task.output for task in tasks)
    assert all(finished(task, store) for task in tasks)
    # Neither half-written files nor second records are left.
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 24
    again = [replace(task, shared=replace(task.shared, run="again")) for task in tasks]
    assert all(outcome.state == "skipped" for outcome in processes.run_here(again, murderer))


def test_what_kills_every_process_costs_only_itself(tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path)[:3]
    deadly = tasks[0].output
    store = open_store(str(tmp_path / "out"))
    store.prepare("run")
    tried: list[int] = []

    def kill(event: TaskEvent) -> None:
        if event.output == deadly and event.begins:
            tried.append(event.worker[1])
            os.kill(event.worker[1], signal.SIGKILL)

    outcomes = {outcome.output: outcome for outcome in processes.run(tasks, kill, jobs=2)}
    store.clean("run")
    assert len(set(tried)) == len(tried) == 4
    assert outcomes.pop(deadly).why == processes.KILLED
    assert [outcome.state for outcome in outcomes.values()] == ["made", "made"]
