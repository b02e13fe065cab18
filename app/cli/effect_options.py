"""The options that put effects around the stylizer, for every command that has them."""

from typing import TYPE_CHECKING, Annotated

import typer

from .. import console

if TYPE_CHECKING:
    from ...plugins.effects import Effect

_HELP = (
    "An effect {} the stylizer: name or path of a VST3 or LV2, or gain, limiter; repeatable. NAME:FILE.vstpreset: with "
    "a preset."
)

Before = Annotated[
    list[str] | None,
    typer.Option(
        "--before",
        metavar="PLUGIN",
        help=_HELP.format("before"),
        show_default=False,
        rich_help_panel="Effects",
    ),
]
After = Annotated[
    list[str] | None,
    typer.Option(
        "--after",
        metavar="PLUGIN",
        help=_HELP.format("after"),
        show_default=False,
        rich_help_panel="Effects",
    ),
]


def found(
    before: list[str] | None,
    after: list[str] | None,
    *,
    sample_rate: int | None = None,
    channels: int | None = None,
) -> "tuple[Effect, ...]":
    """Return the effects that were asked for; InputError if one cannot be used."""
    if not before and not after:
        return ()
    from ...plugins.found import find_effects

    with console.Display() as display:
        display.stage("looking at the effects")
        return find_effects(
            before or (), after or (), sample_rate=sample_rate or 48_000, channels=channels or 2
        )


def split(
    settings: list[str] | None, effects: "tuple[Effect, ...]"
) -> tuple[dict[str, float], list[str] | None]:
    """Return the values of the effects' parameters that `--set` gives, and what else it says."""
    if not settings or not effects:
        return {}, settings
    from ...plugins.effects import knobs_of

    known = {one.id: one for effect in effects for one in knobs_of(effect)}
    values, rest = {}, []
    for text in settings:
        key, _, value = (part.strip() for part in text.partition("="))
        if key in known:
            values[key] = known[key].parse(value)
        else:
            rest.append(text)
    return values, rest
