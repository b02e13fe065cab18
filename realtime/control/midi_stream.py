"""Turns the bytes of a MIDI port into messages, and ends system exclusive messages that a sender left open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import rtmidi

_CLIENT_NAME = "gramophone-eox"
_END_OF_EXCLUSIVE = 0xF7
# Program change and channel pressure have one byte of data, all other messages of a channel two.
_SHORT = (0xC0, 0xD0)
# RtMidi waits for room in its buffer, for ever where the JACK server has gone; that many messages always fit.
_MOST_UNHEARD = 100
# Where the server runs, the first of so many has long arrived.
_SILENCE = 25


class MidiStream:
    """Finds the messages of channels in a stream of MIDI bytes (MIDI 1.0, running status too), and leaves the rest."""

    def __init__(self) -> None:
        # Status and data so far. Empty after a system message, whose data are not ours.
        self._message: list[int] = []

    def feed(self, data: Iterable[int]) -> Iterator[list[int]]:
        """Yield the messages that become complete: a status byte and its one or two bytes of data."""
        for byte in data:
            if byte >= 0xF8:
                # Real-time messages may stand within any other.
                continue
            if byte >= 0x80:
                self._message = [byte] if byte < 0xF0 else []
            elif self._message:
                self._message.append(byte)
                if len(self._message) == (2 if self._message[0] & 0xF0 in _SHORT else 3):
                    status = self._message[0]
                    yield self._message
                    self._message = [status]


class ExclusiveEnd:
    """Ends system exclusive messages that a sender began and never ended, at a JACK input port of this process.

    From such a message on, RtMidi takes all that comes from JACK for more of it, until an End of Exclusive (EOX). This
    sends one through a port of its own. What was held back then arrives at once, and nothing of it is lost.

    Raises:
        rtmidi.RtMidiError: the JACK server takes no other client
    """

    def __init__(self) -> None:
        self._client = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=_CLIENT_NAME)
        self._others = set(self._client.get_ports())
        self._unheard = 0
        #: how often something has arrived
        self.answers = 0

    @property
    def silent(self) -> bool:
        """Whether nothing that was sent lately has arrived: the server does not run, or the port is deaf."""
        return self._unheard >= _SILENCE

    def connect(self, name: str) -> bool:
        """Connect to the input port called `name` that was opened after this was made; return whether it is there."""
        for place, port in enumerate(self._client.get_ports()):
            if port not in self._others and port.rpartition(":")[2] == name:
                self._client.open_port(place, "eox")
                return True
        return False

    def send(self) -> None:
        """Send an EOX."""
        if self._unheard < _MOST_UNHEARD:
            self._unheard += 1
            self._client.send_message([_END_OF_EXCLUSIVE])

    def heard(self) -> None:
        """Note that something has arrived at the port, so that the server runs."""
        self._unheard = 0
        self.answers += 1

    def close(self) -> None:
        """Take the port away again."""
        with suppress(rtmidi.RtMidiError):
            self._client.close_port()
        self._client.delete()
