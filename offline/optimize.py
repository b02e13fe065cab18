"""Optimisation against fresh random networks, on the audio that comes out.

A fixed random network is over-fitted: what is optimised against it satisfies that network and no other. So every step
draws a new one, of another kernel size, and the statistics themselves are all that can be learnt.

What is optimised are a gain, in nepers, and a turn of phase for every bin and frame of the sound's STFT. Both pass
through the inverse and the forward transform before any loss is taken: what is measured is the STFT that the resulting
signal has, so that no magnitudes are found which no signal has. Against samples as unknowns, this is a
preconditioning: all bins, loud and soft, have gradients of one scale, as Adam's one size of step for all needs.

All channels share gains and turns, so that differences of level and phase between them, the stereo image, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from dsp.level import at_reference, k_weights
from dsp.stft import S0, compress, expand, istft, power_mean, stft
from models.gram import Moments, moments
from models.transport import mel_edges
from offline.recipes import Gramophone

OnStep = Callable[[int, float], None]

ENVELOPE_BANDS = 32
LEVEL_EVERY = 10


def optimise_sound(
    start: Tensor,
    content: Tensor,
    style: Tensor,
    settings: Gramophone,
    *,
    generator: torch.Generator,
    on_step: OnStep,
) -> Tensor:
    """Optimise a sound towards a style's statistics while keeping what happens in the content.

    Parameters
    ----------
    start : Tensor [channels, samples], where to begin
    content : Tensor [bins, frames], log-magnitudes: the loss is relative to its distance from the style
    style : Tensor [bins, frames of its own], log-magnitudes
    settings : the recipe's
    generator : draws the networks, on the CPU
    on_step : called with the number of steps done and the style loss before that step: the mean over raw and
        centred, linear and rectified, of ‖G - G_style‖ / ‖G_content - G_style‖ on that step's network

    Returns
    -------
    Tensor [channels, samples]
    """
    n_fft, hop, length = settings.n_fft, settings.hop, start.shape[-1]
    spectrum = stft(start, n_fft, hop)
    gain = torch.zeros(spectrum.shape[1:], device=start.device, requires_grad=True)
    turn = torch.zeros_like(gain, requires_grad=True)
    rates = (settings.learning_rate, settings.phase_rate)
    optimizer = torch.optim.Adam(
        [{"params": [p], "lr": r} for p, r in zip((gain, turn), rates, strict=True)], betas=(0.9, 0.99)
    )
    wanted = ContentEnvelopes(content, highest=settings.sample_rate / 2) if settings.content_weight else None
    loudness = SteadyLoudness(n_fft, settings.sample_rate, device=start.device)

    def sound() -> Tensor:
        return istft(spectrum * torch.polar(gain.exp(), turn), n_fft, hop, length)

    for step in range(1, settings.steps + 1):
        # Constant for the first half, then down to zero: fresh networks make every gradient a noisy one.
        decay = min(1.0, 2.0 * (1.0 - (step - 1) / settings.steps))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * decay
        optimizer.zero_grad(set_to_none=True)
        samples = sound()
        magnitude = power_mean(stft(samples, n_fft, hop))
        if step % LEVEL_EVERY == 1:
            loudness.calibrate(samples.detach(), magnitude.detach())
        current = compress(loudness.normalise(magnitude))
        network = draw_sketch(
            current.shape[0], settings.kernels, settings.filters, settings.rank, generator=generator
        )
        style_loss = relative_style_loss(network.to(start.device), current, content, style)
        loss = style_loss
        if wanted is not None:
            loss = loss + settings.content_weight * wanted.loss(current)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        on_step(step, float(style_loss.detach()))
    with torch.no_grad():
        return sound()


class SteadyLoudness:
    """Holds magnitudes at the reference level while a sound is optimised.

    Sounds are compared at one loudness. An optimiser that may change it drifts to a level at which it matches the
    style's log-magnitudes, but at which nobody will compare them. Dividing by the K-weighted power of the magnitudes
    takes that direction out of the gradient; what the standard's gates make of it besides changes slowly, and is
    measured now and then.
    """

    def __init__(self, n_fft: int, sample_rate: int, *, device: torch.device) -> None:
        self._sample_rate = sample_rate
        self._weights = torch.from_numpy(k_weights(n_fft, sample_rate)).float().to(device)[:, None]
        self._factor = 1.0

    def calibrate(self, samples: Tensor, magnitude: Tensor) -> None:
        """Measure the loudness of a sound [channels, samples] whose magnitudes [bins, frames] are these."""
        heard = samples.double().cpu().numpy()
        peak = float(abs(heard).max())
        if peak > 0.0:
            level = float(abs(at_reference(heard, self._sample_rate)).max()) / peak
            self._factor = level * float(self._root_power(magnitude))

    def normalise(self, magnitude: Tensor) -> Tensor:
        """Magnitudes [bins, frames] at the reference level."""
        return magnitude * (self._factor / self._root_power(magnitude))

    def _root_power(self, magnitude: Tensor) -> Tensor:
        return (self._weights * magnitude.square()).mean().sqrt().clamp_min(1e-12)


@dataclass(frozen=True)
class Sketch:
    """A random convolution of low rank: mix [rank, bins], then weight [filters, rank, kernel] over time.

    The product of two normal matrices stands for filters over all bins at a fraction of their cost. Filters of one
    sketch share its `rank` views of the spectrum; the views are drawn afresh with every sketch.
    """

    mix: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> Sketch:
        """The same sketch on a device."""
        return Sketch(self.mix.to(device), self.weight.to(device))

    def __call__(self, spectrogram: Tensor) -> Tensor:
        """Linear features [filters, frames - kernel + 1] of a spectrogram [bins, frames]."""
        mixed = self.mix @ spectrogram
        missing = self.weight.shape[-1] - mixed.shape[-1]
        if missing > 0:
            mixed = functional.pad(mixed, (0, missing))
        return functional.conv1d(mixed[None], self.weight)[0]


def draw_sketch(
    bins: int, kernels: Sequence[int], filters: int, rank: int, *, generator: torch.Generator
) -> Sketch:
    """Draw a sketch with one of the kernel sizes; scaled so that features have the scale of their input."""
    kernel = kernels[int(torch.randint(len(kernels), (1,), generator=generator))]
    mix = torch.randn(rank, bins, generator=generator) / bins**0.5
    weight = torch.randn(filters, rank, kernel, generator=generator) / (rank * kernel) ** 0.5
    return Sketch(mix, weight)


def relative_style_loss(network: Sketch, current: Tensor, content: Tensor, style: Tensor) -> Tensor:
    """Mean of ‖G - G_style‖ / ‖G_content - G_style‖ over raw and centred, linear and rectified features.

    Norms rather than their squares: a raw Gram matrix starts nearer to its target than a centred one, and squares would
    let it go once it is small.

    Parameters
    ----------
    network : gives linear features
    current, content, style : Tensor [bins, frames of each], log-magnitudes; a gradient flows to `current` alone
    """
    features = network(current)
    with torch.no_grad():
        references = network(content), network(style)
    terms: list[Tensor] = []
    for rectify in (False, True):
        ours, there, target = (_moments(f, rectify) for f in (features, *references))
        for a, b, c in ((ours.gram, there.gram, target.gram), (ours.centred, there.centred, target.centred)):
            terms.append((a - c).norm() / (b - c).norm().clamp_min(1e-9))
    return torch.stack(terms).mean()


def _moments(features: Tensor, rectify: bool) -> Moments:
    return moments(features.relu() if rectify else features)


class ContentEnvelopes:
    """What happens in a content: the envelopes of 32 mel-like bands, and the onsets in them.

    The loss is 1 - r for the envelopes, each band's mean removed (so that an equaliser costs nothing), plus 1 - r for
    the onset envelope; r is Pearson's correlation with the content's, so that neither level nor depth is prescribed.
    """

    def __init__(self, content: Tensor, *, highest: float) -> None:
        edges = mel_edges(content.shape[0], ENVELOPE_BANDS, highest=highest)
        places = torch.arange(content.shape[0], dtype=torch.float64)
        bands = ((places >= edges[:-1, None]) & (places < edges[1:, None])).float()
        bands = bands[bands.sum(dim=-1) > 0]
        self._bands = (bands / bands.sum(dim=-1, keepdim=True)).to(content.device)
        with torch.no_grad():
            self._envelopes, self._onsets = self._read(content)

    def _read(self, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
        power = self._bands @ expand(spectrogram).square()
        envelopes = torch.log1p((power + 1e-12).sqrt() / S0)
        # Spectral flux: the mean over bands of what has risen since the frame before.
        onsets = envelopes.diff(dim=-1).relu().mean(dim=0)
        return envelopes - envelopes.mean(dim=-1, keepdim=True), onsets - onsets.mean()

    def loss(self, current: Tensor) -> Tensor:
        """The loss of a spectrogram [bins, frames], 0 (all kept) to 4, a scalar."""
        envelopes, onsets = self._read(current)
        return 2.0 - _correlation(envelopes, self._envelopes) - _correlation(onsets, self._onsets)


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    value: Tensor = (a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-9)
    return value
