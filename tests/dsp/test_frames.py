import pytest
import torch

from gramophone.dsp.frames import Framing, modulus, power
from gramophone.dsp.stft import istft, stft

CPU = torch.device("cpu")
LAYOUTS = [(512, 128, 22050), (512, 100, 5000), (512, 128, 600), (256, 64, 1)]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def padded(samples: torch.Tensor, framing: Framing, first: int, last: int) -> torch.Tensor:
    """The samples that frames cover, with silence outside of the sound."""
    start, stop = framing.span(first, last)
    wide = torch.nn.functional.pad(samples, (2 * framing.n_fft, 2 * framing.n_fft))
    return wide[:, start + 2 * framing.n_fft : stop + 2 * framing.n_fft]


@pytest.mark.parametrize(("n_fft", "hop", "length"), LAYOUTS)
def test_frames_are_those_of_the_stft_whichever_are_asked_for(n_fft: int, hop: int, length: int) -> None:
    samples = noise(2, length)
    framing = Framing(n_fft, hop, length, device=CPU)
    whole = stft(samples, n_fft, hop)
    assert framing.frames == whole.shape[-1]
    for first, last in ((0, framing.frames), (framing.frames // 3, framing.frames // 2 + 1)):
        some = framing.analyse(padded(samples, framing, first, last))
        torch.testing.assert_close(some.mT, whole[..., first:last], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(("n_fft", "hop", "length"), LAYOUTS)
def test_blocks_add_up_to_the_inverse(n_fft: int, hop: int, length: int) -> None:
    spectrum = stft(noise(2, length), n_fft, hop) * torch.exp(1j * noise(length // hop + 1))
    framing = Framing(n_fft, hop, length, device=CPU)
    out = torch.zeros(2, length + 4 * n_fft)
    for first in range(0, framing.frames, 7):
        last = min(first + 7, framing.frames)
        start, stop = framing.span(first, last)
        pieces = framing.synthesise(spectrum[..., first:last].mT.contiguous(), first)
        out[:, start + 2 * n_fft : stop + 2 * n_fft] += pieces
    inside = out[:, 2 * n_fft : 2 * n_fft + length]
    torch.testing.assert_close(inside, istft(spectrum, n_fft, hop, length), rtol=0.0, atol=1e-4)


def test_adjoints_are_the_transposes() -> None:
    framing = Framing(512, 128, 4000, device=CPU)
    first, last = 3, 12
    samples = noise(2, framing.span(first, last)[1] - framing.span(first, last)[0])
    spectrum = torch.complex(noise(2, 9, 257, seed=1), noise(2, 9, 257, seed=2))
    slope = noise(*samples.shape, seed=3)
    through = (framing.analyse(samples).conj() * spectrum).real.sum()
    back = (samples * framing.analyse_adjoint(spectrum.clone())).sum()
    assert float(back) == pytest.approx(float(through), rel=1e-4)
    through = (framing.synthesise(spectrum, first) * slope).sum()
    back = (spectrum.conj() * framing.synthesise_adjoint(slope, first)).real.sum()
    assert float(back) == pytest.approx(float(through), rel=1e-4)


def test_power_is_the_squared_modulus() -> None:
    spectrum = torch.complex(noise(3, 4, 5), noise(3, 4, 5, seed=1))
    torch.testing.assert_close(power(spectrum), spectrum.abs().square())


@pytest.mark.parametrize(("n_fft", "hop", "length"), LAYOUTS)
def test_changing_spectra_on_the_way_is_analysing_changing_and_synthesising(
    n_fft: int, hop: int, length: int
) -> None:
    framing = Framing(n_fft, hop, length, device=CPU)
    samples = padded(noise(2, length), framing, 0, framing.frames)
    gains = noise(2, framing.frames, framing.bins, seed=1)
    changed = framing.changed(samples, 0, lambda channel, i, j, spectrum: spectrum * gains[channel, i:j])
    whole = framing.synthesise(framing.analyse(samples) * gains, 0)
    torch.testing.assert_close(changed, whole, rtol=0.0, atol=1e-5)


def test_moduli_are_those_of_the_numbers() -> None:
    spectrum = torch.complex(noise(3, 5), noise(3, 5, seed=1))
    torch.testing.assert_close(modulus(spectrum), spectrum.abs())
    torch.testing.assert_close(modulus(spectrum).square(), power(spectrum))
