"""The engine process and its host, on the virtual device."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.media.errors import InputError
from gramophone.realtime.host import EngineError, Host
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings
from tests.limits import needs_limits, no_room
from tests.realtime import engine_processes, trial_chains
from tests.sounds import delayed, steepest
from tests.waiting import wait_until

RATE = 48_000
PATIENCE = 20.0


def sine(seconds, *, channels=1, frequency=440.0, level=0.5):
    wave = level * np.sin(2 * np.pi * frequency / RATE * np.arange(round(seconds * RATE)))
    return np.repeat(wave[None], channels, axis=0).astype(np.float32)


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, sound.T, rate, subtype="FLOAT")
    return path


def read(path: Path) -> np.ndarray:
    info = soundfile.info(path)
    assert (info.format, info.subtype) == ("WAV", "FLOAT")
    return soundfile.read(path, dtype="float32", always_2d=True)[0].T


def settings(folder: Path, sound: np.ndarray | None, *, fast: bool = True, **options) -> EngineSettings:
    if sound is not None:
        write(folder / "in.wav", sound)
        options.setdefault("channels", sound.shape[0])
    device = VirtualSettings(
        input=folder / "in.wav", output=folder / "out.wav", as_fast_as_possible=fast, overwrite=False
    )
    return EngineSettings(device=device, **options)


def host(chosen: EngineSettings, chain) -> Host:
    return Host(chosen, build_chain=chain, parameters=trial_chains.PARAMETERS)


def play(chosen: EngineSettings, chain) -> Host:
    with host(chosen, chain) as engine:
        assert engine.wait(120.0)
    return engine


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "real-time"])
def test_the_whole_way_is_as_late_as_reported(tmp_path, fast):
    sound = np.zeros((2, RATE // 2), dtype=np.float32)
    sound[:, [0, 1000, -1]] = [[0.5], [-0.25]]
    # With time to spare: after a stall for longer than the latency the sound would come back by a fade.
    engine = play(settings(tmp_path, sound, fast=fast, latency=0.1), trial_chains.delay(latency=333))
    figures = engine.stats()
    assert figures["total_latency_samples"] == 333 + figures["buffer_latency_samples"]
    # Wet and dry are alike here, so that a machine with other work to do changes nothing.
    np.testing.assert_allclose(
        read(tmp_path / "out.wav"), delayed(sound, figures["total_latency_samples"]), atol=1e-6
    )
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["seconds"] == pytest.approx(0.5 + figures["total_latency_samples"] / RATE)
    assert figures["hop_ms_p50"] <= figures["hop_ms_p99"] <= figures["hop_ms_max"]
    if fast:
        assert figures["deadlines_missed"] == figures["ring_empty"] == figures["xruns"] == 0


def test_fast_runs_are_bit_identical(tmp_path):
    heard = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        noise = np.random.default_rng(1).standard_normal((2, RATE)).astype(np.float32)
        play(settings(tmp_path / name, 0.2 * noise), trial_chains.delay(latency=512, colour=0.3))
        heard.append((tmp_path / name / "out.wav").read_bytes())
    assert heard[0] == heard[1]


def test_another_rate_and_one_channel_for_two(tmp_path):
    write(tmp_path / "in.wav", sine(1.0))
    engine = play(settings(tmp_path, None, sample_rate=32_000), trial_chains.delay(latency=100))
    heard = read(tmp_path / "out.wav")
    latency = engine.stats()["total_latency_samples"]
    assert soundfile.info(tmp_path / "out.wav").samplerate == engine.snapshot().sample_rate == 32_000
    assert heard.shape == (2, 32_000 + latency)
    expected = 0.5 * np.sin(2 * np.pi * 440 / 32_000 * np.arange(32_000))
    np.testing.assert_allclose(heard[:, latency + 500 : -500], [expected[500:-500]] * 2, atol=1e-4)


def test_parameters_arrive_and_are_ramped(tmp_path):
    sound = sine(3.0)
    with host(settings(tmp_path, sound, fast=False, latency=0.1), trial_chains.delay(latency=256)) as engine:
        assert engine.get("level") == 1.0
        wait_until(lambda: engine.snapshot().seconds > 0.5)
        engine.set("level", 0.25)
        assert engine.wait(30.0)
        assert engine.snapshot().parameters["level"] == 0.25
    heard = read(tmp_path / "out.wav")
    assert np.abs(heard[:, : RATE // 4]).max() == pytest.approx(0.5, rel=0.01)
    assert np.abs(heard[:, -RATE:]).max() == pytest.approx(0.125, rel=0.01)
    assert steepest(heard) < 0.5 * 2 * np.pi * 440 / RATE + 0.5 / (0.01 * RATE)


def test_values_are_held_in_their_range_and_unknown_ones_refused(tmp_path):
    engine = host(settings(tmp_path, sine(0.1)), trial_chains.delay())
    engine.set("level", 7.0)
    assert engine.get("level") == 1.0
    with pytest.raises(InputError, match=r"no parameter 'volume'.*level"):
        engine.set("volume", 1.0)


def test_muted_at_first_and_then_not(tmp_path):
    chosen = settings(tmp_path, sine(2.5), fast=False, muted=True)
    with host(chosen, trial_chains.delay(latency=256)) as engine:
        assert engine.snapshot().muted
        wait_until(lambda: engine.snapshot().seconds > 0.5)
        engine.set("mute", 0.0)
        assert engine.wait(30.0)
    heard = read(tmp_path / "out.wav")
    assert not heard[:, : RATE // 2].any()
    assert np.abs(heard[:, -RATE:]).max() == pytest.approx(0.5, rel=0.01)
    assert steepest(heard) < 0.5 * 2 * np.pi * 440 / RATE + 0.5 / (0.01 * RATE) + 1e-3


def test_stopped_early_the_file_is_whole_and_ends_softly(tmp_path):
    with host(settings(tmp_path, sine(60.0), fast=False), trial_chains.delay()) as engine:
        wait_until(lambda: engine.snapshot().seconds > 0.3)
        assert not engine.wait(0.01)
        assert not (tmp_path / "out.wav").exists()
    heard = read(tmp_path / "out.wav")
    assert 0.3 * RATE < heard.shape[1] < 10 * RATE
    assert np.abs(heard).max() == pytest.approx(0.5, rel=0.01)
    assert steepest(heard) < 0.5 * 2 * np.pi * 440 / RATE + 0.5 / (0.01 * RATE) + 1e-3
    assert abs(heard[0, -1]) < 1e-3
    assert engine.finished


def test_late_now_and_then_in_real_time(tmp_path):
    # A quarter of a second is more than any ring ahead: fade, silence, and back.
    sound = sine(2.5)
    limit = 0.5 * 2 * np.pi * 440 / RATE + 0.75 * np.pi / 2 * (1 / 144 + 1 / 240)
    # Whatever is late is faded; only where the device reads a block in the very moment in which it is written can it
    # get some of both (counted as missed). Between threads that a busy machine starves this happens, but not every
    # time; in simulated time (test_deadlines) never.
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        chain = trial_chains.slow(every=48_000, seconds=0.25, latency=512, colour=0.6)
        engine = play(settings(folder, sound, fast=False), chain)
        figures = engine.stats()
        heard = read(folder / "out.wav")
        if steepest(heard) < limit:
            break
    assert figures["deadlines_missed"] >= 2
    assert figures["ring_empty"] >= 2
    assert heard.shape[1] == sound.shape[1] + figures["total_latency_samples"]
    assert steepest(heard) < limit
    # Most of it is wet, and where it should be.
    wet = 0.6 * delayed(sound, figures["total_latency_samples"])
    assert np.isclose(heard, wet, atol=1e-6).mean() > 0.5


def test_a_killed_engine_is_replaced_within_two_seconds(tmp_path):
    # Long enough for another engine to have got ready on a busy machine.
    sound = sine(60.0)
    chosen = settings(tmp_path, sound, fast=False, parameters={"level": 0.9})
    with host(chosen, trial_chains.delay(latency=256)) as engine:
        engine.set("level", 0.5)
        engine_processes.standby(engine)
        engine_processes.playing(engine).process.kill()
        wait_until(lambda: engine.snapshot().engine_restarts == 1)
        enough = engine.snapshot().seconds + 2.0
        wait_until(lambda: engine.snapshot().seconds > enough)
    figures = engine.stats()
    assert figures["engine_restarts"] == 1
    assert any("ended" in note for note in figures["notes"])
    heard = read(tmp_path / "out.wav")[0]
    latency = figures["total_latency_samples"]
    # From the last sound before to the first sound after.
    sounding = np.flatnonzero(np.abs(heard) > 0.05)
    assert np.diff(sounding).max() < 2.0 * RATE
    # The same knobs and the same latency as before: the sound goes on in step with the input.
    last = slice(heard.size - RATE, heard.size - RATE // 2)
    # Where a busy machine stood still, the dry sound was heard.
    in_step = np.isclose(heard[last], 0.5 * delayed(sound, latency)[0, last], atol=1e-5)
    assert in_step.mean() > 0.8


def kill_all(engine: Host) -> None:
    """Kill the engine and the one that stands by, so that another one has to be started."""
    for worker in (engine_processes.standby(engine), engine_processes.playing(engine)):
        worker.process.kill()


@needs_limits
def test_an_engine_is_replaced_with_files_that_were_kept_back(tmp_path):
    with host(settings(tmp_path, sine(60.0), fast=False), trial_chains.delay(latency=256)) as engine:
        engine_processes.standby(engine)
        with no_room(reserve=True):
            with pytest.raises(OSError, match="Too many"):
                os.open(os.devnull, os.O_RDONLY)
            kill_all(engine)
            wait_until(lambda: engine.snapshot().engine_restarts == 1)
        assert engine.snapshot().state == "running"


@needs_limits
def test_an_engine_is_replaced_as_soon_as_there_is_room(tmp_path):
    with host(settings(tmp_path, sine(60.0), fast=False), trial_chains.delay(latency=256)) as engine:
        engine_processes.standby(engine)
        with no_room(reserve=False):
            kill_all(engine)
            wait_until(lambda: any("no other engine" in note for note in engine.snapshot().notes))
            assert engine.snapshot().state == "restarting"
            assert not engine.finished
        wait_until(lambda: engine.snapshot().engine_restarts == 1)
        assert engine.snapshot().state == "running"


@needs_limits
def test_without_room_for_a_standby_the_sound_goes_on(tmp_path):
    with host(settings(tmp_path, sine(60.0), fast=False), trial_chains.delay(latency=256)) as engine:
        spare = engine_processes.standby(engine)
        with no_room(reserve=False):
            spare.process.kill()
            wait_until(lambda: any("stands by" in note for note in engine.snapshot().notes))
            assert engine.snapshot().state == "running"
        engine_processes.standby(engine)
    assert engine.stats()["engine_restarts"] == 0


@needs_limits
def test_an_engine_that_cannot_be_replaced_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr("gramophone.realtime.engine.supervisor._GIVE_UP_SECONDS", 0.0)
    with host(settings(tmp_path, sine(60.0), fast=False), trial_chains.delay(latency=256)) as engine:
        engine_processes.standby(engine)
        with no_room(reserve=False):
            kill_all(engine)
            assert engine.wait(30.0)
        assert engine.snapshot().state == "failed"
        assert "Too many open files" in engine.snapshot().notes[-1]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_an_engine_that_hangs_is_replaced(tmp_path):
    chain = trial_chains.bad(kind="hang", latency=256)
    with host(settings(tmp_path, sine(30.0), fast=False), chain) as engine:
        engine_processes.standby(engine)
        engine.set("trouble", 1.0)
        wait_until(lambda: engine.snapshot().state == "restarting")
        engine.set("trouble", 0.0)
        wait_until(lambda: engine.snapshot().engine_restarts == 1)
        assert engine.snapshot().state == "running"
        assert any("did not answer" in note for note in engine.snapshot().notes)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the process's memory from /proc")
def test_memory_stays_flat(tmp_path):
    def resident(process):
        return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    minutes = 6.0
    chosen = settings(tmp_path, sine(minutes * 60.0), blocksize=1024)
    sizes = []
    with host(chosen, trial_chains.delay(latency=512)) as engine:
        process = engine_processes.playing(engine).process
        while not engine.wait(0.02):
            # It may end in between.
            with suppress(OSError):
                if engine.snapshot().seconds > 60.0:
                    sizes.append(resident(process))
    assert len(sizes) > 10
    assert max(sizes) - sizes[0] < 4e6
    assert engine.stats()["seconds"] > minutes * 60.0


def test_full_scale_square_waves_pass_as_they_are(tmp_path):
    square = np.sign(sine(1.0) + 1e-9).astype(np.float32)
    engine = play(settings(tmp_path, square), trial_chains.delay(latency=512))
    latency = engine.stats()["total_latency_samples"]
    np.testing.assert_array_equal(read(tmp_path / "out.wav"), delayed(square, latency))
    assert engine.snapshot().state == "finished"


def test_what_cannot_be_used_is_said_at_once(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        host(settings(tmp_path, None), trial_chains.delay()).start()
    (tmp_path / "in.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match="not a readable sound file"):
        host(settings(tmp_path, None), trial_chains.delay()).start()
    with pytest.raises(InputError, match="has 1 channels and no 2"):
        host(settings(tmp_path, sine(0.1), input_channels=(1, 2), channels=2), trial_chains.delay()).start()
    with pytest.raises(EngineError, match="no chain today"):
        host(settings(tmp_path, sine(0.1)), trial_chains.broken()).start()
    assert {path.name for path in tmp_path.iterdir()} == {"in.wav"}
    (tmp_path / "out.wav").write_bytes(b"precious")
    with pytest.raises(InputError, match="exists"):
        host(settings(tmp_path, sine(0.1)), trial_chains.delay()).start()
    assert (tmp_path / "out.wav").read_bytes() == b"precious"
