"""Closed-form transport: a map that gives the frames of one sound another's mean and covariance.

Many linear filters of single frames measure only the mean and covariance of a spectrogram. Every linear map that
carries covariance C_c to C_s has the form

    y = m_s + A (x - m_c),    A = C_s^{1/2} Q C_c^{-1/2},    Q orthogonal,

where Q maps the content's movements to the style's. For any coupling K the best Q for

    maximise  E[(x - m_c)ᵀ K (y - m_s)] = tr(K C_s^{1/2} Q C_c^{1/2})

is the orthogonal polar factor of (C_c^{1/2} K C_s^{1/2})ᵀ (orthogonal Procrustes: Schönemann 1966).

- K = I is the optimal transport between two Gaussians, the map that moves the frames least in mean square,
  A = C_c^{-1/2} (C_c^{1/2} C_s C_c^{1/2})^{1/2} C_c^{-1/2} (Knott and Smith 1984; Peyré and Cuturi 2019, remark 2.31).
- It gives every bin the same weight, though few of them hold a sound's energy. If content and style have theirs in
  different bins, the output's loudness may be unrelated to the content's. `energy_coupling` adds terms to K that tie
  the movement of the content's energy to that of the style's, in total and in bands. Mean and covariance are met as
  exactly; only the choice among the maps changes.

Log-magnitudes are not Gaussian: they are never negative, and have an upper end that a Gaussian's tail passes, where the
exponential turns it into blasts. `offline.transport.closed_form.Curves` corrects this bin by bin.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..dsp.stft import expand
from .mel_bands import mel_edges


@dataclass(frozen=True)
class Statistics:
    """Mean [bins] and covariance [bins, bins] of the frames of a spectrogram, float64."""

    mean: Tensor
    covariance: Tensor


def statistics(frames: Tensor) -> Statistics:
    """Mean and covariance over time of a spectrogram [bins, frames]."""
    frames = frames.double()
    mean = frames.mean(dim=-1)
    centred = frames - mean[:, None]
    return Statistics(mean, centred @ centred.mT / frames.shape[-1])


def transport_matrix(
    content: Tensor, style: Tensor, *, coupling: Tensor | None = None, regularisation: float = 1e-3
) -> Tensor:
    """The map A that carries covariance `content` to covariance `style`.

    The roots of the module's text may be any factors, C_c = M Mᵀ and C_s = L Lᵀ: with A = L Q M⁻¹ the covariance is met
    for each orthogonal Q, and tr(K A C_c) = tr(K L Q Mᵀ) is largest where Q is the polar factor of Lᵀ Kᵀ M. Which
    factors they are makes no difference to A. Triangular ones (Cholesky) cost a tenth of a symmetric root.

    Args:
        content, style: Tensor [n, n], covariances
        coupling: Tensor [n, n], K of the module's text; None is the identity, the map that moves least
        regularisation: how much of the content's mean variance is added to both diagonals, so that directions in
            which the content has nothing (it may have fewer frames than bins) are not blown up

    Returns:
        Tensor [n, n]; `A C_c Aᵀ = C_s` up to the regularisation. Symmetric and positive where K is the identity.
    """
    extra = regularisation * float(content.diagonal().mean().clamp_min(1e-12))
    eye = torch.eye(content.shape[0], dtype=content.dtype, device=content.device)
    ours, theirs = (_triangular(matrix + extra * eye, extra) for matrix in (content, style))
    inner = theirs.mT @ (ours if coupling is None else coupling.mT @ ours)
    # The polar factor X (Xᵀ X)^{-1/2}, in half the time of a singular value decomposition.
    values, vectors = torch.linalg.eigh(inner.mT @ inner)
    shrink = values.clamp_min(1e-28 * float(values.mean())).rsqrt()
    turned = (inner @ (vectors * shrink)) @ vectors.mT
    matrix: Tensor = torch.linalg.solve_triangular(ours, theirs @ turned, upper=False, left=False)
    return (matrix + matrix.mT) / 2 if coupling is None else matrix


def _triangular(matrix: Tensor, floor: float) -> Tensor:
    """Lower triangular factor F of a symmetric positive matrix F Fᵀ."""
    factor: Tensor
    factor, failed = torch.linalg.cholesky_ex(matrix)
    if not int(failed):
        return factor
    # Rounding has left it eigenvalues below zero: they are held above `floor`, and QR makes triangles of any root.
    values, vectors = torch.linalg.eigh(matrix)
    factor = torch.linalg.qr((vectors * values.clamp_min(floor).sqrt()).mT).R.mT
    return factor


def energy_coupling(
    content: Tensor, style: Tensor, *, energy: float, bands: float, count: int = 24, highest: float = 22050.0
) -> Tensor:
    """Coupling K = I + energy · d_c d_sᵀ + bands · Σ_b d_c,b d_s,bᵀ.

    d is the direction in which log-magnitudes move when all the sound grows: each bin weighed by its mean power,
    of unit length; d_b the same within band b.

    Args:
        content, style: Tensor [bins], mean power of each bin, see `bin_power`
        energy, bands: weights; 0 leaves the term out
        count: bands
        highest: Hz, of the last bin
    """
    size = content.shape[0]
    edges = torch.from_numpy(mel_edges(size, count, highest=highest))
    places = torch.arange(size, dtype=torch.float64)
    inside = ((places >= edges[:-1, None]) & (places < edges[1:, None])).double()
    windows = torch.cat([torch.ones(1, size, dtype=torch.float64), inside]).to(content.device)
    weights = torch.tensor([energy] + [bands] * count, dtype=torch.float64, device=content.device)
    # A band can fall between two bins, and a sound can have nothing in one: no direction, no tie.
    ours, theirs = (
        torch.nn.functional.normalize(windows * power, dim=-1, eps=1e-300) for power in (content, style)
    )
    eye = torch.eye(size, dtype=torch.float64, device=content.device)
    coupling: Tensor = torch.addmm(eye, (weights[:, None] * ours).mT, theirs)
    return coupling


def bin_power(frames: Tensor) -> Tensor:
    """Mean power [bins], float64, over the frames of a log-magnitude spectrogram [bins, frames]."""
    return expand(frames).double().square().mean(dim=-1)
