"""The auditory texture model, and the distance that is taken on it."""

import math

import numpy as np
import pytest
import torch

from benchmarks.texture_distance import TextureMeter
from gramophone.media.audiofile import resample
from gramophone.media.errors import InputError
from gramophone.models.networks.texture_model import (
    PUBLISHED,
    TextureStatistics,
    cochlear_filters,
    envelopes,
    statistics,
    texture_statistics,
)
from gramophone.offline.render.baselines import matched_equaliser
from tests.sounds import beats, noise

RATE = 44100
Samples = np.ndarray


def swelling(seconds: float, hertz: float, seed: int = 0) -> Samples:
    """Noise whose level rises and falls."""
    t = np.arange(round(seconds * RATE)) / RATE
    return noise(seconds, seed) * (1.0 + 0.9 * np.sin(2.0 * np.pi * hertz * t))


def of(samples: Samples, rate: int = RATE) -> TextureStatistics:
    return texture_statistics(torch.from_numpy(samples).float(), rate)


def test_the_squares_of_the_cochlear_filters_sum_to_one() -> None:
    power = np.zeros(RATE + 1)
    for low, response in cochlear_filters(2 * RATE, RATE, PUBLISHED):
        power[low : low + response.size] += response**2
    assert power[40:] == pytest.approx(1.0)


def test_a_swell_is_found_in_the_modulation_filter_of_its_rate() -> None:
    centres = np.geomspace(0.5, 200.0, 20)
    for hertz in (4.0, 30.0):
        strongest = of(swelling(4.0, hertz)).modulation_power.median(dim=0).values.argmax()
        assert centres[int(strongest)] == pytest.approx(hertz, rel=0.25)


def test_shares_of_modulation_power_add_up_to_the_variance() -> None:
    total = of(noise(4.0, 1)).modulation_power.sum(dim=-1)
    assert total.numpy() == pytest.approx(1.0, abs=0.12)


def test_common_movements_correlate_and_independent_ones_do_not() -> None:
    together, apart = of(swelling(4.0, 12.5)), of(noise(4.0, 0))
    off = ~torch.eye(32, dtype=torch.bool)
    far = off & ((torch.arange(32)[:, None] - torch.arange(32)).abs() > 2)
    assert float(together.correlation[far].median()) > 0.4
    assert float(apart.correlation[far].abs().median()) < 0.1
    # 12.5 Hz is the third of the six octaves; the others see the noise alone.
    assert float(together.c1[2][far].median()) > 0.6
    assert float(together.c1[5][far].median()) < 0.3


def test_c2_tells_an_attack_from_a_decay() -> None:
    decays = beats(4.0, 6.25)
    forward, backward = of(decays).c2[2].mean(dim=0), of(decays[:, ::-1].copy()).c2[2].mean(dim=0)
    assert float((forward - backward).norm()) > 0.5


def test_moments_are_those_of_a_known_envelope() -> None:
    t = torch.arange(4000) / PUBLISHED.envelope_rate
    wave = 1.0 + 0.5 * torch.sin(2.0 * math.pi * 5.0 * t)[None]
    s = statistics(wave.repeat(2, 1))
    assert float(s.mean[0]) == pytest.approx(1.0, abs=1e-4)
    assert float(s.variation[0]) == pytest.approx(0.5 / math.sqrt(2.0), abs=1e-4)
    assert float(s.skewness[0]) == pytest.approx(0.0, abs=1e-3)
    assert float(s.kurtosis[0]) == pytest.approx(1.5, abs=1e-3)
    assert float(s.correlation[0, 1]) == pytest.approx(1.0, abs=1e-4)


def test_gain_changes_the_mean_alone() -> None:
    soft, loud = of(beats(3.0, 4.0)), of(4.0 * beats(3.0, 4.0))
    assert (loud.mean / soft.mean).numpy() == pytest.approx(4.0**0.3, rel=0.05)
    assert loud.variation.numpy() == pytest.approx(soft.variation.numpy(), rel=0.05)
    assert loud.modulation_power.numpy() == pytest.approx(soft.modulation_power.numpy(), abs=0.02)


def test_envelopes_in_blocks_are_those_of_the_whole() -> None:
    sound = torch.from_numpy(beats(20.0, 3.0)).float()
    whole = envelopes(sound, RATE)
    assert whole.shape == (32, 20 * PUBLISHED.envelope_rate)
    # Seconds 10 to 20 pass the border between two blocks in the one, and lie within one block in the other.
    late = envelopes(sound[:, 10 * RATE :], RATE)
    assert float((whole[:, 4400:7600] - late[:, 400:3600]).abs().max()) < 2e-3


def test_the_gradient_is_that_of_finite_differences() -> None:
    sound = torch.from_numpy(beats(0.4, 8.0))

    def value(samples: torch.Tensor) -> torch.Tensor:
        s = texture_statistics(samples, RATE)
        parts = (s.variation, s.skewness, s.kurtosis, s.correlation, s.modulation_power, s.c1, s.c2)
        return torch.stack([part.square().mean() for part in parts]).sum()

    leaf = sound.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(leaf), leaf)
    direction = 1e-6 * torch.randn(sound.shape, generator=torch.Generator().manual_seed(1), dtype=sound.dtype)
    with torch.no_grad():
        difference = float(value(sound + direction) - value(sound - direction)) / 2.0
    assert difference == pytest.approx(float((slope * direction).sum()), rel=1e-3)


def test_silence_has_finite_statistics_and_slopes() -> None:
    leaf = torch.zeros(1, RATE, requires_grad=True)
    s = texture_statistics(leaf, RATE)
    (s.skewness.sum() + s.c2.sum() + s.variation.sum()).backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_what_has_no_texture_is_refused() -> None:
    with pytest.raises(InputError, match="longer"):
        texture_statistics(torch.zeros(1, 100), RATE)
    with pytest.raises(InputError, match="2000 Hz"):
        texture_statistics(torch.zeros(1, 2000), 1000)


CONTENT, STYLE = beats(4.0, 2.0), swelling(4.0, 25.0, seed=3)


@pytest.fixture(scope="module")
def meter() -> TextureMeter:
    return TextureMeter(CONTENT, STYLE, RATE)


def test_unchanged_content_is_one_and_the_style_is_zero(meter: TextureMeter) -> None:
    unchanged, arrived = meter.distance(CONTENT), meter.distance(STYLE)
    assert unchanged.overall == pytest.approx(1.0)
    assert (unchanged.moments, unchanged.modulation, unchanged.correlations) == pytest.approx((1.0, 1.0, 1.0))
    assert arrived.overall == pytest.approx(0.0, abs=1e-6)


def test_another_stretch_of_the_style_is_near_it_as_is_its_other_half(meter: TextureMeter) -> None:
    floor = meter.floor()
    assert floor is not None
    assert floor.overall < 0.3
    assert meter.distance(swelling(4.0, 25.0, seed=4)).overall < 0.3


def test_gain_channels_and_rate_do_not_matter(meter: TextureMeter) -> None:
    mixed = CONTENT + STYLE
    plain = meter.distance(mixed).overall
    assert meter.distance(np.repeat(0.1 * mixed, 2, axis=0)).overall == pytest.approx(plain, abs=1e-4)
    elsewhere = TextureMeter(CONTENT, resample(STYLE, RATE, 48000), RATE, style_rate=48000)
    assert elsewhere.distance(mixed).overall == pytest.approx(plain, abs=0.03)


def test_an_equaliser_changes_little(meter: TextureMeter) -> None:
    tilted = matched_equaliser(CONTENT, np.diff(STYLE, prepend=0.0, axis=-1), RATE)
    assert meter.distance(tilted).overall == pytest.approx(1.0, abs=0.1)


def test_all_classes_see_what_moves_in_the_style_s_way(meter: TextureMeter) -> None:
    nearer = meter.distance(CONTENT[:, : STYLE.shape[-1]] * 0.1 + STYLE)
    assert max(nearer.moments, nearer.modulation, nearer.correlations) < 0.8


def test_silence_is_refused_and_half_a_silent_style_has_no_floor(meter: TextureMeter) -> None:
    with pytest.raises(InputError, match="output is silent"):
        meter.distance(np.zeros_like(CONTENT))
    ending = np.concatenate([STYLE, np.zeros_like(STYLE)], axis=-1)
    assert TextureMeter(CONTENT, ending, RATE).floor() is None
