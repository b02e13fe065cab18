"""Presets: the values of the knobs, under a name, in a readable file.

A preset holds what makes the sound. What belongs to the moment (`PASSING`) is left out, so that a recall never
mutes a show or forgets a soundcheck. A parameter that the preset does not name stays where it is. Parameters of a
newer version that this one does not know are passed over.
"""

from __future__ import annotations

import json
import math
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ..media.errors import InputError
from ..media.files import replacing, shown
from ..media.inputs import fitted, parse_json, read_bytes
from .effects import MAX_EFFECTS, KeptState
from .knobs import present_name, present_value
from .parameter import Parameter

FORMAT = "gramophone preset"
#: Version 2 of a preset holds states of plugins; whatever holds none is written as 1, which every version reads.
VERSION = 2
SUFFIX = ".json"
PROGRAMS = 128
#: Parameters that a preset does not hold.
PASSING = frozenset({"mute", "bypass", "freeze", "soundcheck"})

_LARGEST = 1 << 20
# With the states of plugins.
_LARGEST_PRESET = 1 << 24
# What every file system takes, and what no shell or address has to quote much.
_NAME = re.compile(r"[\w][\w .,'()+-]{0,62}", re.UNICODE)
# Of the 255 that a file's name may have, its suffix takes some.
_MOST_BYTES = 240
_MOST_FAULTS = 3
# Windows keeps these for devices, whatever the suffix.
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One preset.

    Attributes:
        name: as shown, and as the file is called
        values: by parameter id, in the parameter's unit
        program: MIDI program that recalls it, 0 to 127, or None
        styles: the mixture of styles, weights 0 to 1 by name; empty where only the weights of the slots are known
        states: what plugins call their states, by the keys of the effects
        faults: what its file says beside that and cannot be used, a phrase each
    """

    name: str
    values: Mapping[str, float] = field(default_factory=dict)
    program: int | None = None
    styles: Mapping[str, float] = field(default_factory=dict)
    states: Mapping[str, KeptState] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def check_name(name: str) -> str:
    """Return a name as presets, styles and maps may have it; InputError for others."""
    # One way to write an accent: else two names that look the same would be two files.
    name = unicodedata.normalize("NFC", " ".join(name.split()))
    # Vowel signs and the like are no letters by themselves, but many a language has no words without.
    letters = "".join("_" if unicodedata.category(letter)[0] == "M" else letter for letter in name[1:])
    if (
        not _NAME.fullmatch(name[:1] + letters)
        or name.endswith(".")
        or _RESERVED.fullmatch(name)
        or len(name.encode()) > _MOST_BYTES
    ):
        raise InputError(
            f"{name!r} cannot be a name; use letters, digits, spaces and -_.,'()+, up to 63, first a letter or digit"
        )
    return name


def read_json(path: Path, kind: str, *, most: int = _LARGEST) -> dict[str, Any]:
    """Read one of the program's own settings files, an object with "format" and "version".

    Args:
        path: the file
        kind: what "format" must say
        most: bytes

    Raises:
        InputError: it cannot be read, is too large, or is something else
    """
    data = read_bytes(path, most=most, what=kind)
    try:
        found = parse_json(data)
    except ValueError as error:
        raise InputError(
            f"{shown(path)} is damaged ({type(error).__name__}); restore it or move it away"
        ) from None
    if not isinstance(found, dict) or found.get("format") != kind:
        raise InputError(f"{shown(path)} is not a {kind}; move it away")
    version = found.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= VERSION:
        raise InputError(
            f"{shown(path)} is a {kind} of version {version!r}; this program reads up to {VERSION}"
        )
    return found


def write_json(path: Path, kind: str, content: Mapping[str, object], *, version: int = 1) -> None:
    """Write a settings file for `read_json`, in place of the one that is there; make its folder.

    Raises:
        InputError: it cannot be written
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {shown(path.parent)}: {error.strerror or error}") from None
    text = json.dumps(
        {"format": kind, "version": version, **content}, indent=2, allow_nan=False, ensure_ascii=False
    )
    with replacing(path, overwrite=True) as temporary:
        # What names hold beside characters, such as a byte that is not UTF-8, becomes an escape of JSON's.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def summary(faults: Sequence[str]) -> str:
    """Return what is wrong with a file in one line, however much it is."""
    more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
    return "; ".join(faults[:_MOST_FAULTS]) + more


def known_values(found: object, parameters: Sequence[Parameter]) -> tuple[dict[str, float], list[str]]:
    """Return the values of the parameters there are, held to their ranges, and what is wrong with the others."""
    if not isinstance(found, dict):
        return {}, ["its values are not an object"]
    by_id = {parameter.id: parameter for parameter in parameters}
    values, faults = {}, []
    for former, value in found.items():
        key = present_name(former)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or abs(value) > 1e300
            or math.isnan(value)
        ):
            faults.append(f"{former!r} is not a number")
        elif key in by_id and (former == key or key not in found):
            values[key] = by_id[key].clamp(present_value(former, value))
    return values, faults


class PresetFolder:
    """A folder of presets, one file each; it need not exist before the first is saved.

    Args:
        path: the folder
        parameters: those that presets may hold
    """

    def __init__(self, path: Path, parameters: Sequence[Parameter]) -> None:
        self.path = path
        self.know(parameters)

    def know(self, parameters: Sequence[Parameter]) -> None:
        """Hold these parameters from now on."""
        self._parameters = [parameter for parameter in parameters if parameter.id not in PASSING]

    def names(self) -> list[str]:
        """Return the names of all presets, in alphabetical order; damaged files are among them."""
        try:
            found = [item.stem for item in self.path.iterdir() if item.suffix == SUFFIX]
        except OSError:
            return []
        return sorted(filter(_is_name, found), key=str.casefold)

    def load(self, name: str) -> Preset:
        """Read a preset; InputError if it does not exist or is damaged."""
        path = self._file(name)
        if not os.path.exists(path):  # noqa: PTH110  (a Path would raise where it may not look)
            raise InputError(
                f"there is no preset {name!r}; there are: {', '.join(self.names()) or 'none yet'}"
            )
        found = read_json(path, FORMAT, most=_LARGEST_PRESET)
        values, faults = known_values(found.get("values"), self._parameters)
        program = found.get("program")
        if program is not None and (
            isinstance(program, bool) or not isinstance(program, int) or not 0 <= program < PROGRAMS
        ):
            faults.append(f"program {program!r} is not one of 0 to {PROGRAMS - 1}")
            program = None
        styles = found.get("styles", {})
        weights = (
            {key: value for key, value in styles.items() if _weight(value)}
            if isinstance(styles, dict)
            else {}
        )
        if weights != styles:
            faults.append("its styles are not all weights from 0 to 1")
        states = {}
        for key, entry in _states(found.get("effects", {}), faults):
            try:
                states[key] = fitted(entry, KeptState, name=f"the state of {key!r}", advice="it is left out")
            except InputError as error:
                faults.append(str(error))
        return Preset(
            name=path.stem,
            values=values,
            program=program,
            styles=weights,
            states=states,
            faults=tuple(faults),
        )

    def all(self) -> list[Preset]:
        """Return every preset that can be read, in alphabetical order."""
        presets = []
        for name in self.names():
            try:
                presets.append(self.load(name))
            except InputError:
                continue
        return presets

    def by_program(self, number: int) -> Preset | None:
        """Return the preset that a MIDI program recalls, if there is one."""
        return next((preset for preset in self.all() if preset.program == number), None)

    def save(
        self,
        name: str,
        values: Mapping[str, float],
        *,
        styles: Mapping[str, float] | None = None,
        states: Mapping[str, KeptState] | None = None,
    ) -> Preset:
        """Save a preset, in place of one with its name, whose program it keeps; a new one gets the lowest free.

        Raises:
            InputError: the name is impossible, or it cannot be written
        """
        path = self._file(name)
        present = self.all()
        program = next((preset.program for preset in present if preset.name == path.stem), None)
        if program is None:
            taken = {preset.program for preset in present}
            program = next((number for number in range(PROGRAMS) if number not in taken), None)
        held = {one.id: one.clamp(values[one.id]) for one in self._parameters if one.id in values}
        mixture = dict(styles or {})
        content: dict[str, object] = {"program": program, "values": held, "styles": mixture}
        if states:
            content["effects"] = {key: msgspec.to_builtins(state) for key, state in states.items()}
        write_json(path, FORMAT, content, version=VERSION if states else 1)
        return Preset(name=path.stem, values=held, program=program, styles=mixture, states=dict(states or {}))

    def delete(self, name: str) -> None:
        """Delete a preset; harmless where there is none. InputError if that is not allowed."""
        path = self._file(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"cannot delete {shown(path)}: {error.strerror or error}") from None

    def _file(self, name: str) -> Path:
        return self.path / f"{check_name(name)}{SUFFIX}"


def _is_name(name: str) -> bool:
    """Whether a preset can be called so, exactly: what is listed can be loaded."""
    try:
        return check_name(name) == name
    except InputError:
        return False


def _states(found: object, faults: list[str]) -> list[tuple[str, object]]:
    if isinstance(found, dict) and len(found) <= MAX_EFFECTS:
        return list(found.items())
    faults.append(f"its effects are not an object of up to {MAX_EFFECTS}")
    return []


def _weight(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
