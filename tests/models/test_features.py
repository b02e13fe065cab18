import math

import pytest
import torch

from gramophone.models.networks.features import FeatureNetwork, random_network


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_features_are_the_sum_over_bins_and_frames_worked_by_hand() -> None:
    spectrogram = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]])
    weight = torch.tensor([[[1.0, -1.0], [2.0, 0.5]], [[-1.0, 0.0], [0.0, 1.0]]])
    # f0(t) = x0(t) - x0(t+1) + 2 x1(t) + x1(t+1) / 2;  f1(t) = -x0(t) + x1(t+1)
    expected = torch.tensor([[1 - 2 + 0 + 0.5, 2 - 3 + 2 + 0], [-1 + 1.0, -2 + 0.0]])
    torch.testing.assert_close(FeatureNetwork(weight)(spectrogram), expected)
    torch.testing.assert_close(FeatureNetwork(weight, relu=True)(spectrogram), expected.relu())
    bias = torch.tensor([10.0, 20.0])
    torch.testing.assert_close(FeatureNetwork(weight, bias)(spectrogram), expected + bias[:, None])
    assert FeatureNetwork(weight, padding=1)(spectrogram).shape == (2, 4)


@pytest.mark.parametrize("kernel", [1, 3, 11])
@pytest.mark.parametrize("frames", [1, 2, 30])
def test_a_spectrogram_shorter_than_the_kernel_is_followed_by_silence(kernel: int, frames: int) -> None:
    network = random_network(9, filters=4, kernel=kernel, generator=generator())
    spectrogram = torch.rand(9, frames, generator=generator(1))
    features = network(spectrogram)
    assert features.shape == (4, max(frames - kernel + 1, 1))
    longer = torch.nn.functional.pad(spectrogram, (0, 20))
    torch.testing.assert_close(network(longer)[:, : features.shape[-1]], features)


def test_initialisations_have_the_published_scales() -> None:
    bins, filters, kernel = 200, 300, 11

    def draw(init: str) -> FeatureNetwork:
        return random_network(bins, filters=filters, kernel=kernel, init=init, generator=generator())  # type: ignore[arg-type]

    ulyanov = draw("ulyanov2016").weight
    expected = math.sqrt(2.0) * math.sqrt(2.0 / ((bins + filters) * kernel))
    assert float(ulyanov.std()) == pytest.approx(expected, rel=0.01)
    assert float(draw("unit").weight.std()) == pytest.approx((bins * kernel) ** -0.5, rel=0.01)

    torch.manual_seed(0)
    reference = torch.nn.Conv1d(bins, filters, kernel)
    ours = draw("torch")
    assert ours.bias is not None
    assert reference.bias is not None
    bound = (bins * kernel) ** -0.5
    for mine, theirs in ((ours.weight, reference.weight), (ours.bias, reference.bias)):
        assert float(mine.abs().max()) <= bound
        assert float(mine.std()) == pytest.approx(float(theirs.detach().std()), rel=0.15)


def test_the_same_seed_draws_the_same_network() -> None:
    draws = [random_network(5, filters=3, kernel=3, generator=generator(s)).weight for s in (4, 4, 5)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
