"""The content loss: correlations of band envelopes and onsets with the content's."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ...dsp.stft import S0
from .losses import Block, Sums


class ContentLoss:
    """The envelopes of bands, and the onsets in them.

    The loss is 1 - r for the envelopes, with each band's mean removed (so that an equaliser costs nothing), plus 1 - r
    for the onset envelope. r is Pearson's correlation with the content's, which does not depend on level and depth.

    Args:
        content: its magnitudes [bins, frames] in consecutive runs, at the reference level; each run but the first
            begins with the last frame of the run before
        frames: of the whole spectrogram
        bands: Tensor [bands, bins], the share of each bin's power in each band
        device: where everything is computed
    """

    # An onset is what has risen since the frame before.
    context = 1

    def __init__(
        self, content: Iterable[Tensor], *, frames: int, bands: Tensor, device: torch.device
    ) -> None:
        self._bands = (bands / bands.sum(dim=-1, keepdim=True)).to(device)
        # Kept for every frame of the sound: the only thing here that grows with it, by 11 kB a second.
        self._wanted = torch.zeros(self._bands.shape[0], frames, device=device)
        self._wanted_onsets = torch.zeros(frames, device=device)
        done = 0
        with torch.no_grad():
            for run in content:
                these = self._envelopes(run.mT.square())
                end = done + these.shape[-1] - min(done, 1)
                self._wanted[:, end - these.shape[-1] : end] = these
                # The first frame of all has no onset.
                self._wanted_onsets[end - these.shape[-1] + 1 : end] = _onsets(these)
                done = end
            self._wanted -= self._wanted.mean(dim=-1, keepdim=True)
            if frames > 1:
                self._wanted_onsets[1:] -= self._wanted_onsets[1:].mean()
            self._norms = self._wanted.norm().double(), self._wanted_onsets.norm().double()

    def renew(self, generator: torch.Generator) -> None:
        """Nothing here is random."""

    def _envelopes(self, power: Tensor) -> Tensor:
        """Log-magnitudes [bands, frames], of squared magnitudes [frames, bins]."""
        return torch.log1p(((power @ self._bands.mT).mT + 1e-12).sqrt() / S0)

    def sums(self, block: Block) -> Sums:
        """Products with the content's envelopes, squares, sums of each band, frames; the same of the onsets."""
        begin = max(block.first - 1, 0)
        envelopes = self._envelopes(block.power[block.within(begin, block.last)])
        onsets = _onsets(envelopes)
        core = envelopes[:, block.first - begin :]
        wanted = self._wanted[:, block.first : block.last]
        wanted_onsets = self._wanted_onsets[block.last - onsets.shape[0] : block.last]
        return (
            (core * wanted).sum(),
            core.square().sum(),
            core.sum(dim=-1),
            core.new_tensor(float(core.shape[-1])),
            (onsets * wanted_onsets).sum(),
            onsets.square().sum(),
            onsets.sum(),
            core.new_tensor(float(onsets.shape[0])),
        )

    def loss(self, sums: Sums) -> Tensor:
        """0 (all kept) to 4."""
        envelopes, onsets = (
            _correlation(sums[first : first + 4], norm)
            for first, norm in zip((0, 4), self._norms, strict=True)
        )
        return 2.0 - envelopes - onsets


def _onsets(envelopes: Tensor) -> Tensor:
    """Spectral flux [frames - 1]: the mean over bands of what has risen since the frame before."""
    return envelopes.diff(dim=-1).relu().mean(dim=0)


def _correlation(of_series: Sums, norm: Tensor) -> Tensor:
    """Pearson's, of a series with one whose mean is 0 already: then its mean drops out of the products.

    Args:
        of_series: sums of the products of the series with the other; of its squares; of each of its rows, whose share
            is taken from the squares; number of frames
        norm: of the other series
    """
    products, squares, sums, count = of_series
    varying = (squares - sums.square().sum() / count.clamp_min(1.0)).clamp_min(1e-18)
    value: Tensor = products / (varying.sqrt() * norm).clamp_min(1e-9)
    return value


class LoudnessLoss:
    """1 - r of the loudness envelopes of output and content, frame by frame; r is Pearson's correlation.

    Band envelopes on a logarithmic scale say little of which frames are loud as a whole: in the style of something that
    crackles, a held note came out louder where the player was softer. The envelope is the root of the K-weighted
    amplitude, between amplitude, which the loudest frames decide, and its logarithm, in which rests count most.

    Args:
        content: as for `ContentLoss`
        frames: of the whole spectrogram
        weights: Tensor [bins], how much the power of each bin counts
    """

    context = 0

    def __init__(self, content: Iterable[Tensor], *, frames: int, weights: Tensor) -> None:
        self._weights = weights
        self._wanted = torch.zeros(frames, device=weights.device)
        done = 0
        with torch.no_grad():
            for run in content:
                end = done + run.shape[-1] - min(done, 1)
                self._wanted[end - run.shape[-1] : end] = self._envelope(run.mT.square())
                done = end
            self._wanted -= self._wanted.mean()
            self._norm = self._wanted.norm().double()

    def renew(self, generator: torch.Generator) -> None:
        """Nothing here is random."""

    def _envelope(self, power: Tensor) -> Tensor:
        return (power @ self._weights + 1e-10) ** 0.25

    def sums(self, block: Block) -> Sums:
        """Products with the content's envelope, squares, sum, and frames."""
        envelope = self._envelope(block.power[block.within(block.first, block.last)])
        wanted = self._wanted[block.first : block.last]
        count = envelope.new_tensor(float(len(envelope)))
        return (envelope * wanted).sum(), envelope.square().sum(), envelope.sum()[None], count

    def loss(self, sums: Sums) -> Tensor:
        """0 (all kept) to 2."""
        return 1.0 - _correlation(sums, self._norm)
