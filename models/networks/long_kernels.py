"""Random convolutions over time with kernels of up to thousands of frames, computed in the Fourier domain.

A filter of k frames costs k products a frame and bin if it is computed as written. In blocks of 2 k frames it costs
about four, whatever k is (overlap-save; Oppenheim and Schafer, Discrete-time signal processing, section 8.7.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .features import FeatureNetwork, random_network

# From this width on the Fourier domain is quicker.
_LONG = 16
# Filters whose transform is taken at once: the kernels themselves are never all in memory.
_DRAWN_AT_ONCE = 16


@dataclass(frozen=True)
class LongNetwork:
    """One layer `F = relu(W * S)` whose filters are known by their spectra.

    Attributes:
        spectra: Tensor [size // 2 + 1 rates, filters, bins], complex conjugates of the filters' transforms
        kernel: frames that each filter sees
        size: frames of a block, at least 2 `kernel`
    """

    spectra: Tensor
    kernel: int
    size: int

    def to(self, device: torch.device) -> LongNetwork:
        """The same network on a device."""
        return LongNetwork(self.spectra.to(device), self.kernel, self.size)

    def __call__(self, spectrogram: Tensor) -> Tensor:
        """Features [filters, frames - kernel + 1] of a spectrogram [bins, frames].

        A spectrogram shorter than the kernel is followed by silence up to the kernel's length.
        """
        frames = max(spectrogram.shape[-1], self.kernel)
        step = self.size - self.kernel + 1
        wanted = frames - self.kernel + 1
        blocks = -(-wanted // step)
        missing = blocks * step + self.kernel - 1 - spectrogram.shape[-1]
        pieces = functional.pad(spectrogram, (0, missing)).unfold(-1, self.size, step)
        # [bins, blocks, rates] to [rates, bins, blocks]: one product of matrices for each rate.
        passed = self.spectra @ torch.fft.rfft(pieces).permute(2, 0, 1)
        features: Tensor = torch.fft.irfft(passed.permute(1, 2, 0), n=self.size)[..., :step]
        return features.flatten(1)[:, :wanted].relu()


def draw_layer(
    bins: int, *, filters: int, kernel: int, generator: torch.Generator
) -> FeatureNetwork | LongNetwork:
    """Draw one layer with ReLU; weights are normal with variance 1 / (bins kernel), as `random_network`'s `unit`.

    Args:
        bins: frequency bins of the spectrograms it will see
        filters: number of filters
        kernel: frames that each sees
        generator: on the CPU
    """
    if kernel < _LONG:
        return random_network(bins, filters=filters, kernel=kernel, relu=True, generator=generator)
    size = 2 * kernel
    spectra = torch.empty(size // 2 + 1, filters, bins, dtype=torch.complex64)
    for first in range(0, filters, _DRAWN_AT_ONCE):
        some = min(_DRAWN_AT_ONCE, filters - first)
        weight = torch.randn(some, bins, kernel, generator=generator) / (bins * kernel) ** 0.5
        spectra[:, first : first + some] = torch.fft.rfft(weight, n=size).conj().permute(2, 0, 1)
    return LongNetwork(spectra, kernel, size)
