"""Sounds for tests, [channels, samples], and what several tests do with sounds."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def plucked(seconds: float, rate: int = 48_000, *, channels: int = 1, seed: int = 0) -> Samples:
    """Decaying tones at random moments: something that a map can be learnt from."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    out = np.zeros((channels, time.size))
    for start in np.arange(0.0, seconds, 0.17):
        after = np.maximum(time - start, 0.0)
        tone = np.sin(2 * np.pi * rng.uniform(110, 1200) * after) * np.exp(-6.0 * after) * (after > 0)
        out += tone * rng.uniform(0.1, 0.4, (channels, 1))
    return out.astype(np.float32)


def noise(seconds: float, seed: int, channels: int = 1, *, rate: int = 44_100) -> NDArray[np.float64]:
    """White noise."""
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, round(seconds * rate)))


def beats(seconds: float, hertz: float, seed: int = 0, *, rate: int = 44_100) -> NDArray[np.float64]:
    """Noise that is struck again and again."""
    t = np.arange(round(seconds * rate)) / rate
    return noise(seconds, seed, rate=rate) * np.exp(-12.0 * np.mod(t * hertz, 1.0) / hertz)


def joined(blocks: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Blocks in one piece."""
    return np.concatenate(list(blocks), axis=1)


def delayed(sound: NDArray[Any], samples: int) -> NDArray[Any]:
    """The whole sound after so many samples of silence."""
    return np.pad(sound, ((0, 0), (samples, 0)))


def steepest(sound: NDArray[Any]) -> float:
    """The largest step from one sample to the next: a click sticks out."""
    return float(np.abs(np.diff(sound)).max())
