"""MIDI input: opens a port, receives its messages, and opens it again after it was unplugged.

RtMidi collects the messages in a queue, and a thread here polls it every millisecond. RtMidi's callback would run
Python code in the thread of the MIDI system. With JACK that is the audio graph's own cycle, where waiting for the
interpreter lock causes an xrun for everybody.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import rtmidi

from ...media.errors import InputError
from .midi_ports import Port, api_name, choose_port, list_ports, open_client, tried
from .midi_stream import ExclusiveEnd, MidiStream

_log = logging.getLogger(__name__)

PORT_NAME = "gramophone"
NONE = "none"
VIRTUAL = "virtual"

_WITHOUT_VIRTUAL = frozenset({"winmm"})

_POLL = 0.001
# Nobody unplugs and plugs in again in a shorter time.
_SCAN_SECONDS = 0.25
# The longest silence of a controller that leaves a system exclusive message open.
_END = 0.02
# A server that passes no message of ours on is not to cost a user's connections again and again.
_MOST_CURES = 4
# libjack goes through a client's ports, in a thread of its own, whenever a connection has ended; a port that is taken
# away meanwhile crashes the process, since their list has no lock. So much later that thread is through with them.
_SETTLE = 0.05
# Ports that always exist and connect programs; they are no controllers.
_NO_CONTROLLER = ("through", "gramophone", "iac ")


class MidiInput:
    """Receives from one MIDI port in its own thread, and passes channel messages on, in order.

    Args:
        receive: Called with each message, a status byte and its data, in this object's thread. Its exceptions go to the
            log.
        wanted: A port's number, or words of its name; "virtual" opens a port called `gramophone` for others to
            connect to. None: the controller, if there is exactly one, else the virtual port, else nothing.
        api: One of `available_apis`; None: the first that works, or the one that has the wanted port.

    Raises:
        InputError: The wanted port or API does not exist, is ambiguous, or cannot be opened.
    """

    def __init__(
        self,
        receive: Callable[[list[int]], object],
        *,
        wanted: int | str | None = None,
        api: str | None = None,
    ) -> None:
        self._receive = receive
        # Lives on without a port while the controller is away: it is what looks for it.
        self._client: rtmidi.MidiIn | None = None
        self._stream = MidiStream()
        self._end: ExclusiveEnd | None = None
        self._listening = False
        self._cures = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.received = 0
        self.losses = 0
        self._port: Port | None = None
        self._virtual: str | None = None
        ports, running = list_ports(api)
        if wanted is None:
            controllers = [p for p in ports if not any(word in p.name.lower() for word in _NO_CONTROLLER)]
            if len(controllers) == 1:
                self._port = controllers[0]
        elif wanted != VIRTUAL:
            self._port = choose_port(ports, wanted)
        if self._port is None:
            self._virtual = next((name for name in running if name not in _WITHOUT_VIRTUAL), None)
            if wanted == VIRTUAL and self._virtual is None:
                raise InputError(
                    f"no MIDI system here lets a program open a port ({tried(api)}); "
                    "choose one of `gramophone ports`, or --midi none"
                )
        self._remark = "" if running else f"no MIDI system is running ({tried(api)})"
        self._open()
        if wanted is not None and not self.connected:
            self._close()
            which = self._port or repr(PORT_NAME)
            raise InputError(f"the MIDI port {which} cannot be opened; is another program using it?")
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether a port is open, and the controller behind it there."""
        return self._listening

    def __str__(self) -> str:
        if self._virtual is not None:
            system = api_name(self._virtual)
            return (
                f"port {PORT_NAME!r} ({system}), open to connections"
                if self.connected
                else f"{system} has gone"
            )
        if self._port is not None:
            return f"{self._port}" if self.connected else f"{self._port}: unplugged, will be taken back"
        return self._remark or "no controller"

    def close(self) -> None:
        """Stop. Messages that have arrived are passed on first."""
        self._stop.set()
        self._thread.join()
        self._close()

    @property
    def deaf(self) -> bool:
        """Whether a port of JACK's has heard nothing since it was opened, not even what this object sends to it.

        libjack 1.9.21 may leave a client so that was opened just while another one closed. To open it anew helps;
        a port where that has not helped a few times in a row does not count as deaf, since others may be heard there.
        """
        end = self._end
        return end is not None and end.silent and not end.answers and self._cures < _MOST_CURES

    def reopen(self) -> None:
        """Open the port anew if it is one of JACK's that does not answer: its server may have been replaced."""
        # Ports of other systems have not gone with the audio device, and would lose their connections. Nor has one that
        # was opened on the new server already: the audio device may come and go more than once.
        if self._api == "jack" and not self._answered():
            self._cures = self._cures + 1 if self.deaf else 0
            with self._lock:
                self._close()
                self._open()

    def _answered(self) -> bool:
        """Whether what is sent to the port arrives, so that its server runs; waits until that is known."""
        if (end := self._end) is None:
            return False
        before = end.answers
        while end.answers == before and not end.silent:
            time.sleep(_POLL)
        return not end.silent

    def _run(self) -> None:
        scans, ends = round(_SCAN_SECONDS / _POLL), round(_END / _POLL)
        polls = 0
        while not self._stop.wait(_POLL):
            try:
                self._drain()
                polls += 1
                with self._lock:
                    if self._end is not None and not polls % ends:
                        self._end.send()
                    if not polls % scans:
                        self._poll()
            except Exception as error:
                _log.warning("MIDI: %s: %s", type(error).__name__, error)
                self._stop.wait(_SCAN_SECONDS)
        with suppress(Exception):
            self._drain()

    def _drain(self) -> None:
        with self._lock:
            client = self._client
            while client is not None and (event := client.get_message()) is not None:
                if self._end is not None:
                    self._end.heard()
                for message in self._stream.feed(event[0]):
                    self.received += 1
                    try:
                        self._receive(message)
                    except Exception as error:
                        _log.warning("MIDI message %s: %s: %s", message[:8], type(error).__name__, error)

    def _poll(self) -> None:
        """Notice that the port has gone, or that it is back."""
        if self._port is None or self._client is None:
            return
        place = self._place(self._client)
        if self._listening and place is None:
            self._release(self._client)
            self._listening = False
            self.losses += 1
        elif not self._listening and place is not None:
            self._take(place)

    def _place(self, client: rtmidi.MidiIn) -> int | None:
        """Return where the wanted port now is in its API's list."""
        assert self._port is not None
        names = client.get_ports()
        if self._port.name in names:
            return int(names.index(self._port.name))
        for place, name in enumerate(names):
            if Port(0, self._port.api, name).lasting_name == self._port.lasting_name:
                return place
        return None

    @property
    def _api(self) -> str | None:
        return self._virtual if self._port is None else self._port.api

    def _open(self) -> None:
        if self._api is None:
            return
        with suppress(rtmidi.RtMidiError, OSError):
            self._client = open_client(self._api)
            if self._virtual is not None:
                self._listen(lambda client: client.open_virtual_port(PORT_NAME))
            else:
                self._poll()

    def _take(self, place: int) -> None:
        # Gone again, or taken by another program: the next look tries once more.
        with suppress(rtmidi.RtMidiError, OSError):
            self._listen(lambda client: client.open_port(place, PORT_NAME))

    def _listen(self, open_port: Callable[[rtmidi.MidiIn], object]) -> None:
        """Open the client's port, and see to it that no message stays open there."""
        assert self._client is not None
        end = None
        if self._api == "jack":
            with suppress(rtmidi.RtMidiError):
                end = ExclusiveEnd()
        try:
            open_port(self._client)
            self._listening = True
            with suppress(rtmidi.RtMidiError):
                if end is not None and end.connect(PORT_NAME):
                    # Or RtMidi would throw away what it takes for a part of the exclusive message.
                    self._client.ignore_types(sysex=False)
                    self._end, end = end, None
        finally:
            if end is not None:
                end.close()

    def _close(self) -> None:
        if self._client is not None:
            self._release(self._client)
            self._client.delete()
        self._client = None
        self._listening = False

    def _release(self, client: rtmidi.MidiIn) -> None:
        if self._end is not None:
            time.sleep(_SETTLE)
            self._end.close()
            self._end = None
            client.ignore_types()
        if self._api == "jack":
            time.sleep(_SETTLE)
        client.close_port()
