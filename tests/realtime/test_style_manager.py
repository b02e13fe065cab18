"""Styles that come and go while the engine plays, on the virtual device at real-time pace."""

import functools
import importlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from gramophone.media.errors import InputError
from gramophone.models.style import Style, load_style
from gramophone.realtime.host import Host
from gramophone.realtime.link.changes import Change
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings
from gramophone.realtime.recorder import Recorder
from tests.limits import needs_limits, no_room
from tests.realtime import engine_processes

RATE = 48_000
PATIENCE = 60.0


def noise_style(seed: int, seconds: float = 1.0) -> Style:
    rng = np.random.default_rng(seed)
    count = round(seconds * RATE)
    noise = np.convolve(rng.standard_normal(count + 63), rng.standard_normal(64), mode="valid")
    return Style.from_audio(0.01 * noise[None], RATE, name=f"noise {seed}")


@functools.cache
def sound(seconds: float, channels: int = 1) -> NDArray[np.float32]:
    """A tone that swells and some noise, each channel its own, so that what was captured is known again."""
    at = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * 220.0 * (1 + channel) * at) for channel in range(channels)]
    swell = (1.2 + np.sin(2 * np.pi * 3.0 * at)) / 2.2
    noise = 0.02 * np.random.default_rng(5).standard_normal((channels, at.size), dtype=np.float32)
    return np.stack([0.3 * tone * swell for tone in tones]).astype(np.float32) + noise


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    folder = tmp_path / "styles"
    folder.mkdir()
    for seed in range(6):
        noise_style(seed).save(folder / f"s{seed}.style")
    (folder / "notes.txt").write_text("no style")
    soundfile.write(folder / "s0.wav", 0.1 * np.random.default_rng(9).standard_normal(RATE), RATE)
    return folder


def playing(
    folder: Path,
    *names: str,
    channels: int = 1,
    seconds: float = 120.0,
    capture_channels: tuple[int, ...] | None = None,
    **options: Any,
) -> Host:
    tail = capture_channels or ()
    soundfile.write(folder / "in.wav", sound(seconds, channels + len(tail)).T, RATE, subtype="FLOAT")
    device = VirtualSettings(input=folder / "in.wav", output=folder / "out.wav")
    paths = tuple(folder / "styles" / name for name in names)
    # With much time to spare, since tests share their machine; what it takes is for benchmarks/desk.py to say.
    chosen: dict[str, Any] = {
        "device": device,
        "styles": paths,
        "channels": channels,
        "latency": 0.2,
        **options,
    }
    return Host(EngineSettings(**chosen, capture_channels=capture_channels))


def contents(host: Host) -> dict[str, float]:
    return {slot.name: slot.weight for slot in host.styles.slots if slot.weight}


def kinds(host: Host) -> list[str]:
    return [event.kind for event in host.styles.events()]


def test_a_set_of_styles_is_switched_mixed_and_captured(tmp_path: Path, styles: Path) -> None:
    with playing(tmp_path, "s0.style", capture_channels=(2,)) as host:
        manager = host.styles
        manager.capture_begin("second")
        assert manager.capturing == "second"
        began = host.taps.input.position
        assert contents(host) == {"s0": 1.0}
        assert manager.folder(styles) == ["s0", "s0 (2)", "s1", "s2", "s3", "s4", "s5"]
        for name in ("s3", styles / "s1.style", "s0 (2)", "s4", "s5", "s3"):
            manager.switch(name)
            assert manager.wait(PATIENCE)
            assert contents(host) == {Path(name).stem: 1.0}
        manager.blend({"s1": 0.5, "s2": 0.25, "s0": 1.0, "s4": 1.0})
        assert manager.wait(PATIENCE)
        assert contents(host) == {"s1": 0.5, "s2": 0.25, "s0": 1.0, "s4": 1.0}
        manager.next()
        assert manager.wait(PATIENCE)
        assert len(contents(host)) == 1
        assert set(kinds(host)) == {"ready", "switched"}
        path = manager.capture_end("from the room")
        assert manager.wait(PATIENCE)
        ended = host.taps.input.position
        assert contents(host) == {"from the room": 1.0}
        end = time.monotonic() + PATIENCE
        while "saved" not in kinds(host):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert path == styles / "from the room.style"
        assert manager.names[-1] == "from the room"
        # What was captured is what came in on the further channel meanwhile, to 24 bits.
        kept = load_style(path)
        assert kept.samples.shape[0] == 1
        came = sound(120.0, 2)[1].astype(float)
        earliest = max(0, began - RATE)
        heads = np.lib.stride_tricks.sliding_window_view(came[earliest : began + 5000], 200)
        first = earliest + int(np.abs(heads - kept.samples[0, :200]).max(axis=1).argmin())
        assert first + kept.samples.shape[1] <= ended
        np.testing.assert_allclose(
            kept.samples[0], came[first : first + kept.samples.shape[1]], atol=2.0**-23
        )
        # Every style that was put into a slot is in the log, at weight 0.
        log = [change for change in host.changes() if change.id.startswith("s")]
        assert host.snapshot().faults == 0
    serials = [change.value for change in log if change.id.startswith("slot") and change.value]
    assert serials == sorted(serials)
    assert (
        len(serials) == manager.slots[0].serial or max(slot.serial for slot in manager.slots) == serials[-1]
    )


def test_what_cannot_be_done_is_said_in_one_line_and_the_sound_goes_on(tmp_path: Path, styles: Path) -> None:
    (styles / "broken.style").write_bytes(b"\xff" * 100)
    soundfile.write(styles / "silent.wav", np.zeros(RATE), RATE)
    with playing(tmp_path, "s0.style") as host:
        manager = host.styles
        manager.folder(styles)
        for wrong in ("nothing", tmp_path / "nothing.wav", "../s0.style", "a\0b"):
            with pytest.raises(InputError, match="there is no style"):
                manager.switch(wrong)
        for weights in ({}, {"s0": 0.0}, {"s0": 1.5}, {f"s{number}": 1.0 for number in range(5)}):
            with pytest.raises(InputError):
                manager.blend(weights)
        with pytest.raises(InputError, match="no folder"):
            manager.folder(tmp_path / "nowhere")
        with pytest.raises(InputError, match="second input"):
            manager.capture_begin("second")
        with pytest.raises(InputError, match="begin first"):
            manager.capture_end()
        with pytest.raises(InputError, match="no other slot"):
            manager.load(styles / "s1.style", slot=0)
        manager.capture_begin()
        with pytest.raises(InputError, match="too short"):
            manager.capture_end()
        for name in ("a/b", ".hidden", "", "x" * 300, "tab\there"):
            manager.capture_begin()
            time.sleep(0.2)
            with pytest.raises(InputError, match="name of a style"):
                manager.capture_end(name)
        for name in ("broken", "silent"):
            manager.switch(name)
            assert manager.wait(PATIENCE)
            events = manager.events()
            assert [event.kind for event in events] == ["error"]
            assert "\n" not in events[0].text
            assert name in events[0].text
            assert contents(host) == {"s0": 1.0}
            assert name not in manager.names
        # One that works beside one that does not.
        manager.blend({"broken": 0.5, "s2": 0.5})
        assert manager.wait(PATIENCE)
        assert contents(host) == {"s2": 0.5}
        # The loader is killed, and the next thing that is asked for starts another one.
        process = manager._loader._process
        assert process is not None
        process.kill()
        process.join()
        manager.switch("s4")
        assert manager.wait(PATIENCE)
        manager.switch("s4")
        assert manager.wait(PATIENCE)
        assert contents(host) == {"s4": 1.0}


def test_an_engine_that_takes_over_has_the_same_styles_in_its_slots(tmp_path: Path, styles: Path) -> None:
    with playing(tmp_path, "s0.style") as host:
        host.styles.folder(styles)
        host.styles.switch("s3")
        assert host.styles.wait(PATIENCE)
        engine_processes.standby(host)
        before = host.request_state()
        assert before is not None
        host.changes()
        engine_processes.playing(host).process.kill()
        log: list[Change] = []
        end = time.monotonic() + PATIENCE
        while not any(change.id.startswith("slot") for change in log):
            assert time.monotonic() < end
            log += host.changes()
            time.sleep(0.01)
        slot = next(number for number, slot in enumerate(host.styles.slots) if slot.name == "s3")
        assert [(change.id, change.value) for change in log if change.id.startswith("slot")] == [
            (f"slot_{slot + 1}", host.styles.slots[slot].serial)
        ]
        after = None
        while after is None:
            after = host.request_state()
        # Time goes on, and what lies between the two is silence.
        assert after.frame > before.frame
        assert host.taps.input.position >= after.frame
        assert contents(host) == {"s3": 1.0}
        host.styles.switch("s1")
        assert host.styles.wait(PATIENCE)
        assert contents(host) == {"s1": 1.0}


@needs_limits
def test_styles_and_takes_wait_until_the_system_has_room_for_their_processes(
    tmp_path: Path, styles: Path
) -> None:
    with playing(tmp_path, "s0.style") as host:
        recorder = Recorder(host, tmp_path)
        # The first recording of a process loads it, for which there would be no room.
        importlib.import_module("gramophone.takes.writer")
        manager = host.styles
        manager.folder(styles)
        assert manager.wait(PATIENCE)
        process = manager._loader._process
        assert process is not None
        with no_room(reserve=False):
            process.kill()
            process.join()
            manager.switch("s3")
            heard: list[str] = []
            end = time.monotonic() + PATIENCE
            while not any("Too many open files" in line for line in heard):
                assert time.monotonic() < end
                heard += [event.text for event in manager.events()]
                time.sleep(0.01)
            recorder.start()
            while not recorder.status.error:
                assert time.monotonic() < end
                time.sleep(0.01)
            assert "cannot record to" in recorder.stop().error
            assert host.snapshot().state == "running"
        assert manager.wait(PATIENCE)
        assert contents(host) == {"s3": 1.0}
        assert recorder.start() == recorder.status.folder
        assert not recorder.stop().error
