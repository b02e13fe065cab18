"""VST3 and LV2 plugins of others as plugins of ours."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from gramophone.media.errors import InputError
from gramophone.media.spool import Held
from gramophone.offline.bounce.replay import live_again
from gramophone.offline.render.effects import through_effects
from gramophone.plugins.effects import PlainEffect, to_plain
from gramophone.plugins.found import find, find_effects, is_installed, look_at
from gramophone.plugins.hosted import Hosted, make_slot, open_plugin
from gramophone.plugins.live_chain import live_parameters
from tests.effects import CALF_REVERB, TURNED, ZAM, changed_state, crashing_vst3, need_plugins
from tests.take_maker import make_take, noisy_tune, style_file

pytestmark = pytest.mark.slow

RATE = 48_000


@pytest.fixture(autouse=True)
def _plugins() -> None:
    need_plugins()


def noise(channels: int = 2, samples: int = 12_000) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.2, 0.2, (channels, samples)).astype(np.float32)


def heard(effects, sound, tmp_path: Path, **values: float) -> np.ndarray:
    return through_effects(
        Held(sound.astype(np.float64)), RATE, effects, tmp_path / "out.spool", values=values
    ).read(0, sound.shape[1])


@pytest.mark.parametrize("name", ["ZaMaximX2", "urn:zamaudio:ZaMaximX2"])
def test_the_reported_latency_is_the_measured_one(name):
    [effect] = find_effects(after=[name])
    slot = make_slot(effect)
    slot.prepare(sample_rate=RATE, block=256, channels=2)
    impulse = np.zeros((2, 2048), dtype=np.float32)
    impulse[:, 100] = 0.1
    out = np.concatenate([slot.process(part).copy() for part in np.split(impulse, 8, axis=1)], axis=1)
    assert effect.latency == slot.latency_samples == 480
    assert np.abs(out).argmax(axis=1).tolist() == [580, 580]


def test_what_a_chain_of_three_does_is_in_time_and_does_not_depend_on_the_blocks(tmp_path):
    effects = find_effects(["ZamCompX2"], ["ZaMaximX2", CALF_REVERB])
    sound = noise()
    # Set so that each of them leaves the sound alone.
    alone = heard(effects[:2], sound, tmp_path)
    assert np.abs(alone - sound).max() < 1e-6
    wet = heard(effects, sound, tmp_path)
    assert 0.01 < np.abs(wet - sound).max() < 1.0
    assert np.array_equal(wet, heard(effects, sound, tmp_path))


def test_a_mono_effect_works_on_each_channel_and_a_stereo_one_on_both_alike(tmp_path):
    mono, stereo = find_effects(after=["ZamComp", "ZamCompX2"])
    sound = noise()
    values = {"zamcomp.makeup": 0.5}
    both = heard([mono], sound, tmp_path, **values)
    for channel in (0, 1):
        assert np.array_equal(both[channel], heard([mono], sound[[channel]], tmp_path, **values)[0])
    assert not np.allclose(both, sound)
    lone = heard([stereo], sound[:1], tmp_path, **{"zamcompx2.makeup": 0.5})
    assert np.array_equal(lone[0], heard([stereo], sound[[0, 0]], tmp_path, **{"zamcompx2.makeup": 0.5})[0])


def test_parameters_show_and_read_the_plugin_s_own_text():
    effects = find_effects(after=["ZamCompX2", CALF_REVERB])
    known = {one.id: one for one in live_parameters(effects)}
    attack, size = known["zamcompx2.attack"], known["reverb.room_size"]
    assert attack.show(attack.default) == "10 ms"
    assert attack.show(attack.parse("50 ms")) == "50 ms"
    assert size.show(size.parse("small")) == "Small"
    with pytest.raises(InputError, match=r"zamcompx2\.attack cannot be '1000'; give 0.1 ms to 100 ms"):
        attack.parse("1000")


def test_a_plugin_that_crashes_when_it_is_loaded_is_named(tmp_path):
    with pytest.raises(InputError, match=r"Crash\.vst3 crashed when it was loaded"):
        look_at(str(crashing_vst3(tmp_path)))


def test_a_scan_survives_a_plugin_that_crashes_and_remembers_it(tmp_path, monkeypatch):
    from gramophone.plugins.found import scan

    crashing_vst3(tmp_path)
    (tmp_path / "ZamGateX2.vst3").symlink_to(ZAM.format("ZamGateX2"))
    monkeypatch.setenv("VST3_PATH", str(tmp_path))
    monkeypatch.setenv("LV2_PATH", "")
    monkeypatch.setenv("MINIHOST_CACHE_DIR", str(tmp_path / "cache"))
    found = {one.title: one.fault for one in scan()}
    assert found["ZamGateX2"] == ""
    assert "crash" in found["Crash"]
    with pytest.raises(InputError, match="there is no plugin"):
        find("Crash?")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NoSuchPlugin", "there is no plugin 'NoSuchPlugin'"),
        ("/nowhere/a.vst3", "does not exist"),
        ("/usr/lib/lv2/calf.lv2", "holds several plugins"),
        ("http://example.org/none", "cannot be loaded as a plugin"),
    ],
)
def test_what_cannot_be_found_is_said(name, message):
    with pytest.raises(InputError, match=message):
        find_effects(after=[name])


def test_after_a_reset_nothing_is_left_of_a_reverb_s_tail():
    [effect] = find_effects(after=[CALF_REVERB])
    slot = make_slot(effect)
    slot.prepare(sample_rate=RATE, block=1024, channels=2)
    slot.set("reverb.wet_amount", 0.5)
    sound = np.split(noise(samples=10_240), 10, axis=1)
    slot.reset()
    first = [slot.process(part).copy() for part in sound]
    slot.reset()
    assert all(np.array_equal(slot.process(part), was) for part, was in zip(sound, first, strict=True))


def test_the_example_plays_through_a_plugin(tmp_path):
    for name, seed in (("content", 1), ("style", 2)):
        rng = np.random.default_rng(seed)
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal((RATE, 2)), RATE)
    script = Path(__file__).parents[2] / "examples" / "host_a_reverb.py"
    outputs = []
    for effect in ("gain", CALF_REVERB):
        out = tmp_path / "out.wav"
        files = (tmp_path / "content.wav", tmp_path / "style.wav", out)
        subprocess.run([sys.executable, script, *files, effect], check=True, timeout=300)
        outputs.append(soundfile.read(out)[0])
    assert outputs[0].shape == outputs[1].shape == (RATE, 2)
    assert np.abs(outputs[0] - outputs[1]).max() > 0.01


def test_a_take_loads_only_what_is_installed(tmp_path):
    [effect] = find_effects(after=["ZamComp"])
    assert is_installed(effect.reference)
    assert is_installed(CALF_REVERB)
    for reference in (
        str(tmp_path / "Bad.vst3"),
        "python:tests.effects:Kills",
        "../usr/lib/vst3",
        "urn:none",
    ):
        assert not is_installed(reference)
        take = make_take(
            tmp_path / f"take-{abs(hash(reference))}",
            noisy_tune(0.3),
            [style_file(tmp_path, "hiss", seed=1)],
            effects=(msgspec.convert({**to_plain(effect), "reference": reference}, PlainEffect),),
        )
        with pytest.raises(InputError, match="no plugins are installed"):
            live_again(take)


def test_a_state_is_taken_and_the_knobs_stay():
    [effect] = find_effects(after=[CALF_REVERB])
    turned = changed_state(effect)
    assert turned != effect.state
    # All but one are knobs.
    inside = Hosted(replace(effect, parameters=effect.parameters[1:], indexes=effect.indexes[1:]))
    inside.prepare(sample_rate=RATE, block=64, channels=2)
    knob = effect.parameters[1].id
    inside.set(knob, 0.75)
    inside.take_state(turned)
    inside.process(noise(samples=64))
    [instance] = inside._instances
    assert instance.get_param(effect.indexes[0]) == pytest.approx(TURNED)
    assert instance.get_param(effect.indexes[1]) == pytest.approx(inside.get(knob)) == 0.75


def test_a_plugin_begins_with_the_preset_of_another_host(tmp_path):
    import minihost

    preset = tmp_path / "loud.vstpreset"
    plugin = open_plugin(ZAM.format("ZamCompX2"), sample_rate=RATE, block=256, channels=2)
    [plain] = find_effects(after=["ZamCompX2"])
    makeup = [one.id for one in plain.parameters].index("zamcompx2.makeup")
    plugin.set_param(plain.indexes[makeup], 0.5)
    plugin.process(*np.zeros((2, 2, 256), dtype=np.float32))
    # These plugins do not say their class.
    minihost.save_vstpreset(preset, plugin, class_id="0" * 32)
    [loud] = find_effects(after=[f"ZamCompX2:{preset}"])
    assert (loud.key, loud.reference) == (plain.key, plain.reference)
    assert loud.parameters[makeup].default == pytest.approx(0.5)
    assert plain.parameters[makeup].default == 0.0
    with_preset, by_knob = (
        heard([loud], noise(), tmp_path),
        heard([plain], noise(), tmp_path, **{"zamcompx2.makeup": 0.5}),
    )
    assert np.array_equal(with_preset, by_knob)
    with pytest.raises(InputError, match="does not exist"):
        find_effects(after=["ZamCompX2:nowhere.vstpreset"])
    preset.write_bytes(b"VST3, or so")
    with pytest.raises(InputError, match="is no preset for this plugin"):
        find_effects(after=[f"ZamCompX2:{preset}"])
    with pytest.raises(InputError, match="gain is built in and takes no"):
        find_effects(after=[f"gain:{preset}"])
