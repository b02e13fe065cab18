import itertools

import numpy as np
import pytest

from gramophone.app import demo_sounds
from gramophone.dsp.level import loudness, true_peak
from gramophone.media.errors import InputError
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import Style
from gramophone.offline.recipes.recipe import Recipe
from gramophone.offline.recipes.registry import RECIPES, get_recipe
from gramophone.offline.render import texture as module
from gramophone.offline.render.render import Progress
from gramophone.offline.render.texture import best_join, crossfade, noise_like, texture

RATE = 22050
QUICK = (
    get_recipe("transport")
    .without_content()
    .replace({"sample_rate": RATE, "n_fft": 512, "hop": 128, "phase_iterations": 4, "rounds": 1})
)


@pytest.fixture(scope="module")
def water() -> Style:
    return Style.from_audio(demo_sounds.bubbling_water(RATE)[:, : RATE * 2], RATE, name="water")


def made(style: Style, seconds: float, *, seed: int = 0, recipe: Recipe = QUICK) -> np.ndarray:
    return np.concatenate(list(texture(style, seconds, recipe=recipe, seed=seed)), axis=1)


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_SECONDS", 1.5)
    monkeypatch.setattr(module, "FADE_SECONDS", 0.3)
    monkeypatch.setattr(module, "SEARCH_SECONDS", 0.3)


@pytest.mark.usefixtures("short_blocks")
@pytest.mark.parametrize("seconds", [0.8, 1.5, 4.321])
def test_length_channels_and_level_are_as_asked(water: Style, seconds: float) -> None:
    out = made(water, seconds)
    assert out.shape == (water.samples.shape[0], round(seconds * RATE))
    assert np.isfinite(out).all()
    assert true_peak(out, RATE) <= 10 ** (-1 / 20) + 1e-9
    assert loudness(out, RATE) == pytest.approx(water.loudness, abs=1.5)


@pytest.mark.usefixtures("short_blocks")
def test_the_texture_is_the_clips_and_stays_so(water: Style) -> None:
    out = made(water, 4.0, recipe=QUICK.replace({"rounds": 2, "phase_iterations": 12}))
    hiss = noise_like(water, out.shape[1], np.random.default_rng(1))
    meter = StyleMeter(hiss, water.samples, RATE, rate=RATE)
    assert meter.distance(out).centred < 0.8
    # No block is softer than the others, and no join is.
    levels = [loudness(piece, RATE) for piece in np.array_split(out, 8, axis=1)]
    assert max(levels) - min(levels) < 4.0


@pytest.mark.usefixtures("short_blocks")
def test_blocks_differ_and_seeds_decide(water: Style) -> None:
    first, second, other = (made(water, 3.0, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first, second)
    assert abs(np.corrcoef(first[0], other[0])[0, 1]) < 0.3
    halves = np.split(first[0][: first.shape[1] // 2 * 2], 2)
    assert abs(np.corrcoef(halves[0], halves[1])[0, 1]) < 0.3


@pytest.mark.usefixtures("short_blocks")
def test_it_comes_piece_by_piece_and_tells_how_far_it_is(water: Style) -> None:
    seen: list[Progress] = []
    pieces = texture(water, 4.0, recipe=QUICK, progress=seen.append)
    first = next(pieces)
    assert first.shape[1] < 2 * RATE
    assert seen[-1].fraction <= 1.0 / 3.0
    rest = list(pieces)
    assert sum(piece.shape[1] for piece in (first, *rest)) == 4 * RATE
    fractions = [progress.fraction for progress in seen]
    assert all(before <= after + 1e-12 for before, after in itertools.pairwise(fractions))
    assert fractions[-1] == pytest.approx(1.0)
    assert seen[-1].stage.startswith("block 3 of 3")


def test_a_rhythm_goes_on_across_a_join() -> None:
    t = np.arange(3 * RATE) / RATE
    clicks = np.random.default_rng(0).standard_normal(t.size) * np.exp(-60.0 * np.mod(t, 0.25))
    # The old block ends a tenth of a second after a beat; the new one has its beats elsewhere.
    tail = clicks[None, int(2.1 * RATE) : int(2.6 * RATE)]
    head = clicks[None, int(0.18 * RATE) : int(1.2 * RATE)]
    begin = best_join(tail, head, RATE)
    assert 0 <= begin <= head.shape[1] - tail.shape[1]
    late = (0.18 + begin / RATE - 2.1) % 0.25
    assert min(late, 0.25 - late) < 0.015


def test_a_crossfade_keeps_the_power_of_independent_sounds() -> None:
    old, new = np.random.default_rng(0).standard_normal((2, 1, 60000))
    power = np.square(crossfade(old, new)).reshape(6, -1).mean(axis=1)
    np.testing.assert_allclose(power, 1.0, atol=0.06)
    assert crossfade(old, new)[0, 0] == pytest.approx(old[0, 0], abs=1e-3)
    assert crossfade(old, new)[0, -1] == pytest.approx(new[0, -1], abs=1e-3)


def test_noise_has_the_clips_loudness_spectrum_and_width(water: Style) -> None:
    mono = Style.from_audio(np.repeat(water.samples[:1], 2, axis=0), RATE, name="twice the same")
    noise = noise_like(mono, 3 * RATE, np.random.default_rng(0))
    assert np.corrcoef(noise[0], noise[1])[0, 1] > 0.99
    assert loudness(noise, RATE) == pytest.approx(mono.loudness, abs=0.1)
    spectra = [np.abs(np.fft.rfft(x[0], n=RATE * 3)) ** 2 for x in (noise, mono.samples)]
    low, high = (
        np.array([s[a:b].sum() for a, b in ((0, 3000), (3000, 9000), (9000, 33000))]) for s in spectra
    )
    assert np.argmax(low) == np.argmax(high)


def test_recipes_that_need_a_content_are_refused() -> None:
    for name in RECIPES:
        if name in {"gramophone", "transport", "antognini2018"}:
            settings = get_recipe(name).without_content().settings()
            assert all(
                settings[key] == 0.0 for key in ("content_weight", "energy_coupling") if key in settings
            )
        else:
            with pytest.raises(InputError, match="needs a content"):
                get_recipe(name).without_content()
