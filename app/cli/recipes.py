"""`gramophone recipes`: the recipes and their settings."""

from typing import Annotated

import typer
from rich.table import Table

from .. import console


def recipes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Print every setting of this one.", show_default=False),
    ] = None,
) -> None:
    """List the recipes, or every setting of one.

    A recipe is a rendering method with its settings, for `render --recipe`; `--set key=value` changes one of them.

    $ gramophone recipes

    $ gramophone recipes transport
    """
    from ...offline.recipes.registry import RECIPES, get_recipe

    out = console.out()
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    if name is None:
        for heading in ("recipe", "", "from"):
            grid.add_column(heading)
        for recipe in RECIPES.values():
            grid.add_row(recipe.name, recipe.summary, recipe.paper)
    else:
        recipe = get_recipe(name)
        out.print(f"{recipe.name}: {recipe.summary}\n{recipe.paper}\n")
        for heading in ("setting", "value", ""):
            grid.add_column(heading)
        for key, value, explained in recipe.describe():
            grid.add_row(key, plain(value), explained)
    out.print(grid)


def plain(value: object) -> str:
    """Return a setting's value as one would type it after `--set key=`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
