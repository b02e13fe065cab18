"""The commands of a desk's page: checked, and passed to the control router, the styles and the takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ...media.errors import InputError

if TYPE_CHECKING:
    from ..session.control_router import ControlRouter
    from .feed import Message


class CommandHandler(Protocol):
    """Handles commands about styles or takes."""

    def lists(self) -> list[Message]:
        """Return the lists to choose from, each with its own "type"; called ten times a second."""

    def handle(self, asked: Message) -> Callable[[], object] | None:
        """Return the work to do, or None if the command is for another handler; InputError if it is wrong."""


class Commands:
    """Handles the messages of pages, which may contain anything.

    Args:
        router: for knobs, triggers and the MIDI map
        handlers: for the other commands: styles, takes
    """

    def __init__(self, router: ControlRouter, *handlers: CommandHandler) -> None:
        self._router = router
        self._handlers = handlers

    def lists(self) -> list[Message]:
        """Return the lists that a page shows beside the knobs."""
        return [message for handler in self._handlers for message in handler.lists()]

    def handle(self, asked: Message, held: set[str]) -> Callable[[], object] | None:
        """Do quick work at once; return slow work, to be done elsewhere.

        Args:
            asked: a message of a page; "do" names the command
            held: the triggers that this page holds down; updated here

        Raises:
            InputError: it cannot be done
        """
        router = self._router
        surface = router.surface
        match asked.get("do"):
            case "set":
                for identity, position in _positions(asked.get("v")).items():
                    surface.set_unit(identity, position)
            case "press":
                target, down = _text(asked, "target"), asked.get("down") is not False
                surface.press(target, down)
                (held.add if down and self._is_held(target) else held.discard)(target)
            case "learn":
                router.learner.start() if asked.get("on") is True else router.learner.leave()
            case "touch":
                router.touch(_text(asked, "target"))
            case "forget":
                router.forget(_place(asked))
            case "edit":
                router.edit(_place(asked), asked.get("entry"))
            case "recall":
                surface.recall(_text(asked, "name"))
            case "store":
                name = _text(asked, "name")
                return lambda: surface.store(name)
            case "delete":
                name = _text(asked, "name")
                return lambda: surface.presets.delete(name)
            case _:
                for handler in self._handlers:
                    slow = handler.handle(asked)
                    if slow is not None:
                        return slow
        return None

    def _is_held(self, target: str) -> bool:
        return any(item.id == target and item.hold for item in self._router.surface.triggers)


def _positions(found: Any) -> dict[str, float]:
    if not isinstance(found, dict):
        raise InputError("nothing to set")
    for key, position in found.items():
        if isinstance(position, bool) or not isinstance(position, int | float) or not math.isfinite(position):
            raise InputError(f"{key!r} cannot be set to {position!r}; give 0 to 1")
    return found


def _text(asked: Message, key: str) -> str:
    text = asked.get(key)
    if not isinstance(text, str):
        raise InputError(f"{key!r} is no text")
    return text


def _place(asked: Message) -> int:
    place = asked.get("place")
    if isinstance(place, bool) or not isinstance(place, int):
        raise InputError("which assignment is meant is not said")
    return place
