"""Frames of sound, block by block: the STFT, its inverse, and the gradients of both, in bounded memory.

`dsp.stft.stft` and `dsp.stft.istft` take a whole sound. Here the same transforms are taken of any run of
frames, with time before frequency in memory, as the FFT writes it, and their adjoints (the transposes of the linear
maps, which carry gradients backwards) are spelt out: an inverse transform followed by a forward one costs four FFTs
per frame and step, and nothing else has to be kept.

Sample positions are counted in the sound: frame t is centred on sample `t * hop` and covers the `n_fft` samples
from `t * hop - n_fft // 2` on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

# Frames that are transformed at a time: as many as the processor's cache holds through all steps.
_CHUNK = 128

# Makes of a channel's spectrum [frames, bins], of frames i to j - 1, what is to be synthesised; it may spoil it.
Change = Callable[[int, int, int, Tensor], Tensor]


class Framing:
    """The frames of a sound of a given length.

    Args:
        n_fft, hop: as in `dsp.stft.stft`
        length: samples of the whole sound
        device: where everything is computed
    """

    def __init__(self, n_fft: int, hop: int, length: int, *, device: torch.device) -> None:
        self.n_fft, self.hop, self.length = n_fft, hop, length
        self.bins = n_fft // 2 + 1
        self.frames = length // hop + 1
        self._device = device
        self._window = torch.hann_window(n_fft, periodic=True, device=device)
        # Frames that touch one sample, and how far a frame reaches to others that share samples with it.
        self._turns = -(-n_fft // hop)
        self.reach = self._turns - 1
        # By frames before and after (as far as they reach in) and frames: a few, since blocks are of equal length.
        self._weights: dict[tuple[int, int, int], Tensor] = {}

    def span(self, first: int, last: int) -> tuple[int, int]:
        """First sample that frames `first` to `last` - 1 cover, and the one after their last."""
        half = self.n_fft // 2
        return first * self.hop - half, (last - 1) * self.hop - half + self.n_fft

    def analyse(self, samples: Tensor) -> Tensor:
        """STFT [channels, frames, bins] of samples [channels, n] that frames cover exactly, see `span`."""
        return self._forward(samples, 4.0 / self.n_fft)

    def analyse_adjoint(self, slope: Tensor) -> Tensor:
        """Gradient of samples [channels, n], from that of their STFT [channels, frames, bins]; `slope` is spoilt.

        With the real parts of all bins added up, `d/dx_j = s w_j Σ_k Re(G_k e^{iω_k j})`, k from 0 to n_fft / 2.
        The inverse real FFT counts the bins between the first and the last twice, for their mirrored twins.
        """
        slope[..., 0] *= 2.0
        slope[..., -1] *= 2.0
        return self._backward(slope, 2.0)

    def synthesise(self, spectrum: Tensor, first: int) -> Tensor:
        """What frames [channels, frames, bins] from `first` on add to the least-squares inverse, [channels, n].

        The whole inverse (Griffin and Lim 1984, eq. 6) is the sum of what all frames add.
        """
        samples = self._backward(spectrum, self.n_fft / 4.0)
        return samples.div_(self._weight(first, spectrum.shape[1]))

    def changed(self, samples: Tensor, first: int, change: Change) -> Tensor:
        """`synthesise` of what `change` makes of the STFT of samples [channels, n], without keeping any of it.

        Args:
            samples: covered exactly by frames from `first` on
            first: of the whole sound's frames
            change: called with channel, first and last frame (from 0) and their spectrum, for a few frames at a time,
                so that what is computed of them stays in the processor's cache
        """
        views = samples.unfold(-1, self.n_fft, self.hop)
        channels, frames = views.shape[:2]
        before, after = self._window * (4.0 / self.n_fft), self._window * (self.n_fft / 4.0)

        def chunk(channel: int, i: int, j: int) -> Tensor:
            spectrum = change(channel, i, j, torch.fft.rfft(views[channel, i:j] * before))
            pieces: Tensor = torch.fft.irfft(spectrum, self.n_fft)
            return pieces.mul_(after)

        return self._overlap(frames, chunk, channels=channels).div_(self._weight(first, frames))

    def synthesise_adjoint(self, slope: Tensor, first: int) -> Tensor:
        """Gradient of frames [channels, frames, bins] from `first` on, from that of the samples that they cover."""
        frames = (slope.shape[-1] - self.n_fft) // self.hop + 1
        spectrum = self._forward(slope / self._weight(first, frames), 0.5)
        spectrum[..., 0] *= 0.5
        spectrum[..., -1] *= 0.5
        return spectrum

    def _weight(self, first: int, frames: int) -> Tensor:
        """Sum of the squared windows of all frames of the sound, where these frames are; 1 where it is nothing."""
        before, after = min(first, self.reach), min(self.frames - first - frames, self.reach)
        key = before, frames, after
        if key not in self._weights:
            squares = self._window.square().expand(before + frames + after, self.n_fft)
            whole = self._overlap(squares.shape[0], lambda _, i, j: squares[i:j], channels=1)[0]
            weight = whole[before * self.hop :][: (frames - 1) * self.hop + self.n_fft]
            self._weights[key] = torch.where(weight > 1e-11, weight, torch.ones_like(weight))
        return self._weights[key]

    def _forward(self, samples: Tensor, scale: float) -> Tensor:
        window = self._window * scale
        views = samples.unfold(-1, self.n_fft, self.hop)
        channels, frames = views.shape[:2]
        out = torch.empty(channels, frames, self.bins, dtype=torch.complex64, device=self._device)
        for channel in range(channels):
            for i in range(0, frames, _CHUNK):
                torch.fft.rfft(views[channel, i : i + _CHUNK] * window, out=out[channel, i : i + _CHUNK])
        return out

    def _backward(self, spectrum: Tensor, scale: float) -> Tensor:
        window = self._window * scale

        def chunk(channel: int, first: int, last: int) -> Tensor:
            pieces: Tensor = torch.fft.irfft(spectrum[channel, first:last], self.n_fft)
            return pieces.mul_(window)

        return self._overlap(spectrum.shape[1], chunk, channels=spectrum.shape[0])

    def _overlap(self, frames: int, chunk: Callable[[int, int, int], Tensor], *, channels: int) -> Tensor:
        """Overlapping sum [channels, n] of windowed frames that `chunk` makes of channel, first and last frame."""
        hop, turns = self.hop, self._turns
        rows = torch.zeros(channels, frames + turns - 1, hop, device=self._device)
        missing = turns * hop - self.n_fft
        for channel in range(channels):
            for i in range(0, frames, _CHUNK):
                j = min(i + _CHUNK, frames)
                pieces = chunk(channel, i, j)
                if missing:
                    pieces = torch.nn.functional.pad(pieces, (0, missing))
                # The oldest frame first, as the chunk before has begun: rounding does not depend on where chunks begin.
                for turn in reversed(range(turns)):
                    rows[channel, i + turn : j + turn] += pieces[:, turn * hop : (turn + 1) * hop]
        return rows.reshape(channels, -1)[:, : (frames - 1) * hop + self.n_fft]


def power(spectrum: Tensor) -> Tensor:
    """|X|² of a complex spectrum, of the same shape."""
    parts = torch.view_as_real(spectrum).square()
    return parts[..., 0] + parts[..., 1]


def modulus(spectrum: Tensor) -> Tensor:
    """|X| of a complex spectrum, of the same shape; without a gradient."""
    if spectrum.device.type == "cpu":
        # Ten times as fast as torch.abs.
        return torch.from_numpy(np.abs(spectrum.numpy()))
    return spectrum.abs()
