"""From spectra to what is heard: overlap-add, level, limiter, and the mix with the dry signal. TorchScript."""

import torch
from torch import Tensor, nn

from dsp.limiter import limit_block, limiter_state
from models.live_style import Layout

_CEILING = 10.0 ** (-1.0 / 20.0)
_RELEASE_SECONDS = 0.08


class LiveOutput(nn.Module):
    """The synthesis side of the streaming stylizer; C channels.

    Parameters
    ----------
    layout : of the stylizer
    channels : C

    Attributes
    ----------
    wet : how much of the wet signal was in the hop before
    limited : whether the limiter worked in the hop before
    """

    synthesis: Tensor
    sum: Tensor
    silent_hop: Tensor
    ramp: Tensor
    ceiling: Tensor
    limiter: Tensor

    def __init__(self, layout: Layout, *, channels: int) -> None:
        super().__init__()
        self.hop = layout.hop
        self.n_fft = layout.n_fft
        self.length = layout.pair.length
        self.release = _RELEASE_SECONDS * layout.sample_rate
        scale = 2.0 / float(layout.pair.analysis.sum())
        self.register_buffer("synthesis", (layout.pair.synthesis / scale).float())
        self.register_buffer("sum", torch.zeros(channels, layout.n_fft))
        self.register_buffer("silent_hop", torch.zeros(channels, layout.hop))
        self.register_buffer("ramp", torch.arange(1, self.hop + 1, dtype=torch.float32) / self.hop)
        self.register_buffer("ceiling", torch.tensor(_CEILING))
        self.register_buffer("limiter", limiter_state())
        # Whoever resets decides where it stands.
        self.wet = 0.0
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self.sum.zero_()
        self.limiter.zero_()
        self.limited = False
        self.emitted = 0.0

    def overlap_add(self, spectra: Tensor, gain: float) -> Tensor:
        """Add frames to those before; returns [C, hop], the samples that are now complete.

        Parameters
        ----------
        spectra : Tensor [C, B] complex, in units of the analysis
        gain : factor
        """
        self.sum.addcmul_(torch.fft.irfft(spectra, n=self.n_fft), self.synthesis, value=gain)
        first = self.n_fft - self.length
        out = self.sum[:, first : first + self.hop].clone()
        self.sum.copy_(torch.cat([self.sum[:, self.hop :], self.silent_hop], dim=1))
        return out

    def emit(self, out: Tensor, dry: Tensor, *, level: float, strength: float, mix: float) -> Tensor:
        """Bring the wet signal to a level, limit it, and mix it with the dry one.

        Parameters
        ----------
        out, dry : Tensor [C, hop]
        level : factor for the wet signal; ramped from that of the hop before
        strength, mix : 0 to 1
        """
        begin = self.emitted if self.emitted > 0.0 else level
        self.emitted = level
        # Below a strength of 0.05 the resynthesised sound gives way to the input itself.
        share = mix * min(1.0, strength * 20.0)
        before = self.wet
        self.wet = share
        if before == 0.0 and share == 0.0:
            self.limiter.zero_()
            self.limited = False
            return dry
        wet = out * torch.linspace(begin + (level - begin) / self.hop, level, self.hop)
        wet, self.limiter, self.limited = limit_block(wet, self.limiter, self.ceiling, self.release)
        if before == 1.0 and share == 1.0:
            return wet
        return dry + (wet - dry) * (before + (share - before) * self.ramp)
