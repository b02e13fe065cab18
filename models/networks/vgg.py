"""The convolution stack of VGG-19, for spectrograms taken as images (Simonyan and Zisserman 2015, configuration E).

Weights come from a file in torchvision's layout, or are drawn at random. A picture has three channels; the spectrogram
fills all three, like a grey picture.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from ...media.errors import InputError
from ...media.files import shown

Pooling = Literal["average", "max"]

# Filters of each block's layers; a pooling layer, which halves both sides, lies between two blocks.
_BLOCKS = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
LAYERS = tuple(f"conv{block}_{layer}" for block, (_, n) in enumerate(_BLOCKS, 1) for layer in range(1, n + 1))
# Of the pictures that torchvision's weights were trained on, full scale 0 to 1.
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)
# Four poolings must leave something: a side of 16 gives one point in the last block.
SMALLEST_SIDE = 16
# A filter that hardly responds is not raised above this, relative to the mean of its layer.
_QUIETEST = 0.01


@dataclass(frozen=True)
class Vgg19:
    """VGG-19 without its classifier.

    Attributes:
        weights, biases: 16 of each, Tensor [filters, channels, 3, 3] and [filters], in the order of `LAYERS`
        pooling: Gatys, Ecker and Bethge 2016 put averages in the place of the published maxima
    """

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    pooling: Pooling = "average"

    def to(self, device: torch.device) -> Vgg19:
        """The same network on a device."""
        weights, biases = (tuple(x.to(device) for x in kind) for kind in (self.weights, self.biases))
        return Vgg19(weights, biases, self.pooling)

    def __call__(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Features after ReLU, [filters N, places M] for each of `layers`; nothing deeper than these is computed.

        Args:
            image: Tensor [height, width], grey, about 0 to 1; no side below `SMALLEST_SIDE`
            layers: some of `LAYERS`
        """
        wanted: dict[str, Tensor] = {}
        shape = (3, 1, 1)
        features = image[None].expand(3, -1, -1)
        features = (features - features.new_tensor(_MEAN).reshape(shape)) / features.new_tensor(
            _DEVIATION
        ).reshape(shape)
        features = features[None]
        for name, weight, bias in zip(LAYERS, self.weights, self.biases, strict=True):
            if name.endswith("_1") and name != LAYERS[0]:
                features = (
                    functional.avg_pool2d(features, 2)
                    if self.pooling == "average"
                    else functional.max_pool2d(features, 2)
                )
            features = functional.conv2d(features, weight, bias, padding=1).relu()
            if name in layers:
                wanted[name] = features[0].flatten(1)
            if len(wanted) == len(set(layers)):
                break
        return wanted

    def normalised(self, images: Sequence[Tensor]) -> Vgg19:
        """The network whose filters all have a mean activation of 1 on these images [height, width].

        Weights and biases are divided by the mean, and the next layer's weights multiplied by it, so that the network
        computes what it computed before (Gatys, Ecker and Bethge 2016, section 2: ReLU and pooling keep factors).
        """
        weights, biases = list(self.weights), list(self.biases)
        means: dict[str, Tensor] = {}
        with torch.no_grad():
            for image in images:
                for name, features in self(image, LAYERS).items():
                    share = features.mean(dim=-1) / len(images)
                    means[name] = means[name] + share if name in means else share
            for index, name in enumerate(LAYERS):
                mean = means[name].clamp_min(_QUIETEST * float(means[name].mean())).clamp_min(1e-12)
                weights[index] = weights[index] / mean[:, None, None, None]
                biases[index] = biases[index] / mean
                if index + 1 < len(LAYERS):
                    weights[index + 1] = weights[index + 1] * mean[:, None, None]
        return Vgg19(tuple(weights), tuple(biases), self.pooling)


def random_vgg19(*, generator: torch.Generator, pooling: Pooling = "average") -> Vgg19:
    """Draw all weights: normal with variance 2 / (9 channels), biases 0 (He et al. 2015, eq. 10)."""
    weights, biases = [], []
    for shape in _shapes():
        deviation = (2.0 / (shape[1] * shape[2] * shape[3])) ** 0.5
        weights.append(torch.randn(shape, generator=generator) * deviation)
        biases.append(torch.zeros(shape[0]))
    return Vgg19(tuple(weights), tuple(biases), pooling)


def load_vgg19(path: str | os.PathLike[str], *, pooling: Pooling = "average") -> Vgg19:
    """Read weights in torchvision's layout: `features.N.weight` and `features.N.bias`.

    Args:
        path: a `.safetensors` file, or what `torch.save` wrote of a state dict; of the latter nothing but tensors is
            read (`weights_only`), so that a file cannot run code. Other entries, such as the classifier's, are left
            out
        pooling: see `Vgg19`

    Raises:
        InputError: The file is missing or unreadable, or a tensor is missing, of another shape, or not finite.
    """
    path = Path(path).expanduser()
    state = _read(path)
    weights: list[Tensor] = []
    biases: list[Tensor] = []
    for name, index, shape in zip(LAYERS, _indices(), _shapes(), strict=True):
        for part, expected, found in (("weight", shape, weights), ("bias", shape[:1], biases)):
            found.append(_tensor(state, f"features.{index}.{part}", expected, name, path))
    return Vgg19(tuple(weights), tuple(biases), pooling)


def _shapes() -> list[tuple[int, int, int, int]]:
    shapes: list[tuple[int, int, int, int]] = []
    channels = 3
    for filters, layers in _BLOCKS:
        for _ in range(layers):
            shapes.append((filters, channels, 3, 3))
            channels = filters
    return shapes


def _indices() -> list[int]:
    """Places of the convolutions in torchvision's sequence, in which ReLU and pooling count as well."""
    indices, place = [], 0
    for _, layers in _BLOCKS:
        indices += [place + 2 * layer for layer in range(layers)]
        place += 2 * layers + 1
    return indices


def _read(path: Path) -> Mapping[str, object]:
    try:
        if path.suffix.lower() == ".safetensors":
            return dict(load_file(path))
        state: object = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"weights {shown(path)} cannot be read: {reason}; check the name") from error
    except Exception as error:
        # Bytes that are no state dict end in whatever exception the reader happens to run into.
        raise InputError(
            f"{shown(path)} is not a file of weights; give a state dict saved by torch.save, or .safetensors"
        ) from error
    if not isinstance(state, Mapping):
        raise InputError(f"{shown(path)} holds no state dict; save the network's state_dict() instead")
    return state


def _tensor(state: Mapping[str, object], key: str, shape: tuple[int, ...], layer: str, path: Path) -> Tensor:
    tensor = state.get(key)
    if not isinstance(tensor, Tensor):
        raise InputError(
            f"{shown(path)} has no {key} ({layer}); weights of VGG-19 in torchvision's layout are needed"
        )
    if tuple(tensor.shape) != shape:
        raise InputError(
            f"{shown(path)}: {key} ({layer}) is {list(tensor.shape)} instead of {list(shape)}; is it VGG-19?"
        )
    tensor = tensor.detach().float()
    if not bool(tensor.isfinite().all()):
        raise InputError(f"{shown(path)}: {key} ({layer}) holds values that are not finite; fetch it again")
    return tensor
