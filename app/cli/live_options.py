"""The control options of `gramophone live`: desk, OSC, MIDI maps, remembered state."""

from pathlib import Path
from typing import Annotated

import typer

_PANEL = "Desk and control"

Desk = Annotated[
    bool, typer.Option("--desk", help="Serve a page to play on, in a browser.", rich_help_panel=_PANEL)
]
DeskHost = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Where the desk listens; beyond this computer it asks for a token. 0.0.0.0: everywhere.",
        rich_help_panel=_PANEL,
    ),
]
DeskPort = Annotated[int, typer.Option(metavar="PORT", min=0, max=65_535, rich_help_panel=_PANEL)]
DeskToken = Annotated[
    str | None,
    typer.Option(
        metavar="TOKEN",
        help="Default: a new one for each session, if one is needed.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Osc = Annotated[
    str | None,
    typer.Option(
        metavar="[ADDRESS:]PORT",
        help="Listen for OSC: /gramophone/PARAM with 0 to 1. Without an address, on this computer only.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
OscTo = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS:PORT",
        help="Address for OSC feedback. Default: the last sender.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
MidiMap = Annotated[
    Path | None,
    typer.Option(
        "--map",
        metavar="FILE.json",
        help="MIDI map to use, and to learn into. Default: the one in the settings folder.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Styles = Annotated[
    Path | None,
    typer.Option(
        "--styles",
        metavar="FOLDER",
        help="A folder of styles to switch among; captured ones are saved there.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
CaptureChannels = Annotated[
    str | None,
    typer.Option(
        metavar="3,4",
        help="Further inputs that are not played, only captured: a microphone in the room.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Takes = Annotated[
    Path | None,
    typer.Option(
        "--takes",
        metavar="FOLDER",
        help="Folder for recordings that are started while playing. Default: gramophone in your music folder.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
Safe = Annotated[
    bool,
    typer.Option(
        "--safe",
        help="Start muted, with defaults: no remembered values, no saved map.",
        rich_help_panel=_PANEL,
    ),
]
