"""The folders of settings, presets and takes; broken files there are moved aside."""

import os
from datetime import datetime
from pathlib import Path

from ...media.files import shown

#: Names another folder, for tests and for portable drives.
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
    """Return the file with the last session's state."""
    return settings_folder() / "state.json"


def takes_folder() -> Path:
    """Return the default folder for takes and captures, in the user's music folder."""
    import platformdirs

    return platformdirs.user_music_path() / "gramophone"


def set_aside(path: Path) -> str:
    """Rename a broken file, so that the user can inspect it; return a phrase for a message."""
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}.broken-{now}{path.suffix}")
    try:
        # The second one within a second goes the way of the first.
        path.replace(aside)
    except OSError:
        return "it was left where it is"
    return f"it was moved to {shown(aside.name)}"
