"""From spectra to what is heard: overlap-add, level, limiter, and the mix with the dry signal. TorchScript."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...dsp.audible import HIGHEST_HZ, highpass_sections
from ...dsp.filters import filter_in_place
from ..live.prepared_style import Layout
from .limiter import limit_block, limiter_state

_CEILING = 10.0 ** (-1.0 / 20.0)
_RELEASE_SECONDS = 0.08
# Samples of which the high-pass makes one product: of more, its matrix would not stay in the processor's cache.
_AT_ONCE = 128
# What rings on in the high-pass after the sound is cut off here, linear: -100 dBFS.
_RINGING = 1e-5


class Synthesis(nn.Module):
    """The synthesis side of the streaming stylizer; C channels.

    Args:
        layout: of the stylizer
        channels: C

    Attributes:
        wet: how much of the wet signal was in the hop before
        limited: whether the limiter worked in the hop before
    """

    synthesis: Tensor
    sum: Tensor
    silent_hop: Tensor
    ramp: Tensor
    ceiling: Tensor
    limiter: Tensor
    highpass: Tensor
    rumble: Tensor

    def __init__(self, layout: Layout, *, channels: int) -> None:
        super().__init__()
        self.hop = layout.hop
        self.n_fft = layout.n_fft
        self.length = layout.pair.length
        self.audible = min(layout.bins, math.ceil(HIGHEST_HZ / layout.sample_rate * layout.n_fft))
        self.release = _RELEASE_SECONDS * layout.sample_rate
        scale = 2.0 / float(layout.pair.analysis.sum())
        self.register_buffer("synthesis", torch.from_numpy(layout.pair.synthesis / scale).float())
        self.register_buffer("sum", torch.zeros(channels, layout.n_fft))
        self.register_buffer("silent_hop", torch.zeros(channels, layout.hop))
        self.register_buffer("ramp", torch.arange(1, self.hop + 1, dtype=torch.float32) / self.hop)
        self.register_buffer("ceiling", torch.tensor(_CEILING))
        self.register_buffer("limiter", limiter_state())
        self.at_once = min(self.hop, _AT_ONCE)
        self.ringing = _RINGING
        highpass = torch.from_numpy(_block_highpass(layout.sample_rate, self.at_once))
        self.register_buffer("highpass", highpass)
        self.register_buffer("rumble", torch.zeros(channels, highpass.shape[0] - self.at_once).double())
        # Whoever resets decides where it stands.
        self.wet = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self.sum.zero_()
        self.limiter.zero_()
        self.rumble.zero_()
        self.limited = False
        self.emitted = 0.0

    def overlap_add(self, spectra: Tensor, gain: float) -> Tensor:
        """Add frames to those before; returns [C, hop], the samples that are now complete.

        Args:
            spectra: Tensor [C, B] complex, in units of the analysis; above 20 kHz nothing is taken of them
            gain: factor
        """
        # What the transform is not given, counts as nothing.
        self.sum.addcmul_(
            torch.fft.irfft(spectra[:, : self.audible], n=self.n_fft), self.synthesis, value=gain
        )
        first = self.n_fft - self.length
        out = self.sum[:, first : first + self.hop].clone()
        self.sum.copy_(torch.cat([self.sum[:, self.hop :], self.silent_hop], dim=1))
        return out

    def emit(self, out: Tensor, dry: Tensor, *, level: float, strength: float, mix: float) -> Tensor:
        """Bring the wet signal to a level, limit it, and mix it with the dry one.

        Frames that do not fit one another, and so short a synthesis window, make something below 20 Hz of any bass: a
        high-pass takes it out. It works on the wet signal less the dry one's part in it, so that it turns no phase of
        what stays the input's own.

        Args:
            out, dry: Tensor [C, hop]
            level: factor for the wet signal; ramped from that of the hop before
            strength, mix: 0 to 1
        """
        begin = self.emitted if self.emitted > 0.0 else level
        self.emitted = level
        # Below a strength of 0.05 the resynthesised sound gives way to the input itself.
        share = mix * min(1.0, strength * 20.0)
        before = self.wet
        self.wet = share
        if before == 0.0 and share == 0.0:
            self.limiter.zero_()
            self.rumble.zero_()
            self.limited = False
            return dry
        wet = out * torch.linspace(begin + (level - begin) / self.hop, level, self.hop)
        if strength < 1.0:
            wet = torch.add(self._high(torch.sub(wet, dry, alpha=1.0 - strength)), dry, alpha=1.0 - strength)
        else:
            wet = self._high(wet)
        wet, self.limiter, self.limited = limit_block(wet, self.limiter, self.ceiling, self.release)
        if before == 1.0 and share == 1.0:
            return wet
        return dry + (wet - dry) * (before + (share - before) * self.ramp)

    def _high(self, sound: Tensor) -> Tensor:
        """Return the next hop [C, hop] through the high-pass."""
        if not bool(sound.any()) and float(self.rumble.abs().max()) < self.ringing:
            self.rumble.zero_()
            return sound
        exact = sound.double()
        parts: list[Tensor] = []
        for start in range(0, self.hop, self.at_once):
            row = torch.cat([exact[:, start : start + self.at_once], self.rumble], dim=1) @ self.highpass
            parts.append(row[:, : self.at_once])
            self.rumble.copy_(row[:, self.at_once :])
        return torch.cat(parts, dim=1).float()


def _block_highpass(sample_rate: int, block: int) -> NDArray[np.float64]:
    """Return the high-pass of a stream as one matrix [block + k, block + k].

    A block of samples and the k numbers that are carried from block to block, side by side in a row, times the matrix
    are the filtered block and the next numbers, which are 0 at first.
    """
    sections = highpass_sections(sample_rate)
    carried = 2 * len(sections)
    # Being linear, it is known by what it makes of each unit vector.
    units = np.eye(block + carried)
    filtered, after = units[:, :block].copy(), units[:, block:].reshape(-1, len(sections), 2).copy()
    filter_in_place(sections, filtered, after)
    return np.concatenate([filtered, after.reshape(-1, carried)], axis=1)
