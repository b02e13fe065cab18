import math

import pytest
import torch

from gramophone.dsp.stft import S0, compress, expand, istft, log_spectrogram, power_mean, spread, stft

LAYOUTS = [(2048, 512), (1024, 256), (512, 64), (256, 64)]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("n_fft", "hop"), LAYOUTS)
@pytest.mark.parametrize("length", [1, 255, 4096, 44100])
def test_inverse_reconstructs_to_minus_120_db(n_fft: int, hop: int, length: int) -> None:
    x = 0.3 * noise(2, length)
    error = (istft(stft(x, n_fft, hop), n_fft, hop, length) - x).norm() / x.norm()
    assert 20.0 * math.log10(float(error) + 1e-12) < -120.0


@pytest.mark.parametrize(("n_fft", "hop"), LAYOUTS)
def test_a_full_scale_sine_reads_as_one_whatever_the_layout(n_fft: int, hop: int) -> None:
    # A frequency in the middle of a bin of every layout.
    t = torch.arange(16384, dtype=torch.float64)
    x = torch.sin(2.0 * torch.pi * t / 16.0)[None]
    magnitude = stft(x, n_fft, hop).abs()[0]
    middle = magnitude[:, magnitude.shape[-1] // 2]
    assert float(middle.max()) == pytest.approx(1.0, abs=1e-6)
    assert int(middle.argmax()) == n_fft // 16


def test_with_a_window_of_2048_the_level_convention_is_the_published_one() -> None:
    x = 0.1 * noise(1, 8192)
    unscaled = torch.stft(
        x, 2048, 512, window=torch.hann_window(2048), center=True, pad_mode="constant", return_complex=True
    )
    torch.testing.assert_close(
        log_spectrogram(x, 2048, 512), torch.log1p(unscaled.abs()[0]), rtol=1e-4, atol=1e-5
    )


def test_compress_and_expand_are_inverse_and_silence_is_zero() -> None:
    magnitude = torch.tensor([0.0, 1e-6, S0, 0.1, 1.0, 30.0], dtype=torch.float64)
    torch.testing.assert_close(expand(compress(magnitude)), magnitude)
    assert float(compress(torch.zeros(()))) == 0.0
    assert float(expand(torch.tensor(-3.0))) == 0.0


def test_power_mean_of_equal_channels_is_their_magnitude_and_phase_cannot_cancel() -> None:
    spectrum = stft(noise(1, 8192), 512, 128)
    torch.testing.assert_close(power_mean(spectrum.repeat(2, 1, 1)), spectrum[0].abs(), rtol=1e-4, atol=1e-6)
    opposite = torch.cat([spectrum, -spectrum])
    torch.testing.assert_close(power_mean(opposite), spectrum[0].abs(), rtol=1e-4, atol=1e-6)


def test_spread_gives_the_magnitude_and_keeps_the_balance() -> None:
    spectrum = stft(torch.stack([noise(8192), 0.25 * noise(8192, seed=1)]), 512, 128)
    wanted = torch.rand(spectrum.shape[1:], generator=torch.Generator().manual_seed(2))
    channels = spread(wanted, spectrum)
    torch.testing.assert_close(channels.square().mean(dim=0).sqrt(), wanted, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        channels[0] * spectrum[1].abs(), channels[1] * spectrum[0].abs(), rtol=1e-3, atol=1e-5
    )


def test_spread_leaves_silence_silent() -> None:
    silent = torch.zeros(2, 257, 4, dtype=torch.complex64)
    assert float(spread(torch.ones(257, 4), silent).max()) == 0.0
