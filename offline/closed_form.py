"""The closed form as the recipes use it: transport, the style's distribution, and silence where the content has it."""

from __future__ import annotations

import torch
from torch import Tensor

from dsp.stft import expand
from models.bands import band_basis, band_statistics, transport_in_bands
from models.transport import energy_coupling, match_distribution, transport
from offline.recipes import Transport

# Frames of the content below this level, full scale, are silence; 10 dB above it they count in full.
SILENCE_DB = -80.0


def transport_frames(current: Tensor, style: Tensor, settings: Transport, *, coupled: bool = True) -> Tensor:
    """Move log-magnitudes to a style's statistics and distribution.

    Parameters
    ----------
    current : Tensor [bins, frames]
    style : Tensor [bins, frames of its own]
    settings : the recipe's
    coupled : whether the style's loudness shall follow that of `current`; otherwise the map moves least

    Returns
    -------
    Tensor [bins, frames of `current`], none below zero
    """
    bins, highest = current.shape[0], settings.sample_rate / 2
    if settings.bands:
        basis = band_basis(bins, settings.bands, highest=highest).to(current.device)
        moved = transport_in_bands(
            current, band_statistics(style, basis), basis, regularisation=settings.regularisation
        )
    else:
        coupling = None
        if coupled:
            coupling = energy_coupling(
                current, style, energy=settings.energy_coupling, bands=settings.band_coupling, highest=highest
            )
        moved = transport(current, style, coupling=coupling, regularisation=settings.regularisation)
    return match_distribution(moved, style, amount=settings.distribution)


def sounding(content: Tensor) -> Tensor:
    """1 where a frame of log-magnitudes [bins, frames] sounds, 0 where it is silent, [frames].

    Multiplied with what the style makes of the frames, it keeps rests from being filled.
    """
    level = 10.0 * torch.log10(expand(content).square().sum(dim=0) + 1e-12)
    return ((level - SILENCE_DB) / 10.0).clamp(0.0, 1.0)
