"""What a session leaves behind for the next one: where everything stood, and with which styles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from ...media.errors import InputError
from ...media.files import shown
from ...plugins.parameter import Parameter
from ...plugins.preset import known_values, read_json, summary, write_json
from .settings_folder import set_aside

FORMAT = "gramophone session"
#: A start must be heard; silence is only kept where there is a reason for it, which is looked for anew.
_NOT_KEPT = frozenset({"mute"})
_MOST_PATHS = 16
_LONGEST = 4096


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """Where a session stood.

    Attributes:
        values: by parameter id, in the parameter's unit
        styles: files it was started with
        folder: of styles to switch among, or None
        preset: the last one recalled, or None
    """

    values: Mapping[str, float] = field(default_factory=dict)
    styles: tuple[str, ...] = ()
    folder: str | None = None
    preset: str | None = None


def load_state(path: Path, parameters: Sequence[Parameter]) -> tuple[SessionState, str | None]:
    """Return the last session's state, and a line to tell if it was broken; never fails.

    A file that is broken is moved aside. What can be read of it counts; the rest starts at its default.
    """
    if not path.exists():
        return SessionState(), None
    try:
        state, faults = _parse(read_json(path, FORMAT), parameters)
    except InputError as error:
        return SessionState(), f"{error}; {set_aside(path)}, and everything starts at its default"
    if not faults:
        return state, None
    return state, f"{shown(path)}: {summary(faults)}; {set_aside(path)}, and the rest is as it was"


def save_state(path: Path, state: SessionState) -> None:
    """Write the state in place of the last one; InputError where that cannot be."""
    content: dict[str, object] = {
        "values": {key: value for key, value in state.values.items() if key not in _NOT_KEPT},
        "styles": list(filter(_text, state.styles))[:_MOST_PATHS],
    }
    if _text(state.folder):
        content["folder"] = state.folder
    if _text(state.preset):
        content["preset"] = state.preset
    write_json(path, FORMAT, content)


def _parse(found: dict[str, Any], parameters: Sequence[Parameter]) -> tuple[SessionState, list[str]]:
    """Return what can be read, and what is wrong with the rest."""
    values, faults = known_values(found.get("values", {}), parameters)
    styles = found.get("styles", [])
    if not isinstance(styles, list):
        styles = []
        faults.append("its styles are no list of files")
    elif not all(map(_text, styles)):
        faults.append("one of its styles is no file")
    texts: dict[str, str | None] = {}
    for name in ("folder", "preset"):
        text = found.get(name)
        texts[name] = text if _text(text) else None
        if text is not None and texts[name] is None:
            faults.append(f"its {name} is no text")
    state = SessionState(
        values={key: value for key, value in values.items() if key not in _NOT_KEPT},
        styles=tuple(filter(_text, styles))[:_MOST_PATHS],
        **texts,
    )
    return state, faults


def _text(value: object) -> TypeGuard[str]:
    """Whether something can be the name of a file or of a preset, for who writes and for who reads."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and "\0" not in value
