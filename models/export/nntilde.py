"""The stylizer as nn~ calls it, in Max and Pure Data. TorchScript.

The interface is that of nn~ 1.6, written out: its SDK is not needed to make a file.
"""

# ruff: noqa: ARG002, D102 (what nn~ calls, and with what, is not ours)
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from .stream import ExportedStylizer

# What a number is to nn~.
_WHOLE, _FLOAT = 1, 2


class NnTilde(nn.Module):
    """What nn~ calls: methods on [batch, channels, samples], and an attribute for each knob.

    Of several batches (mc.nn~) the first is played; the others are silent.
    """

    def __init__(self, model: ExportedStylizer) -> None:
        super().__init__()
        self.model = model
        self.channels = model.channels
        self.methods = ["forward"] if model.channels == 1 else ["forward", "mono"]
        self.attributes = [*model.names, "rate", "latency"]
        for method, channels in zip(self.methods, (model.channels, 1), strict=False):
            # Channels and ratio of the input, and of the output.
            self.register_buffer(f"{method}_params", torch.tensor([channels, 1, channels, 1]))
            for side in ("input", "output"):
                names = ["mono"] if channels == 1 else ["left", "right"]
                setattr(self, f"{method}_{side}_labels", [f"(signal) {side} {name}" for name in names])
        for name in self.attributes:
            kind = _FLOAT if name in model.names else _WHOLE
            self.register_buffer(f"{name}_params", torch.tensor([kind]))

    def forward(self, x: Tensor) -> Tensor:
        out = torch.zeros_like(x)
        out[0] = self.model(x[0])
        return out

    @torch.jit.export
    def mono(self, x: Tensor) -> Tensor:
        return self.forward(x)

    @torch.jit.export
    def get_methods(self) -> list[str]:
        return self.methods

    @torch.jit.export
    def get_attributes(self) -> list[str]:
        return self.attributes

    @torch.jit.export
    def get_buffer_attributes(self) -> list[str]:
        none: list[str] = []
        return none

    @torch.jit.export
    def set_buffer_attribute(self, buffer_name: str, buffer: Tensor, sr: int) -> int:
        return -1

    @torch.jit.export
    def clear_buffer_attribute(self, buffer_name: str) -> None:
        pass

    @torch.jit.export
    def is_buffer_empty(self, buffer_name: str) -> bool:
        return True

    @torch.jit.export
    def set_sample_rate(self, sample_rate: int | None) -> None:
        if sample_rate is not None:
            self.model.set_sample_rate(sample_rate)

    @torch.jit.export
    def get_sample_rate(self) -> int:
        return self.model.sample_rate()

    @torch.jit.export
    def get_rate(self) -> tuple[int]:
        return (self.model.sample_rate(),)

    @torch.jit.export
    def set_rate(self, rate: int) -> int:
        # Where it is no rate, nn~ prints that the setter failed.
        return 0 if self.model.set_sample_rate(rate) else -1

    @torch.jit.export
    def get_latency(self) -> tuple[int]:
        return (self.model.latency_samples(),)

    @torch.jit.export
    def set_latency(self, latency: int) -> int:
        return 0 if latency == self.model.latency_samples() else -1

    @torch.jit.export
    def about(self) -> str:
        return self.model.about()


# nn~ finds a knob by the names of its methods, and TorchScript makes methods of text.
_KNOB = """
def get_{name}(self) -> Tuple[float]:
    return (self.model.get("{name}"),)

def set_{name}(self, value: float) -> int:
    return 0 if self.model.set("{name}", value) else -1
"""


def scripted_nntilde(model: ExportedStylizer) -> Any:
    """Return the module that nn~ loads."""
    scripted = torch.jit.script(NnTilde(model))
    for name in model.names:
        scripted.define(_KNOB.format(name=name))
    return scripted
