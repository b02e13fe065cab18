"""Effects that are added while the engine plays: no click, no missed deadline, and the next engine has them too."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.app.session.control_router import ControlRouter
from gramophone.app.session.effect_shelf import EffectShelf
from gramophone.media.errors import InputError
from gramophone.plugins.found import find_effect
from gramophone.plugins.preset import read_json, write_json
from gramophone.realtime.control.control_surface import ControlSurface
from gramophone.realtime.control.midi_bindings import CcMap
from gramophone.realtime.control.midi_map import FORMAT, MidiMap, read_map
from gramophone.realtime.control.osc import OscControl
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings
from gramophone.realtime.recorder import Recorder
from tests.effects import CALF_REVERB, bad, changed_state, need_plugins
from tests.realtime import engine_processes
from tests.take_maker import RATE, style_file
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def steepest(heard: np.ndarray) -> float:
    """The steepest step in any 50 ms [channels, time], beside the peak there: a sine of w radians a frame has w.

    Reverbs and compressors may make it louder or softer meanwhile, which changes nothing here.
    """
    parts = np.array_split(heard.astype(float), heard.shape[-1] // 2400, axis=-1)
    return max(float(np.abs(np.diff(part)).max() / np.abs(part).max()) for part in parts)


def refused(surface: ControlSurface, said: int) -> bool:
    return any("error" in line for _, line in surface.news(said))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """An engine that passes a tone on, with time to spare; the tests add to it one after the other."""
    folder = tmp_path_factory.mktemp("added")
    tone = 0.25 * np.sin(2 * np.pi * 220.0 * np.arange(600 * RATE) / RATE)
    soundfile.write(folder / "in.wav", np.stack([tone, tone], axis=1), RATE)
    settings = EngineSettings(
        device=VirtualSettings(input=folder / "in.wav", output=folder / "out.wav"),
        styles=(style_file(folder, "hiss", seed=1),),
        parameters={"strength": 0.0},
        latency=0.1,
    )
    with Host(settings) as host:
        yield host


def test_a_message_adds_one_and_its_knobs_are_known_everywhere(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    kept = {"cc": 30, "parameter": "gain2.gain", "low": -20.0, "high": 0.0}
    other = {"cc": 31, "parameter": "reverb.wet_amount", "channel": 2}
    write_json(path, FORMAT, {"knobs": [kept, other], "pads": []})
    midi, faults = read_map(path, host.parameters)
    assert not faults
    router = ControlRouter(host, midi=midi, map_path=path, presets=tmp_path)
    osc = OscControl(router.surface, ("127.0.0.1", 0), add=EffectShelf(host, router).add)
    try:
        surface = router.surface
        osc.handle("/gramophone/add_after", [str(tmp_path / "not-installed.vst3")])
        wait_until(lambda: any("error" in line for _, line in surface.news()))
        osc.handle("/gramophone/add_after", ["gain"])
        wait_until(lambda: any(line == "added Gain" for _, line in surface.news()))
        osc.handle("/gramophone/gain2.gain", [0.0])
        assert host.get("gain2.gain") == surface.get("gain2.gain") == -60.0
        # What the map had for it is in force; what it has for others is saved.
        router.handle_midi([0xB0, 30, 0])
        router.handle_midi([0xB0, 30, 127])
        assert host.get("gain2.gain") == 0.0
        preset = surface.store("with gain")
        assert preset.values["gain2.gain"] == 0.0
        router.learner.start()
        router.touch("gain2_dry")
        router.handle_midi([0xB0, 32, 5])
        wait_until(lambda: "gain2_dry" in path.read_text())
        assert other in read_json(path, FORMAT)["knobs"]
    finally:
        osc.close()
        router.close()
        host.set("gain2.gain", 0.0)


def test_a_bad_one_is_taken_out_and_a_take_keeps_its_effects(host: Host, tmp_path: Path) -> None:
    host.add_effect(bad("raises"))
    host.set("raises.go", 1.0)
    wait_until(lambda: any("Raises was taken out" in note for note in host.snapshot().notes))
    with pytest.raises(InputError, match="cannot be added"):
        host.add_effect(bad("nothing"))
    assert any("Nothing was taken out" in note for note in host.snapshot().notes)
    # It has not lost count.
    host.add_effect(bad("nans"))
    host.set("nans_level", -6.0)
    recorder = Recorder(host, tmp_path)
    recorder.start()
    with pytest.raises(InputError, match="end the recording"):
        host.add_effect(bad("sleeps"))
    wait_until(lambda: recorder.status.seconds > 0.5)
    status = recorder.stop()
    assert not status.error
    assert host.snapshot().state == "running"


def test_a_preset_gives_a_plugin_its_state_back_and_no_other(host: Host, tmp_path: Path) -> None:
    need_plugins()
    host.add_effect(find_effect(CALF_REVERB, taken=list(host.snapshot().effects)))
    effect = host.settings.effects[-1]
    other = changed_state(effect)
    router = ControlRouter(host, midi=MidiMap((), knobs=CcMap([], ())), map_path=None, presets=tmp_path)
    EffectShelf(host, router)
    try:
        knob = effect.parameters[0].id
        host.set(knob, 0.25)
        surface = router.surface
        surface.store("own")
        host.set_effect_state(effect.key, other)
        wait_until(lambda: host.snapshot().effects[effect.key] > 0.0)
        surface.recall("own")
        wait_until(lambda: host.settings.effects[-1].state == effect.state)
        assert host.get(knob) == 0.25
        file = tmp_path / "own.json"
        found = json.loads(file.read_text())
        assert found["version"] == 2
        entry = found["effects"][effect.key]
        for spoilt in (
            {**entry, "reference": "/elsewhere.vst3"},
            {**entry, "state": "no base64 at all"},
            {**entry, "state": "A" * 2**20},
        ):
            host.set_effect_state(effect.key, other)
            said = len(surface.news())
            file.write_text(json.dumps({**found, "effects": {effect.key: spoilt}}))
            surface.recall("own")
            wait_until(partial(refused, surface, said))
            assert host.settings.effects[-1].state == other
        assert not host.snapshot().faults
    finally:
        router.close()


def test_plugins_are_added_while_it_plays_and_stay(host: Host) -> None:
    need_plugins()
    engine_processes.standby(host)
    calm = steepest(host.taps.output.read(host.taps.output.position - RATE, host.taps.output.position))
    began = host.taps.output.position
    for name, before in (("ZaMaximX2", False), ("ZamCompX2", True), (CALF_REVERB, False), ("gain", False)):
        host.add_effect(find_effect(name, before=before, taken=list(host.snapshot().effects)))
    assert list(host.snapshot().effects)[-4:] == ["zamaximx2", "zamcompx2", "reverb2", "gain3"]
    wait_until(lambda: host.snapshot().algorithmic_latency == 511 + 480)
    # Their knobs work like all others: this one takes its latency along.
    host.set("zamaximx2_on", 0.0)
    wait_until(lambda: host.snapshot().algorithmic_latency == 511)
    host.set("zamaximx2_on", 1.0)
    wait_until(lambda: host.snapshot().algorithmic_latency == 511 + 480)
    host.set("gain3.gain", -20.0)
    wait_until(lambda: max(host.snapshot().output_peak) < 0.1)
    now = host.snapshot()
    heard = host.taps.output.read(began, host.taps.output.position)
    # A busy machine misses deadlines by itself; the dry sound then stands in.
    if not now.deadlines_missed and not now.ring_empty:
        # Two tones, of which one is late, are at most twice as steep beside their peak.
        assert steepest(heard) < 2.0 * calm
    assert not now.faults
    assert all(one["load"] > 0.0 for one in list(host.stats()["effects"].values())[-4:])
    # The engine that stood by has them, too.
    engine_processes.playing(host).process.kill()
    wait_until(lambda: host.snapshot().engine_restarts == 1)
    wait_until(lambda: host.snapshot().algorithmic_latency == 511 + 480)
    wait_until(lambda: 0.0 < max(host.snapshot().output_peak) < 0.1)
