"""Repeated tasks of a live session beside the sound: the failure of one must not end the sound."""

import time
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

from ..media.errors import InputError
from . import console

P = ParamSpec("P")
T = TypeVar("T")

# A failed task is tried again, since a full disk may have room later, but not at every turn.
_FIRST_REST, _LONGEST_REST = 1.0, 60.0


class Task(Generic[P, T]):
    """A job whose failure is reported once, and which is tried again later.

    Args:
        name: of the job, for the message: "the display"
        job: its work; what it raises is reported
    """

    def __init__(self, name: str, job: Callable[P, T]) -> None:
        self._name = name
        self._job = job
        self._rest = _FIRST_REST
        self._next = 0.0
        self._told = ""

    def __call__(self, *args: P.args, **options: P.kwargs) -> T | None:
        """Do the job and return its result; None if it fails, or has failed a moment ago."""
        now = time.monotonic()
        if now < self._next:
            return None
        try:
            done = self._job(*args, **options)
        except Exception as error:
            self._next = now + self._rest
            self._rest = min(2.0 * self._rest, _LONGEST_REST)
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            if reason != self._told:
                self._told = reason
                console.fault(f"warning: {self._name} failed ({reason}); it is tried again")
            return None
        self._rest, self._next, self._told = _FIRST_REST, 0.0, ""
        return done
