"""The noise from which an optimisation starts."""

from __future__ import annotations

import torch
from torch import Tensor

# Log-magnitude of soft noise, as in the code of Ulyanov and Lebedev 2016: far below anything that is heard.
_SOFT = 1e-3


def soft_noise(like: Tensor, *, generator: torch.Generator) -> Tensor:
    """Noise near silence, of the shape of `like` [bins, frames]; the generator is on the CPU.

    Whatever the network does not measure stays as it is at the start; from loud noise, that would be loud noise.
    """
    return _SOFT * torch.randn(like.shape, generator=generator).to(like)


def white_noise(shape: torch.Size, like: Tensor, *, generator: torch.Generator) -> Tensor:
    """White noise: the same normal distribution in every bin, cut at 0, below which there is no log-magnitude.

    Args:
        shape: of the result, [bins, frames]
        like: Tensor [bins, frames of its own], whose mean and standard deviation over everything the noise has
        generator: on the CPU
    """
    noise = torch.randn(shape, generator=generator).to(like)
    return (like.mean() + like.std() * noise).clamp_min(0.0)
