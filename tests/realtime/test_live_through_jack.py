"""`gramophone live` between the ports of a real JACK server, as a musician starts it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rtmidi
import soundfile

RATE = 48_000
PATIENCE = 60.0


@pytest.fixture
def style(tmp_path: Path) -> Path:
    """A second and a half of noise with a little colour."""
    noise = np.random.default_rng(0).standard_normal((RATE * 3 // 2, 2))
    path = tmp_path / "noise.wav"
    soundfile.write(path, 0.2 * np.diff(noise, axis=0), RATE)
    return path


@contextmanager
def playing(jack: Any, *arguments: object) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A running session, and what it printed at the start."""
    process, printed = jack.live(*arguments)
    try:
        yield process, printed
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def end(process: "subprocess.Popen[str]") -> tuple[str, str]:
    # To all of its processes, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=PATIENCE)


def test_from_the_command_to_the_sound_and_back_to_the_prompt(jack: Any, style: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    jack.play(np.stack([tone, tone]))
    with playing(jack, style, "--stats", figures, "--midi", "none") as (process, printed):
        for part in ("system, JACK", "48000 Hz", "algorithmic", "buffer", "device"):
            assert part in printed
        for channel in (0, 1):
            jack.connect(f"player:out_{channel}", f"gramophone:in_{channel}")
        heard = jack.record("gramophone:out_0", "gramophone:out_1", seconds=2)
        assert np.abs(heard[:, RATE:]).max(axis=1).min() > 0.01
        assert np.abs(heard).max() <= 1.0
        out, err = end(process)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "played 0:0" in out
    written = json.loads(figures.read_text())
    assert written["sample_rate"] == RATE
    assert written["engine_restarts"] == 0
    # Everything has left the server.
    assert not [port for port in jack.ports() if "gramophone" in port]


def printed_total(printed: str) -> int:
    return next(int(line.split()[1]) for line in printed.splitlines() if line.startswith("total"))


def test_the_printed_total_is_the_delay_in_jack_and_the_wheel_turns_strength(
    jack: Any, knobs: Any, style: Path
) -> None:
    jack.play(0.25 * np.random.default_rng(1).uniform(-1.0, 1.0, (1, 4 * RATE)))
    arguments = ("--channels", "1", "--set", "strength=0", "--midi", "knobs")
    changes = []
    with playing(jack, style, *arguments) as (process, printed):
        assert "controller:knobs (JACK)" in printed
        total = printed_total(printed)
        jack.connect("player:out_0", "gramophone:in_0")
        for position in (0, 127, 0):
            knobs.send_message([0xB0, 1, position])
            dry, wet = jack.record("player:out_0", "gramophone:out_0", seconds=2)
            if position == 0:
                lags = np.fft.irfft(np.fft.rfft(wet) * np.conj(np.fft.rfft(dry)))
                assert int(np.argmax(lags)) == total
            # The second half, when the ramp is over; the median, since a server on a busy machine has xruns.
            change = np.abs(wet[total:] - dry[:-total])[RATE:]
            changes.append(float(np.median(change)))
        end(process)
    assert changes[0] == changes[2] == 0.0
    assert changes[1] > 0.01


def test_after_a_new_server_sound_and_controller_are_back(jack: Any, style: Path) -> None:
    tone = 0.25 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    arguments = ("--channels", "1", "--set", "strength=0", "--midi", "virtual", "--cc", "20=mute")
    with playing(jack, style, *arguments) as (process, _):
        jack.stop()
        assert process.stderr is not None
        assert any("the audio device has gone" in line for line in process.stderr)
        jack.start()
        # If the server takes its time, a line in between tells that there is no device.
        assert any("the audio device is back" in line for line in process.stderr)
        # A client that opens while another one closes, such as jack_lsp's, may hear nothing (libjack 1.9.21). So
        # nothing is to look for ports before the MIDI port is open, whose old client takes a second to close.
        time.sleep(2.0)
        jack.play(tone[None])
        jack.connect("player:out_0", "gramophone:in_0")
        jack.wait_for("gramophone-midi:gramophone")
        # The ports may come and go once more before sound passes; they come back as they were connected.
        for _ in range(10):
            if np.abs(jack.record("gramophone:out_0", seconds=1)).max() > 0.2:
                break
        else:
            pytest.fail("no sound after the server came back")
        knobs = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="controller")
        knobs.open_virtual_port("knobs")
        try:
            # What is sent while the ports come and go is lost.
            for _ in range(10):
                jack.connect("controller:knobs", "gramophone-midi:gramophone")
                knobs.send_message([0xB0, 20, 127])
                if not jack.record("gramophone:out_0", seconds=1)[:, RATE // 2 :].any():
                    break
            else:
                pytest.fail("the controller did not come back")
        finally:
            knobs.close_port()
            knobs.delete()
        out, err = end(process)
    assert "1 lost device" in out
    assert process.returncode == 1, err
