"""Exports: what they play is what the live core plays, and they play where the project is not installed."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gramophone.app.demo_sounds import bubbling_water, plucked_strings
from gramophone.app.export import export
from gramophone.media.errors import InputError
from gramophone.models.live.stylizer import Stylizer
from gramophone.models.style import Style

RATE = 48_000
KNOBS = ("strength", "mix", "adapt", "gate", "freeze", "soundcheck")

# Runs where nothing of the project, and none of its dependencies but torch and numpy, can be imported.
ELSEWHERE = """
import json, sys
import numpy as np, torch
assert not any(name.split(".")[0] == "gramophone" for name in sys.modules)
told = {"gramophone.json": ""}
model = torch.jit.load(sys.argv[1], _extra_files=told)
sound = torch.from_numpy(np.load(sys.argv[2]))
with torch.inference_mode():
    out = torch.cat([model(block[None])[0] for block in sound.split(512, dim=1)], dim=1)
np.save(sys.argv[3], out.numpy())
print(told["gramophone.json"].decode())
"""


def style(seed: int = 0) -> Style:
    return Style.from_audio(
        bubbling_water(RATE, seed=seed)[..., : 2 * RATE],
        RATE,
        name=f"water {seed}",
        author="A",
        licence="CC0",
    )


def content(seconds: float = 1.5) -> NDArray[np.float32]:
    mono = np.atleast_2d(plucked_strings(RATE))[0, : round(seconds * RATE)]
    return np.stack([mono, 0.6 * mono]).astype(np.float32)


def away(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    return float(20.0 * np.log10(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) + 1e-12))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    made = {}
    for to, end in (("torchscript", "pt"), ("nntilde", "ts"), ("neutone", "nm")):
        made[to] = folder / f"{to}.{end}"
        export(style(), made[to], to=to, rates=[RATE])
    return made


@pytest.mark.parametrize("block", [64, 333, 512, 4096])
def test_the_bare_module_plays_what_the_live_core_plays(files: dict[str, Path], block: int) -> None:
    model = torch.jit.load(str(files["torchscript"]))
    sound = content()
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    assert model.latency_samples() == live.latency_samples
    expected, played = [], []
    for number, at in enumerate(range(0, sound.shape[1], block)):
        if number * block >= RATE > (number - 1) * block:
            # Ramped from the next hop on, in both.
            live.set("mix", 0.5)
            assert model.set("mix", 0.5)
        part = np.ascontiguousarray(sound[:, at : at + block])
        expected.append(live.feed(part))
        played.append(model(torch.from_numpy(part)).numpy())
    assert away(np.concatenate(played, axis=1), np.concatenate(expected, axis=1)) < -80.0
    assert model.get("mix") == 0.5


def test_nntilde_has_what_the_host_asks_for(files: dict[str, Path]) -> None:
    model = torch.jit.load(str(files["nntilde"]))
    assert model.get_methods() == ["forward", "mono"]
    assert model.forward_params.tolist() == [2, 1, 2, 1]
    assert model.mono_params.tolist() == [1, 1, 1, 1]
    assert set(KNOBS) <= set(model.get_attributes())
    for name in model.get_attributes():
        assert getattr(model, f"{name}_params").shape == (1,)
        assert len(getattr(model, f"get_{name}")()) == 1
    with torch.inference_mode():
        for size in (512, 1024, 2048, 4096):
            assert model(torch.randn(1, 2, size)).shape == (1, 2, size)
            assert model.mono(torch.randn(1, 1, size)).shape == (1, 1, size)
    # From another thread, outside of that mode, between two blocks.
    assert model.set_strength(0.25) == 0
    assert model.get_strength() == (0.25,)
    assert model.set_strength(7.0) == 0
    assert model.get_strength() == (1.0,)
    assert model.set_strength(float("nan")) == -1
    assert model.set_rate(44_100) == -1
    assert model.get_rate() == (RATE,)
    with torch.inference_mode():
        assert bool(torch.isfinite(model(torch.full((1, 2, 512), float("nan")))).all())


def test_neutone_has_what_the_plugin_asks_for(files: dict[str, Path]) -> None:
    told = {"metadata.json": ""}
    model = torch.jit.load(str(files["neutone"]), _extra_files=told)
    metadata = json.loads(told["metadata.json"])
    assert metadata.pop("sample_sound_files") == []
    assert model.to_metadata() == metadata
    assert metadata["neutone_parameters"]["p1"]["name"] == "Strength"
    assert len(metadata["neutone_parameters"]) == 4
    assert all(hasattr(model, name) for name in model.get_preserved_attributes())
    model.set_daw_sample_rate_and_buffer_size(RATE, 512)
    assert (
        model.calc_model_delay_samples() == Stylizer([style()], sample_rate=RATE, channels=2).latency_samples
    )
    sound = torch.from_numpy(content())
    knobs = model.get_default_param_values().expand(4, sound.shape[1]).clone()
    knobs[0] = 0.0
    # Without strength the sound comes back, in time where the delay is made up for.
    assert away(model.forward_offline(sound, knobs).numpy(), sound.numpy()) < -80.0


@pytest.mark.parametrize("to", ["torchscript", "nntilde", "neutone"])
def test_it_plays_where_the_project_is_not_installed(files: dict[str, Path], to: str, tmp_path: Path) -> None:
    script = ELSEWHERE if to == "nntilde" else ELSEWHERE.replace("block[None])[0]", "block)")
    sound = content()
    np.save(tmp_path / "in.npy", sound)
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            script,
            str(files[to]),
            str(tmp_path / "in.npy"),
            str(tmp_path / "out.npy"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["styles"] == [
        {"name": "water 0", "author": "A", "licence": "CC0", "source_sha256": style().source_hash}
    ]
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    assert away(np.load(tmp_path / "out.npy"), live.feed(sound)) < -80.0


def test_several_styles_and_rates(tmp_path: Path) -> None:
    path = tmp_path / "two.pt"
    export([style(), style(1)], path, to="torchscript", rates=[44_100, 96_000])
    model = torch.jit.load(str(path))
    assert model.set_sample_rate(96_000)
    assert not model.set_sample_rate(90_000)
    assert model.sample_rate() == 96_000
    assert model.set("style_2", 0.0)
    assert not model.set("style_3", 0.0)
    live = Stylizer([style(), style(1)], sample_rate=96_000, channels=2)
    live.set("style_2", 0.0)
    live.reset()
    assert model.latency_samples() == live.latency_samples
    sound = content(0.5)
    assert away(model(torch.from_numpy(sound)).numpy(), live.feed(sound)) < -80.0
    model.reset()
    again = model(torch.from_numpy(sound))
    model.reset()
    assert torch.equal(model(torch.from_numpy(sound)), again)


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "kept.ts"
    path.write_text("mine")
    with pytest.raises(InputError, match="exists"):
        export(style(), path, to="nntilde", rates=[RATE])
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["kept.ts"]
    for wrong in ({"to": "vst"}, {"to": "nntilde", "channels": 3}, {"to": "nntilde", "rates": []}):
        with pytest.raises(InputError):
            export(style(), tmp_path / "x.ts", **wrong)
    with pytest.raises(InputError, match="1 to 4"):
        export([style()] * 5, tmp_path / "x.ts", to="nntilde")
