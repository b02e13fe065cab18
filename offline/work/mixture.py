"""Sounds mixed by their spectra, so that nothing cancels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...dsp.frames import Framing, power
from ...media.spool import Spool
from .block_pool import block_pool, blocks

N_FFT = 2048
HOP = 512


def mixture(parts: Sequence[tuple[Spool, Tensor]], path: Path) -> Spool:
    """Mix sounds: the magnitudes are the weighted sum of theirs, the phase is that of the weighted sum of the spectra.

    Args:
        parts: sounds, equally long and with the same channels, each with its weight, Tensor [frames, 1] or [1, 1]
        path: of the result
    """
    sounds = [sound for sound, _ in parts]
    out = Spool.create(path, channels=sounds[0].channels, length=sounds[0].length)
    device = torch.device("cpu")
    framing = Framing(N_FFT, HOP, out.length, device=device)

    def mix(first: int, last: int) -> tuple[int, Tensor]:
        low, high = max(0, first - framing.reach), min(framing.frames, last + framing.reach)
        span = framing.span(low, high)
        total, magnitude = torch.zeros(()), torch.zeros(())
        for sound, weight in parts:
            spectrum = framing.analyse(torch.from_numpy(sound.read(*span)))
            spectrum *= weight.expand(framing.frames, 1)[low:high]
            total = total + spectrum
            magnitude = magnitude + power(spectrum).sqrt_()
        total *= magnitude * power(total).clamp_min_(1e-24).rsqrt_()
        start, stop = first * HOP, out.length if last == framing.frames else last * HOP
        return start, framing.synthesise(total, low)[:, start - span[0] : stop - span[0]]

    with block_pool(device) as workers:
        for start, samples in workers.in_order(mix, blocks(framing.frames)):
            out.write(start, samples.numpy())
    return out
