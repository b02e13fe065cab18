"""Random 1-D convolutions over time, with frequency bins as channels; their Gram matrices describe a style."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Initialisation = Literal["unit", "ulyanov2016", "torch"]


@dataclass(frozen=True)
class FeatureNetwork:
    """One convolution layer `F = W * S (+ b)`, with or without ReLU.

    Attributes:
        weight: Tensor [filters, bins, kernel]
        bias: Tensor [filters] or None
        relu: whether negative features are set to zero
        padding: frames of silence added at both ends
    """

    weight: Tensor
    bias: Tensor | None = None
    relu: bool = False
    padding: int = 0

    def to(self, device: torch.device) -> FeatureNetwork:
        """The same network on a device."""
        bias = None if self.bias is None else self.bias.to(device)
        return FeatureNetwork(self.weight.to(device), bias, self.relu, self.padding)

    @property
    def kernel(self) -> int:
        """Frames that one feature sees."""
        return int(self.weight.shape[-1])

    def __call__(self, spectrogram: Tensor) -> Tensor:
        """Features [filters, frames - kernel + 1 + 2 padding] of a spectrogram [bins, frames].

        A spectrogram shorter than the kernel is followed by silence up to the kernel's length.
        """
        missing = self.kernel - 2 * self.padding - spectrogram.shape[-1]
        if missing > 0:
            spectrogram = functional.pad(spectrogram, (0, missing))
        features = functional.conv1d(spectrogram[None], self.weight, self.bias, padding=self.padding)[0]
        return features.relu() if self.relu else features


def random_network(
    bins: int,
    *,
    filters: int,
    kernel: int,
    relu: bool = False,
    padding: int = 0,
    init: Initialisation = "unit",
    generator: torch.Generator,
) -> FeatureNetwork:
    """Draw a network.

    Args:
        bins: frequency bins of the spectrograms it will see
        filters: number of filters N
        kernel: frames k that each filter sees
        relu, padding: see `FeatureNetwork`
        init: `unit`: normal, variance 1 / (bins kernel), so that features have the scale of their input;
            `ulyanov2016`: normal with standard deviation √2 √(2 / ((bins + filters) kernel)) (Ulyanov and Lebedev
            2016, their published code); `torch`: weight and bias uniform in ±1 / √(bins kernel), the default of
            `torch.nn.Conv1d` (used by Dipani 2018)
        generator: source of randomness, on the CPU, so that every device draws the same network
    """
    fan_in = bins * kernel
    bias = None
    if init == "torch":
        bound = fan_in**-0.5
        weight = (torch.rand(filters, bins, kernel, generator=generator) * 2.0 - 1.0) * bound
        bias = (torch.rand(filters, generator=generator) * 2.0 - 1.0) * bound
    else:
        weight = torch.randn(filters, bins, kernel, generator=generator)
        weight *= fan_in**-0.5 if init == "unit" else 2.0 / ((bins + filters) * kernel) ** 0.5
    return FeatureNetwork(weight, bias, relu, padding)
