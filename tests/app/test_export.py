"""Exports: what they play is what the live core plays, and they play where the project is not installed."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gramophone.app.demo_sounds import bubbling_water, plucked_strings
from gramophone.app.export import export
from gramophone.dsp.torch_state import own_torch_state
from gramophone.media.audiofile import resample
from gramophone.media.errors import InputError
from gramophone.models.live.stylizer import Stylizer
from gramophone.models.style import Style

RATE = 48_000
# Where the knob is turned: as some hop ends.
TURNED = 16_384
KNOBS = ("strength", "mix", "notes", "adapt", "gate", "freeze", "soundcheck")
ENDS = {"torchscript": "pt", "nntilde": "ts", "neutone": "nm"}

# Runs where nothing of the project, and none of its dependencies but torch and numpy, can be imported.
ELSEWHERE = """
import json, sys
import numpy as np, torch
sys.modules["gramophone"] = None
torch.set_num_threads(1)
sound = torch.from_numpy(np.load(sys.argv[1]))
for path in sys.argv[2:]:
    told = {"gramophone.json": ""}
    model = torch.jit.load(path, _extra_files=told)
    batch = (None,) if path.endswith(".ts") else (...,)
    with torch.inference_mode():
        out = torch.cat([model(block[batch]).reshape(block.shape) for block in sound.split(512, dim=1)], dim=1)
    np.save(path + ".npy", out.numpy())
    print(told["gramophone.json"].decode())
"""

# What a model has that these SDKs made: benchmarks/export_sdks.py compares files with one where they are installed.
NNTILDE = {
    "get_methods": "() -> List[str]",
    "get_attributes": "() -> List[str]",
    "get_buffer_attributes": "() -> List[str]",
    "set_buffer_attribute": "(str, Tensor, int) -> int",
    "clear_buffer_attribute": "(str) -> NoneType",
    "is_buffer_empty": "(str) -> bool",
    "get_sample_rate": "() -> int",
    "set_sample_rate": "(Optional[int]) -> NoneType",
    "forward": "(Tensor) -> Tensor",
    "mono": "(Tensor) -> Tensor",
    **{f"get_{name}": "() -> Tuple[float]" for name in KNOBS},
    **{f"set_{name}": "(float) -> int" for name in KNOBS},
    **{f"get_{name}": "() -> Tuple[int]" for name in ("rate", "latency")},
    **{f"set_{name}": "(int) -> int" for name in ("rate", "latency")},
}
NEUTONE = {
    "forward": "(Tensor, Optional[Tensor]) -> Tensor",
    "forward_bt": "(Tensor, Optional[Tensor]) -> Optional[Tensor]",
    "forward_offline": "(Tensor, Optional[Tensor]) -> Tensor",
    "set_daw_sample_rate_and_buffer_size": "(int, int, Optional[int], Optional[int]) -> int",
    "calc_model_delay_samples": "() -> int",
    "calc_buffering_delay_samples": "() -> int",
    "get_default_param_values": "() -> Tensor",
    "get_native_sample_rates": "() -> List[int]",
    "get_native_buffer_sizes": "() -> List[int]",
    "get_preserved_attributes": "() -> List[str]",
    "get_metadata_json": "() -> str",
    "to_metadata": "() -> Dict[str, Any]",
    **{f"is_{name}": "() -> bool" for name in ("input_mono", "output_mono", "resampling")},
    **{f"get_{name}_default_value": "() -> float" for name in ("wet", "dry", "input_gain", "output_gain")},
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Operations are too small to be shared out, and a host has other things to do."""
    with own_torch_state():
        torch.set_num_threads(1)
        yield


@cache
def style(seed: int = 0) -> Style:
    clip = bubbling_water(RATE, seed=seed)[..., : 2 * RATE]
    return Style.from_audio(clip, RATE, name=f"water {seed}", author="A", licence="CC0")


def content(seconds: float = 0.7) -> NDArray[np.float32]:
    mono = np.atleast_2d(plucked_strings(RATE))[0, : round(seconds * RATE)]
    return np.stack([mono, 0.6 * mono]).astype(np.float32)


def away(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    return float(20.0 * np.log10(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs) + 1e-12))


def played(model: Any, sound: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    with torch.inference_mode():
        return torch.cat([model(part) for part in torch.from_numpy(sound).split(block, dim=1)], dim=1).numpy()


def schema(model: Any, name: str) -> str:
    """What a method takes and returns."""
    known = getattr(model, name).schema
    kinds = [argument.type.annotation_str for argument in known.arguments[1:]]
    return f"({', '.join(kinds)}) -> {known.returns[0].type.annotation_str}"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("exports")
    made = {to: folder / f"{to}.{end}" for to, end in ENDS.items()}
    for to, path in made.items():
        export(style(), path, to=to, rates=[RATE])
    return made


def test_the_archive_bears_no_name_of_the_place_where_it_was_written(files):
    for path in files.values():
        with zipfile.ZipFile(path) as archive:
            assert {name.split("/")[0] for name in archive.namelist()} == {"archive"}


@pytest.fixture(scope="module")
def bare(files: dict[str, Path]) -> Any:
    return torch.jit.load(str(files["torchscript"]))


@pytest.fixture(scope="module")
def expected() -> NDArray[np.float32]:
    """The live core's output, with `mix` turned to 0.5."""
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    before = live.feed(np.ascontiguousarray(content()[:, :TURNED]))
    live.set("mix", 0.5)
    return np.concatenate([before, live.feed(np.ascontiguousarray(content()[:, TURNED:]))], axis=1)


@pytest.mark.parametrize("block", [64, 333, 4096])
def test_the_bare_module_plays_what_the_live_core_plays(
    bare: Any, expected: NDArray[np.float32], block: int
) -> None:
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    assert bare.latency_samples() == live.latency_samples
    assert bare.set("mix", 1.0)
    bare.reset()
    before = played(bare, content()[:, :TURNED], block)
    # Ramped from the next hop on, in both.
    assert bare.set("mix", 0.5)
    after = played(bare, content()[:, TURNED:], block)
    assert away(np.concatenate([before, after], axis=1), expected) < -80.0
    assert bare.get("mix") == 0.5


def test_any_host_rate(bare: Any) -> None:
    assert bare.sample_rates() == [RATE]
    assert not bare.set_sample_rate(4_000)
    assert bare.set("strength", 0.0)
    assert bare.set("mix", 1.0)
    for rate in (32_000, 44_056, 192_000):
        assert bare.set_sample_rate(rate)
        assert (bare.sample_rate(), bare.is_resampling()) == (rate, True)
        # Without strength the sound comes back, to the sample as late as it says.
        time = np.arange(rate // 4) / rate
        tones = sum(np.sin(2.0 * np.pi * pitch * time) for pitch in (55.0, 1_234.0, 0.4 * min(rate, RATE)))
        sound, late = np.stack([tones, 0.5 * tones]).astype(np.float32), bare.latency_samples()
        out = played(bare, sound, 333)
        assert away(out[:, late + 500 : -500], sound[:, 500 : -late - 500]) < -85.0
    # With strength, what the live core plays at the file's rate. It hears the silence in which the filter begins.
    assert bare.set("strength", 1.0)
    assert bare.set_sample_rate(2 * RATE)
    sound, late, begin = content(), bare.latency_samples(), np.zeros((2, 32), dtype=np.float32)
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    lead = live.latency_samples + begin.shape[1]
    theirs = live.feed(np.concatenate([begin, sound], axis=1))[:, lead:]
    ours = played(bare, resample(sound.astype(np.float64), RATE, 2 * RATE).astype(np.float32), 512)[:, late:]
    count = min(2 * theirs.shape[1], ours.shape[1]) - 500
    wanted = resample(theirs.astype(np.float64), RATE, 2 * RATE)
    # Where two places of the clip fit equally well, a rounding decides which of them is heard for a moment.
    apart = [away(ours[:, at : at + 4096], wanted[:, at : at + 4096]) for at in range(0, count - 4096, 4096)]
    assert np.median(apart) < -70.0
    assert away(ours[:, :count], wanted[:, :count]) < -50.0
    assert bare.set_sample_rate(RATE)
    assert not bare.is_resampling()


def test_nntilde_has_what_the_host_asks_for(files: dict[str, Path]) -> None:
    model = torch.jit.load(str(files["nntilde"]))
    assert {name: schema(model, name) for name in NNTILDE} == NNTILDE
    assert model.get_methods() == ["forward", "mono"]
    assert model.forward_params.tolist() == [2, 1, 2, 1]
    assert model.mono_params.tolist() == [1, 1, 1, 1]
    assert sorted(model.get_attributes()) == sorted([*KNOBS, "rate", "latency"])
    assert {tuple(getattr(model, f"{name}_params").tolist()) for name in KNOBS} == {(2,)}
    assert {tuple(getattr(model, f"{name}_params").tolist()) for name in ("rate", "latency")} == {(1,)}
    with torch.inference_mode():
        for size in (512, 4096):
            assert model(torch.randn(1, 2, size)).shape == (1, 2, size)
            assert model.mono(torch.randn(3, 1, size)).shape == (3, 1, size)
    # From another thread, outside of that mode, between two blocks.
    assert model.set_strength(0.25) == 0
    assert model.get_strength() == (0.25,)
    assert model.set_strength(7.0) == 0
    assert model.get_strength() == (1.0,)
    assert model.set_strength(float("nan")) == -1
    latency = model.get_latency()
    assert model.set_rate(44_100) == 0
    assert model.get_rate() == (44_100,)
    assert model.get_latency() != latency
    assert model.set_rate(0) == -1
    with torch.inference_mode():
        assert bool(torch.isfinite(model(torch.full((1, 2, 512), float("nan")))).all())


def test_neutone_has_what_the_plugin_asks_for(files: dict[str, Path]) -> None:
    told = {"metadata.json": ""}
    model = torch.jit.load(str(files["neutone"]), _extra_files=told)
    metadata = json.loads(told["metadata.json"])
    assert {name: schema(model, name) for name in NEUTONE} == NEUTONE
    assert metadata.pop("sample_sound_files") == []
    assert model.to_metadata() == metadata
    knobs = metadata["neutone_parameters"]
    assert [knobs[key]["name"] for key in sorted(knobs)] == ["Strength", "Notes", "Mix", "Adapt"]
    assert all(hasattr(model, name) for name in model.get_preserved_attributes())
    # The plugin counts evenly from the lowest to the highest.
    for one, place in zip(knobs.values(), model.get_default_param_values()[:, 0].tolist(), strict=True):
        share = (one["default_value"] - one["min_value"]) / (one["max_value"] - one["min_value"])
        assert share == pytest.approx(place)
    model.set_daw_sample_rate_and_buffer_size(RATE, 512)
    live = Stylizer([style()], sample_rate=RATE, channels=2)
    assert model.calc_model_delay_samples() == live.latency_samples
    sound = torch.from_numpy(content(0.3))
    places = model.get_default_param_values().expand(4, sound.shape[1]).clone()
    model(sound[:, :512], places[:, :512])
    assert model.model.get("adapt") == pytest.approx(8.0)
    places[0] = 0.0
    # Without strength the sound comes back, in time where the delay is made up for.
    assert away(model.forward_offline(sound, places).numpy(), sound.numpy()) < -80.0
    assert model(sound[:1, :512], places[:, :512]).shape == (1, 512)


def test_they_play_where_the_project_is_not_installed(
    files: dict[str, Path], expected: NDArray[np.float32], tmp_path: Path
) -> None:
    sound = content()[:, : TURNED // 2]
    np.save(tmp_path / "in.npy", sound)
    command = [sys.executable, "-I", "-c", ELSEWHERE, str(tmp_path / "in.npy"), *map(str, files.values())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    for to, line in zip(files, done.stdout.splitlines(), strict=True):
        assert json.loads(line)["styles"] == [
            {"name": "water 0", "author": "A", "licence": "CC0", "source_sha256": style().source_hash}
        ]
        assert away(np.load(f"{files[to]}.npy"), expected[:, : TURNED // 2]) < -80.0, to


def test_several_styles_and_rates(tmp_path: Path) -> None:
    path = tmp_path / "two.pt"
    export([style(), style(1)], path, to="torchscript", rates=[44_100, 96_000], channels=1)
    model = torch.jit.load(str(path))
    assert model.set_sample_rate(96_000)
    assert not model.is_resampling()
    assert model.set("style_2", 0.0)
    assert not model.set("style_3", 0.0)
    live = Stylizer([style(), style(1)], sample_rate=96_000, channels=1)
    live.set("style_2", 0.0)
    live.reset()
    assert model.latency_samples() == live.latency_samples
    sound = content(0.25)
    out = played(model, sound, 4096)
    # One channel for both, which is their mean.
    assert np.array_equal(out[0], out[1])
    assert away(out[:1], live.feed(sound.mean(axis=0, keepdims=True))) < -80.0
    model.reset()
    assert np.array_equal(played(model, sound, 4096), out)


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
