"""OSC: an address for every parameter, and feedback for surfaces that show the values.

`/gramophone/<parameter>` with a number from 0 to 1 sets it; without an argument it asks for the value.
`/gramophone/<trigger>` presses: no argument or a number of 0.5 or more is down, a lower one is up.
`/gramophone/preset` with a name recalls a preset, `/gramophone/add_before` and `/gramophone/add_after` add an effect.
Feedback goes to the last sender, or to a fixed address: every change that the receiver did not make itself, and all
values to a new receiver.

OSC 1.0 (Wright and Freed 1997) leaves time tags to the receiver; here a bundle takes effect when it arrives.
"""

from __future__ import annotations

import logging
import math
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as MessageError
from pythonosc.osc_message_builder import OscMessageBuilder

from ...media.errors import InputError
from ...plugins.knobs import present_name, present_value
from ...plugins.parameter import whole_number
from .control_surface import PRESET, ControlSurface

_log = logging.getLogger(__name__)

ROOT = "/gramophone/"
PORT = 9000
LOOPBACK = "127.0.0.1"

_LARGEST = 65_536
# Feedback: fast enough for a fader that follows a hand.
_FEEDBACK_SECONDS = 0.025
# Nearer than what a single-precision float, in which OSC sends, tells apart.
_SAME = 1e-6
_ENDED = (OSError, struct.error, UnicodeError, ValueError, IndexError, OverflowError, RecursionError)

# Those that the library reads.
_TAGS = frozenset("ihfdsbrmtTFN[]")
# "#bundle", and a time tag.
_BUNDLE_HEADER = 16

Address = tuple[str, int]


class AddEffect(Protocol):
    """Adds an effect by its name, soon."""

    def __call__(self, name: str, *, before: bool) -> object:
        """Add it before or after the stylizer."""


def parse_address(text: str, *, host: str = LOOPBACK, option: str = "--osc") -> Address:
    """Read `PORT` or `HOST:PORT`; port 0 is any free one.

    Raises:
        InputError: it is written in another way
    """
    before, _, port = text.strip().rpartition(":")
    number = whole_number(port)
    if number is None or number > 65_535:
        raise InputError(f"{option} {text!r} is no address; give a port such as {PORT}, or HOST:PORT")
    return before.strip("[]") or host, number


def messages(packet: bytes) -> list[OscMessage]:
    """Return the messages of a packet, those of bundles too.

    Raises:
        ValueError: it, or a part of it, is damaged or no OSC
    """
    try:
        return list(_parsed(packet))
    except (MessageError, *_ENDED) as error:
        raise ValueError(f"damaged OSC: {error}") from None


def _parsed(packet: bytes) -> Iterator[OscMessage]:
    if not OscBundle.dgram_is_bundle(packet):
        # Of a tag that it does not know, the library prints a line, and reads on at the wrong place.
        if not OscMessage.dgram_is_message(packet) or not _tags(packet) <= _TAGS:
            raise ValueError("neither a message nor a bundle")
        yield OscMessage(packet)
        return
    place = _BUNDLE_HEADER
    while place < len(packet):
        (size,) = struct.unpack_from(">i", packet, place)
        place += 4
        if not 0 <= size <= len(packet) - place:
            raise ValueError("an element goes beyond its bundle")
        yield from _parsed(packet[place : place + size])
        place += size


def _tags(message: bytes) -> set[str]:
    """Return the type tags of a message: behind its address, which zeros fill up to a multiple of four bytes."""
    start = (message.index(0) // 4 + 1) * 4
    return set(message[start:].partition(b"\0")[0].decode().removeprefix(","))


class OscControl:
    """Receives OSC over UDP and sends feedback, in two threads.

    Args:
        surface: for parameters and triggers
        address: host and port to listen on
        feedback: address for feedback; None is the last sender
        add: called with the name of an effect that is to be added, and whether before the stylizer

    Raises:
        InputError: the address cannot be taken, or `feedback` does not exist
    """

    def __init__(
        self,
        surface: ControlSurface,
        address: Address,
        *,
        feedback: Address | None = None,
        add: AddEffect | None = None,
    ) -> None:
        self._surface = surface
        self._add = add
        self._fixed = _resolved(feedback) if feedback is not None else None
        self._peer: Address | None = self._fixed
        #: packets that came in and could not be read
        self.damaged = 0
        # What the peer knows: the positions it sent or was sent.
        self._known: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        try:
            family = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0][0]
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise _unusable(address, error) from None
        try:
            self._socket.bind(address)
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise _unusable(address, error) from None
        # So that the end is noticed; nothing else depends on it.
        self._socket.settimeout(0.2)
        name = self._socket.getsockname()
        self.address: Address = (name[0], name[1])
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for run, name in ((self._listen, "osc"), (self._send_feedback, "osc-feedback"))
        ]
        for thread in self._threads:
            thread.start()

    def __str__(self) -> str:
        host, port = self.address
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop both threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                packet, sender = self._socket.recvfrom(_LARGEST)
            except TimeoutError:
                continue
            except OSError:
                # An earlier reply found nobody: some systems say so here.
                self._stop.wait(0.001)
                continue
            try:
                found = messages(packet)
            except ValueError:
                self.damaged += 1
                if self.damaged == 1:
                    self._surface.notify("OSC: packets come in that are damaged, or no OSC; they are ignored")
                continue
            if not found:
                continue
            if self._fixed is None:
                self._greet((sender[0], sender[1]))
            for message in found:
                try:
                    self.handle(
                        message.address, list(message.params), feedback=self._fixed in (None, sender[:2])
                    )
                except Exception as error:
                    _log.warning("OSC %s: %s: %s", message.address[:80], type(error).__name__, error)

    def _greet(self, sender: Address) -> None:
        with self._lock:
            if sender != self._peer:
                self._peer = sender
                self._known = {}

    def handle(self, address: str, arguments: list[Any], *, feedback: bool = True) -> None:
        """Handle one message; unknown ones are ignored.

        With `feedback` the sender is the one that gets the feedback; it is not sent what it sent itself.
        """
        name = address.removeprefix(ROOT)
        if not address.startswith(ROOT):
            return
        first = arguments[0] if arguments else None
        number = float(first) if isinstance(first, bool | int | float) else None
        if number is not None and not math.isfinite(number):
            return
        if number is not None:
            number = present_value(name, number)
        name = present_name(name)
        if any(parameter.id == name for parameter in self._surface.parameters):
            with self._lock:
                # Asked for: as if it were not known.
                self._known.pop(name, None)
                if number is not None:
                    if feedback:
                        # To within what the parameter makes of it.
                        self._known[name] = min(max(number, 0.0), 1.0)
                    self._surface.set_unit(name, number)
        elif name == "preset":
            if isinstance(first, str):
                self._surface.recall(first)
        elif name in ("add_before", "add_after"):
            if self._add is not None and isinstance(first, str):
                try:
                    self._add(first, before=name == "add_before")
                except InputError as error:
                    self._surface.notify(f"error: {error}")
        elif not name.startswith(PRESET) and self._surface.can(name):
            self._surface.press(name, number is None or number >= 0.5)

    def _send_feedback(self) -> None:
        while not self._stop.wait(_FEEDBACK_SECONDS):
            try:
                self._send_changes()
            except Exception as error:
                _log.warning("OSC feedback: %s: %s", type(error).__name__, error)
                self._stop.wait(1.0)

    def _send_changes(self) -> None:
        with self._lock:
            if self._peer is None:
                return
            for parameter in self._surface.parameters:
                position = self._surface.unit(parameter.id)
                if abs(position - self._known.get(parameter.id, math.inf)) > _SAME:
                    self._known[parameter.id] = position
                    self._send(ROOT + parameter.id, position)

    def _send(self, address: str, position: float) -> None:
        builder = OscMessageBuilder(address=address)
        builder.add_arg(position, OscMessageBuilder.ARG_TYPE_FLOAT)
        assert self._peer is not None
        # Nobody there, or no way there: it may come back.
        with suppress(OSError):
            self._socket.sendto(builder.build().dgram, self._peer)


def _resolved(address: Address) -> Address:
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0][4]
    except OSError as error:
        raise InputError(
            f"--osc-to {address[0]}:{address[1]} does not exist: {error.strerror or error}"
        ) from None
    return str(found[0]), int(found[1])


def _unusable(address: Address, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error)
    return InputError(f"--osc {address[0]}:{address[1]} cannot be listened on: {reason}; choose another port")
