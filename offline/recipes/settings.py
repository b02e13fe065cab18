"""Settings of the recipes that follow published work, and how a setting is declared. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal


def setting(
    default: object, explained: str, *, low: float | None = None, high: float | None = None, choices: str = ""
) -> Any:
    """A setting with its default, its line of help, and its range or its choices."""
    metadata = {"help": explained, "low": low, "high": high, "choices": tuple(choices.split())}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What all of them share: one channel at a rate of their own, a spectrogram, and a phase at the end."""

    sample_rate: int = setting(22050, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(2048, "STFT window, samples", low=64, high=16384)
    hop: int = setting(512, "STFT hop, samples", low=16, high=8192)
    phase_iterations: int = setting(500, "Griffin-Lim iterations, from random phase", low=0, high=10000)


_WEIGHTS = "file of VGG-19's weights in torchvision's layout (state dict or .safetensors); none: random ones"


@dataclass(frozen=True, kw_only=True)
class Gatys(Analysis):
    """Settings of `gatys2016`: VGG-19 on the spectrogram as an image, content and style, from noise."""

    weights: str = setting("", _WEIGHTS)
    pooling: Literal["average", "max"] = setting(
        "average", "between the blocks; the paper's, or that of the trained network", choices="average max"
    )
    normalise: bool = setting(True, "whether every filter is scaled to a mean activation of 1")
    layer_weights: tuple[float, ...] = setting(
        (0.2, 0.2, 0.2, 0.2, 0.2),
        "w_l of conv1_1, conv2_1, conv3_1, conv4_1, conv5_1, separated by commas, or one for all",
        low=0.0,
        high=1e6,
    )
    content_weight: float = setting(
        1e-3, "α where β is 1, on conv4_2; the paper has 1e-3 and 1e-4", low=0.0, high=1e6
    )
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    steps: int = setting(500, "L-BFGS steps", low=0, high=100000)


@dataclass(frozen=True, kw_only=True)
class Grinstein(Analysis):
    """Settings of `grinstein2017`: from the content, style loss only, with one of three networks."""

    network: Literal["shallow", "vgg19", "texture"] = setting(
        "shallow",
        "one random layer, VGG-19, or the auditory texture model on the sound itself",
        choices="shallow vgg19 texture",
    )
    filters: int = setting(4096, "filters of the random layer (network=shallow)", low=1, high=65536)
    kernel: int = setting(11, "frames that each of them sees (network=shallow)", low=1, high=255)
    weights: str = setting("", f"{_WEIGHTS} (network=vgg19)")
    steps: int = setting(300, "L-BFGS steps", low=0, high=100000)


@dataclass(frozen=True, kw_only=True)
class Antognini(Analysis):
    """Settings of `antognini2018`: random layers of many widths, rhythm and diversity, from noise."""

    sample_rate: int = setting(16000, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(512, "STFT window, samples", low=64, high=16384)
    hop: int = setting(64, "STFT hop, samples", low=16, high=8192)
    kernels: tuple[int, ...] = setting(
        (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048),
        "frames that each network sees, separated by commas; none longer than half a sound takes part",
        low=1,
        high=4096,
    )
    filters: int = setting(512, "filters of each network", low=1, high=8192)
    autocorrelation_weight: float = setting(
        1.0, "weight of the rhythm: autocorrelation of each feature over time", low=0.0, high=1e6
    )
    shortest_lag: float = setting(0.2, "shortest lag of the autocorrelation, s", low=0.0, high=60.0)
    longest_lag: float = setting(2.0, "longest lag of the autocorrelation, s", low=0.0, high=60.0)
    diversity_weight: float = setting(
        1e-3, "weight of the penalty on a copy of the style, however shifted", low=0.0, high=1e6
    )
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    steps: int = setting(2000, "L-BFGS steps", low=0, high=100000)
