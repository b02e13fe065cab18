"""A session through JACK, recorded from the middle and bounced: the same sound, except after missed deadlines."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from gramophone.models.style import load_style
from gramophone.offline.bounce.replay import Comparison, live_again, play_again
from gramophone.realtime.audio.devices import choose_pair, list_devices
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings
from gramophone.realtime.recorder import Recorder
from gramophone.takes.automation import StyleChange
from gramophone.takes.reader import Take, open_take
from tests.take_maker import RATE, noisy_tune, style_file

# How far around a missed deadline the dry sound may be heard: the join, the crossfade, the blocks in between.
_AROUND = RATE // 4
_PATIENCE = 60.0


def check(take: Take) -> None:
    """Played again it is what was heard, but where something was missed."""
    comparison = Comparison(take)
    level = 0.0
    for block in play_again(take, live_again(take), frames=take.wet_frames):
        comparison.feed(block)
        level = max(level, float(np.abs(block).max()))
    assert level > 0.01
    header = take.header
    if not (header.missed or header.skipped or take.restarts or header.gaps):
        assert comparison.same
    if not (header.skipped or take.restarts or header.gaps):
        late = [frame - header.algorithmic for frame in header.missed]
        for start, stop in comparison.differing:
            near = [frame for frame in late if start - _AROUND <= frame <= stop + _AROUND]
            assert near, (start, stop, late)


def test_a_take_from_jack_is_what_was_heard(jack: Any, tmp_path: Path) -> None:
    first = style_file(tmp_path, "hiss", seed=1)
    second = style_file(tmp_path, "hum", seed=3, low=True)
    third = style_file(tmp_path, "rumble", seed=2, low=True)
    jack.play(noisy_tune(4.0))
    entry, out = choose_pair(list_devices(), None, None)
    settings = EngineSettings(device=DeviceSettings(input=entry.label, output=out.label), styles=(first,))
    host = Host(settings)
    recorder = Recorder(host, tmp_path / "takes")
    rng = np.random.default_rng(0)
    with host:
        for channel in (0, 1):
            jack.connect(f"player:out_{channel}", f"gramophone:in_{channel}")
        # What is to be recorded begins amid the sound, with a style that the engine was not started with.
        host.styles.load(second)
        assert host.styles.wait(2 * _PATIENCE), host.styles.slots
        folder = recorder.start()
        host.styles.switch(third)
        end = time.monotonic() + _PATIENCE
        while recorder.status.seconds < 2.0 or host.styles.current != "rumble":
            assert time.monotonic() < end, host.styles.slots
            host.set("strength", rng.uniform(0.3, 1.0))
            host.set("gain", rng.uniform(-6.0, 6.0))
            time.sleep(0.02)
        status = recorder.stop()
        assert status.error == ""
    take = open_take(folder)
    assert take.header.resumed
    assert len(take.events) > 20
    changes = [event.style for event in take.events if isinstance(event, StyleChange)]
    assert take.header.styles == ("styles/hiss.wav", "styles/hum.wav")
    # To a slot that had none.
    assert changes == ["styles/rumble.wav"]
    # Nothing that was played has only 24 bits.
    assert take.header.exact
    check(take)


def test_a_server_that_comes_back_at_another_rate_begins_another_take(jack: Any, tmp_path: Path) -> None:
    first = style_file(tmp_path, "hiss", seed=1)
    second = style_file(tmp_path, "hum", seed=3, low=True)
    entry, out = choose_pair(list_devices(), None, None)
    settings = EngineSettings(device=DeviceSettings(input=entry.label, output=out.label), styles=(first,))
    host = Host(settings)
    recorder = Recorder(host, tmp_path, take=tmp_path / "take", whole=True)
    with host:
        recorder.start()
        host.styles.switch(second)
        assert host.styles.wait(_PATIENCE), host.styles.slots
        host.styles.captures = tmp_path
        host.styles.capture_begin()
        jack.stop()
        jack.sample_rate = 96_000
        jack.start()
        jack.play(noisy_tune(4.0))
        for channel in (0, 1):
            jack.connect(f"player:out_{channel}", f"gramophone:in_{channel}")
        end = time.monotonic() + _PATIENCE
        while len(recorder.status.takes) < 2 or recorder.status.seconds < 2.0:
            assert time.monotonic() < end, recorder.status
            time.sleep(0.05)
        # The style that was loaded while playing is made ready for the new rate, and heard again.
        assert host.styles.wait(_PATIENCE), host.styles.slots
        assert host.styles.current == "hum"
        captured = host.styles.capture_end("captured")
        assert host.styles.wait(_PATIENCE), host.styles.slots
        assert host.styles.current == "captured"
        status = recorder.stop()
        assert status.error == ""
    before, after = (open_take(folder) for folder in status.takes)
    assert (before.header.sample_rate, after.header.sample_rate) == (48_000, 96_000)
    assert "came back at 96000 Hz" in before.header.note
    assert after.header.hop == 2 * before.header.hop
    names = [Path(name).stem for name in after.style_files()]
    assert names == ["hiss", "hum", "captured"]
    # Only what came in at the new rate.
    clip = load_style(captured)
    assert clip.sample_rate == 96_000
    assert clip.samples.shape[1] < after.frames
    check(after)
