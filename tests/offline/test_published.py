from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gramophone.app import demo_sounds
from gramophone.media.errors import InputError
from gramophone.models.networks.texture_model import texture_statistics
from gramophone.models.networks.vgg import random_vgg19
from gramophone.models.style import Style
from gramophone.offline.published.antognini import (
    Target,
    autocorrelation,
    copy_penalty,
    rhythm_loss,
    usable_kernels,
)
from gramophone.offline.published.gatys import STYLE_LAYERS, image, vgg_style_loss
from gramophone.offline.published.grinstein import optimise_texture
from gramophone.offline.recipes.antognini2018 import Antognini
from gramophone.offline.recipes.gatys2016 import Gatys
from gramophone.offline.recipes.grinstein2017 import Grinstein
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.render.render import render
from gramophone.offline.work.memory import available_memory, check_memory

RATE = 22050
# The demo's pair, short; pictures of 65 by 63 and 126 points.
SMALL: dict[str, Any] = {"sample_rate": 8000, "n_fft": 128, "hop": 32, "phase_iterations": 3}
FEW: dict[str, tuple[str, dict[str, Any]]] = {
    "gatys2016": ("gatys2016", {**SMALL, "steps": 3}),
    "shallow": ("grinstein2017", {"steps": 5, "filters": 64, "phase_iterations": 3}),
    "vgg19": ("grinstein2017", {**SMALL, "network": "vgg19", "steps": 3}),
    "texture": ("grinstein2017", {"network": "texture", "steps": 10}),
    "antognini2018": ("antognini2018", {**SMALL, "steps": 6, "filters": 32, "kernels": "2,8,32,512"}),
}


@pytest.fixture(scope="module")
def tune() -> np.ndarray:
    return demo_sounds.plucked_strings(RATE)[:, : RATE // 2].copy()


@pytest.fixture(scope="module")
def water() -> Style:
    return Style.from_audio(demo_sounds.bubbling_water(RATE)[:, : RATE // 2], RATE, name="water")


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("case", list(FEW))
def test_the_demo_pair_is_rendered_and_the_loss_falls(case: str, tune: np.ndarray, water: Style) -> None:
    name, settings = FEW[case]
    if case in {"gatys2016", "vgg19"}:
        # The deep network takes its time on one core.
        tune = tune[:, : RATE // 4]
    done = render(tune, RATE, water, recipe=name, settings=settings)
    assert done.samples.shape == tune.shape
    assert np.isfinite(done.samples).all()
    losses = [point.loss for point in done.losses]
    assert [point.step for point in done.losses] == list(range(1, settings["steps"] + 1))
    assert losses[-1] < 0.75 * losses[0], losses


@pytest.mark.parametrize("case", ["shallow", "antognini2018"])
def test_the_same_seed_gives_the_same_samples(case: str, tune: np.ndarray, water: Style) -> None:
    name, settings = FEW[case]
    first, second, other = (
        render(tune, RATE, water, recipe=name, settings=settings, seed=seed).samples for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_from_the_content_more_of_it_is_left_than_from_noise(tune: np.ndarray, water: Style) -> None:
    def spectra(start: str) -> torch.Tensor:
        settings = {**FEW["antognini2018"][1], "start": start, "steps": 1, "phase_iterations": 30}
        done = render(tune, RATE, water, recipe="antognini2018", settings=settings).samples
        return torch.stft(
            torch.from_numpy(done[0]), 512, return_complex=True, window=torch.hann_window(512)
        ).abs()

    wanted = torch.stft(
        torch.from_numpy(tune[0]), 512, return_complex=True, window=torch.hann_window(512)
    ).abs()
    near, far = (
        float(torch.corrcoef(torch.stack([spectra(start).flatten(), wanted.flatten()]))[0, 1])
        for start in ("content", "noise")
    )
    assert near > far + 0.2


def papers_loss(features: torch.Tensor, style: torch.Tensor) -> float:
    """Eq. 4 as it stands there."""
    filters, size = features.shape
    difference = features @ features.mT - style @ style.mT
    return float(difference.square().sum()) / (4.0 * filters**2 * size**2)


def test_the_style_loss_is_the_papers_where_both_images_have_one_size() -> None:
    network = random_vgg19(generator=torch.Generator().manual_seed(0))
    ours, style = noise(32, 40, seed=1), noise(32, 40, seed=2)
    weights = (0.1, 0.2, 0.3, 0.4, 0.5)
    features, targets = (network(x, STYLE_LAYERS) for x in (ours, style))
    expected = sum(
        w * papers_loss(features[layer], targets[layer])
        for w, layer in zip(weights, STYLE_LAYERS, strict=True)
    )
    loss = vgg_style_loss(network, style, weights)
    assert float(loss(features)) == pytest.approx(expected, rel=1e-4)
    assert float(loss(targets)) == pytest.approx(0.0, abs=1e-6 * expected)
    # One weight stands for all layers.
    assert float(vgg_style_loss(network, style, (0.2,))(features)) == pytest.approx(
        float(vgg_style_loss(network, style, (0.2,) * 5)(features))
    )


def test_a_spectrogram_too_small_for_four_poolings_is_filled_up() -> None:
    assert image(noise(9, 200)).shape == (16, 200)
    assert image(noise(40, 3)).shape == (40, 16)
    assert float(image(noise(40, 3))[:, 3:].abs().max()) == 0.0


def test_texture_statistics_come_nearer_to_the_styles(tune: np.ndarray, water: Style) -> None:
    content, style = (torch.from_numpy(x[:1]).float() for x in (tune, water.samples))
    out = optimise_texture(
        content, style, sample_rate=RATE, n_fft=2048, hop=512, steps=15, on_step=lambda *_: None
    )
    assert out.shape == content.shape
    before, after, target = (texture_statistics(x, RATE) for x in (content, out, style))
    for name in ("mean", "modulation_power", "correlation"):
        far, near = (float((getattr(x, name) - getattr(target, name)).norm()) for x in (before, after))
        assert near < 0.9 * far, name


def test_autocorrelation_is_the_mean_of_products_at_each_lag() -> None:
    features = noise(3, 50)
    found = autocorrelation(features, range(2, 9))
    for place, lag in enumerate(range(2, 9)):
        expected = (features[:, :-lag] * features[:, lag:]).mean(dim=-1)
        torch.testing.assert_close(found[:, place], expected, rtol=1e-4, atol=1e-5)
    # Half the frames are the longest lag, and no frames have none.
    assert autocorrelation(features, range(2, 90)).shape == (3, 24)
    assert autocorrelation(features, range(40, 90)).shape == (3, 0)


def test_rhythm_is_told_from_its_like_at_another_tempo() -> None:
    def beats(period: int, frames: int = 200) -> torch.Tensor:
        features = torch.zeros(4, frames)
        features[:, ::period] = 1.0
        return features + 0.01 * noise(4, frames)

    lags = range(5, 80)
    target = Target.of(beats(20), lags)
    assert float(rhythm_loss(beats(20, 240), target, lags)) < 0.05
    assert float(rhythm_loss(beats(27), target, lags)) > 0.5
    assert float(rhythm_loss(noise(4, 6), target, lags)) == 0.0


@pytest.mark.parametrize("frames", [40, 97, 150])
def test_a_copy_is_found_however_it_is_shifted(frames: int) -> None:
    style = noise(6, 97, seed=1)
    copied = style.roll(-31, dims=-1).repeat(1, 2)[:, :frames]
    other = noise(6, frames, seed=2)
    penalty, wanted = float(copy_penalty(copied, style)), float(copy_penalty(other, style))
    assert penalty > 100.0 * wanted
    # At the best shift, as if every one had been tried.
    rounds = style.repeat(1, 3)
    nearest = min(float((other - rounds[:, s : s + frames]).square().sum()) for s in range(97))
    energy = float(style.square().sum(dim=0).mean()) * frames
    assert wanted == pytest.approx(energy / (nearest + 1e-3 * energy), rel=1e-3)


def test_kernels_longer_than_half_a_sound_take_no_part() -> None:
    assert usable_kernels((2, 64, 2048), 150) == [2, 64]
    assert usable_kernels((64, 2048), 50) == [64]


def test_memory_is_estimated_and_what_does_not_fit_is_refused_before_the_work() -> None:
    for settings in (Gatys(), Grinstein(), Grinstein(network="texture"), Antognini()):
        short, long = (settings.memory(seconds * settings.sample_rate, RATE) for seconds in (10, 600))
        assert 0.0 < short < long
    assert Gatys().memory(10 * RATE, 10 * RATE) < 8e9
    check_memory(1e9, 2 * 10**9, recipe="gatys2016", seconds=10.0)
    with pytest.raises(InputError, match=r"gatys2016 .* 600 s .* 3\.0 GB, and 2\.0 GB are free") as caught:
        check_memory(3e9, 2 * 10**9, recipe="gatys2016", seconds=600.0)
    assert "\n" not in str(caught.value)
    free = available_memory(torch.device("cpu"))
    assert free is None or free > 0


def test_a_track_that_does_not_fit_is_refused(water: Style) -> None:
    hours = np.broadcast_to(0.1 * np.sin(np.arange(1000)), (2000, 1000)).reshape(1, -1)
    settings = {"sample_rate": 192000, "n_fft": 16384, "hop": 16, "steps": 1}
    with pytest.raises(InputError, match="holds the whole track in memory"):
        render(hours, 8000, water, recipe="gatys2016", settings=settings)


def test_weights_that_are_not_there_are_named(tune: np.ndarray, water: Style, tmp_path: Path) -> None:
    missing = {**SMALL, "weights": str(tmp_path / "vgg19.pth")}
    for name, more in (("gatys2016", {}), ("grinstein2017", {"network": "vgg19"})):
        with pytest.raises(InputError, match=r"vgg19\.pth cannot be read"):
            render(tune, RATE, water, recipe=name, settings=missing | more)
        assert not get_recipe(name, missing | more).cautions()


def test_random_pictures_are_warned_of() -> None:
    assert "random weights" in get_recipe("gatys2016").cautions()[0]
    assert get_recipe("grinstein2017", {"network": "vgg19"}).cautions()
    for name in ("gramophone", "ulyanov2016", "grinstein2017", "antognini2018"):
        assert get_recipe(name).cautions() == []
