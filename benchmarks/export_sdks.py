"""Plays exported files where this project is not installed, and runs the checks of nn~'s and Neutone's own SDKs.

    python -m venv sdks
    sdks/bin/pip install torch torchaudio cached-conv click jsonschema requests soundfile tqdm "numpy<2.3"
    sdks/bin/pip install --no-deps nn-tilde neutone-sdk
    sdks/bin/python benchmarks/export_sdks.py rain.pt rain.ts rain.nm

It needs nothing of Gramophone's. nn-tilde asks for an old torch, hence `--no-deps`. Beside a torch without CUDA,
torchaudio does not load its own library: delete `torchaudio/lib/*.so`, which nothing here uses. In an environment with
nothing but torch and NumPy the files are played, and the checks of the SDKs left out.
"""

import importlib.util
import json
import logging
import re
import sys
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

load: Any = torch.jit.load

# Methods of a file that its SDK does not know, and those inside of the SDK's wrapper that no host calls.
OURS = {"about", "_forward", "get_neutone_parameters_metadata", "get_numerical_params_default_values_0to1"}


def plain(path: Path) -> list[str]:
    """Play a file with PyTorch alone."""
    if importlib.util.find_spec("gramophone") is not None:
        raise AssertionError("gramophone is installed here")
    told = {"gramophone.json": ""}
    begin = time.process_time()
    model = load(str(path), _extra_files=told)
    passed = [f"loaded in {time.process_time() - begin:.2f} s of the processor, without gramophone"]
    about = json.loads(told["gramophone.json"])
    assert json.loads(model.about()) == about
    passed.append(f"tells of itself: {', '.join(one['name'] for one in about['styles'])}")
    bare = getattr(model, "model", model)
    time_axis = torch.arange(48_000) / 44_100.0
    sound = 0.2 * torch.sin(2.0 * torch.pi * 440.0 * time_axis).expand(bare.channels, -1)

    def play(size: int) -> torch.Tensor:
        bare.reset()
        with torch.inference_mode():
            blocks = [sound[:, at : at + size] for at in range(0, sound.shape[1], size)]
            parts = [model(block[None])[0] if path.suffix == ".ts" else model(block) for block in blocks]
        return torch.cat(parts, dim=1)

    for rate in about["rates"]:
        bare.set_sample_rate(rate)
        outs = [play(size) for size in (64, 512, 4096)]
        assert all(torch.equal(out, outs[0]) for out in outs)
        assert bool(torch.isfinite(outs[0]).all())
        assert float(outs[0].abs().max()) > 0.01
        bare.set("strength", 0.0)
        late = bare.latency_samples()
        assert torch.allclose(play(512)[:, late:], sound[:, : sound.shape[1] - late], atol=1e-4)
        bare.set("strength", 1.0)
    passed.append(f"the same sound in blocks of 64 to 4096, late as told, at {about['rates']} Hz")
    return passed


def methods(model: Any) -> dict[str, str]:
    """Return what each method takes and gives, without the names of its arguments."""
    found = {}
    for name in model._c._method_names():
        text = re.sub(r"__torch__[\w.]*", "", str(getattr(model, name).schema))
        found[name] = re.sub(r" \w+(=\w+)?(?=[,)])", r"\1", text)
    return found


def same_methods(model: Any, reference: Any) -> None:
    """Compare with a model that the SDK made: a host can call the one as it calls the other."""
    mine, theirs = methods(model), methods(reference)
    for name in sorted(set(mine) | set(theirs)):
        # The wrapper returns nothing, and ours whether it worked; nobody reads it.
        if name not in OURS | {"reset"} and mine.get(name) != theirs.get(name):
            raise AssertionError(f"{name}: {mine.get(name)} is not the SDK's {theirs.get(name)}")


def nntilde(path: Path) -> list[str]:
    import nn_tilde

    model = load(str(path))
    facts = {name: getattr(model, f"{name}_params").tolist() for name in model.get_methods()}
    passed = []
    # The SDK registers a method by playing it, alone and in a batch, as mc.nn~ does.
    host = nn_tilde.Module()
    for name, (channels, ratio, out_channels, out_ratio) in facts.items():
        object.__setattr__(host, name, getattr(model, name))
        for size in (512, 1024, 2048, 4096, 8192):
            host.register_method(name, channels, ratio, out_channels, out_ratio, test_buffer_size=size)
    passed.append(f"methods {', '.join(facts)} registered with buffers of 512 to 8192")

    class Reference(nn_tilde.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            for name, (channels, ratio, out_channels, out_ratio) in facts.items():
                labels = [getattr(model, f"{name}_{side}_labels") for side in ("input", "output")]
                self.register_method(name, channels, ratio, out_channels, out_ratio, *labels)
            for name in model.get_attributes():
                self.register_attribute(name, getattr(model, f"get_{name}")())

        @torch.jit.export
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

        @torch.jit.export
        def mono(self, x: torch.Tensor) -> torch.Tensor:
            return x

    with tempfile.TemporaryDirectory() as folder:
        Reference().export_to_ts(f"{folder}/reference.ts")
        reference = load(f"{folder}/reference.ts")
    same_methods(model, reference)
    for name, value in reference.named_buffers():
        assert value.tolist() == getattr(model, name).tolist(), name
    passed.append(
        f"every method, type and attribute is that of a model made by the SDK ({len(methods(reference))})"
    )
    return passed


def neutone(path: Path) -> list[str]:
    from neutone_sdk import ContinuousNeutoneParameter, SampleQueueWrapper, WaveformToWaveformBase
    from neutone_sdk.audio import get_default_audio_samples, render_audio_sample
    from neutone_sdk.benchmark import benchmark_latency_
    from neutone_sdk.utils import (
        check_for_preserved_attributes,
        load_neutone_model,
        model_to_torchscript,
        validate_waveform,
    )

    model, metadata = load_neutone_model(str(path))
    passed = ["loaded, its metadata valid"]
    check_for_preserved_attributes(model, model.get_preserved_attributes())
    metadata.pop("sample_sound_files")
    assert metadata == model.to_metadata()
    passed.append("submission: the metadata in the archive are the model's own")
    # As `save_neutone_model` tests what it has saved.
    model.set_daw_sample_rate_and_buffer_size(48_000, 512)
    model.reset()
    model.is_resampling()
    sample = get_default_audio_samples()[0]
    sample.audio = sample.audio[:, : 3 * sample.sr]
    model.set_daw_sample_rate_and_buffer_size(sample.sr, 4096)
    sound = sample.audio[:1] if model.is_input_mono() else sample.audio
    with torch.no_grad():
        offline = model.forward_offline(sound, torch.rand(4, sound.shape[1]))
    validate_waveform(offline, model.is_output_mono())
    assert offline.shape == sound.shape
    first, second = (render_audio_sample(model, sample)[0].audio for _ in range(2))
    assert torch.allclose(first, second, atol=1e-6)
    passed.append("the VST's methods, offline and in blocks; a second rendering is the first")
    with torch.no_grad():
        for channels in (1, 2):
            block = torch.rand(channels, 512)
            assert model(block, torch.rand(4, 512)).shape == block.shape
    passed.append("mono and stereo tracks")
    with torch.no_grad():
        benchmark_latency_(str(path))

    class Reference(WaveformToWaveformBase):  # type: ignore[misc]
        def get_model_name(self) -> str:
            return "name"

        def get_model_authors(self) -> list[str]:
            return ["author"]

        def get_model_short_description(self) -> str:
            return "short"

        def get_model_long_description(self) -> str:
            return "long"

        def get_technical_description(self) -> str:
            return "technical"

        def get_tags(self) -> list[str]:
            return ["tag"]

        def get_model_version(self) -> str:
            return "1"

        def is_experimental(self) -> bool:
            return False

        def get_neutone_parameters(self) -> list[Any]:
            return [
                ContinuousNeutoneParameter(
                    one["name"], one["description"], one["default_value"], one["min_value"], one["max_value"]
                )
                for one in metadata["neutone_parameters"].values()
            ]

        @torch.jit.export
        def is_input_mono(self) -> bool:
            return False

        @torch.jit.export
        def is_output_mono(self) -> bool:
            return False

        @torch.jit.export
        def get_native_sample_rates(self) -> list[int]:
            return [48_000]

        @torch.jit.export
        def get_native_buffer_sizes(self) -> list[int]:
            return [512]

        @torch.jit.export
        def calc_model_delay_samples(self) -> int:
            return 0

        def do_forward_pass(self, x: torch.Tensor, params: dict[str, torch.Tensor]) -> torch.Tensor:  # noqa: ARG002
            return x

    reference = model_to_torchscript(SampleQueueWrapper(Reference(torch.nn.Identity())))
    same_methods(model, reference)
    assert torch.allclose(model.get_default_param_values(), reference.get_default_param_values())
    assert set(metadata) == set(reference.to_metadata())
    passed.append(
        f"every method, type and default is that of a model made by the SDK ({len(methods(reference))})"
    )
    return passed


CHECKS = {".ts": (nntilde, "nn-tilde"), ".nm": (neutone, "neutone-sdk")}


def main() -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    # Operations are too small to be shared out.
    torch.set_num_threads(1)
    for name in sys.argv[1:]:
        path = Path(name)
        print(f"{path.name}: torch {torch.__version__}")
        for line in plain(path):
            print(f"  passed: {line}")
        if path.suffix not in CHECKS:
            continue
        check, sdk = CHECKS[path.suffix]
        if importlib.util.find_spec(sdk.replace("-", "_")) is None:
            print(f"  left out: the checks of {sdk}, which is not installed")
            continue
        print(f"  {sdk} {version(sdk)}")
        for line in check(path):
            print(f"  passed: {line}")


if __name__ == "__main__":
    main()
