"""Holds a sound at the reference level while it is optimised.

Sounds are compared at one loudness. An optimiser that may change it drifts to a level at which the log-magnitudes
match, but at which nobody compares. So magnitudes are scaled to the reference level before any loss, and the
direction in which the sound only grows louder is removed from the gradient.

Loudness is a sum over time as well: of the K-weighted power of the frames that pass the gates of BS.1770. Its gradient
is exact (`offline.optimize.descent`). Its value and the gates are those of the step before, since a step needs them
before its sound is complete. They change little from step to step, and no error accumulates. The power of the spectrum
with the gains, which would be known in time, is no substitute: no signal has all of that power, and an optimiser raises
the part that no signal has (with single bells as the style by 15 dB in 80 steps).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...dsp.level import REFERENCE_LUFS, k_weights

# BS.1770-4: blocks of 400 ms; the gates, the second of them relative to what passes the first.
_BLOCK_SECONDS = 0.4
_ABSOLUTE_GATE = -70.0
_RELATIVE_GATE = -10.0
_OFFSET = -0.691


class LoudnessNormalisation:
    """The factor that brings magnitudes to the reference level.

    Args:
        n_fft, hop: of the frames
        sample_rate: Hz
        device: where everything is computed

    Attributes:
        weights: Tensor [bins], of each bin's power; the weighted sum over a frame is the mean square of the K-weighted
            signal there
        gates: Tensor [frames], the weight of each frame; their sum is 1
        factor: for magnitudes
    """

    def __init__(self, n_fft: int, hop: int, sample_rate: int, *, device: torch.device) -> None:
        # A full-scale sine has magnitude 1 and mean square 1/2; a Hann window spreads it to 3/2 in three bins.
        self.weights = torch.from_numpy(k_weights(n_fft, sample_rate)).float().to(device) / 3.0
        self._run = max(1, round(_BLOCK_SECONDS * sample_rate / hop))
        self.gates = torch.ones(1, device=device)
        self.factor = 1.0

    def update(self, power: Tensor) -> None:
        """Take the weighted power [frames] that a sound has before the factor, for the gates and the factor."""
        self.gates = self._gates(power.double()).float()
        self.factor = math.sqrt(10.0 ** ((REFERENCE_LUFS - _OFFSET) / 10.0) / self.mean(power))

    def mean(self, power: Tensor) -> float:
        """Mean of the weighted power [frames] of the frames that count."""
        return max(float(self.gates.double() @ power.double()), 1e-24)

    def _gates(self, power: Tensor) -> Tensor:
        frames = power.shape[0]
        run = min(self._run, frames)
        sums = torch.cat([power.new_zeros(1), power.cumsum(0)])
        blocks = (sums[run:] - sums[:-run]) / run
        # The level is free here: the absolute gate stands where it would if the loudest block had the reference's.
        loudest = float(blocks.max())
        if loudest <= 0.0:
            return torch.full_like(power, 1.0 / frames)
        passed = blocks > loudest * 10.0 ** ((_ABSOLUTE_GATE - REFERENCE_LUFS) / 10.0)
        passed = blocks > float(blocks[passed].mean()) * 10.0 ** (_RELATIVE_GATE / 10.0)
        counts = torch.cat(
            [passed.double().cumsum(0), passed.new_zeros(run - 1, dtype=torch.float64) + passed.sum()]
        )
        counts[run:] -= passed.double().cumsum(0)[: frames - run]
        return counts / counts.sum()
