"""Sounds mixed by their spectra, so that nothing cancels, and the way from a content to its stylised sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.frames import Framing, power
from ...media.spool import Spool
from .block_pool import block_pool, blocks

N_FFT = 2048
HOP = 512


def mixture(parts: Sequence[tuple[Spool, Tensor]], path: Path) -> Spool:
    """Mix sounds: the magnitudes are the weighted sum of theirs, the phase is that of the weighted sum of the spectra.

    Args:
        parts: sounds, equally long and with the same channels, each with its weight, Tensor [frames, 1],
            [1, bins] or [1, 1]
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
            spectrum *= weight.expand(framing.frames, -1)[low:high]
            total = total + spectrum
            magnitude = magnitude + power(spectrum).sqrt_()
        total *= magnitude * power(total).clamp_min_(1e-24).rsqrt_()
        start, stop = first * HOP, out.length if last == framing.frames else last * HOP
        return start, framing.synthesise(total, low)[:, start - span[0] : stop - span[0]]

    with block_pool(device) as workers:
        for start, samples in workers.in_order(mix, blocks(framing.frames)):
            out.write(start, samples.numpy())
    return out


@dataclass(frozen=True)
class Part:
    """A stylised sound.

    Attributes:
        sound: as long as the content
        share: Tensor [frames, 1] or [1, 1], of all parts; together 1, or less where the content stays as it is
        gain: makes it as loud as the content
    """

    sound: Spool
    share: Tensor
    gain: float


def on_the_way(content: Spool, parts: Sequence[Part], strength: Tensor, path: Path) -> Spool:
    """Return the sound at a strength s between a content X and a stylised sound Y, or several by their shares.

    Its magnitudes are (1 - s²) ((1 - s) |X| + s |E X|) + s² |Y|, where E is the fixed equaliser that gives the content
    Y's average spectrum. On the straight line from X to Y, the unchanged content would sound between the partials of Y
    until the very end, and E X alone would be nearer to the style for as much of the content. Distances are measured
    on a logarithmic scale, on which a soft sound beside a loud one hardly counts: with the square, equal steps of
    strength are more nearly equal steps of style distance.

    Args:
        content: what a strength of 0 gives
        parts: stylised sounds
        strength: Tensor [frames, 1] or [1, 1], 0 to 1
        path: of the result; what is needed on the way is put beside it
    """
    far = strength.square()
    near = (1.0 - far) * strength
    ours = cache(partial(_mean_power, content))
    rest = torch.ones(1, 1)
    sounds, made = [], []
    for number, part in enumerate(parts):
        sounds.append((part.sound, far * part.share * part.gain))
        rest = rest - (near + far) * part.share
        if near.any():
            gains = matching_gains(ours(), part.gain**2 * _mean_power(part.sound))
            made.append(path.with_name(f"{path.stem}-{number}{path.suffix}"))
            equalised = mixture([(content, torch.from_numpy(gains).float()[None, :])], made[-1])
            sounds.append((equalised, near * part.share))
    out = mixture([(content, rest), *sounds], path)
    for place in made:
        place.unlink()
    return out


def _mean_power(sound: Spool) -> NDArray[np.float64]:
    """Mean over frames and channels of a sound's power, [bins]."""
    device = torch.device("cpu")
    framing = Framing(N_FFT, HOP, sound.length, device=device)

    def add(first: int, last: int) -> Tensor:
        samples = torch.from_numpy(sound.read(*framing.span(first, last)))
        return power(framing.analyse(samples)).double().mean(dim=0).sum(dim=0)

    with block_pool(device) as workers:
        total = sum(
            workers.in_order(add, blocks(framing.frames)), torch.zeros(framing.bins, dtype=torch.float64)
        )
    mean: NDArray[np.float64] = (total / framing.frames).numpy()
    return mean


def matching_gains(there: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gains [bins] of the equaliser that gives a sound another's average spectrum.

    √(wanted / there), held to ±40 dB, of spectra smoothed over a sixth of an octave, as matching equalisers do.

    Args:
        there, wanted: [bins], mean powers
    """
    gains: NDArray[np.float64] = np.sqrt(_smooth(wanted) / np.maximum(_smooth(there), 1e-14)).clip(
        0.01, 100.0
    )
    return gains


def _smooth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over a sixth of an octave around each bin."""
    bins = np.arange(power.size)
    total = np.concatenate([[0.0], np.cumsum(power)])
    low = np.floor(bins * 2 ** (-1 / 12)).astype(int)
    high = np.minimum(np.ceil(bins * 2 ** (1 / 12)).astype(int) + 1, power.size)
    smoothed: NDArray[np.float64] = (total[high] - total[low]) / (high - low)
    return smoothed
