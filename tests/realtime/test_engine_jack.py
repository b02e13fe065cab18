"""The engine on a real JACK server: its latency to the sample, its survival, its silence when asked for."""

import time

import numpy as np
import pytest

from gramophone.media.errors import InputError
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings
from tests.realtime import engine_processes, trial_chains
from tests.waiting import wait_until

RATE = 48_000
PATIENCE = 20.0


def clicks() -> np.ndarray:
    """Single samples 0.37 s apart: their delay can be seen without any doubt."""
    sound = np.zeros((1, round(0.37 * RATE)), dtype=np.float32)
    sound[0, 100] = 0.5
    return sound


def settings(**options) -> EngineSettings:
    return EngineSettings(**{"device": DeviceSettings(), "channels": 1, **options})


def host(chain, **options) -> Host:
    return Host(settings(**options), build_chain=chain, parameters=trial_chains.PARAMETERS)


def delay_between(dry: np.ndarray, wet: np.ndarray) -> int:
    """Return the delay of the clicks in `wet`, which must all be delayed alike."""
    ins = np.flatnonzero(np.abs(dry) > 0.2)
    outs = np.flatnonzero(np.abs(wet) > 0.2)
    assert ins.size
    assert outs.size
    delays = {int(out - ins[ins < out].max()) for out in outs if (ins < out).any()}
    assert len(delays) == 1, delays
    return delays.pop()


@pytest.mark.parametrize("jack", [64, 256], indirect=True)
def test_what_is_reported_is_what_a_click_takes(jack):
    jack.play(clicks())
    with host(trial_chains.delay(latency=333)) as engine:
        jack.connect("player:out_0", "gramophone:in_0")
        dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=2)
        seen = engine.snapshot()
    assert seen.blocksize == jack.period
    assert seen.algorithmic_latency == 333
    assert seen.buffer_latency >= jack.period
    assert delay_between(dry, wet) == seen.total_latency
    assert engine.stats()["total_latency_samples"] == seen.total_latency


def test_the_engine_is_killed_and_another_one_goes_on(jack):
    jack.play(clicks())
    with host(trial_chains.delay(latency=333), parameters={"level": 0.9}) as engine:
        engine.set("level", 0.5)
        # As a user does it: from another program, and not from the sound card.
        jack.connect("player:out_0", "gramophone:in_0")
        jack.disconnect("system:capture_1", "gramophone:in_0")
        wait_until(
            lambda: (
                "player:out_0" in str(engine_processes.playing(engine).link.last_report().get("connections"))
            )
        )
        time.sleep(1.0)
        engine_processes.standby(engine)
        before = engine.snapshot()
        began = time.monotonic()
        engine_processes.playing(engine).process.kill()
        wait_until(lambda: engine.snapshot().engine_restarts == 1)
        assert time.monotonic() - began < 2.0
        assert jack.connections("gramophone:in_0") == ["player:out_0"]
        dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=2)
        after = engine.snapshot()
    assert after.state == "running"
    assert after.total_latency == before.total_latency == delay_between(dry, wet)
    assert np.abs(wet).max() == pytest.approx(0.25, abs=1e-3)
    assert any("ended" in note for note in after.notes)


def test_the_server_stops_and_returns(jack):
    with host(trial_chains.delay(latency=333)) as engine:
        jack.stop()
        wait_until(lambda: engine.snapshot().state == "device lost")
        assert not engine.finished
        jack.start()
        wait_until(lambda: engine.snapshot().state == "running")
        seen = engine.snapshot()
        assert seen.device_losses == 1
        assert seen.engine_restarts == 0
        jack.play(clicks())
        jack.connect("player:out_0", "gramophone:in_0")
        dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=2)
    assert delay_between(dry, wet) == seen.total_latency


def test_a_stall_longer_than_the_rings_ends_with_the_same_latency(jack):
    # The rings hold 1.4 s; after them, both flows have to be started again.
    jack.play(clicks())
    with host(trial_chains.bad(kind="stall", latency=333)) as engine:
        jack.connect("player:out_0", "gramophone:in_0")
        engine.set("trouble", 1.0)
        wait_until(lambda: any("stood still" in note for note in engine.snapshot().notes))
        engine.set("trouble", 0.0)
        dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=3)
        seen = engine.snapshot()
    assert seen.engine_restarts == 0
    assert seen.ring_empty >= 1
    assert delay_between(dry, wet) == seen.total_latency
    # It has come back, and is wet.
    assert (np.abs(wet[-RATE:]) > 0.2).sum() >= 2


def same(blocks, other):
    """Whether blocks [n, period] are alike, but for the 24 bits of a recording."""
    return np.abs(blocks - other).max(axis=-1) < 2.0**-21


def test_late_on_jack_without_a_click(jack):
    # A sweep: of no two blocks the same, so that each recorded one tells which of the engine's it is.
    at = np.arange(8 * RATE) / RATE
    jack.play((0.5 * np.sin(2 * np.pi * (220 * at + 25 * at**2)))[None].astype(np.float32))
    chain = trial_chains.slow(every=2400, seconds=0.012, latency=1024, colour=0.6)
    with host(chain) as engine:
        jack.connect("player:out_0", "gramophone:in_0")
        wait_until(lambda: max(engine.snapshot().output_peak) > 0.25)
        taps = engine.taps
        began = taps.output.position
        dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=3)
        ended = taps.output.position + jack.period
        wait_until(lambda: taps.output.position >= ended)
        came, went = (tap.read(began, ended)[0] for tap in (taps.input, taps.output))
        seen = engine.snapshot()
    assert seen.deadlines_missed > 10
    # What the engine has handed over has no step but what its own input had, when the server or the player faltered.
    reach = seen.total_latency + 480
    own = np.lib.stride_tricks.sliding_window_view(np.abs(np.diff(came)), 481).max(axis=-1)
    steps = np.abs(np.diff(went))[reach:]
    fades = 0.2 * np.pi / 2 * (1 / 144 + 1 / 240)
    assert (steps < own[: steps.size] + fades).all()
    # And that is what arrives, in every cycle that the server has carried in full: those before, in and after which
    # the recorder got the very blocks that the engine got.
    dry, wet, came, went = (
        sound[: sound.size // jack.period * jack.period].reshape(-1, jack.period)
        for sound in (dry, wet, came, went)
    )
    places = np.array([np.append(np.flatnonzero(same(came, block)), -9)[0] for block in dry])
    carried = 1 + np.flatnonzero((np.diff(places)[:-1] == 1) & (np.diff(places)[1:] == 1))
    assert carried.size > 0.5 * places.size
    assert same(wet[carried], went[places[carried]]).all()
    assert np.abs(wet[carried]).max() > 0.4


def test_what_jack_does_not_have_is_said(jack):
    with pytest.raises(InputError, match="'no such thing'"):
        host(trial_chains.delay(), device=DeviceSettings(input="no such thing")).start()
    with pytest.raises(InputError, match="44100 Hz"):
        host(trial_chains.delay(), sample_rate=44_100).start()
    with pytest.raises(InputError, match="2 inputs, not 4"):
        host(trial_chains.delay(), channels=4).start()
    jack.stop()
    with pytest.raises(InputError, match="--virtual-input"):
        host(trial_chains.delay()).start()
