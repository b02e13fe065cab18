"""Phase retrieval: a signal whose STFT has the magnitudes asked for, as nearly as a signal can."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dsp.stft import istft, stft


def unit_phase(spectrum: Tensor) -> Tensor:
    """Phase factors ``X / |X|`` of a complex spectrum; 1 where the spectrum is zero."""
    magnitude = spectrum.abs()
    return torch.where(magnitude > 1e-12, spectrum / magnitude.clamp_min(1e-12), torch.ones_like(spectrum))


def random_phase(shape: tuple[int, ...], *, generator: torch.Generator) -> Tensor:
    """Phase factors drawn uniformly from the circle, complex, on the CPU."""
    angle = torch.rand(shape, generator=generator) * (2.0 * torch.pi)
    return torch.polar(torch.ones_like(angle), angle)


def griffin_lim(
    magnitude: Tensor,
    phase: Tensor,
    *,
    n_fft: int,
    hop: int,
    length: int,
    iterations: int,
    momentum: float = 0.99,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """Fast Griffin-Lim.

    Alternates between the spectra that have these magnitudes and those that belong to a signal, with a step
    beyond each new point: ``c_n = P(|S| e^{i arg t_{n-1}})``, ``t_n = c_n + momentum (c_n - c_{n-1})``
    (Perraudin, Balazs and Søndergaard 2013, algorithm 2; momentum 0 is Griffin and Lim 1984).

    Parameters
    ----------
    magnitude : Tensor [..., bins, frames], in the scale of :func:`dsp.stft.stft`
    phase : Tensor of the same shape, complex factors of modulus 1 to start from: the content's phase keeps its
        attacks, :func:`random_phase` owes nothing to any signal
    n_fft, hop : the layout
    length : samples to return
    iterations : 0 gives the plain inverse with the phase as it is
    momentum : 0 to 1
    on_step : called after each iteration with its number, from 1

    Returns
    -------
    Tensor [..., length]
    """
    samples = istft(magnitude * phase, n_fft, hop, length)
    before: Tensor | None = None
    for step in range(1, iterations + 1):
        consistent = stft(samples, n_fft, hop)
        ahead = consistent if before is None else consistent + momentum * (consistent - before)
        before = consistent
        samples = istft(magnitude * unit_phase(ahead), n_fft, hop, length)
        if on_step is not None:
            on_step(step)
    return samples
