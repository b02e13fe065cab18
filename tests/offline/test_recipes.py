import dataclasses
from pathlib import Path

import pytest

from gramophone.media.errors import InputError
from gramophone.offline.recipes.registry import RECIPES, get_recipe
from gramophone.offline.recipes.transport import Transport


def test_published_settings_are_the_published_ones() -> None:
    ulyanov = get_recipe("ulyanov2016").settings()
    assert ulyanov == ulyanov | {
        "sample_rate": 22050, "n_fft": 2048, "hop": 512, "filters": 4096, "kernel": 11, "padding": 0, "relu": True,
        "init": "ulyanov2016", "content_weight": 1e-2, "start": "noise", "optimizer": "lbfgs", "steps": 300,
        "phase_iterations": 500, "clamp": False, "loss": "sum",
    }  # fmt: skip
    dipani = get_recipe("dipani2018").settings()
    assert dipani == dipani | {
        "sample_rate": 22050, "n_fft": 2048, "hop": 512, "filters": 4096, "kernel": 3, "padding": 1, "relu": False,
        "init": "torch", "style_weight": 2500.0, "start": "content", "optimizer": "adam", "learning_rate": 0.03,
        "clamp": True, "steps": 400, "phase_iterations": 500, "loss": "mean",
    }  # fmt: skip


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_setting_is_explained_and_takes_its_own_value_as_text(name: str) -> None:
    recipe = get_recipe(name)
    for key, value, explained in recipe.describe():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert explained
        assert get_recipe(name, {key: text}) == recipe


def test_the_papers_settings_of_the_deeper_recipes() -> None:
    gatys = get_recipe("gatys2016").settings()
    assert gatys == gatys | {
        "pooling": "average", "normalise": True, "content_weight": 1e-3, "layer_weights": (0.2,) * 5,
        "start": "noise", "weights": "",
    }  # fmt: skip
    grinstein = get_recipe("grinstein2017").settings()
    assert grinstein == grinstein | {"network": "shallow", "filters": 4096, "kernel": 11}
    antognini = get_recipe("antognini2018").settings()
    assert antognini == antognini | {
        "sample_rate": 16000, "n_fft": 512, "kernels": tuple(2**n for n in range(1, 12)), "start": "noise",
        "shortest_lag": 0.2, "longest_lag": 2.0,
    }  # fmt: skip


def test_paths_and_fractions_are_settings_too() -> None:
    changed = get_recipe("gatys2016", {"weights": Path("vgg 19.pth"), "layer_weights": "1, 0.5, 0,0 1e-3"})
    assert changed.settings()["weights"] == "vgg 19.pth"
    assert changed.settings()["layer_weights"] == (1.0, 0.5, 0.0, 0.0, 1e-3)


def test_settings_are_replaced_and_the_recipe_itself_is_not() -> None:
    changed = get_recipe("gramophone", {"steps": "7", "kernels": "1, 5", "learning_rate": "0.5"})
    assert changed.settings()["steps"] == 7
    assert changed.settings()["kernels"] == (1, 5)
    assert get_recipe("gramophone") == RECIPES["gramophone"]
    assert get_recipe("dipani2018", {"clamp": "no"}).settings()["clamp"] is False


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("gramofone", {}, "did you mean 'gramophone'"),
        ("gramophone", {"step": 3}, "did you mean 'steps'"),
        ("transport", {"steps": 3}, "no setting 'steps'"),
        ("gramophone", {"steps": -1}, "0 to 100000"),
        ("gramophone", {"steps": "many"}, "steps=many"),
        ("gramophone", {"steps": 2.5}, "steps=2.5"),
        ("gramophone", {"learning_rate": "nan"}, "learning_rate=nan"),
        ("gramophone", {"kernels": ""}, "kernels="),
        ("gramophone", {"kernels": "3,0"}, "kernels=3,0"),
        ("ulyanov2016", {"init": "zeros"}, "ulyanov2016 | torch | unit"),
        ("ulyanov2016", {"relu": "perhaps"}, "true | false"),
        ("transport", {"n_fft": 512, "hop": 512}, "at most a quarter"),
        ("gatys2016", {"weights": 3}, "weights=3"),
        ("gatys2016", {"layer_weights": "1,two"}, "layer_weights=1,two"),
        ("gatys2016", {"layer_weights": "-1"}, "layer_weights=-1"),
        ("gatys2016", {"layer_weights": "1,2,3"}, "3 numbers"),
        ("antognini2018", {"shortest_lag": 3}, "shortest_lag=3 is longer"),
        ("grinstein2017", {"network": "soundnet"}, "shallow | vgg19 | texture"),
        ("antognini2018", {"kernels": "8192"}, "kernels=8192"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(
    name: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message.replace("|", r"\|")) as caught:
        get_recipe(name, settings)
    assert "\n" not in str(caught.value)


def test_settings_cannot_be_changed_by_accident() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RECIPES["transport"].values.hop = 3  # type: ignore[misc]
    assert isinstance(RECIPES["gramophone"].values, Transport)
