"""No render takes the inaudible part of a style: its offset, and what is below 20 Hz or above 20 kHz."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.dsp.level import loudness
from gramophone.models.style import Style
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.render.render import render
from gramophone.offline.render.texture import texture
from tests.inaudible import Inaudible, assert_no_more_than, inaudible, outside, struck

RATE = 44_100
FEW: dict[str, dict[str, object]] = {
    "gramophone": {"steps": 2, "filters": 32, "rank": 32, "phase_iterations": 2},
    "transport": {"phase_iterations": 2},
    "ulyanov2016": {"steps": 2, "filters": 32, "phase_iterations": 2},
    "dipani2018": {"steps": 2, "filters": 32, "phase_iterations": 2},
}
MUCH = Inaudible(0.3, 0.4, 7.0, 0.3, 21_000.0)
NOTHING = Inaudible(0.0, 0.0, 7.0, 0.0, 21_000.0)


def style(of: Inaudible, *, rate: int = RATE, seed: int = 1) -> Style:
    return Style.from_audio(of.with_(struck(1.5, rate, seed=seed), rate), rate, name="style")


@settings(max_examples=6)
@given(
    ours=inaudible,
    theirs=inaudible,
    rate=st.sampled_from([44_100, 48_000, 96_000]),
    strength=st.sampled_from([0.3, 1.0, 1.0]),
    seed=st.integers(0, 99),
)
def test_an_output_has_no_more_that_is_not_heard_than_its_content(
    ours: Inaudible, theirs: Inaudible, rate: int, strength: float, seed: int
) -> None:
    content = ours.with_(struck(1.5, rate, seed=seed, channels=2), rate)
    done = render(
        content,
        rate,
        style(theirs, rate=rate, seed=seed + 1),
        recipe="transport",
        strength=strength,
        settings=FEW["transport"],
    )
    assert_no_more_than(content, done.samples, rate)


@pytest.mark.parametrize("recipe", FEW)
def test_no_recipe_gives_what_is_not_heard(recipe: str) -> None:
    content = struck(1.0, RATE, seed=0)
    done = render(content, RATE, style(MUCH), recipe=recipe, settings=FEW[recipe])
    assert_no_more_than(content, done.samples, RATE)


def test_a_texture_has_nothing_that_is_not_heard_and_the_loudness_of_what_is() -> None:
    quiet, loud = style(NOTHING), style(MUCH)
    assert loud.loudness == pytest.approx(quiet.loudness, abs=0.1)
    recipe = get_recipe("transport", FEW["transport"])
    done = np.concatenate(list(texture(loud, 2.0, recipe=recipe.without_content())), axis=1)
    low, high, total = outside(done, RATE)
    assert max(low, high) < 1e-5 * total
    assert loudness(done, RATE) == pytest.approx(quiet.loudness, abs=1.0)
