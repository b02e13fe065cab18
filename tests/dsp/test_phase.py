import torch

from gramophone.dsp.phase import griffin_lim, random_phase, unit_phase
from gramophone.dsp.stft import stft

N_FFT, HOP, LENGTH = 512, 128, 16384


def sound() -> torch.Tensor:
    t = torch.arange(LENGTH) / 44100.0
    tone = torch.sin(2 * torch.pi * 440.0 * t) * torch.exp(-8.0 * t)
    return tone[None] + 0.05 * torch.randn(1, LENGTH, generator=torch.Generator().manual_seed(0))


def inconsistency(samples: torch.Tensor, magnitude: torch.Tensor) -> float:
    return float((stft(samples, N_FFT, HOP).abs() - magnitude).norm() / magnitude.norm())


def rebuild(
    magnitude: torch.Tensor, phase: torch.Tensor, iterations: int, momentum: float = 0.99
) -> torch.Tensor:
    return griffin_lim(
        magnitude, phase, n_fft=N_FFT, hop=HOP, length=LENGTH, iterations=iterations, momentum=momentum
    )


def test_its_own_phase_gives_the_signal_back() -> None:
    spectrum = stft(sound(), N_FFT, HOP)
    out = rebuild(spectrum.abs(), unit_phase(spectrum), 3)
    torch.testing.assert_close(out, sound(), rtol=0.0, atol=1e-4)


def test_iterations_lower_the_inconsistency_and_momentum_lowers_it_further() -> None:
    magnitude = stft(sound(), N_FFT, HOP).abs()
    phase = random_phase(tuple(magnitude.shape), generator=torch.Generator().manual_seed(1))
    plain = [inconsistency(rebuild(magnitude, phase, n, 0.0), magnitude) for n in (0, 10, 40)]
    assert plain[0] > plain[1] > plain[2]
    assert inconsistency(rebuild(magnitude, phase, 40), magnitude) < plain[2]


def test_every_iteration_is_reported() -> None:
    spectrum = stft(sound(), N_FFT, HOP)
    steps: list[int] = []
    griffin_lim(
        spectrum.abs(),
        unit_phase(spectrum),
        n_fft=N_FFT,
        hop=HOP,
        length=LENGTH,
        iterations=4,
        on_step=steps.append,
    )
    assert steps == [1, 2, 3, 4]


def test_phase_factors_have_modulus_one_and_random_ones_follow_their_seed() -> None:
    phases = unit_phase(torch.tensor([0.0 + 0.0j, 3.0 - 4.0j, 1e-20 + 0.0j]))
    torch.testing.assert_close(phases.abs(), torch.ones(3))
    draws = [random_phase((3, 5), generator=torch.Generator().manual_seed(s)) for s in (7, 7, 8)]
    torch.testing.assert_close(draws[0].abs(), torch.ones(3, 5))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
