"""How loud input and output of the streaming stylizer have been of late, and the gains that follow. TorchScript."""

import math

import torch
from torch import Tensor, nn

from dsp.level import REFERENCE_LUFS, k_weights
from models.live_style import Layout

# Frames below this level, full scale, say nothing; nor do those this far below the input's running level.
_SILENCE_DB = -75.0
_FLOOR_DB = -60.0
_FULL_DB = -45.0
# The wet signal's loudness is moved towards the input's by at most 6 dB up, but a long way down: after a single
# loud accident the input's running level is too high for a while, and what the style makes of it would be, too.
_MOST_MAKEUP = 2.0
_LEAST_MAKEUP = 0.003


class LiveLevel(nn.Module):
    """Running loudness, K-weighted, from the power spectra of frames.

    Parameters
    ----------
    layout : of the stylizer
    channels : whose spectra are added up in what is given here; their mean is what counts

    Attributes
    ----------
    gain : brings the input to the reference loudness; linear
    makeup : brings the output from the reference loudness to what the input really has; linear
    heard : seconds of input that were not silent
    """

    weights: Tensor

    def __init__(self, layout: Layout, *, channels: int) -> None:
        super().__init__()
        window = layout.pair.analysis
        n_fft = layout.n_fft
        # White noise of variance v has Σ_bins |X|² = v 2 n Σw² / (Σw)²: so much loudness is in a frame.
        share = float(window.sum()) ** 2 / (2.0 * n_fft * float(window.square().sum()) * channels)
        self.register_buffer(
            "weights", (torch.from_numpy(k_weights(n_fft, layout.sample_rate)) * share).float()
        )
        # TorchScript sees attributes, not names of the module.
        self.silence = _SILENCE_DB
        self.floor = _FLOOR_DB
        self.full = _FULL_DB
        self.most_makeup = _MOST_MAKEUP
        self.least_makeup = _LEAST_MAKEUP
        self.reference = 10.0 ** ((REFERENCE_LUFS + 0.691) / 10.0)
        self.hop_seconds = layout.hop / layout.sample_rate
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self.level = 0.0
        self.heard = 0.0
        self.gain = 1.0
        self.makeup = 1.0
        self.power_in = self.reference
        self.power_out = self.reference

    def listen(self, power: Tensor, rate: float) -> float:
        """Follow the input's loudness; returns 0 where this frame is silence, up to 1 where it sounds in full.

        Parameters
        ----------
        power : Tensor [B], of the newest frame, all channels together
        rate : by how much what is learnt moves in a hop; 0 holds it
        """
        loud = float(torch.dot(power, self.weights)) + 1e-20
        decibels = 10.0 * math.log10(loud)
        if decibels < self.silence:
            return 0.0
        relative = decibels - 10.0 * math.log10(self.level) if self.level > 0.0 else 0.0
        if rate > 0.0:
            # The relative gate of BS.1770 keeps rests from counting as quiet playing; but a player who stays that
            # quiet is followed in the end. At first everything counts, and what was first is soon forgotten (the mean's
            # memory is a third of what has been heard), since it may have been a plug going in; later a peak counts for
            # no more than 10 dB above the level.
            self.heard += self.hop_seconds
            early = self.heard < 5.0
            weight = 0.5 if early else (0.1 if relative > self.floor else 0.02)
            if relative > -10.0:
                weight = 1.0
            step = min(1.0, max(rate, 3.0 * self.hop_seconds / self.heard)) * weight
            heard = loud if early else min(loud, 10.0 * self.level)
            self.level += step * (heard - self.level)
        self.gain = math.sqrt(self.reference / self.level) if self.level > 0.0 else 1.0
        return min(1.0, max(0.0, (relative - self.floor) / (self.full - self.floor))) ** 2

    def balance(self, power_in: Tensor, power_out: Tensor, learnt: float) -> None:
        """Learn by how much the output is to be raised to be as loud as the input.

        Parameters
        ----------
        power_in, power_out : Tensor [B], of the newest frames, all channels together
        learnt : share by which what is learnt moves
        """
        loud_in = float(torch.dot(power_in, self.weights)) * self.gain * self.gain
        loud_out = float(torch.dot(power_out, self.weights))
        self.power_in += learnt * (loud_in - self.power_in)
        self.power_out += learnt * (loud_out - self.power_out)
        ratio = (self.power_in + 1e-6 * self.reference) / (self.power_out + 1e-6 * self.reference)
        self.makeup = min(self.most_makeup, max(self.least_makeup, math.sqrt(ratio)))
