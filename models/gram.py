"""Gram matrices of features, and the losses that the published work builds on them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor


def gram(features: Tensor) -> Tensor:
    """Gram matrix `G = F Fᵀ / T` of features [filters, frames], [filters, filters].

    The mean over time rather than the sum, so that sounds of different length can be compared
    (Ulyanov and Lebedev 2016).
    """
    return features @ features.mT / features.shape[-1]


def centre(features: Tensor) -> Tensor:
    """Features [filters, frames] without their mean over time, which an equaliser could change."""
    return features - features.mean(dim=-1, keepdim=True)


class Moments(NamedTuple):
    """Gram matrix [..., filters, filters] and mean [..., filters] of features: raw and centred matrices both follow."""

    gram: Tensor
    mean: Tensor

    @property
    def centred(self) -> Tensor:
        """Gram matrix of the centred features: E[f fᵀ] - E[f] E[f]ᵀ, the covariance."""
        return self.gram - self.mean[..., :, None] * self.mean[..., None, :]


def gram_by_blocks(blocks: Iterable[Tensor]) -> Moments:
    """Moments of features that come in blocks [filters, frames of this block], in bounded memory.

    The Gram matrix is a sum over time, so the blocks' sums add up to exactly the whole's.
    """
    total: Tensor | None = None
    first: Tensor | None = None
    frames = 0
    for block in blocks:
        if total is None or first is None:
            total, first = torch.zeros_like(block @ block.mT), torch.zeros_like(block[:, 0])
        total += block @ block.mT
        first += block.sum(dim=-1)
        frames += block.shape[-1]
    if total is None or first is None:
        raise ValueError("no blocks: there is nothing to take the Gram matrix of")
    return Moments(total / frames, first / frames)


def moments(features: Tensor) -> Moments:
    """Gram matrix and mean over time of features [filters, frames]."""
    return Moments(gram(features), features.mean(dim=-1))


def gatys_content_loss(features: Tensor, content: Tensor) -> Tensor:
    """½ Σ (F - P)² (Gatys, Ecker and Bethge 2016, eq. 1); F and P of equal shape."""
    return 0.5 * (features - content).square().sum()


def squared_gram_difference(features: Tensor, style: Tensor) -> Tensor:
    """Σ (G - A)² of the Gram matrices G = F Fᵀ / T and A = P Pᵀ / T_s, a scalar.

    A squared norm of Gram matrices needs no Gram matrix: ‖F Fᵀ‖² = ‖Fᵀ F‖² and ⟨F Fᵀ, P Pᵀ⟩ = ‖Fᵀ P‖², so that

        Σ (G - A)² = ‖Fᵀ F‖² / T² - 2 ‖Fᵀ P‖² / (T T_s) + ‖Pᵀ P‖² / T_s²,

    products of frames with frames. Where there are fewer frames than filters, as in the published recipes, this is
    the same number several times sooner.

    Args:
        features, style: Tensor [filters, frames of each]
    """
    filters, frames = features.shape
    theirs = style.shape[-1]
    if frames + theirs > filters:
        return (gram(features) - gram(style)).square().sum()
    ours = (features.mT @ features).square().sum() / frames**2
    cross = (features.mT @ style).square().sum() / (frames * theirs)
    return ours - 2.0 * cross + (style.mT @ style).square().sum() / theirs**2


def gatys_style_loss(features: Tensor, style: Tensor) -> Tensor:
    """Σ (G / M - A / M_s)² / (4 N²), G = F Fᵀ (Gatys, Ecker and Bethge 2016, eqs. 3 and 4).

    The paper has one size M for both images and divides by 4 N² M²; with M = M_s this is the same number.

    Args:
        features, style: Tensor [N filters, M frames of each]
    """
    return squared_gram_difference(features, style) / (4.0 * features.shape[0] ** 2)


def ulyanov_loss(features: Tensor, content: Tensor, style: Tensor, *, alpha: float = 1e-2) -> Tensor:
    """α Σ (ΔF)² + Σ (ΔG)² with G = F Fᵀ / T (Ulyanov and Lebedev 2016, their published code).

    Args:
        features, content: Tensor [filters, frames]
        style: Tensor [filters, frames of its own], the style's features
        alpha: weight of the content term
    """
    return alpha * (features - content).square().sum() + squared_gram_difference(features, style)


def dipani_loss(features: Tensor, style: Tensor, *, weight: float = 2500.0) -> Tensor:
    """Mean of (w G - w A)² over the matrix, G = F Fᵀ / (N T): the weight stands on the Gram matrices (Dipani 2018).

    Args:
        features, style: Tensor [N filters, frames of each]
        weight: w
    """
    # N² entries, and a further 1 / N in each Gram matrix.
    filters = features.shape[0]
    return weight**2 * squared_gram_difference(features, style) / filters**4
