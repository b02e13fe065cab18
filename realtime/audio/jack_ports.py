"""The connections of our ports of a JACK server, so that an engine that takes over gets the same ones.

PortAudio connects to the chosen device and does not know the user's later connections. A second client without ports
asks the server. Without the library the connections are simply unknown.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

_NO_START_SERVER = 1

#: By the name of our port without its client: the full names of the ports that are connected to it.
Connections = dict[str, list[str]]


class JackPorts:
    """The connections of a client of the server that is running.

    Args:
        client: the owner of the ports
        ports: their names, without the client's

    Raises:
        OSError: there is no JACK library or no server
    """

    def __init__(self, client: str, ports: Iterable[str]) -> None:
        library: Any = ctypes.CDLL(ctypes.util.find_library("jack") or "libjack.so.0")
        for name, result, arguments in (
            ("jack_client_open", ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]),
            ("jack_client_close", ctypes.c_int, [ctypes.c_void_p]),
            ("jack_port_by_name", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("jack_port_get_all_connections", ctypes.POINTER(ctypes.c_char_p), [ctypes.c_void_p] * 2),
            ("jack_connect", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]),
            ("jack_disconnect", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]),
            ("jack_free", None, [ctypes.c_void_p]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self._library = library
        self._names = {port: f"{client}:{port}" for port in ports}
        self._client = library.jack_client_open(f"{client}-ports".encode(), _NO_START_SERVER, None)
        if not self._client:
            raise OSError("no JACK server")

    def connections(self) -> Connections | None:
        """Return the connections of each port, in alphabetical order; None if the ports are gone."""
        found = {port: self._connected(name) for port, name in self._names.items()}
        return {port: sorted(others) for port, others in found.items() if others is not None} or None

    def restore(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Connect the ports to these and nothing else, as far as the other ends exist."""
        for port, name in self._names.items():
            if port not in wanted:
                continue
            present, others = self._connected(name) or set(), set(wanted[port])
            for other in sorted(others - present):
                self._change(self._library.jack_connect, name, other)
            for other in sorted(present - others):
                self._change(self._library.jack_disconnect, name, other)

    def close(self) -> None:
        """Disconnect from the server."""
        self._library.jack_client_close(self._client)

    def _connected(self, name: str) -> set[str] | None:
        port = self._library.jack_port_by_name(self._client, name.encode())
        if not port:
            return None
        found = self._library.jack_port_get_all_connections(self._client, port)
        if not found:
            return set()
        names = set()
        for other in found:
            if other is None:
                break
            names.add(os.fsdecode(other))
        self._library.jack_free(found)
        return names

    def _change(self, function: Any, name: str, other: str) -> None:
        # Source first. Our inputs are called in_..., our outputs out_...
        ends = (other, name) if name.rpartition(":")[2].startswith("in") else (name, other)
        function(self._client, *map(os.fsencode, ends))


def own_client() -> str | None:
    """Return the name that the server has given to PortAudio's client in this process; None if there is none."""
    name = ctypes.c_char_p()
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(ctypes.util.find_library("portaudio") or "")
        if library.PaJack_GetClientName(ctypes.byref(name)) == 0 and name.value:
            return name.value.decode()
    return None
