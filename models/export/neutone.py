"""The stylizer as the Neutone plugin calls it. TorchScript.

The interface is that of files made by Neutone's SDK 1.5, written out: the SDK is not needed to make a file.
"""

# ruff: noqa: ARG002, D102 (what the plugin calls, and with what, is not ours)
import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .stream import ExportedStylizer

SDK_VERSION = "1.5.2"
# What is a text in the metadata, in the order in which it is kept.
_TEXTS = (
    "model_name",
    "model_short_description",
    "model_long_description",
    "technical_description",
    "model_version",
    "sdk_version",
    "pytorch_version",
    "citation",
)


class NeutoneKnob(NamedTuple):
    """One of the four knobs that Neutone shows."""

    id: str
    name: str
    description: str
    low: float
    high: float
    default: float
    logarithmic: bool


class Neutone(nn.Module):
    """What the Neutone plugin calls; sound is [channels, samples], knobs [4, samples] from 0 to 1."""

    defaults: Tensor

    def __init__(
        self, model: ExportedStylizer, knobs: Sequence[NeutoneKnob], metadata: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.model = model
        self.realtime = True
        self.use_debug_mode = False
        self.daw_bs = 2048
        self.ids = [knob.id for knob in knobs]
        self.lows = [knob.low for knob in knobs]
        self.highs = [knob.high for knob in knobs]
        self.logarithmic = [knob.logarithmic for knob in knobs]
        self.register_buffer("defaults", torch.tensor([[_position(knob)] for knob in knobs]))
        self.names = [str(metadata[name]) for name in _TEXTS]
        self.authors = list(metadata["model_authors"])
        self.tags = list(metadata["tags"])
        self.created = float(metadata["date_created"])
        self.texts = {f"p{number + 1}": [knob.name, knob.description] for number, knob in enumerate(knobs)}
        # The plugin counts evenly from the lowest to the highest value, which a logarithmic knob does not.
        self.values = {f"p{number + 1}": _position(knob) for number, knob in enumerate(knobs)}
        self.as_json = json.dumps(metadata)

    def forward(self, x: Tensor, params: Tensor | None = None) -> Tensor:
        if params is not None:
            for number, name in enumerate(self.ids):
                part = min(1.0, max(0.0, float(params[number].mean())))
                low, high = self.lows[number], self.highs[number]
                if self.logarithmic[number]:
                    self.model.set(name, low * math.pow(high / low, part))
                else:
                    self.model.set(name, low + (high - low) * part)
        out: Tensor = self.model(x)
        return out

    @torch.jit.export
    def forward_bt(self, x: Tensor, params: Tensor | None = None) -> Tensor | None:
        return self.forward(x, params)

    @torch.jit.export
    def forward_offline(self, x: Tensor, params: Tensor | None = None) -> Tensor:
        self.reset()
        latency, count, at = self.calc_model_delay_samples(), x.shape[1], 0
        padded = torch.nn.functional.pad(x, [0, latency])
        parts: list[Tensor] = []
        while at < padded.shape[1]:
            end = min(at + self.daw_bs, padded.shape[1])
            if params is None:
                parts.append(self.forward(padded[:, at:end], None))
            else:
                parts.append(self.forward(padded[:, at:end], params[:, min(at, count - 1) : end]))
            at = end
        return torch.cat(parts, dim=1)[:, latency:]

    @torch.jit.export
    def set_daw_sample_rate_and_buffer_size(
        self, daw_sr: int, daw_bs: int, model_sr: int | None = None, model_bs: int | None = None
    ) -> int:
        self.model.set_sample_rate(daw_sr)
        self.model.reset()
        self.daw_bs = daw_bs
        return daw_bs

    @torch.jit.export
    def reset(self) -> bool:
        self.model.reset()
        return True

    @torch.jit.export
    def is_resampling(self) -> bool:
        return self.model.is_resampling()

    @torch.jit.export
    def calc_buffering_delay_samples(self) -> int:
        return 0

    @torch.jit.export
    def calc_model_delay_samples(self) -> int:
        return self.model.latency_samples()

    @torch.jit.export
    def is_input_mono(self) -> bool:
        return self.model.channels == 1

    @torch.jit.export
    def is_output_mono(self) -> bool:
        return self.model.channels == 1

    @torch.jit.export
    def get_native_sample_rates(self) -> list[int]:
        return self.model.rates

    @torch.jit.export
    def get_native_buffer_sizes(self) -> list[int]:
        any_size: list[int] = []
        return any_size

    @torch.jit.export
    def get_wet_default_value(self) -> float:
        return 1.0

    @torch.jit.export
    def get_dry_default_value(self) -> float:
        return 0.0

    @torch.jit.export
    def get_input_gain_default_value(self) -> float:
        return 0.5

    @torch.jit.export
    def get_output_gain_default_value(self) -> float:
        return 0.5

    @torch.jit.export
    def get_default_param_values(self) -> Tensor:
        return self.defaults

    @torch.jit.export
    def get_numerical_params_default_values_0to1(self) -> Tensor:
        return self.defaults

    @torch.jit.export
    def get_neutone_parameters_metadata(
        self,
    ) -> dict[str, dict[str, int | float | str | bool | list[str] | list[int]]]:
        told: dict[str, dict[str, int | float | str | bool | list[str] | list[int]]] = {}
        for key, texts in self.texts.items():
            one: dict[str, int | float | str | bool | list[str] | list[int]] = {
                "name": texts[0],
                "description": texts[1],
                "default_value": self.values[key],
                "used": True,
                "type": "continuous",
                "min_value": 0.0,
                "max_value": 1.0,
            }
            told[key] = one
        return told

    @torch.jit.export
    def to_metadata(self) -> dict[str, Any]:
        mono = self.model.channels == 1
        links: dict[str, str] = {}
        return {
            "model_name": self.names[0],
            "model_authors": self.authors,
            "model_short_description": self.names[1],
            "model_long_description": self.names[2],
            "neutone_parameters": self.get_neutone_parameters_metadata(),
            "wet_default_value": 1.0,
            "dry_default_value": 0.0,
            "input_gain_default_value": 0.5,
            "output_gain_default_value": 0.5,
            "technical_description": self.names[3],
            "technical_links": links,
            "tags": self.tags,
            "model_version": self.names[4],
            "sdk_version": self.names[5],
            "pytorch_version": self.names[6],
            "date_created": self.created,
            "citation": self.names[7],
            "is_experimental": False,
            "is_input_mono": mono,
            "is_output_mono": mono,
            "model_type": "mono-mono" if mono else "stereo-stereo",
            "native_buffer_sizes": self.get_native_buffer_sizes(),
            "native_sample_rates": self.model.rates,
            "look_behind_samples": 0,
        }

    @torch.jit.export
    def get_metadata_json(self) -> str:
        return self.as_json

    @torch.jit.export
    def about(self) -> str:
        return self.model.about()

    @torch.jit.export
    def get_preserved_attributes(self) -> list[str]:
        return [
            "model",
            "forward",
            "forward_offline",
            "is_input_mono",
            "is_output_mono",
            "get_native_sample_rates",
            "get_native_buffer_sizes",
            "is_resampling",
            "calc_buffering_delay_samples",
            "calc_model_delay_samples",
            "set_daw_sample_rate_and_buffer_size",
            "reset",
            "get_preserved_attributes",
            "to_metadata",
            "get_metadata_json",
            "get_wet_default_value",
            "get_dry_default_value",
            "get_default_param_values",
            "get_input_gain_default_value",
            "get_output_gain_default_value",
        ]


def _position(knob: NeutoneKnob) -> float:
    if knob.logarithmic:
        return math.log(knob.default / knob.low) / math.log(knob.high / knob.low)
    return (knob.default - knob.low) / (knob.high - knob.low)


def scripted_neutone(
    model: ExportedStylizer, knobs: Sequence[NeutoneKnob], *, name: str, authors: Sequence[str], version: str
) -> tuple[Any, bytes]:
    """Return the module that Neutone loads, and what its `metadata.json` says."""
    texts = {
        "model_name": name[:30],
        "model_short_description": f"Plays what comes in in the style of {name}"[:150],
        "model_long_description": "Style transfer in real time: timbre and texture come from a clip, the course of "
        "the sound from you.",
        "technical_description": "Optimal transport and Gram descent on log spectra, with the style's own phase. "
        "Made with Gramophone; nothing is trained.",
        "model_version": version,
        "sdk_version": SDK_VERSION,
        "pytorch_version": torch.__version__,
        "citation": "",
    }
    module = Neutone(
        model,
        knobs,
        {
            **{key: str(value) for key, value in texts.items()},
            "model_authors": list(dict.fromkeys(authors))[:5],
            "tags": ["style transfer"],
            "date_created": time.time(),
        },
    )
    scripted = torch.jit.script(module)
    return scripted, json.dumps({**scripted.to_metadata(), "sample_sound_files": []}, indent=1).encode()
