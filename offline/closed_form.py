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


def transport_frames(content: Tensor, style: Tensor, settings: Transport) -> Tensor:
    """Move the log-magnitudes of a content to a style's statistics.

    Parameters
    ----------
    content : Tensor [bins, frames]
    style : Tensor [bins, frames of its own]
    settings : the recipe's

    Returns
    -------
    Tensor [bins, frames of the content], none below zero
    """
    bins, highest = content.shape[0], settings.sample_rate / 2
    if settings.bands:
        basis = band_basis(bins, settings.bands, highest=highest).to(content.device)
        moved = transport_in_bands(
            content, band_statistics(style, basis), basis, regularisation=settings.regularisation
        )
    else:
        coupling = energy_coupling(
            content, style, energy=settings.energy_coupling, bands=settings.band_coupling, highest=highest
        )
        moved = transport(content, style, coupling=coupling, regularisation=settings.regularisation)
    matched = match_distribution(moved, style, amount=settings.distribution)
    return matched * _sounding(content)


def _sounding(content: Tensor) -> Tensor:
    """1 where a frame of the content sounds, 0 where it is silent, [frames]: rests are not filled with style."""
    level = 10.0 * torch.log10(expand(content).square().sum(dim=0) + 1e-12)
    return ((level - SILENCE_DB) / 10.0).clamp(0.0, 1.0)
