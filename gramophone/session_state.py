"""What a session leaves behind for the next one: where everything stood, and with which styles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsp.errors import InputError
from dsp.files import shown
from gramophone.settings_folder import set_aside
from plugins.parameter import Parameter
from plugins.preset import known_values, read_json, write_json

FORMAT = "gramophone session"
#: A start must be heard; silence is only kept where there is a reason for it, which is looked for anew.
_NOT_KEPT = frozenset({"mute"})
_MOST_PATHS = 64
_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """Where a session stood.

    Attributes
    ----------
    values : by parameter id, in the parameter's unit
    styles : files it was started with
    folder : of styles to switch among, or None
    preset : the last one recalled, or None
    """

    values: Mapping[str, float] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    folder: str | None = None
    preset: str | None = None


def load_state(path: Path, parameters: Sequence[Parameter]) -> tuple[SessionState, str | None]:
    """Return the last session's state, and a line to tell if it was broken; never fails.

    What is broken is moved aside, and the start goes on from the defaults.
    """
    if not path.exists():
        return SessionState(), None
    try:
        return _parse(read_json(path, FORMAT), parameters, path), None
    except InputError as error:
        return SessionState(), f"{error}; {set_aside(path)}, and everything starts at its default"


def save_state(path: Path, state: SessionState) -> None:
    """Write the state in place of the last one; InputError where that cannot be."""
    content: dict[str, object] = {
        "values": {key: value for key, value in state.values.items() if key not in _NOT_KEPT},
        "styles": list(state.styles),
    }
    if state.folder is not None:
        content["folder"] = state.folder
    if state.preset is not None:
        content["preset"] = state.preset
    write_json(path, FORMAT, content)


def _parse(found: dict[str, Any], parameters: Sequence[Parameter], path: Path) -> SessionState:
    values = known_values(found.get("values", {}), parameters, path)
    styles = found.get("styles", [])
    if not isinstance(styles, list) or len(styles) > _MOST_PATHS or not all(map(_text, styles)):
        raise InputError(f"{shown(path)}: its styles are no list of files")
    folder, preset = found.get("folder"), found.get("preset")
    for name, text in (("folder", folder), ("preset", preset)):
        if text is not None and not _text(text):
            raise InputError(f"{shown(path)}: its {name} is no text")
    return SessionState(
        values={key: value for key, value in values.items() if key not in _NOT_KEPT},
        styles=tuple(styles),
        folder=folder,
        preset=preset,
    )


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable()
