"""`gramophone plugins`: the effects of others that can be played through, and what each of them is."""

from typing import Annotated

import typer
from rich.table import Table

from .. import console


def plugins(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[PLUGIN]",
            help="A name, a path or the URI of an LV2; all are listed without.",
            show_default=False,
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Look at every plugin again, also at those that crashed.")
    ] = False,
) -> None:
    """List the VST3 and LV2 effects of this system, or show one of them.

    Each VST3 is loaded once, in a process of its own, and what it says is remembered; one that crashed or did not
    answer is listed, and not loaded again until it changes. With a name, the parameters are shown, as `--set`,
    `--cc`, the desk, OSC and presets call them.

    $ gramophone plugins

    $ gramophone plugins ZamVerb

    $ gramophone live rain.wav --after ZamVerb --set zamverb.wet_dry=30%
    """
    if name is None:
        _list(fresh)
    else:
        _show(name)


def _list(fresh: bool) -> None:
    from ...plugins.effects import BUILT_IN
    from ...plugins.found import plugin_folders, scan

    with console.Display() as display:
        display.stage("looking at the plugins")
        found = scan(fresh=fresh, progress=lambda done, count, _: display.stage(f"plugin {done} of {count}"))
    out = console.out()
    if not any(not one.fault for one in found):
        folders = ", ".join(str(folder) for format in ("VST3", "LV2") for folder in plugin_folders(format))
        console.say(f"no plugin was found in {folders}; VST3_PATH and LV2_PATH name other folders")
    grid = _grid("plugin", "format", "where")
    for name in BUILT_IN:
        grid.add_row(name, "built in", "")
    for one in found:
        if not one.fault:
            grid.add_row(one.title, one.format, one.reference)
    out.print(grid)
    for one in found:
        if one.fault:
            console.warn(f"{one.title} is left out ({one.fault}); --fresh tries it again: {one.reference}")


def _show(name: str) -> None:
    from ...plugins.found import find_effects

    with console.Display() as display:
        display.stage("looking at the plugin")
        effect = find_effects((), (name,))[0]
    out = console.out()
    out.print(f"{effect.title}: {effect.reference}")
    if effect.inputs:
        out.print(
            f"channels: {effect.inputs} in, {effect.outputs} out; latency: {effect.latency} samples "
            f"({1e3 * effect.latency / 48_000:.1f} ms at 48 kHz)"
        )
    grid = _grid("parameter", "at first", "from", "to")
    for one in effect.parameters:
        grid.add_row(one.id, one.show(one.default), one.show(one.low), one.show(one.high))
    out.print(grid)


def _grid(*headings: str) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading)
    return grid
