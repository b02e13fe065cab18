"""`gramophone demo`: what is played live in it, and that it needs no sound system."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.app.cli import demo


@pytest.fixture
def no_sound_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process that is started can load PortAudio, as where it is not installed."""
    missing = tmp_path / "missing"
    missing.mkdir()
    missing.joinpath("sounddevice.py").write_text("raise OSError('PortAudio library not found')\n")
    monkeypatch.syspath_prepend(missing)
    # A server that is not there, in case one runs.
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "none-of-this-name")
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")


@pytest.mark.usefixtures("no_sound_system")
def test_the_demo_plays_live(call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # One recipe will do: what the other takes half a minute for is tested with the renderings.
    files = tuple(name for name in demo._FILES if name != "gramophone.wav")
    few = {name: value for name, value in demo._RENDERINGS.items() if name != "gramophone"}
    for name, value in (("_RENDERINGS", few), ("_BEST", "transport"), ("_FILES", files)):
        monkeypatch.setattr(demo, name, value)
    folder = tmp_path / "demo"
    outcome = call("demo", "--out", folder)
    assert outcome.code == 0, outcome.err
    assert {path.name for path in folder.iterdir()} == set(files)
    for name in files:
        assert name in outcome.out

    lines = [line.split() for line in outcome.out.splitlines() if line.split()]
    assert any(line[0] == "live:" and "load" in line for line in lines)
    parts = ("algorithmic", "buffer", "device", "total")
    samples = {line[0]: int(line[1]) for line in lines if line[0] in parts}
    assert sum(samples[part] for part in parts[:-1]) == samples["total"]
    assert samples["algorithmic"] > 0
    for line in lines:
        if line[0] in parts:
            assert float(line[2]) == pytest.approx(1000.0 * samples[line[0]] / 44100, abs=0.06)

    content, rate = soundfile.read(folder / "content.wav", always_2d=True)
    played, played_rate = soundfile.read(folder / "live.wav", always_2d=True)
    assert (played_rate, soundfile.info(folder / "live.wav").subtype) == (rate, "FLOAT")
    assert played.shape == (len(content) + samples["total"], content.shape[1])
    assert np.abs(played).max() <= 10.0 ** (-1.0 / 20.0) + 1e-6

    # It stands in the table beside the recipe, nearer to the style than the content, and still in its rhythm.
    columns = ("raw", "centred", "free", "free_centred", "kept", "notes", "onsets", "energy", "mel")
    rows = {
        line[0]: dict(zip(columns, map(float, line[1:]), strict=True))
        for line in lines
        if line[0] in (*few, "live") and len(line) == len(columns) + 1
    }
    assert set(rows) == {*few, "live"}
    assert rows["live"]["raw"] < 0.8
    assert rows["live"]["centred"] < 0.8
    assert rows["live"]["onsets"] > 0.4
    # Whose notes are heard is what the two renderings differ in.
    assert rows["transport"]["notes"] > rows["transport-notes-0"]["notes"] + 0.2
