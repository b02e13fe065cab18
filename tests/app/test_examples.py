"""Every example does what it says, as a program of its own."""

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer

import gramophone
from gramophone.app.demo_sounds import bubbling_water, plucked_strings

ROOT = Path(__file__).parents[2]
RATE = 44_100

# No sound card has to be here. It plays a tone, keeps what comes back, and is pulled out after a while.
SOUND_CARD = """
import numpy as np
class Stream:
    def __init__(self, samplerate, channels, dtype, blocksize):
        self.tone = np.sin(np.arange(40 * blocksize) * 0.05).astype(dtype).reshape(40, blocksize, channels)
        self.played = []
    def __enter__(self):
        return self
    def __exit__(self, *reason):
        np.save("played.npy", np.concatenate(self.played))
    def read(self, count):
        if len(self.played) == len(self.tone):
            raise SystemExit
        return 0.5 * self.tone[len(self.played)], False
    def write(self, block):
        assert block.flags.c_contiguous
        self.played.append(block)
"""


@pytest.fixture
def start(folder):
    """Runs an example in the folder, as a reader would; none outlives the test."""
    with ExitStack() as started:

        def run(name, *words):
            command = [sys.executable, str(ROOT / "examples" / name), *map(str, words)]
            paths = [str(folder / "modules"), *filter(None, [os.environ.get("PYTHONPATH")])]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
            process = started.enter_context(
                subprocess.Popen(
                    command,
                    cwd=folder,
                    env=environment,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                )
            )
            started.callback(process.kill)
            return process

        yield run


def done(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out


@pytest.fixture
def folder(tmp_path):
    song, clip = np.atleast_2d(plucked_strings(RATE))[:1, : 2 * RATE], bubbling_water(RATE)[:, : 2 * RATE]
    for name in ("songs", "modules"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        soundfile.write(tmp_path / "songs" / f"{name}.wav", song.T, RATE)
    soundfile.write(tmp_path / "song.wav", song.T, RATE)
    soundfile.write(tmp_path / "rain.wav", clip.T, RATE)
    # A long recording that is loud somewhere.
    field = np.tile(0.01 * clip, (1, 12))
    field[:, 5 * RATE : 15 * RATE] *= 20.0
    soundfile.write(tmp_path / "field.wav", field.T, RATE)
    return tmp_path


def test_a_batch_and_a_style_and_a_stream(folder, start):
    (folder / "modules" / "sounddevice.py").write_text(SOUND_CARD)
    runs = [
        start("batch.py", "songs", "rain.wav", "results"),
        start("style_from_recording.py", "field.wav", "rain.style", "A. Field", "CC0"),
        start("stream.py", "rain.wav"),
    ]
    batch, cut, _ = map(done, runs)
    assert batch.split() == ["one.wav", "two.wav"]
    for name in ("one", "two"):
        output, rate = soundfile.read(folder / "results" / f"{name}.wav")
        assert (output.shape, rate) == ((2 * RATE,), RATE)
        assert np.abs(output - soundfile.read(folder / "song.wav")[0]).max() > 0.01
    assert cut == "rain.style: from 5.0 s on\n"
    style = gramophone.load_style(folder / "rain.style")
    assert (style.name, style.author, style.licence) == ("field", "A. Field", "CC0")
    played = np.load(folder / "played.npy")
    assert played.shape == (40 * 512, 1)
    assert np.abs(played).max() > 0.01


def test_a_knob_moves_offline_and_by_osc_and_a_patch_is_ready(folder, start):
    heard = []
    dispatcher = Dispatcher()
    dispatcher.map("/gramophone/strength", lambda _, value: heard.append(value))
    with BlockingOSCUDPServer(("127.0.0.1", 0), dispatcher) as server:
        server.timeout = 20.0
        runs = [
            start("automate.py", "song.wav", "rain.wav", "out.wav"),
            start("export_to_pd.py", "rain.wav", "patch"),
            start("turn_by_osc.py", server.server_address[1], "strength", 0.5),
        ]
        while len(heard) < 51:
            server.handle_request()
            assert runs[2].poll() in (None, 0)
    assert (heard[0], max(heard), heard[-1]) == (0.0, 1.0, 0.0)
    for run in runs:
        done(run)

    song, faded = (soundfile.read(folder / f"{name}.wav")[0] for name in ("song", "out"))
    assert faded.shape == song.shape
    # In time with the song, and farther and farther from it.
    away = [np.abs(faded[at] - song[at]).max() for at in (slice(100), slice(RATE, 2 * RATE))]
    assert away[0] < 2e-3 < 0.01 < away[1]

    model = torch.jit.load(str(folder / "patch" / "style.ts"))
    assert json.loads(model.about())["styles"][0]["name"] == "rain"
    patch = (folder / "patch" / "nntilde.pd").read_text()
    boxes = [line for line in patch.splitlines()[1:] if not line.startswith("#X connect")]
    [found] = re.findall(r"nn~ style (\w+) \d+;", patch)
    assert found in model.get_methods()
    knobs = re.findall(r"set (\w+) \\\$1;", patch)
    assert len(knobs) == 4
    assert set(knobs) <= set(model.get_attributes())
    for origin, target in re.findall(r"#X connect (\d+) \d+ (\d+) \d+;", patch):
        assert max(int(origin), int(target)) < len(boxes)


def test_the_page_shows_the_example():
    example = (ROOT / "examples" / "stream.py").read_text().partition('"""\n\n')[2]
    assert example in (ROOT / "docs" / "api.md").read_text()
