"""When another engine process takes over, and when the supervisor gives up: real processes on the virtual device."""

import ctypes
import multiprocessing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.realtime.engine import supervisor as module
from gramophone.realtime.engine.supervisor import Supervisor
from gramophone.realtime.link.engine_settings import MUTE, EngineSettings, VirtualSettings
from gramophone.realtime.link.shared_memory import Link
from gramophone.realtime.link.trace_board import TraceBoard
from tests.realtime import trial_chains
from tests.waiting import wait_until

RATE = 8000
IDS = (*(parameter.id for parameter in trial_chains.PARAMETERS), MUTE.id)
CONTEXT = multiprocessing.get_context("spawn")


def supervisor(
    folder: Path, chain: Callable[[EngineSettings], object], *, sound: str = "in.wav", fast: bool = False
) -> Supervisor:
    soundfile.write(folder / "in.wav", np.full(60 * RATE, 0.1), RATE)
    (folder / "out.wav").write_bytes(b"")
    device = VirtualSettings(input=folder / sound, output=folder / "out.wav", as_fast_as_possible=fast)
    settings = EngineSettings(device=device, channels=1)
    cells = CONTEXT.RawArray(ctypes.c_double, len(IDS))
    cells[IDS.index("level")] = 1.0
    return Supervisor(CONTEXT, settings, cells, IDS, chain, TraceBoard.new(CONTEXT, settings))  # type: ignore[arg-type]


def played(link: Link) -> float:
    """Seconds that an engine process has played."""
    return link.status.played / (link.status.sample_rate or RATE)


def test_after_four_failures_in_a_row_no_other_engine_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test is over sooner.
    monkeypatch.setattr(module, "_LONG_ENOUGH", 1.0)
    made = supervisor(tmp_path, trial_chains.bad(kind="exit"))
    made.start()
    try:
        # The one that stands by dies of its own accord: there is another one, and nobody has noticed.
        wait_until(lambda: made._standby)
        dead = made._standby
        assert dead is not None
        dead.process.kill()
        wait_until(lambda: made._standby not in (None, dead))
        assert (len(made.links), made.engine_restarts, made.notes) == (1, 0, [])
        # A failure that is over is no longer one in a row.
        assert made._active is not None
        made._active.process.kill()
        wait_until(lambda: made.engine_restarts == 1 and played(made.link) > 1.2)
        assert (len(made.links), len(made.notes), made.failure) == (2, 1, None)
        assert made.link.orders.persist
        assert not made.ended.is_set()
        made._parameters[IDS.index("trouble")] = 1.0
        wait_until(made.ended.is_set)
    finally:
        made.stop()
    # The second one to play, and three that ran into the same.
    assert len(made.links) == 5
    assert made.failure == ("the engine process ended (exit code 7)", False, "")
    assert made.notes[1:] == ["the engine process ended (exit code 7); another one goes on"] * 3
    assert made.device_losses == 0
    assert made.seconds == pytest.approx(sum(played(link) for link in made.links))


def test_an_engine_that_ends_before_it_has_played_is_not_replaced(tmp_path: Path) -> None:
    made = supervisor(tmp_path, trial_chains.gone())
    made.start()
    assert made.ended.wait(60.0)
    assert (made.has_played, len(made.links)) == (False, 1)
    assert made.failure == ("the engine process ended (exit code 7)", False, "")
    made.stop()


def test_one_that_was_never_started_can_be_stopped(tmp_path: Path) -> None:
    made = supervisor(tmp_path, trial_chains.delay())
    made.stop()
    assert made.seconds == 0.0
