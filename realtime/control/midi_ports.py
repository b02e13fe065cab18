"""MIDI ports: lists the MIDI systems and their ports, and chooses one by number or name."""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import rtmidi

from ...media.errors import InputError
from ...plugins.parameter import whole_number

CLIENT_NAME = "gramophone-midi"

# As typed after --midi-api: RtMidi's number and its name on a display. The first that works is taken.
_APIS = {
    "alsa": (rtmidi.API_LINUX_ALSA, "ALSA"),
    "coremidi": (rtmidi.API_MACOSX_CORE, "CoreMIDI"),
    "winmm": (rtmidi.API_WINDOWS_MM, "WinMM"),
    "jack": (rtmidi.API_UNIX_JACK, "JACK"),
}

# A second's worth of the densest stream that a MIDI cable carries.
_QUEUE = 1024
# ALSA puts its changing client number behind the name, WinMM the number of the port.
_NUMBERING = {"alsa": re.compile(r"\s+\d+:\d+$"), "winmm": re.compile(r"\s+\d+$")}


@dataclass(frozen=True)
class Port:
    """A MIDI port that can be listened to: its number in the list of all, its API, and its name there now."""

    number: int
    api: str
    name: str

    @property
    def lasting_name(self) -> str:
        """The name without what changes when it is plugged in again."""
        pattern = _NUMBERING.get(self.api)
        return pattern.sub("", self.name) if pattern else self.name

    def __str__(self) -> str:
        return f"{self.lasting_name} ({_APIS[self.api][1]})"


def api_name(api: str) -> str:
    """Return the display name of a MIDI system."""
    return _APIS[api][1]


def available_apis() -> tuple[str, ...]:
    """Return the MIDI systems that RtMidi was built with, best first; they may not be running."""
    built = set(rtmidi.get_compiled_api())
    return tuple(name for name, (number, _) in _APIS.items() if number in built)


def list_ports(api: str | None = None) -> tuple[tuple[Port, ...], tuple[str, ...]]:
    """Return the ports of all MIDI systems that run, and the names of these systems.

    Args:
        api: only this one; see `available_apis`

    Raises:
        InputError: `api` is unknown or was not built in
    """
    ports: list[Port] = []
    running = []
    for name in _checked(api):
        try:
            client = open_client(name)
        except rtmidi.RtMidiError:
            continue
        running.append(name)
        ports += [Port(len(ports) + place, name, port) for place, port in enumerate(client.get_ports())]
        client.delete()
    return tuple(ports), tuple(running)


def choose_port(ports: Sequence[Port], wanted: int | str) -> Port:
    """Return the port with this number, or with all these words in its name or API.

    Raises:
        InputError: There is none, or more than one.
    """
    text = str(wanted).strip()
    if (number := whole_number(text)) is not None:
        for port in ports:
            if port.number == number:
                return port
        raise InputError(f"there is no MIDI port {text}; `gramophone ports` lists them")
    exact = [port for port in ports if text in (port.name, port.lasting_name)]
    fitting = exact or [
        port for port in ports if all(word in str(port).lower() for word in text.lower().split())
    ]
    if not fitting:
        raise InputError(
            f"no MIDI port is called {text!r}; `gramophone ports` lists them, --midi none goes without"
        )
    if len(fitting) > 1:
        names = "; ".join(f"{port.number} {port}" for port in fitting[:4])
        raise InputError(
            f"{text!r} fits {len(fitting)} MIDI ports: {names}; give a number or more of the name"
        )
    return fitting[0]


def _checked(api: str | None) -> tuple[str, ...]:
    built = available_apis()
    if api is None:
        return built
    if api not in built:
        raise InputError(
            f"--midi-api {api} is not available here; choose from {', '.join(built) or 'none at all'}"
        )
    return (api,)


def tried(api: str | None) -> str:
    """Return which systems were tried, for a message."""
    return "tried " + ", ".join(_APIS[name][1] for name in _checked(api))


def open_client(api: str) -> rtmidi.MidiIn:
    """Return a client of one MIDI system. Raises rtmidi.RtMidiError where that does not run."""
    with _no_chatter(api):
        return rtmidi.MidiIn(_APIS[api][0], name=CLIENT_NAME, queue_size_limit=_QUEUE)


@contextmanager
def _no_chatter(api: str) -> Iterator[None]:
    """Keep the C libraries from printing on standard error that a system does not run: that is only tried."""
    if os.name != "posix":
        yield
        return
    if api == "jack":
        _silence_jack()
    before = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(nowhere)
        os.close(before)


def _silence_jack() -> None:
    """Keep libjack from writing across the display, at any time, that its server has gone: we say so ourselves."""
    # Looked up through RtMidi, which may have brought its own libjack along. Any function of one text will do, if
    # only it is none of Python's: it is called from threads that must not wait for the interpreter's lock.
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(rtmidi._rtmidi.__file__)
        ignore = ctypes.cast(ctypes.CDLL(None).strlen, ctypes.c_void_p)
        for chatty in ("jack_set_error_function", "jack_set_info_function"):
            getattr(library, chatty)(ignore)
