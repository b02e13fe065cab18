"""The auditory texture model of McDermott and Simoncelli 2011: statistics of cochlear envelopes, differentiable.

"Sound texture perception via statistics of the auditory periphery: evidence from sound synthesis", Neuron 71, 926-940.
Sound passes a bank of cochlear filters; their envelopes, compressed by a power of 0.3 and sampled at 400 Hz, pass a
bank of modulation filters; a texture is the set of time-averages of the two:

- moments of each envelope: mean, coefficient of variation, skewness, kurtosis;
- correlations of envelopes across bands;
- the power in each modulation filter, as a share of the envelope's variance;
- C1: correlations across cochlear bands, of envelopes in one octave of modulation;
- C2: correlations of one band with itself, between neighbouring octaves of modulation, which see the shape of attacks
  and decays.

Filters are applied in the Fourier domain. Apart from the mean, the statistics do not depend on a gain in each band, nor
on an equaliser that is flat within a band, as long as nothing comes near the floor of -100 dB.

Envelopes are small (1 MB for 20 s). Sound of any length is filtered in blocks of 16 s, and the statistics come from the
whole envelopes at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...media.errors import InputError

COMPRESSION = 0.3
# Power added to each band, full scale ±1: silence has an envelope, and a root of it has a slope.
_FLOOR = 1e-10
# Seconds, whole ones, so that blocks begin on a sample and on a frame at any rate.
_BLOCK = 16
_CONTEXT = 1
# Nothing of the lowest band rings for longer; it keeps the end of the circular filters from the beginning.
_MARGIN = 0.25


@dataclass(frozen=True, kw_only=True)
class TextureLayout:
    """Where the filters stand; the defaults are the paper's.

    Attributes:
        bands: cochlear filters, besides one below the lowest and one above the highest
        lowest, highest: Hz, their outermost centres; the highest is lowered where the sample rate asks for it
        modulations: filters for the modulation power
        slowest, fastest: Hz, their outermost centres
        quality: of these filters: centre / bandwidth
        octave: Hz, centre of the highest octave of modulation
        envelope_rate: Hz
    """

    bands: int = 30
    lowest: float = 52.0
    highest: float = 8844.0
    modulations: int = 20
    slowest: float = 0.5
    fastest: float = 200.0
    quality: float = 2.0
    octave: float = 100.0
    envelope_rate: int = 400


PUBLISHED = TextureLayout()
# C1 takes the 6 upper octaves (3 to 100 Hz), C2 the 6 pairs of neighbours among all 7 (1.6 to 100 Hz).
_OCTAVES = 7


@dataclass(frozen=True)
class TextureStatistics:
    """Time-averages of a sound. B: cochlear filters, with the lowest and the highest; M: modulation filters.

    Attributes:
        mean: Tensor [B], of the compressed envelopes; above 0
        variation: Tensor [B], standard deviation / mean
        skewness, kurtosis: Tensor [B], third and fourth standardised moments; 3 is a normal kurtosis
        correlation: Tensor [B, B], -1 to 1
        modulation_power: Tensor [B, M], shares of each envelope's variance, 0 to 1
        c1: Tensor [6, B, B], -1 to 1; octaves from slow to fast
        c2: Tensor [6, B, 2], -1 to 1: real and imaginary part, pairs from slow to fast
    """

    mean: Tensor
    variation: Tensor
    skewness: Tensor
    kurtosis: Tensor
    correlation: Tensor
    modulation_power: Tensor
    c1: Tensor
    c2: Tensor

    def detach(self) -> TextureStatistics:
        """The same values without their history."""
        return TextureStatistics(*(getattr(self, field.name).detach() for field in fields(self)))


def texture_statistics(
    samples: Tensor, sample_rate: int, *, layout: TextureLayout = PUBLISHED
) -> TextureStatistics:
    """Statistics of a sound; gradients flow to its samples.

    Args:
        samples: Tensor [channels, samples] or [samples], full scale ±1; at least two frames (5 ms). Channels are
            averaged as power, so that opposite ones do not cancel
        sample_rate: Hz
        layout: where the filters stand

    Raises:
        InputError: Too short, or a sample rate below 2 kHz.
    """
    return statistics(envelopes(samples, sample_rate, layout=layout), layout=layout)


def envelopes(samples: Tensor, sample_rate: int, *, layout: TextureLayout = PUBLISHED) -> Tensor:
    """Compressed cochlear envelopes [bands + 2, frames] at the layout's envelope rate; arguments as above."""
    samples = samples.reshape(-1, samples.shape[-1])
    total = int(samples.shape[-1] * layout.envelope_rate / sample_rate)
    if total < 2:
        raise InputError(f"{samples.shape[-1]} samples are too short to have a texture: use a longer sound")
    if sample_rate < 2000:
        raise InputError(f"a texture needs a sample rate of at least 2000 Hz, not {sample_rate}: resample it")
    parts: list[Tensor] = []
    for start in range(0, math.ceil(total / layout.envelope_rate), _BLOCK):
        first = max(start - _CONTEXT, 0)
        piece = samples[:, first * sample_rate : (start + _BLOCK + _CONTEXT) * sample_rate]
        stop = min((start + _BLOCK) * layout.envelope_rate, total) - first * layout.envelope_rate
        parts.append(_piece(piece, sample_rate, layout)[:, (start - first) * layout.envelope_rate : stop])
    return torch.cat(parts, dim=-1)


def _piece(samples: Tensor, sample_rate: int, layout: TextureLayout) -> Tensor:
    """Envelopes of one block [channels, samples], with some frames of silence after its end."""
    seconds = math.ceil(samples.shape[-1] / sample_rate + _MARGIN)
    spectrum = torch.fft.rfft(functional.pad(samples, (0, seconds * sample_rate - samples.shape[-1])))
    frames = seconds * layout.envelope_rate
    rows = []
    for low, response in cochlear_filters(seconds * sample_rate, sample_rate, layout):
        weights = torch.from_numpy(response).to(spectrum)
        # A band moved down to 0 Hz has the same envelope; its power has twice its width, and the root of it more.
        factor = -(-3 * weights.numel() // frames)
        band = spectrum[:, low : low + weights.numel()] * weights
        analytic = torch.fft.ifft(band, n=factor * frames) * (2.0 * factor * frames / (seconds * sample_rate))
        power = (analytic.real.square() + analytic.imag.square()).mean(dim=0)
        compressed = (power + _FLOOR) ** (0.5 * COMPRESSION)
        # Fewer bins of the spectrum: the ideal low-pass, then every `factor`-th sample.
        kept = torch.fft.rfft(compressed)[: frames // 2 + 1] / factor
        rows.append(torch.fft.irfft(kept, n=frames))
    return torch.stack(rows)


def erb_number(frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hz to numbers of equivalent rectangular bandwidths, 9.265 ln(1 + f / 228.8) (Glasberg and Moore 1990)."""
    return np.asarray(9.265 * np.log1p(frequency / (24.7 * 9.265)))


def cochlear_filters(
    length: int, sample_rate: int, layout: TextureLayout
) -> list[tuple[int, NDArray[np.float64]]]:
    """First bin and amplitude response of each band, for the spectrum of `length` samples, from low to high.

    Half a period of a cosine on the ERB scale, from the centre below to the centre above, so that the squares of all
    responses sum to 1 at every audible frequency. Below 20 Hz they fall to 0: a band that ends sharply rings for long.
    """
    frequencies = np.arange(length // 2 + 1, dtype=np.float64) * (sample_rate / length)
    audible = np.sin(0.5 * np.pi * np.minimum(frequencies / 20.0, 1.0))
    places = erb_number(frequencies)
    highest = min(layout.highest, 0.4 * sample_rate)
    ends = erb_number(np.array([layout.lowest, highest]))
    step = (ends[1] - ends[0]) / (layout.bands - 1)
    found = []
    for index in range(-1, layout.bands + 1):
        offset = (places - ends[0]) / step - index
        if index == -1:
            offset = np.maximum(offset, 0.0)
        elif index == layout.bands:
            offset = np.minimum(offset, 0.0)
        inside = np.flatnonzero(np.abs(offset) < 1.0)
        # A band narrower than a bin, in a very short sound, has the bin next to it.
        low = int(inside[0]) if inside.size else int(np.abs(offset).argmin())
        high = int(inside[-1]) + 1 if inside.size else low + 1
        response = np.cos(0.5 * np.pi * np.minimum(np.abs(offset[low:high]), 1.0))
        found.append((low, response * audible[low:high]))
    return found


def modulation_filters(frames: int, layout: TextureLayout) -> Tensor:
    """Power responses [modulations, frames // 2 + 1] of the filters of constant quality, float64; 0 at 0 Hz.

    Half a period of a cosine over a bandwidth on either side of the centre; centres equally spaced in octaves.
    Together they pass each rate in between alike on the mean: their squares sum to 1 on average.
    """
    rates = torch.arange(frames // 2 + 1, dtype=torch.float64) * (layout.envelope_rate / frames)
    steps = torch.linspace(0.0, 1.0, layout.modulations, dtype=torch.float64)
    centres = layout.slowest * (layout.fastest / layout.slowest) ** steps
    offset = ((rates - centres[:, None]) / (centres[:, None] / layout.quality)).clamp(-1.0, 1.0)
    power = (0.5 * torch.pi * offset).cos().square()
    power[:, 0] = 0.0
    inside = (rates >= layout.slowest) & (rates <= layout.fastest)
    scale = power.sum(dim=0)[inside].mean() if bool(inside.any()) else torch.ones(())
    return power / scale.clamp_min(1e-9)


def octave_filters(frames: int, layout: TextureLayout) -> Tensor:
    """Amplitude responses [7, frames // 2 + 1], half a cosine over an octave on either side of each centre, float64."""
    rates = torch.arange(frames // 2 + 1, dtype=torch.float64) * (layout.envelope_rate / frames)
    centres = layout.octave * 0.5 ** torch.arange(_OCTAVES - 1, -1, -1, dtype=torch.float64)
    offset = torch.log2(rates.clamp_min(1e-9) / centres[:, None]).clamp(-1.0, 1.0)
    return (0.5 * torch.pi * offset).cos()


def statistics(envelope: Tensor, *, layout: TextureLayout = PUBLISHED) -> TextureStatistics:
    """Statistics of compressed envelopes [bands, frames] at the layout's envelope rate."""
    frames = envelope.shape[-1]
    mean = envelope.mean(dim=-1)
    centred = envelope - mean[:, None]
    deviation = (centred.square().mean(dim=-1) + 1e-12).sqrt()
    standard = centred / deviation[:, None]
    spectrum = torch.fft.rfft(standard)
    # Parseval: a mean over time of a product is a mean over rates, both signs of which the factor 2 stands for.
    power = (spectrum.real.square() + spectrum.imag.square()) * (2.0 / frames**2)
    filters = modulation_filters(frames, layout).to(power)
    octaves = octave_filters(frames, layout).to(power)
    c1 = torch.stack([_correlations(spectrum, response) for response in octaves[1:]])
    return TextureStatistics(
        mean=mean,
        variation=deviation / mean.clamp_min(1e-6),
        skewness=standard.pow(3).mean(dim=-1),
        kurtosis=standard.pow(4).mean(dim=-1),
        correlation=standard @ standard.mT / frames,
        modulation_power=power @ filters.mT,
        c1=c1,
        c2=_octave_pairs(spectrum, octaves, frames),
    )


def _correlations(spectrum: Tensor, response: Tensor) -> Tensor:
    """Correlations [bands, bands] of what a filter passes of each band's spectrum [bands, rates]."""
    inside = response.nonzero()[:, 0]
    if not inside.numel():
        return torch.zeros(spectrum.shape[0], spectrum.shape[0], device=spectrum.device)
    first, last = int(inside[0]), int(inside[-1]) + 1
    passed = torch.view_as_real(spectrum[:, first:last] * response[first:last]).flatten(1)
    passed = passed / (passed.square().sum(dim=-1, keepdim=True) + 1e-12).sqrt()
    return passed @ passed.mT


def _octave_pairs(spectrum: Tensor, octaves: Tensor, frames: int) -> Tensor:
    """C2 [6, bands, 2]: a slow octave with its phase doubled, correlated with the octave above (paper, p. 939)."""
    one_sided = torch.zeros(octaves.shape[0], frames, device=octaves.device, dtype=octaves.dtype)
    one_sided[:, : octaves.shape[-1]] = 2.0 * octaves
    padded = functional.pad(spectrum, (0, frames - spectrum.shape[-1]))
    analytic = torch.fft.ifft(one_sided[:, None] * padded)
    size = (analytic.real.square() + analytic.imag.square() + 1e-12).sqrt()
    deviation = size.square().mean(dim=-1).sqrt()
    doubled = analytic[:-1].square() / size[:-1]
    pairs = (doubled.conj() * analytic[1:]).mean(dim=-1) / (deviation[:-1] * deviation[1:])
    return torch.view_as_real(pairs)
