"""Phase retrieval (Griffin-Lim): a signal whose STFT has given magnitudes, as nearly as possible."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .frames import Framing, modulus
from .stft import istft, stft


def unit_phase(spectrum: Tensor) -> Tensor:
    """Phase factors `X / |X|` of a complex spectrum; 1 where the spectrum is zero."""
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
    beyond each new point: `c_n = P(|S| e^{i arg t_{n-1}})`, `t_n = c_n + momentum (c_n - c_{n-1})`
    (Perraudin, Balazs and Søndergaard 2013, algorithm 2; momentum 0 is Griffin and Lim 1984). The c_n are STFTs of
    signals x_n, and the STFT is linear: t_n is that of `x_n + momentum (x_n - x_{n-1})`.

    Args:
        magnitude: Tensor [..., bins, frames], in the scale of `dsp.stft.stft`
        phase: Tensor of the same shape, complex factors of modulus 1 to start from: the content's phase keeps its
            attacks, `random_phase` is independent of any signal
        n_fft, hop: the layout
        length: samples to return
        iterations: 0 gives the plain inverse with the phase as it is
        momentum: 0 to 1
        on_step: called after each iteration with its number, from 1

    Returns:
        Tensor [..., length]
    """
    samples = before = istft(magnitude * phase, n_fft, hop, length)
    for step in range(1, iterations + 1):
        ahead = stft(torch.lerp(before, samples, 1.0 + momentum), n_fft, hop)
        before = samples
        samples = istft(magnitude * unit_phase(ahead), n_fft, hop, length)
        if on_step is not None:
            on_step(step)
    return samples


def griffin_lim_block(
    magnitude: Tensor, phase: Tensor, framing: Framing, first: int, *, iterations: int, momentum: float = 0.99
) -> Tensor:
    """`griffin_lim` on a block of the frames of a longer sound.

    One iteration changes only frames that share samples. So frames at least `block_context` frames away from the
    block's borders come out as if the whole sound were rebuilt; frames nearer to a border do not.

    Args:
        magnitude: Tensor [channels, frames, bins], in the scale of `dsp.frames.Framing`
        phase: Tensor of the same shape, complex, of any modulus; where it is zero, the sound starts out as zero
        framing: of the whole sound
        first: which of its frames is the block's first
        iterations, momentum: see `griffin_lim`

    Returns:
        Tensor [channels, samples of the frames' span]
    """

    def towards(channel: int, i: int, j: int, ahead: Tensor) -> Tensor:
        return _with_phase(magnitude[channel, i:j], ahead)

    samples = before = _silent_outside(
        framing.synthesise(_with_phase(magnitude, phase.clone()), first), framing, first
    )
    for _ in range(iterations):
        ahead = torch.lerp(before, samples, 1.0 + momentum)
        before = samples
        samples = _silent_outside(framing.changed(ahead, first, towards), framing, first)
    return samples


def block_context(framing: Framing, iterations: int) -> int:
    """Frames around a block that `griffin_lim_block` needs for its core to come out exactly."""
    return framing.reach * (iterations + 1)


def _with_phase(magnitude: Tensor, phase: Tensor) -> Tensor:
    """Magnitudes with the phase of a complex spectrum of the same shape, which is spoilt; zero where that is zero."""
    return phase.mul_(magnitude / modulus(phase).clamp_min_(1e-12))


def _silent_outside(samples: Tensor, framing: Framing, first: int) -> Tensor:
    """Samples [channels, n] from frame `first` on, in place with silence beyond the ends of the whole sound."""
    start = framing.span(first, first + 1)[0]
    samples[:, : max(0, -start)] = 0.0
    samples[:, max(0, framing.length - start) :] = 0.0
    return samples
