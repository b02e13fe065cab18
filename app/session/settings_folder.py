"""Where the program keeps what it remembers, and what becomes of a file there that is broken."""

import os
from datetime import datetime
from pathlib import Path

from ...media.files import shown

#: Names another folder; for tests, and for a stick that is carried from one computer to another.
VARIABLE = "GRAMOPHONE_SETTINGS"


def settings_folder() -> Path:
    """Return the platform's folder for settings of this program; it need not exist."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_config_path("gramophone", appauthor=False)


def presets_folder() -> Path:
    """Return where presets lie."""
    return settings_folder() / "presets"


def map_file() -> Path:
    """Return the MIDI map in use unless another one is named."""
    return settings_folder() / "midi-map.json"


def state_file() -> Path:
    """Return the file of what was set when the last session ended."""
    return settings_folder() / "state.json"


def takes_folder() -> Path:
    """Return where takes and captures go unless somewhere else is named: beside the user's music."""
    import platformdirs

    return platformdirs.user_music_path() / "gramophone"


def set_aside(path: Path) -> str:
    """Move a broken file out of the way, to be looked at later; return what became of it, for a message."""
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}.broken-{now}{path.suffix}")
    try:
        # The second one within a second goes the way of the first.
        path.replace(aside)
    except OSError:
        return "it was left where it is"
    return f"it was moved to {shown(aside.name)}"
