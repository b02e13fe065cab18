from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from gramophone.media.errors import InputError
from gramophone.models.networks.vgg import LAYERS, Vgg19, load_vgg19, random_vgg19

# torchvision's configuration E: filters, and 0 for its maxima.
CONFIGURATION = [64, 64, 0, 128, 128, 0, *[256] * 4, 0, *[512] * 4, 0, *[512] * 4, 0]


def as_torchvision() -> nn.Sequential:
    """The features of torchvision's vgg19, with small weights of a seed of its own."""
    layers: list[nn.Module] = []
    channels = 3
    for entry in CONFIGURATION:
        if not entry:
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, entry, 3, padding=1), nn.ReLU()]
            channels = entry
    return nn.Sequential(*layers)


@pytest.fixture(scope="module")
def sequence() -> nn.Sequential:
    torch.manual_seed(0)
    return as_torchvision()


@pytest.fixture(scope="module")
def state(sequence: nn.Sequential) -> dict[str, torch.Tensor]:
    named = {f"features.{key}": value for key, value in sequence.state_dict().items()}
    return {**named, "classifier.0.bias": torch.zeros(3)}


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    return torch.rand(40, 33, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def drawn() -> Vgg19:
    return random_vgg19(generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_in_torchvisions_layout_computes_what_torchvision_would(
    suffix: str,
    sequence: nn.Sequential,
    state: dict[str, torch.Tensor],
    picture: torch.Tensor,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"vgg19{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    ours = load_vgg19(path, pooling="max")(picture, ["conv1_1", "conv4_2", "conv5_4"])
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    grey = ((picture.expand(3, -1, -1) - mean) / deviation)[None]
    # Places of the ReLU behind each layer in torchvision's sequence.
    for name, place in {"conv1_1": 1, "conv4_2": 22, "conv5_4": 35}.items():
        torch.testing.assert_close(ours[name], sequence[: place + 1](grey)[0].flatten(1))


def test_layers_have_the_sizes_of_the_paper(drawn: Vgg19, picture: torch.Tensor) -> None:
    features = drawn(picture, LAYERS)
    assert tuple(features) == LAYERS
    assert len(LAYERS) == 16
    assert features["conv1_2"].shape == (64, 40 * 33)
    assert features["conv3_1"].shape == (256, 10 * 8)
    assert features["conv5_1"].shape == (512, 2 * 2)


def test_pooling_takes_means_unless_maxima_are_asked_for(drawn: Vgg19, picture: torch.Tensor) -> None:
    before = drawn(picture, ["conv1_2"])["conv1_2"].reshape(1, 64, 40, 33)
    pooled = functional.avg_pool2d(before, 2)
    expected = functional.conv2d(pooled, drawn.weights[2], drawn.biases[2], padding=1).relu()[0].flatten(1)
    torch.testing.assert_close(drawn(picture, ["conv2_1"])["conv2_1"], expected)


def test_normalised_filters_have_a_mean_of_one_and_the_same_course(
    drawn: Vgg19, picture: torch.Tensor
) -> None:
    other = picture.flip(0) ** 2
    network = drawn.normalised([picture, other])
    for layer in ("conv1_1", "conv3_2", "conv5_1"):
        before = drawn(picture, [layer])[layer]
        after, also = (network(image, [layer])[layer] for image in (picture, other))
        means = (after.mean(dim=-1) + also.mean(dim=-1)) / 2.0
        # Filters that hardly answer stay soft, and some never do.
        audible = (means - 1.0).abs() < 1e-3
        assert float(audible.sum()) > 0.9 * float((means > 0.0).sum())
        assert float(means.max()) < 1.001
        ratio = after[audible].norm(dim=-1, keepdim=True) / before[audible].norm(
            dim=-1, keepdim=True
        ).clamp_min(1e-9)
        torch.testing.assert_close(after[audible], before[audible] * ratio, rtol=1e-3, atol=1e-3)


def test_the_same_seed_draws_the_same_network(drawn: Vgg19) -> None:
    again, other = (random_vgg19(generator=torch.Generator().manual_seed(seed)) for seed in (2, 3))
    assert torch.equal(drawn.weights[15], again.weights[15])
    assert not torch.equal(drawn.weights[0], other.weights[0])


def test_random_weights_keep_the_scale_through_all_layers(drawn: Vgg19, picture: torch.Tensor) -> None:
    features = drawn(picture, ["conv1_1", "conv5_1"])
    assert 0.1 < float(features["conv5_1"].mean() / features["conv1_1"].mean()) < 10.0


class Code:
    """An object that a careless reader would build, with whatever comes with it."""


def test_what_is_not_vgg19_is_refused_in_one_line(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = tmp_path / "some.pth"
    cases: list[tuple[object, str]] = [
        ({key: value for key, value in state.items() if key != "features.10.bias"}, "no features.10.bias"),
        (state | {"features.28.weight": torch.zeros(512, 512, 1, 1)}, r"features.28.weight \(conv5_1\)"),
        (state | {"features.0.weight": torch.full((64, 3, 3, 3), torch.nan)}, "not finite"),
        ([1, 2, 3], "no state dict"),
        ({"features.0.weight": Code()}, "not a file of weights"),
    ]
    for saved, message in cases:
        torch.save(saved, path)
        with pytest.raises(InputError, match=message) as caught:
            load_vgg19(path)
        assert "\n" not in str(caught.value)
    for name, data, message in (
        ("noise.pth", b"RIFF....WAVE", "not a file of weights"),
        ("empty.safetensors", b"", "not a file of weights"),
        ("absent.pth", None, "cannot be read"),
        ("absent.safetensors", None, "cannot be read"),
    ):
        broken = tmp_path / name
        if data is not None:
            broken.write_bytes(data)
        with pytest.raises(InputError, match=message) as caught:
            load_vgg19(broken)
        assert "\n" not in str(caught.value)
