import pytest
import torch

from gramophone.models.gram import (
    centre,
    dipani_loss,
    gatys_content_loss,
    gatys_style_loss,
    gram,
    gram_by_blocks,
    moments,
    squared_gram_difference,
    ulyanov_loss,
)

# Two filters, two frames; a tiny case that can be worked by hand.
F = torch.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=torch.float64)
P = torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
# F Fᵀ = [[5, 6], [6, 9]];  P Pᵀ = [[1, 1], [1, 2]];  difference [[4, 5], [5, 7]], squares 16 + 25 + 25 + 49 = 115
SQUARES = 115.0


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_by_hand() -> None:
    torch.testing.assert_close(gram(F), torch.tensor([[2.5, 3.0], [3.0, 4.5]], dtype=torch.float64))


def test_gatys_losses_by_hand() -> None:
    # ½ (0 + 4 + 1 + 4)
    assert float(gatys_content_loss(F, P)) == pytest.approx(4.5)
    # 115 / (4 · 2² · 2²)
    assert float(gatys_style_loss(F, P)) == pytest.approx(SQUARES / 64.0)


def test_ulyanov_loss_by_hand() -> None:
    # Gram matrices divided by 2 frames: 115 / 4; content (0 + 4 + 1 + 4) · α
    assert float(ulyanov_loss(F, P, P, alpha=1e-2)) == pytest.approx(0.09 + SQUARES / 4.0)


def test_dipani_loss_by_hand() -> None:
    # Gram matrices divided by 2 · 2, weight 2500 on them, mean over 4 entries
    assert float(dipani_loss(F, P, weight=2500.0)) == pytest.approx(2500.0**2 * SQUARES / 16.0 / 4.0)


@pytest.mark.parametrize("filters", [3, 40])
def test_the_difference_of_gram_matrices_is_the_same_by_filters_and_by_frames(filters: int) -> None:
    features, style = draw(filters, 12, seed=0), draw(filters, 9, seed=1)
    expected = (gram(features) - gram(style)).square().sum()
    torch.testing.assert_close(squared_gram_difference(features, style), expected)


@pytest.mark.parametrize(
    "name", ["gatys_content", "gatys_style", "ulyanov", "dipani", "difference by frames"]
)
def test_gradients_agree_with_finite_differences(name: str) -> None:
    x, other, style = draw(6, 5, seed=0), draw(6, 5, seed=1), draw(6, 4, seed=2)
    losses = {
        "gatys_content": lambda f: gatys_content_loss(f, other),
        "gatys_style": lambda f: gatys_style_loss(f, other),
        "ulyanov": lambda f: ulyanov_loss(f, other, style),
        "dipani": lambda f: dipani_loss(f, style, weight=25.0),
        "difference by frames": lambda f: squared_gram_difference(f.mT[:, :2], style.mT[:4, :2]),
    }
    if name == "difference by frames":
        x, style = draw(2, 5, seed=0), draw(4, 5, seed=2)
        losses[name] = lambda f: squared_gram_difference(f.mT, style.mT[:, :2])
    assert torch.autograd.gradcheck(losses[name], (x.requires_grad_(),))


@pytest.mark.parametrize("sizes", [[100], [1] * 100, [33, 33, 34], [99, 1]])
def test_gram_by_blocks_is_gram_at_once(sizes: list[int]) -> None:
    features = draw(7, 100, seed=0)
    blocks = gram_by_blocks(features.split(sizes, dim=-1))
    torch.testing.assert_close(blocks.gram, gram(features))
    torch.testing.assert_close(blocks.mean, features.mean(dim=-1))
    torch.testing.assert_close(blocks.centred, gram(centre(features)))


def test_no_blocks_are_an_error() -> None:
    with pytest.raises(ValueError, match="no blocks"):
        gram_by_blocks([])


def test_an_equaliser_on_features_changes_gram_but_not_centred_gram() -> None:
    features = draw(7, 50, seed=0)
    shifted = moments(features + 3.0)
    torch.testing.assert_close(shifted.centred, moments(features).centred)
    assert float((shifted.gram - gram(features)).norm()) > 1.0
