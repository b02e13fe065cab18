"""Effects in the live chain: bad ones never end the sound; a knob that is turned and recorded is bounced exactly."""

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gramophone.offline.bounce.replay import Comparison, live_again, play_again
from gramophone.plugins.found import find_effects
from gramophone.realtime.audio.devices import choose_pair, list_devices
from gramophone.realtime.control.midi import MidiInput
from gramophone.realtime.control.midi_bindings import CcMap
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings, VirtualSettings
from gramophone.realtime.recorder import Recorder
from gramophone.takes.automation import Move
from gramophone.takes.reader import open_take
from tests.effects import CALF_REVERB, bad, crashing_lv2, need_plugins
from tests.take_maker import RATE, noisy_tune, style_file
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

# Longer than a new engine takes on a machine with much other work.
PATIENCE = 240.0
KINDS = ("raises", "nans", "sleeps", "kills", "hangs")


def noted(host: Host, kind: str) -> bool:
    return any(kind in note.lower() for note in host.snapshot().notes)


def restarted(host: Host, before: int) -> bool:
    return host.snapshot().engine_restarts > before


def played(host: Host, seconds: float) -> bool:
    return host.snapshot().seconds > seconds


def test_a_bad_effect_is_taken_out_and_named_and_the_sound_goes_on(tmp_path: Path) -> None:
    # Long, and so at a low rate: where much else runs, each new engine takes a while, and the sound goes on meanwhile.
    sound = np.tile(noisy_tune(4.0)[:, ::6], 225)
    soundfile.write(tmp_path / "in.wav", sound.T, RATE // 6)
    settings = EngineSettings(
        device=VirtualSettings(input=tmp_path / "in.wav", output=tmp_path / "out.wav"),
        styles=(style_file(tmp_path, "hiss", seed=1),),
        effects=tuple(bad(kind) for kind in KINDS),
        parameters={"strength": 0.0},
    )
    with Host(settings) as host:
        for kind in KINDS:
            now = host.snapshot()
            host.set(f"{kind}.go", 1.0)
            wait_until(partial(noted, host, kind), seconds=PATIENCE)
            if kind in ("kills", "hangs"):
                wait_until(partial(restarted, host, now.engine_restarts), seconds=PATIENCE)
            if kind == "kills":
                # The next one goes wrong before another engine stands by: also one that loads can hang.
                continue
            # It stays on, and plays: the knob is still where it does harm.
            wait_until(partial(played, host, host.snapshot().seconds + 0.5), seconds=PATIENCE)
            assert host.get(f"{kind}.go") == 1.0
            assert max(host.snapshot().output_peak) > 0.01
        notes = host.snapshot().notes
        assert host.snapshot().engine_restarts == 2
    for kind in KINDS:
        assert sum(kind.capitalize() in note and "taken out" in note for note in notes) == 1, notes


def test_a_plugin_that_crashes_while_it_plays_is_taken_out(tmp_path: Path) -> None:
    need_plugins()
    crashing = str(crashing_lv2(tmp_path))
    soundfile.write(tmp_path / "in.wav", np.tile(noisy_tune(4.0), 15).T, RATE, subtype="FLOAT")
    settings = EngineSettings(
        device=VirtualSettings(input=tmp_path / "in.wav", output=tmp_path / "out.wav"),
        styles=(style_file(tmp_path, "hiss", seed=1),),
        effects=find_effects(["ZaMaximX2"], [crashing, "gain"]),
        parameters={"strength": 0.0},
    )
    with Host(settings) as host:
        assert host.snapshot().algorithmic_latency == 511 + 480
        host.set("crash.go", 1.0)
        wait_until(partial(noted, host, "crash"))
        wait_until(partial(restarted, host, 0))
        wait_until(partial(played, host, host.snapshot().seconds + 1.0))
        assert host.snapshot().algorithmic_latency == 511 + 480
        assert max(host.snapshot().output_peak) > 0.01
    figures = host.stats()["effects"]
    assert [figures[key]["taken_out"] for key in ("zamaximx2", "crash", "gain2")] == [False, True, False]


def test_a_hosted_knob_turned_by_a_controller_is_bounced_to_the_last_bit(
    jack: Any, knobs: Any, tmp_path: Path
) -> None:
    need_plugins()
    jack.play(noisy_tune(4.0))
    entry, out = choose_pair(list_devices(), None, None)
    settings = EngineSettings(
        device=DeviceSettings(input=entry.label, output=out.label),
        styles=(style_file(tmp_path, "hiss", seed=1),),
        effects=find_effects(["ZamCompX2"], ["ZaMaximX2", CALF_REVERB]),
    )
    host = Host(settings)
    recorder = Recorder(host, tmp_path, take=tmp_path / "take", whole=True)
    cc = CcMap(["20=zamcompx2.makeup", "21=reverb.wet_amount", "22=zamaximx2_on"], host.parameters)

    def turned(message: list[int]) -> None:
        for id, value in cc.receive(message):
            host.set(id, value)

    with host:
        recorder.start()
        assert host.snapshot().algorithmic_latency == 511 + 480
        for channel in (0, 1):
            jack.connect(f"player:out_{channel}", f"gramophone:in_{channel}")
        controller = MidiInput(turned, wanted="knobs")
        try:
            for step in range(40):
                knobs.send_message([0xB0, 20, (37 * step) % 128])
                knobs.send_message([0xB0, 21, (53 * step) % 128])
                knobs.send_message([0xB0, 22, 127 * (step // 10 % 2)])
                time.sleep(0.05)
            wait_until(lambda: host.get("zamcompx2.makeup") == pytest.approx((37 * 39) % 128 / 127))
            wait_until(lambda: recorder.status.seconds > 3.0)
        finally:
            controller.close()
        recorder.stop()
        loads = host.stats()["effects"]
    assert set(loads) == {"zamcompx2", "zamaximx2", "reverb"}
    assert all(one["load"] > 0.0 for one in loads.values())
    take = open_take(tmp_path / "take")
    moved = {event.id for event in take.events if isinstance(event, Move)}
    assert {"zamcompx2.makeup", "reverb.wet_amount", "zamaximx2_on"} <= moved
    comparison = Comparison(take)
    for block in play_again(take, live_again(take), frames=take.wet_frames):
        comparison.feed(block)
    header = take.header
    if not (header.missed or header.skipped or take.restarts or header.gaps):
        assert comparison.same
