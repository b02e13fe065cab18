"""The control options of `gramophone live`: desk, OSC, MIDI maps, remembered state."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

_option = partial(typer.Option, show_default=False, rich_help_panel="Desk and control")

Desk = Annotated[bool, _option("--desk", help="Serve a page to play on, in a browser.")]
DeskHost = Annotated[
    str,
    _option(
        metavar="ADDRESS",
        help="Where the desk listens; beyond this computer it asks for a token. 0.0.0.0: everywhere.",
        show_default=True,
    ),
]
DeskPort = Annotated[int, _option(metavar="PORT", min=0, max=65_535, show_default=True)]
DeskToken = Annotated[
    str | None, _option(metavar="TOKEN", help="Default: a new one for each session, if one is needed.")
]
Osc = Annotated[
    str | None,
    _option(
        metavar="[ADDRESS:]PORT",
        help="Listen for OSC: /gramophone/PARAM with 0 to 1. Without an address, on this computer only.",
    ),
]
OscTo = Annotated[
    str | None, _option(metavar="ADDRESS:PORT", help="Address for OSC feedback. Default: the last sender.")
]
MidiMap = Annotated[
    Path | None,
    _option(
        "--map",
        metavar="FILE.json",
        help="MIDI map to use, and to learn into. Default: the one in the settings folder.",
    ),
]
Styles = Annotated[
    Path | None,
    _option(
        "--styles",
        metavar="FOLDER",
        help="A folder of styles to switch among; captured ones are saved there.",
    ),
]
CaptureChannels = Annotated[
    str | None,
    _option(
        metavar="3,4", help="Further inputs that are not played, only captured: a microphone in the room."
    ),
]
Takes = Annotated[
    Path | None,
    _option(
        "--takes",
        metavar="FOLDER",
        help="Folder for recordings that are started while playing. Default: gramophone in your music folder.",
    ),
]
Safe = Annotated[
    bool, _option("--safe", help="Start muted, with defaults: no remembered values, no saved map.")
]
