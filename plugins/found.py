"""Finds effects: by path, by URI, by name in the folders of the system, or built in. Plugins are looked at elsewhere.

Nothing is loaded here: each plugin is asked what it is in a process of its own, which it may crash or hang.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..media.errors import InputError
from ..media.files import shown
from .effects import BUILT_IN, Effect, check_effects, key_for, slug
from .hosted import built_in_effect, check_installed, is_uri
from .parameter import Parameter

#: Seconds that a plugin may take to load; large libraries of samples take some.
PATIENCE = 60.0
_LARGEST_MANIFEST = 1 << 22
_LV2_PLUGIN = re.compile(r"<([^<>\s]+)>\s+(?:a|rdf:type)\s+(?:[\w:]+\s*,\s*)*lv2:Plugin\b")
_FEW = 8


@dataclass(frozen=True)
class Found:
    """A plugin that was found: its name, what to load it by, "VST3" or "LV2", and why it cannot be used, or ""."""

    title: str
    reference: str
    format: str
    fault: str = ""


def plugin_folders(format: str) -> list[Path]:
    """Return the folders in which plugins of a format lie on this system; `VST3_PATH` and `LV2_PATH` name others."""
    named = os.environ.get(f"{format}_PATH")
    if named is not None:
        return [Path(text).expanduser() for text in named.split(os.pathsep) if text]
    home, lower = Path.home(), format.lower()
    if sys.platform == "darwin":
        inside = Path("Library/Audio/Plug-Ins") / format
        return [home / inside, Path("/") / inside]
    if sys.platform == "win32":
        return [Path(os.environ.get("COMMONPROGRAMFILES", r"C:\Program Files\Common Files")) / format]
    return [home / f".{lower}", Path("/usr/local/lib") / lower, Path("/usr/lib") / lower]


def lv2_uris(bundle: Path) -> list[str]:
    """Return the URIs of the plugins in an LV2's folder, as its manifest lists them; empty where it cannot be read."""
    try:
        with (bundle / "manifest.ttl").open("rb") as file:
            text = file.read(_LARGEST_MANIFEST).decode("utf-8", "replace")
    except OSError:
        return []
    return list(dict.fromkeys(_LV2_PLUGIN.findall(text)))


def scan(*, fresh: bool = False, progress: Callable[[int, int, str], None] | None = None) -> list[Found]:
    """Return every plugin in the system's folders, sorted by name.

    Each VST3 is loaded once in a process of its own; what was found is remembered until its file changes, also that it
    crashed. LV2s say in a text file what they are.

    Args:
        fresh: whether to look at all of them again
        progress: called with how many of a folder's plugins have been looked at, of how many, and which was the last

    Raises:
        InputError: minihost is not installed
    """
    check_installed()
    from minihost import plugincache

    found = []
    for folder in filter(Path.is_dir, plugin_folders("VST3")):
        for one in plugincache.scan(
            folder, refresh=fresh, include_errors=True, timeout=PATIENCE, on_progress=progress
        ):
            path = str(one["path"])
            fault = str(one.get("status", "")) and f"{one['status']}: {one.get('error') or 'when loaded'}"
            found.append(Found(str(one.get("name") or Path(path).stem), path, "VST3", fault))
    for folder in filter(Path.is_dir, plugin_folders("LV2")):
        for bundle in sorted(folder.glob("*.lv2")):
            uris = lv2_uris(bundle)
            # By a URI, the library finds only those in the usual folders; of a folder with several, it takes one.
            found += [
                Found(_lv2_title(bundle, uri), str(bundle) if len(uris) == 1 else uri, "LV2") for uri in uris
            ]
    return sorted(found, key=lambda one: (one.title.lower(), one.format != "VST3", one.reference))


def _lv2_title(bundle: Path, uri: str) -> str:
    name = re.split(r"[/#:]", uri.rstrip("/#"))[-1]
    return name if bundle.stem.lower() in name.lower() else f"{bundle.stem} {name}"


def find(name: str) -> tuple[str, str]:
    """Return what to load a plugin by, and its title.

    Args:
        name: a path, a URI, a built-in effect, or (a part of) the name of a plugin in the system's folders

    Raises:
        InputError: there is none, or several
    """
    if name in BUILT_IN:
        return name, name.capitalize()
    if is_uri(name):
        return name, re.split(r"[/#:]", name.rstrip("/#"))[-1]
    path = Path(name).expanduser()
    if path.suffix.lower() in (".vst3", ".lv2") or os.sep in name:
        return _at(path)
    wanted = name.lower()
    # A file of that very name needs no scan.
    for folder in filter(Path.is_dir, plugin_folders("VST3")):
        for file in folder.glob("*.vst3"):
            if file.stem.lower() == wanted:
                return str(file), file.stem
    usable = [one for one in scan() if not one.fault]
    same = [one for one in usable if one.title.lower() == wanted] or [
        one for one in usable if wanted in one.title.lower()
    ]
    titles = list(dict.fromkeys(one.title for one in same))
    if not same:
        raise InputError(
            f"there is no plugin {name!r}; `gramophone plugins` lists those there are, a path is taken as well, and "
            f"{', '.join(BUILT_IN)} are built in"
        )
    if len(titles) > 1:
        more = " and more" if len(titles) > _FEW else ""
        raise InputError(
            f"{name!r} is the name of several plugins: {', '.join(titles[:_FEW])}{more}; give one of them"
        )
    # The VST3 stands before the LV2 of the same name.
    return same[0].reference, same[0].title


def with_preset(name: str) -> tuple[str, Path | None]:
    """Return the name of a plugin, and the preset that it begins with: of `ZamVerb:hall.vstpreset`."""
    both = re.fullmatch(r"(.+\.vst3[/\\]?|[^:]+):(.+\.vstpreset)", name, re.IGNORECASE)
    return (name, None) if both is None else (both[1], Path(both[2]).expanduser())


def _at(path: Path) -> tuple[str, str]:
    if not path.exists():
        raise InputError(f"{shown(path)} does not exist; give the path of a plugin, or its name")
    uris = lv2_uris(path) if path.suffix.lower() == ".lv2" else []
    if len(uris) > 1:
        more = f" and {len(uris) - _FEW} more" if len(uris) > _FEW else ""
        raise InputError(f"{shown(path)} holds several plugins; give one of {', '.join(uris[:_FEW])}{more}")
    return str(path.resolve()), path.stem


def is_installed(reference: str) -> bool:
    """Whether a plugin lies in one of the system's folders; an LV2 that a URI names can lie nowhere else."""
    if is_uri(reference):
        return any(
            reference in lv2_uris(bundle)
            for folder in plugin_folders("LV2")
            for bundle in folder.glob("*.lv2")
        )
    path = Path(reference)
    folders = (folder.resolve() for format in ("VST3", "LV2") for folder in plugin_folders(format))
    return path.is_absolute() and any(path.resolve().is_relative_to(folder) for folder in folders)


def look_at(
    reference: str, *, sample_rate: int = 48_000, channels: int = 2, preset: Path | None = None
) -> dict[str, Any]:
    """Return what a plugin is; see `plugins.probe.describe`. It is loaded in a process of its own.

    Raises:
        InputError: it cannot be loaded, crashes, takes more than a minute, or does not take the preset
    """
    check_installed()
    name = reference if is_uri(reference) else shown(reference)
    with tempfile.TemporaryDirectory(prefix="gramophone-plugin-") as folder:
        out = Path(folder) / "found.json"
        command = [
            sys.executable,
            "-m",
            f"{__package__}.probe",
            str(out),
            reference,
            str(sample_rate),
            str(channels),
            *([] if preset is None else [str(preset)]),
        ]
        try:
            ended = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                # Plugins write there whatever they like.
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE,
                check=False,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{name} did not load within {PATIENCE:.0f} s; it is left out") from None
        if not out.exists():
            raise InputError(
                f"{name} crashed when it was loaded (exit code {ended.returncode}), in a process of its own; "
                "update it, or play without it"
            )
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if "error" in found:
        raise InputError(found["error"])
    return found


def find_effects(
    before: Sequence[str] = (), after: Sequence[str] = (), *, sample_rate: int = 48_000, channels: int = 2
) -> tuple[Effect, ...]:
    """Find effects and return what is known of them, in the order in which sound passes them.

    Args:
        before, after: those before and after the stylizer; see `find`, and `with_preset`
        sample_rate: Hz, at which latencies are asked for
        channels: of the sound

    Raises:
        InputError: one is not there or cannot be used, or there are too many
    """
    effects: list[Effect] = []
    for name, first in (*((name, True) for name in before), *((name, False) for name in after)):
        taken = [one.key for one in effects]
        effects.append(
            find_effect(name, before=first, taken=taken, sample_rate=sample_rate, channels=channels)
        )
    check_effects(effects)
    return tuple(effects)


def find_effect(
    name: str,
    *,
    before: bool = False,
    taken: Sequence[str] = (),
    sample_rate: int = 48_000,
    channels: int = 2,
) -> Effect:
    """Find one effect; see `find_effects`. `taken` are the keys that others have."""
    name, preset = with_preset(name)
    reference, title = find(name)
    key = key_for(title, taken)
    if reference in BUILT_IN:
        if preset is not None:
            raise InputError(f"{reference} is built in and takes no .vstpreset; give {reference} alone")
        return built_in_effect(reference, key=key, before=before)
    found = look_at(reference, sample_rate=sample_rate, channels=channels, preset=preset)
    return effect_of(found, reference, title, key=key, before=before)


def effect_of(found: dict[str, Any], reference: str, title: str, *, key: str, before: bool) -> Effect:
    """Return an effect from what `look_at` has found; InputError if it is no effect."""
    if not found["inputs"] or not found["outputs"]:
        raise InputError(f"{title} takes no sound or gives none; only effects can be in the chain")
    parameters: list[Parameter] = []
    for one in found["parameters"]:
        ids = {parameter.id for parameter in parameters}
        base = f"{key}.{slug(one['name'])}"
        # Of two with one name, the second gets a number.
        id = next(
            id for number in range(1, len(ids) + 2) if (id := base + f"_{number}" * (number > 1)) not in ids
        )
        parameters.append(
            Parameter(
                id=id,
                name=f"{title}: {one['name']}",
                low=0.0,
                high=1.0,
                default=min(max(one["default"], 0.0), 1.0),
                description=f"{one['name']} of {title}.",
                texts=tuple(one["texts"]),
            )
        )
    return Effect(
        key=key,
        reference=reference,
        title=title,
        before=before,
        inputs=found["inputs"],
        outputs=found["outputs"],
        latency=found["latency"],
        parameters=tuple(parameters),
        indexes=tuple(one["index"] for one in found["parameters"]),
        state=base64.b64decode(found["state"]),
    )
