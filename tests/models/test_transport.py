import numpy as np
import pytest
import torch

from gramophone.models import mel_bands
from gramophone.models.bands import BandStatistics, band_statistics, matrix_in_bands
from gramophone.models.mel_bands import mel_edges
from gramophone.models.transport import bin_power, energy_coupling, statistics, transport_matrix


def band_basis(bins: int, bands: int, *, highest: float) -> torch.Tensor:
    return torch.from_numpy(mel_bands.band_basis(bins, bands, highest=highest))


def frames(bins: int, count: int, seed: int) -> torch.Tensor:
    """Correlated positive frames."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(bins, bins, generator=generator, dtype=torch.float64) / bins**0.5
    return (1.0 + mix @ torch.randn(bins, count, generator=generator, dtype=torch.float64)).abs()


def transport(
    content: torch.Tensor,
    style: torch.Tensor,
    *,
    coupling: torch.Tensor | None = None,
    regularisation: float = 1e-3,
) -> torch.Tensor:
    """Move a spectrogram [bins, frames] to the mean and covariance of another; bin by bin, all of them.

    See `transport_matrix` for the parameters. Values may come out below zero or above anything that the
    style holds.
    """
    ours, theirs = statistics(content), statistics(style)
    matrix = transport_matrix(
        ours.covariance, theirs.covariance, coupling=coupling, regularisation=regularisation
    )
    moved = theirs.mean[:, None] + matrix @ (content.double() - ours.mean[:, None])
    return moved.to(content.dtype)


def transport_in_bands(
    content: torch.Tensor, style: BandStatistics, basis: torch.Tensor, *, regularisation: float = 1e-3
) -> torch.Tensor:
    """Move a spectrogram [bins, frames] by `matrix_in_bands` to a style's mean and statistics."""
    ours = statistics(content)
    matrix = matrix_in_bands(ours.covariance, style, basis, regularisation=regularisation)
    moved = style.mean[:, None] + matrix @ (content.double() - ours.mean[:, None])
    return moved.to(content.dtype)


CONTENT, STYLE = frames(12, 400, 0), frames(12, 300, 1)
POWERS = bin_power(CONTENT), bin_power(STYLE)
COUPLING = energy_coupling(*POWERS, energy=5.0, bands=5.0, count=4)


@pytest.mark.parametrize("coupling", [None, COUPLING], ids=["least move", "coupled"])
def test_mean_and_covariance_arrive_exactly(coupling: torch.Tensor | None) -> None:
    moved = statistics(transport(CONTENT, STYLE, coupling=coupling, regularisation=1e-9))
    wanted = statistics(STYLE)
    torch.testing.assert_close(moved.mean, wanted.mean)
    torch.testing.assert_close(moved.covariance, wanted.covariance, rtol=1e-5, atol=1e-6)


def test_without_coupling_the_map_is_symmetric_positive_and_the_identity_between_equals() -> None:
    ours, theirs = statistics(CONTENT).covariance, statistics(STYLE).covariance
    matrix = transport_matrix(ours, theirs)
    torch.testing.assert_close(matrix, matrix.mT)
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0.0
    eye = torch.eye(12, dtype=torch.float64)
    torch.testing.assert_close(transport_matrix(ours, ours), eye, rtol=0.0, atol=1e-7)


def test_identity_coupling_is_no_coupling() -> None:
    ours, theirs = statistics(CONTENT).covariance, statistics(STYLE).covariance
    eye = torch.eye(12, dtype=torch.float64)
    torch.testing.assert_close(transport_matrix(ours, theirs, coupling=eye), transport_matrix(ours, theirs))


def test_no_other_exact_map_moves_less() -> None:
    ours = statistics(CONTENT)
    best = (transport(CONTENT, STYLE, regularisation=1e-9) - CONTENT).square().mean()
    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        coupling = torch.eye(12, dtype=torch.float64) + 0.5 * torch.randn(
            12, 12, generator=generator, dtype=torch.float64
        )
        other = transport(CONTENT, STYLE, coupling=coupling, regularisation=1e-9)
        torch.testing.assert_close(
            statistics(other).covariance, statistics(STYLE).covariance, rtol=1e-5, atol=1e-6
        )
        assert float((other - CONTENT).square().mean()) > float(best)
    assert ours.mean.shape == (12,)


def test_coupling_ties_the_energies_together() -> None:
    def energy(spectrogram: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        weights = torch.expm1(of).square().mean(dim=-1)
        return weights @ spectrogram

    def tie(coupling: torch.Tensor | None) -> float:
        moved = transport(CONTENT, STYLE, coupling=coupling)
        return float(torch.corrcoef(torch.stack([energy(CONTENT, CONTENT), energy(moved, STYLE)]))[0, 1])

    assert tie(energy_coupling(*POWERS, energy=50.0, bands=0.0)) > max(tie(None), 0.9)


def test_fewer_frames_than_bins_give_finite_numbers() -> None:
    few = frames(12, 5, 2)
    assert bool(torch.isfinite(transport(few, STYLE)).all())
    assert bool(torch.isfinite(transport(CONTENT, few, coupling=COUPLING)).all())
    still = torch.ones(12, 30, dtype=torch.float64)
    assert bool(torch.isfinite(transport(still, STYLE)).all())


def test_mel_edges_cover_all_bins_and_widen() -> None:
    edges = mel_edges(1025, 24, highest=22050.0)
    assert float(edges[0]) == 0.0
    assert float(edges[-1]) == pytest.approx(1024.0)
    assert (np.diff(edges, 2) > 0.0).all()


@pytest.mark.parametrize("bands", [24, 64, 96, 128])
def test_band_basis_is_orthonormal(bands: int) -> None:
    basis = band_basis(1025, bands, highest=22050.0)
    assert bands // 2 < basis.shape[1] <= bands
    eye = torch.eye(basis.shape[1], dtype=torch.float64)
    torch.testing.assert_close(basis.mT @ basis, eye, rtol=0.0, atol=1e-9)


def test_in_bands_mean_and_band_covariance_arrive_exactly() -> None:
    basis = band_basis(64, 12, highest=22050.0)
    content, style = frames(64, 500, 4), frames(64, 400, 5)
    wanted = band_statistics(style, basis)
    moved = band_statistics(transport_in_bands(content, wanted, basis, regularisation=1e-9), basis)
    torch.testing.assert_close(moved.mean, wanted.mean)
    torch.testing.assert_close(moved.covariance, wanted.covariance, rtol=1e-4, atol=1e-6)


def test_the_matrix_in_bands_is_its_formula() -> None:
    basis = band_basis(64, 12, highest=22050.0)
    content, style = statistics(frames(64, 500, 4)).covariance, band_statistics(frames(64, 400, 5), basis)
    outside = torch.eye(64, dtype=torch.float64) - basis @ basis.mT
    rest = (outside @ content @ outside).diagonal().sqrt()
    between = transport_matrix(basis.mT @ content @ basis, style.covariance)
    wanted = basis @ between @ basis.mT + (outside * (style.rest / rest).clamp_max(10.0)) @ outside
    torch.testing.assert_close(matrix_in_bands(content, style, basis), wanted)


def test_in_bands_too_loudness_follows() -> None:
    basis = band_basis(64, 12, highest=22050.0)
    content, style = frames(64, 500, 4), frames(64, 400, 5)
    powers = bin_power(content), bin_power(style)
    coupling = energy_coupling(*powers, energy=50.0, bands=0.0)

    def tie(coupling: torch.Tensor | None) -> float:
        matrix = matrix_in_bands(
            statistics(content).covariance, band_statistics(style, basis), basis, coupling=coupling
        )
        followed = (powers[0] @ content, powers[1] @ (matrix @ content))
        return float(torch.corrcoef(torch.stack(followed))[0, 1])

    assert tie(coupling) > max(tie(None), 0.8)


def test_rounding_below_zero_is_no_failure() -> None:
    content = statistics(CONTENT).covariance
    # Less than nothing in one direction, as sums in 32 bits may leave it.
    values, vectors = torch.linalg.eigh(content)
    values[0] = -1e-4 * values[-1]
    spoilt = (vectors * values) @ vectors.mT
    matrix = transport_matrix(spoilt, statistics(STYLE).covariance, regularisation=1e-6)
    assert bool(torch.isfinite(matrix).all())
    kept = vectors[:, 1:] @ vectors[:, 1:].mT
    moved = matrix @ spoilt @ matrix.mT
    assert float((kept @ moved @ kept).diagonal().min()) > 0.0
