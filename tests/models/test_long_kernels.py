import pytest
import torch
from torch.nn import functional

from gramophone.models.networks.features import FeatureNetwork
from gramophone.models.networks.long_kernels import LongNetwork, draw_layer


@pytest.mark.parametrize("kernel", [16, 37, 64])
@pytest.mark.parametrize("frames", [64, 100, 333])
def test_long_layers_are_the_convolutions_they_stand_for(kernel: int, frames: int) -> None:
    layer = draw_layer(9, filters=5, kernel=kernel, generator=torch.Generator().manual_seed(0))
    assert isinstance(layer, LongNetwork)
    weight = torch.fft.irfft(layer.spectra.conj().permute(1, 2, 0), n=layer.size)
    # The filters are as long as they say, and silence follows.
    assert float(weight[..., kernel:].abs().max()) < 1e-6
    spectrogram = torch.rand(9, frames, generator=torch.Generator().manual_seed(1))
    expected = functional.conv1d(spectrogram[None], weight[..., :kernel])[0].relu()
    torch.testing.assert_close(layer(spectrogram), expected, rtol=1e-4, atol=1e-5)


def test_gradients_are_those_of_the_convolution() -> None:
    layer = draw_layer(4, filters=3, kernel=20, generator=torch.Generator().manual_seed(0))
    assert isinstance(layer, LongNetwork)
    weight = torch.fft.irfft(layer.spectra.conj().permute(1, 2, 0), n=layer.size)[..., :20]
    first, second = (
        torch.rand(4, 70, generator=torch.Generator().manual_seed(2)).requires_grad_() for _ in range(2)
    )
    layer(first).square().sum().backward()
    functional.conv1d(second[None], weight).relu().square().sum().backward()
    assert first.grad is not None
    torch.testing.assert_close(first.grad, second.grad, rtol=1e-4, atol=1e-5)


def test_features_have_the_scale_of_their_input_whatever_the_width() -> None:
    spectrogram = torch.randn(50, 600, generator=torch.Generator().manual_seed(3))
    for kernel in (2, 8, 16, 128):
        layer = draw_layer(50, filters=40, kernel=kernel, generator=torch.Generator().manual_seed(4))
        assert isinstance(layer, LongNetwork if kernel >= 16 else FeatureNetwork)
        features = layer(spectrogram)
        assert features.shape == (40, 600 - kernel + 1)
        # Half of a normal distribution has half its power.
        assert float(features.square().mean()) == pytest.approx(0.5, rel=0.3)


def test_a_sound_shorter_than_the_kernel_is_followed_by_silence() -> None:
    for kernel in (8, 32):
        layer = draw_layer(3, filters=2, kernel=kernel, generator=torch.Generator().manual_seed(5))
        assert layer(torch.rand(3, 5)).shape == (2, 1)
