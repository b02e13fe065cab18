"""How loud input and output of the streaming stylizer have been of late, and the gains that follow. TorchScript."""

import math

import torch
from torch import Tensor, nn

from ...dsp.level import REFERENCE_LUFS, k_weights
from ...dsp.stft import S0
from ..live.prepared_style import Layout
from .noise_gate import LevelGate

# Frames this far below the running level are a pause. They hardly change it.
_PAUSE_DB = -30.0
# The wet signal's loudness is moved towards the input's by at most 12 dB up, but a long way down: after a single
# loud accident the input's running level is too high for a while, and what the style makes of it would be, too.
_MOST_MAKEUP = 4.0
_LEAST_MAKEUP = 0.003


class RunningLoudness(nn.Module):
    """Running loudness, K-weighted, from the power spectra of frames.

    Args:
        layout: of the stylizer
        channels: whose spectra are added up in what is given here; their mean is what counts

    Attributes:
        gain: brings the input to the reference loudness; linear
        makeup: brings the output from the reference loudness to what the input really has; linear
        heard: seconds of input that were not silent
        held: by how much the frame before was turned down; linear
    """

    weights: Tensor

    def __init__(self, layout: Layout, *, channels: int) -> None:
        super().__init__()
        window = torch.from_numpy(layout.pair.analysis)
        n_fft = layout.n_fft
        # White noise of variance v has Σ_bins |X|² = v 2 n Σw² / (Σw)²: so much loudness is in a frame.
        share = float(window.sum()) ** 2 / (2.0 * n_fft * float(window.square().sum()) * channels)
        self.register_buffer(
            "weights", (torch.from_numpy(k_weights(n_fft, layout.sample_rate)) * share).float()
        )
        # TorchScript sees attributes, not names of the module.
        self.pause = _PAUSE_DB
        self.most_makeup = _MOST_MAKEUP
        self.least_makeup = _LEAST_MAKEUP
        self.reference = 10.0 ** ((REFERENCE_LUFS + 0.691) / 10.0)
        self.hop_seconds = layout.hop / layout.sample_rate
        # What the sum of squared magnitudes in units of S0, one for all channels, is as power of all of them.
        self.unit = S0 * S0 * channels
        self.gate = LevelGate(self.hop_seconds)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self.level = 0.0
        self.heard = 0.0
        self.gain = 1.0
        self.makeup = 1.0
        self.power_in = self.reference
        self.power_out = self.reference
        self.held = 1.0
        self.gate.reset()

    def listen(self, power: Tensor, rate: float, gate: float) -> float:
        """Follow the input's loudness; returns how much can be learnt from this frame: 0 in a pause, up to 1.

        Args:
            power: Tensor [B], of the newest frame, all channels together
            rate: by how much what is learnt moves in a hop; 0 holds it
            gate: see `LevelGate.follow`
        """
        loud = float(torch.dot(power, self.weights)) + 1e-20
        decibels = 10.0 * math.log10(loud)
        running = 10.0 * math.log10(self.level) if self.level > 0.0 else decibels
        relative = decibels - running
        self.gate.follow(decibels, running, gate)
        if rate > 0.0 and self.gate.sounds != 0.0:
            # The relative gate of BS.1770 keeps rests from counting as quiet playing; but a player who stays that
            # quiet is followed in the end. At first everything counts, and what was first is soon forgotten (the mean's
            # memory is a third of what has been heard), since it may have been a plug going in; later a peak counts for
            # no more than 10 dB above the level.
            self.heard += self.hop_seconds
            early = self.heard < 5.0
            weight = 0.5 if early else (0.1 if relative > self.pause else 0.02)
            if relative > -10.0:
                weight = 1.0
            step = min(1.0, max(rate, 3.0 * self.hop_seconds / self.heard)) * weight
            heard = loud if early else min(loud, 10.0 * self.level)
            self.level += step * (heard - self.level)
        self.gain = math.sqrt(self.reference / self.level) if self.level > 0.0 else 1.0
        return self.gate.taught() * self.held

    def hold(self, squares: Tensor, strength: float) -> float:
        """Return by how much a frame is to be turned down, so that it stays as soft as the input.

        Args:
            squares: Tensor [B], of its magnitudes in units of S0, relative to the running level
            strength: as far as that is asked for, the gate shuts
        """
        loud = float(torch.dot(squares, self.weights)) * self.unit * self.makeup ** (2.0 * strength)
        most = self.reference * 10.0 ** (0.1 * self.gate.most())
        self.held = math.sqrt(most / loud) if loud > most else 1.0
        return self.held * (1.0 - strength * (1.0 - self.gate.opened))

    def balance(self, power_in: Tensor, power_out: Tensor, learnt: float, most: float) -> None:
        """Learn by how much the output is to be raised to be as loud as the input.

        Args:
            power_in, power_out: Tensor [B], of the newest frames, all channels together
            learnt, most: share by which what is learnt moves; of a frame that came out too loud, the second one. What
                was held down counts for less, lest it be made up for
        """
        loud_in = float(torch.dot(power_in, self.weights)) * self.gain * self.gain
        loud_out = float(torch.dot(power_out, self.weights))
        if loud_out > loud_in:
            learnt = most
        self.power_in += learnt * (loud_in - self.power_in)
        self.power_out += learnt * (loud_out - self.power_out)
        ratio = (self.power_in + 1e-6 * self.reference) / (self.power_out + 1e-6 * self.reference)
        self.makeup = min(self.most_makeup, max(self.least_makeup, math.sqrt(ratio)))
