from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gramophone
from gramophone.offline.work.progress import Progress

RATE = 16000
STYLE_RATE = 22050


@pytest.fixture(scope="module")
def style(water: np.ndarray) -> gramophone.Style:
    return gramophone.Style.from_audio(water, STYLE_RATE, name="water")


@pytest.mark.parametrize("pick", [slice(None), 0, slice(0, 1)])
def test_the_shape_is_the_contents(tune: np.ndarray, style: gramophone.Style, pick) -> None:
    content = tune[pick]
    output = gramophone.stylize(content, RATE, style, recipe="transport")
    assert output.shape == content.shape
    assert output.dtype == np.float64
    assert np.isfinite(output).all()
    assert np.abs(output).max() <= 1.0


def test_a_style_may_be_a_path(folder: Path, tune: np.ndarray) -> None:
    by_path = gramophone.stylize(tune, RATE, "style.wav", recipe="transport")
    by_style = gramophone.stylize(tune, RATE, gramophone.load_style(folder / "style.wav"), recipe="transport")
    np.testing.assert_array_equal(by_path, by_style)


def test_strength_zero_is_the_content(tune: np.ndarray, style: gramophone.Style) -> None:
    np.testing.assert_array_equal(gramophone.stylize(tune, RATE, style, strength=0.0), tune)


def test_notes_is_a_setting_and_goes_before_it(tune: np.ndarray, style: gramophone.Style) -> None:
    def made(**options: Any) -> np.ndarray:
        return gramophone.stylize(tune, RATE, style, recipe="transport", **options)

    styles = made(notes=0.0)
    np.testing.assert_array_equal(made(settings={"notes": 0.0}), styles)
    np.testing.assert_array_equal(made(settings={"notes": 1.0}, notes=0.0), styles)
    contents = made()
    np.testing.assert_array_equal(made(notes=1.0), contents)
    assert np.abs(contents - styles).max() > 1e-2


def test_the_content_is_left_alone(tune: np.ndarray, style: gramophone.Style) -> None:
    before = tune.copy()
    gramophone.stylize(tune, RATE, style, recipe="transport", strength=0.5)
    np.testing.assert_array_equal(tune, before)


def test_single_precision_and_lists_are_taken(tune: np.ndarray, style: gramophone.Style) -> None:
    for content in (tune[0].astype(np.float32), tune[0].tolist()):
        assert gramophone.stylize(content, RATE, style, recipe="transport").dtype == np.float64


def test_statistics_may_move_with_the_music(tune: np.ndarray, style: gramophone.Style) -> None:
    # Soft at first: taken as a whole it stays so, in windows it does not.
    content = tune * np.where(np.arange(tune.shape[1]) < tune.shape[1] // 2, 0.1, 1.0)

    def step(local: float | None) -> float:
        out = gramophone.stylize(content, RATE, style, recipe="transport", local=local)
        halves = np.array_split(out, 2, axis=1)
        return float(np.log10(np.square(halves[1]).mean() / np.square(halves[0]).mean()))

    assert step(0.5) < step(None) - 0.2
    with pytest.raises(gramophone.InputError, match=r"0\.5 to 3600"):
        gramophone.stylize(tune, RATE, style, recipe="transport", local=0.1)


def test_progress_is_told(tune: np.ndarray, style: gramophone.Style) -> None:
    told: list[Progress] = []
    gramophone.stylize(tune, RATE, style, recipe="transport", progress=told.append)
    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0.0
    assert fractions[-1] == pytest.approx(1.0)


def test_what_is_unchanged_is_at_one(tune: np.ndarray, style: gramophone.Style) -> None:
    unchanged = gramophone.style_distance(tune, style, tune, RATE)
    assert unchanged.raw == pytest.approx(1.0)
    assert unchanged.centred == pytest.approx(1.0)
    free = gramophone.transposition_free_distance(tune, style, tune, RATE)
    assert (free.raw, free.centred) == pytest.approx((1.0, 1.0))
    kept = gramophone.content_kept(tune[0], tune[0], RATE)
    assert kept.overall == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (np.zeros((2, 3, 4)), "shape"),
        (np.zeros(0), "shape"),
        (np.zeros(16000, dtype=np.int16), "floating"),
        (np.full(16000, np.nan), "finite"),
        (np.zeros(16000), "silent"),
        (np.ones(10), "shorter"),
    ],
)
def test_contents_that_cannot_be_used(content: np.ndarray, words: str, style: gramophone.Style) -> None:
    with pytest.raises(gramophone.InputError, match=words):
        gramophone.stylize(content, RATE, style, recipe="transport")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "transports"}, "transport"),
        ({"recipe": "transport", "strength": 1.5}, "strength"),
        ({"recipe": "transport", "settings": {"nothing": 1}}, "nothing"),
        ({"recipe": "transport", "notes": 1.5}, "notes must be a number from 0 to 1"),
        ({"recipe": "ulyanov2016", "notes": 1}, "recipes that have it: gramophone, transport$"),
        ({"recipe": "transport", "device": "tpu"}, "tpu"),
    ],
)
def test_options_that_cannot_be_used(
    options: dict[str, Any], words: str, tune: np.ndarray, style: gramophone.Style
) -> None:
    with pytest.raises(gramophone.InputError, match=words):
        gramophone.stylize(tune, RATE, style, **options)


def test_recipes_can_be_listed() -> None:
    recipes = gramophone.recipes()
    assert {"gramophone", "transport", "ulyanov2016", "dipani2018"} <= set(recipes)
    for recipe in recipes.values():
        assert recipe.summary
        assert all(explained for _, _, explained in recipe.describe())
