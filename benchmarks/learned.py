"""Judges that others trained and published, whose weights come inside a package: nothing is downloaded at run time.

    pip install --no-deps basic-pitch aisfx && pip install onnxruntime

Both packages name old libraries that neither judge needs, hence `--no-deps`.

- **kad**: kernel audio distance (Chung et al. 2025): the unbiased squared maximum mean discrepancy between embeddings,
  with a Gaussian kernel as wide as the median distance between the content's and the style's. Embeddings are those of
  aiSFX (Ma and Lerch 2022, CC BY 4.0), which was trained to tell sound effects apart, of 2.3 s each. As a style
  distance is, it is divided by the content's: 1 is the unchanged content, 0 the style, give or take chance.
- **note F1**: Basic Pitch (Bittner et al. 2022, Apache 2.0) hears which of 88 notes sound in each frame of 12 ms;
  F1 of the output's notes against the content's. None where it hears fewer than a note in every second frame.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gramophone.dsp.level import at_reference
from gramophone.media.audiofile import resample

Samples = NDArray[np.float64]

_RATE = 44100
_N_FFT, _HOP, _MELS = 2048, 1024, 96
_BLOCK, _BLOCK_HOP = 100, 10
# What the network's authors divide its input by.
_LARGEST = 9.457798957824707

_PITCH_RATE = 22050
_WINDOW = 2 * _PITCH_RATE - 256
_OVERLAP_FRAMES, _FRAME = 30, 256
# The threshold of the published transcription.
_SOUNDING = 0.3
_FEWEST_NOTES = 0.5


class LearnedJudge:
    """Measures outputs for one content and one style, arrays [channels, samples] at `rate` Hz."""

    def __init__(self, content: Samples, style: Samples, rate: int) -> None:
        self._rate = rate
        ours, self._style = embeddings(content, rate), embeddings(style, rate)
        self._width = float(torch.pdist(torch.cat([ours, self._style])).median().clamp_min(1e-6))
        self._whole = kernel_distance(ours, self._style, self._width)
        self._notes = notes(content, rate)

    def row(self, output: Samples) -> tuple[float, float | None]:
        """Kernel audio distance over the content's, and note F1."""
        distance = kernel_distance(embeddings(output, self._rate), self._style, self._width) / self._whole
        if self._notes.sum(axis=1).mean() < _FEWEST_NOTES:
            return distance, None
        heard = notes(output, self._rate)
        frames = min(len(heard), len(self._notes))
        both = float((heard[:frames] & self._notes[:frames]).sum())
        return distance, 2.0 * both / float(heard[:frames].sum() + self._notes[:frames].sum())


def kernel_distance(first: torch.Tensor, second: torch.Tensor, width: float) -> float:
    """Unbiased squared maximum mean discrepancy of two sets of embeddings [blocks, values], with a kernel so wide."""

    def mean(a: torch.Tensor, b: torch.Tensor, *, same: bool) -> float:
        kernel = (-(torch.cdist(a, b) ** 2) / (2.0 * width**2)).exp()
        if not same:
            return float(kernel.mean())
        return float((kernel.sum() - kernel.trace()) / (len(a) * (len(a) - 1)))

    return (
        mean(first, first, same=True)
        + mean(second, second, same=True)
        - 2.0 * mean(first, second, same=False)
    )


def embeddings(samples: Samples, rate: int) -> torch.Tensor:
    """Embeddings [blocks, 512] of a sound [channels, samples], a block every 0.23 s."""
    mono = at_reference(resample(samples.mean(axis=0, keepdims=True), rate, _RATE), _RATE)
    signal = torch.from_numpy(mono[0] / np.abs(mono).max()).float()
    window = torch.hann_window(_N_FFT)
    power = (
        torch.stft(signal, _N_FFT, _HOP, window=window, pad_mode="constant", return_complex=True)
        .abs()
        .square()
    )
    mel = (10000.0 * (_mel_filters() @ power) + 1.0).log10() / _LARGEST
    with torch.no_grad():
        embedded: torch.Tensor = _embedding_network()(mel.T.unfold(0, _BLOCK, _BLOCK_HOP).mT)
    return embedded


def notes(samples: Samples, rate: int) -> NDArray[np.bool_]:
    """Which notes sound, [frames, 88]."""
    mono = resample(samples.mean(axis=0, keepdims=True), rate, _PITCH_RATE)[0]
    mono = mono / max(float(np.abs(mono).max()), 1e-9)
    hop = _WINDOW - _OVERLAP_FRAMES * _FRAME
    padded = np.concatenate([np.zeros(_OVERLAP_FRAMES * _FRAME // 2), mono, np.zeros(_WINDOW)])
    starts = range(0, mono.size + _OVERLAP_FRAMES * _FRAME // 2, hop)
    windows = np.stack([padded[start : start + _WINDOW] for start in starts]).astype(np.float32)
    (heard,) = _pitch_network().run(
        ["StatefulPartitionedCall:1"], {"serving_default_input_2:0": windows[..., None]}
    )
    cut = _OVERLAP_FRAMES // 2
    joined = heard[:, cut:-cut].reshape(-1, heard.shape[-1])
    sounding: NDArray[np.bool_] = joined[: mono.size // _FRAME] > _SOUNDING
    return sounding


@lru_cache(maxsize=1)
def _mel_filters() -> torch.Tensor:
    """Triangles [bands, bins] on the mel scale 2595 log10(1 + f / 700), 0 Hz to 22.05 kHz, each of sum 1."""
    top = 2595.0 * np.log10(1.0 + _RATE / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, _MELS + 2) / 2595.0) - 1.0)
    bins = np.arange(_N_FFT // 2 + 1) * _RATE / _N_FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return torch.from_numpy(triangles / np.maximum(triangles.sum(axis=1, keepdims=True), 1e-9)).float()


@lru_cache(maxsize=1)
def _embedding_network() -> Any:
    folder = _package("aisfx") / "models"
    # The package's own start imports libraries that its network does not need.
    spec = importlib.util.spec_from_file_location("aisfx_network", folder / "cnn2d.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.EmbeddingNet("max", 3, 1, 64).eval()
    # Beside tensors, the file holds a few NumPy numbers; nothing else may be in it.
    scalar = (importlib.import_module("numpy._core.multiarray").scalar, "numpy.core.multiarray.scalar")
    with torch.serialization.safe_globals([scalar, np.dtype, type(np.dtype(np.int64))]):
        weights, _ = torch.load(folder / "checkpoint.pth", map_location="cpu", weights_only=True)
    prefix = "embedding_net."
    network.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    return network


@lru_cache(maxsize=1)
def _pitch_network() -> Any:
    path = _package("basic_pitch") / "saved_models" / "icassp_2022" / "nmp.onnx"
    _package("onnxruntime")
    # By name: it is no part of the project's environment.
    onnxruntime = importlib.import_module("onnxruntime")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(
            f"--learned needs {name}: pip install --no-deps basic-pitch aisfx && pip install onnxruntime"
        )
    return Path(spec.submodule_search_locations[0])
