"""The list of recipes. A new recipe is a file in this folder and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from ...media.errors import InputError
from ..work.settings import nearest
from .antognini2018 import ANTOGNINI2018
from .dipani2018 import DIPANI2018
from .gatys2016 import GATYS2016
from .gramophone import GRAMOPHONE
from .grinstein2017 import GRINSTEIN2017
from .recipe import Recipe
from .transport import TRANSPORT
from .ulyanov2016 import ULYANOV2016

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        GRAMOPHONE,
        TRANSPORT,
        ULYANOV2016,
        DIPANI2018,
        GATYS2016,
        GRINSTEIN2017,
        ANTOGNINI2018,
    )
}


def get_recipe(name: str, settings: Mapping[str, object] | None = None) -> Recipe:
    """A recipe with some of its settings replaced.

    Args:
        name: one of `RECIPES`
        settings: key to value; values may be text, as from a command line

    Raises:
        InputError: Unknown name or key, or a value out of its range.
    """
    if name not in RECIPES:
        raise InputError(f"unknown recipe {name!r}{nearest(name, RECIPES)}; there are: {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    for key in settings or {}:
        knowing = [other.name for other in RECIPES.values() if key in other.settings()]
        if knowing and name not in knowing:
            raise InputError(
                f"recipe {name} has no setting {key!r}; recipes that have it: {', '.join(knowing)}"
            )
    return recipe.replace(settings or {})
