"""What triggers, presets and the desk do with styles: next, choose from the folder, capture, blend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from ...plugins.preset import check_name

if TYPE_CHECKING:
    from ...realtime.control.control_surface import ControlSurface
    from ...realtime.styles.style_manager import StyleManager

# The fade from one style to another.
_SWITCH_SECONDS = 0.25
_MOST_SHOWN = 200


class StyleShelf:
    """Style commands of one session.

    Args:
        manager: of the host's styles
        folder: of styles, or None
        captures: the folder for captures if `folder` is None
        second: whether there is a second input to capture from

    Raises:
        InputError: the folder cannot be read
    """

    def __init__(self, manager: StyleManager, *, folder: Path | None, captures: Path, second: bool) -> None:
        self._manager = manager
        self.folder = folder
        self._surface: ControlSurface | None = None
        manager.captures = captures
        self._captures = captures
        self._second = second
        self._name: str | None = None
        if folder is not None:
            manager.folder(folder)

    @property
    def actions(self) -> Mapping[str, Callable[[bool], object]]:
        """The actions of the style triggers, by trigger."""
        return {
            "next_style": lambda down: self._step(1) if down else None,
            "previous_style": lambda down: self._step(-1) if down else None,
            "capture": lambda down: self._capture(down, "main"),
            **({"capture_second": lambda down: self._capture(down, "second")} if self._second else {}),
        }

    def attach(self, surface: ControlSurface) -> None:
        """Set the surface that gets messages."""
        self._surface = surface

    def styles(self) -> dict[str, float]:
        """Return the current mixture: weights by name."""
        return {one.name: one.weight for one in self._manager.slots if one.name and one.weight > 0.0}

    def blend(self, styles: Mapping[str, float]) -> None:
        """Fade to a mixture; InputError if one of its styles does not exist."""
        self._manager.blend(dict(styles), seconds=_SWITCH_SECONDS)

    def sources(self) -> list[tuple[Path, float]]:
        """Return the files in the slots and their weights, for the next session."""
        return [(one.source, one.weight) for one in self._manager.slots if one.source is not None]

    def _step(self, step: int) -> None:
        self._manager.next(step=step, seconds=_SWITCH_SECONDS)

    def _capture(self, down: bool, source: str) -> None:
        if down:
            self._manager.capture_begin(source)
        elif self._manager.capturing == source:
            try:
                (self.folder or self._captures).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"a capture cannot be saved: {error.strerror or error}") from None
            name, self._name = self._name, None
            self._manager.capture_end(name)

    def notify(self) -> None:
        """Pass on the style manager's events; to be called now and then, from one thread."""
        for event in self._manager.events():
            if self._surface is not None and event.kind in ("captured", "saved", "note", "error"):
                self._surface.notify(f"error: {event.text}" if event.kind == "error" else event.text)

    def lists(self) -> list[dict[str, Any]]:
        """Return slots and styles, for the desk."""
        slots = self._manager.slots
        heard = {one.name for one in slots if one.weight > 0.0}
        loading = {one.name for one in slots if one.state == "loading"}
        names = self._manager.names[:_MOST_SHOWN]
        return [
            {
                "type": "styles",
                "slots": [{"name": one.name, "state": one.state} for one in slots],
                "styles": [{"name": name, "on": name in heard, "loading": name in loading} for name in names],
                "folder": None if self.folder is None else self.folder.name,
                "capturing": self._manager.capturing,
            }
        ]

    def handle(self, asked: dict[str, Any]) -> Callable[[], object] | None:
        """See `CommandHandler.handle`."""
        name = asked.get("name")
        if asked.get("do") == "name_capture":
            self._name = check_name(name) if isinstance(name, str) and name else None
        elif asked.get("do") == "style":
            if not isinstance(name, str) or name not in self._manager.names:
                raise InputError(f"there is no style {name!r} here")
            self._manager.switch(name, seconds=_SWITCH_SECONDS)
        return None
