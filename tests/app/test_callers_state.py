"""The public functions do not depend on the caller's PyTorch and NumPy settings, and leave them unchanged."""

import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch

import gramophone

T = TypeVar("T")
RATE, STYLE_RATE = 16000, 22050
SMALL = {
    "gramophone": {"steps": 1},
    "transport": {},
    "ulyanov2016": {"steps": 1, "filters": 16, "phase_iterations": 1},
    "dipani2018": {"steps": 1, "filters": 16, "phase_iterations": 1},
    "gatys2016": {"steps": 1, "phase_iterations": 1},
    "grinstein2017": {"steps": 1, "phase_iterations": 1},
    "antognini2018": {"steps": 1, "filters": 4, "phase_iterations": 1},
}


@contextmanager
def changed(get: Callable[[], T], put: Callable[[T], object], value: T) -> Iterator[None]:
    before = get()
    put(value)
    try:
        yield
    finally:
        put(before)


def default_dtype(dtype: torch.dtype) -> AbstractContextManager[None]:
    return changed(torch.get_default_dtype, torch.set_default_dtype, dtype)


def threads(count: int) -> AbstractContextManager[None]:
    return changed(torch.get_num_threads, torch.set_num_threads, count)


def deterministic() -> AbstractContextManager[None]:
    algorithms = torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms
    return changed(*algorithms, True)


@contextmanager
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "no gradients": torch.no_grad,
    "inference": torch.inference_mode,
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "meta device": lambda: torch.device("meta"),
    "autocast": lambda: torch.autocast("cpu"),
    "deterministic": deterministic,
    "one thread": lambda: threads(1),
    "many threads": lambda: threads(5),
    "NumPy raises": lambda: np.errstate(all="raise"),
    "warnings are errors": warnings_are_errors,
}


def state() -> dict[str, object]:
    """All that a caller may have set."""
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.empty(0).device,
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        "threads": torch.get_num_threads(),
        "torch's numbers": torch.get_rng_state().tolist(),
        "NumPy's numbers": repr(np.random.get_state()),  # noqa: NPY002
        "Python's numbers": random.getstate(),
        "NumPy's errors": np.geterr(),
        "warnings": list(warnings.filters),
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "environment": dict(os.environ),
    }


def everything(
    folder: Path, tune: np.ndarray, water: np.ndarray, *recipes: str
) -> list[np.ndarray | float | None]:
    """What comes of all public functions."""
    content = tune[:, :RATE]
    style = gramophone.Style.from_audio(water, STYLE_RATE, name="water")
    style.save(folder / "water.style", overwrite=True)
    loaded = gramophone.load_style(folder / "water.style")
    outputs = [
        gramophone.stylize(content, RATE, loaded, recipe=recipe, settings=SMALL[recipe]) for recipe in recipes
    ]
    distance = gramophone.style_distance(content, style, outputs[0], RATE)
    free = gramophone.transposition_free_distance(content, style, outputs[0], RATE)
    kept = gramophone.content_kept(content, outputs[0], RATE)
    figures = [distance.raw, distance.centred, free.raw, free.centred, kept.overall, kept.notes]
    return [style.at(8000), *outputs, *figures]


@pytest.fixture(scope="module")
def usual(
    tmp_path_factory: pytest.TempPathFactory, tune: np.ndarray, water: np.ndarray
) -> list[np.ndarray | float | None]:
    return everything(tmp_path_factory.mktemp("usual"), tune, water, "gramophone")


@pytest.mark.parametrize("name", STATES)
def test_a_callers_state_changes_nothing_and_is_left_alone(
    name: str, tmp_path: Path, tune: np.ndarray, water: np.ndarray, usual: list[Any]
) -> None:
    with STATES[name]():
        before = state()
        found = everything(tmp_path, tune, water, "gramophone")
        assert state() == before
    for one, other in zip(found, usual, strict=True):
        if "thread" not in name:
            np.testing.assert_array_equal(one, other)
    # Several threads add up in another order.
    assert found[2] == pytest.approx(usual[2], rel=0.2)


def test_all_recipes_under_all_of_it_at_once(tmp_path: Path, tune: np.ndarray, water: np.ndarray) -> None:
    with (
        torch.inference_mode(),
        default_dtype(torch.float64),
        torch.device("meta"),
        torch.autocast("cpu"),
        deterministic(),
        np.errstate(all="raise"),
    ):
        before = state()
        everything(tmp_path, tune, water, *SMALL)
        assert state() == before


def test_an_error_leaves_the_state_alone_too(tune: np.ndarray, water: np.ndarray) -> None:
    style = gramophone.Style.from_audio(water, STYLE_RATE, name="water")

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with torch.inference_mode(), default_dtype(torch.float64), threads(2):
        before = state()
        with pytest.raises(KeyboardInterrupt):
            gramophone.stylize(tune, RATE, style, recipe="transport", progress=stop)
        assert state() == before


def test_calls_in_several_threads_leave_the_state_alone(tune: np.ndarray, water: np.ndarray) -> None:
    style = gramophone.Style.from_audio(water, STYLE_RATE, name="water")
    outputs: list[np.ndarray] = []

    def render(length: int) -> None:
        outputs.append(gramophone.stylize(tune[:, :length], RATE, style, recipe="transport"))

    with default_dtype(torch.float64), threads(2):
        before = state()
        workers = [threading.Thread(target=render, args=(RATE + 1000 * n,)) for n in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(outputs) == 3
        assert state() == before


FORK = """
import multiprocessing, sys
import numpy as np
import torch
import gramophone

rng = np.random.default_rng(0)
content, clip = 0.1 * rng.standard_normal(32000), 0.1 * rng.standard_normal(44100)

def work(_):
    style = gramophone.Style.from_audio(clip, 22050, name="noise")
    return gramophone.stylize(content, 16000, style, recipe="gramophone", steps=1)

if __name__ == "__main__":
    torch.set_num_threads(2)
    # What has threads of its own in the parent: this package, or the parent's own work.
    own = work(0) if sys.argv[1] == "package" else torch.rand(2000, 2000) @ torch.rand(2000, 2000)
    gramophone.stylize
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first, second = pool.map(work, range(2))
    assert np.array_equal(first, second)
    assert torch.get_num_threads() == 2
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("used", ["package", "torch"])
def test_forked_processes_work_after_their_parent_has(used: str, tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(FORK)
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    command = [sys.executable, str(script), used]
    # A hang would be ended by the time limit.
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_the_states_are_no_state_of_their_own() -> None:
    # Else the tests above would find nothing.
    plain = state()
    for name, enter in STATES.items():
        with enter():
            assert state() != plain or name.endswith("thread"), name
    assert state() == plain
