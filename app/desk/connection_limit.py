"""A limit to the desk's connections, so that they never take the file descriptors that the sound needs.

One place is kept free: for a new connection, the one that has been idle for longest is closed. So a client that
connects and says nothing does not keep a performer's browser out.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Connections at a time, including the place that is kept free. A browser opens six.
MOST = 64
# After this time without a request, or without a whole answer, a connection is dropped.
_PATIENCE = 30.0
_TO_SPEAK = 1.0
_POLL_SECONDS = 1.0
_PAUSE = 0.1
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


@dataclass(eq=False)
class _Connection:
    """A connection, and since when it has been silent, in work, or at rest."""

    socket: socket.socket
    transport: asyncio.Transport
    spoken: bool = False
    busy: bool = False
    #: an open page, which stays as long as it likes
    stays: bool = False
    since: float = field(default_factory=time.monotonic)


def listening(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at all addresses of a host; port 0 is any free one. Raises OSError."""
    found = socket.getaddrinfo(
        host or None, port, family=socket.AF_UNSPEC, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    opened: list[socket.socket] = []
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        try:
            # All of them at one port.
            at = opened[0].getsockname()[1] if opened and not port else address[1]
            opened.append(socket.create_server((address[0], at, *address[2:]), family=family, backlog=128))
            opened[-1].setblocking(False)
        except OSError as error:
            # A name may stand for an address that this machine does not have, such as ::1.
            if error.errno in _NOT_HERE and len(found) > 1:
                continue
            for other in opened:
                other.close()
            raise
    if not opened:
        raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
    return opened


class ConnectionLimit:
    """Accepts connections in an event loop.

    Args:
        protocol: makes what speaks on a connection
        most: how many there may be at a time; fewer of them should be open pages
    """

    def __init__(self, protocol: Callable[[], asyncio.Protocol], *, most: int = MOST) -> None:
        self._protocol = protocol
        self._most = most
        self._connections: dict[asyncio.BaseTransport, _Connection] = {}

    async def watch(self, entry: socket.socket) -> None:
        """Accept connections of a listening socket, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            while len(self._here()) >= self._most:
                # An aborted one has gone when the loop has been round; where all are pages, somebody has to leave.
                await asyncio.sleep(0.0 if self._make_room() else _PAUSE)
            try:
                accepted, _ = await loop.sock_accept(entry)
            except OSError:
                # The system has no room for another one, or this one has gone again.
                await asyncio.sleep(_PAUSE)
                continue
            try:
                transport, _ = await loop.connect_accepted_socket(self._protocol, accepted)
            except OSError:
                accepted.close()
                continue
            self._connections[transport] = _Connection(accepted, transport)

    async def sweep(self) -> None:
        """Drop connections that have been idle for long, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_SECONDS)
            for connection in self._useless():
                if time.monotonic() - connection.since > _PATIENCE:
                    connection.transport.abort()

    @contextmanager
    def asking(self, transport: asyncio.BaseTransport | None, *, stays: bool) -> Iterator[None]:
        """Note that a whole request has come over a connection, which `stays` open for as long as it is answered."""
        connection = self._connections.get(transport) if transport is not None else None
        if connection is None:
            yield
            return
        connection.spoken, connection.busy, connection.stays, connection.since = (
            True,
            True,
            stays,
            time.monotonic(),
        )
        try:
            yield
        finally:
            connection.busy, connection.stays, connection.since = False, False, time.monotonic()

    def _here(self) -> list[_Connection]:
        # A socket is closed, and its descriptor free again, some time after the connection's end.
        self._connections = {
            key: connection
            for key, connection in self._connections.items()
            if connection.socket.fileno() >= 0
        }
        return list(self._connections.values())

    def _make_room(self) -> bool:
        """Drop the connection that has been idle for longest; return whether there was one."""
        for connection in self._useless():
            connection.transport.abort()
            return True
        return False

    def _useless(self) -> list[_Connection]:
        """Return those that are no open pages, the longest idle first."""
        now = time.monotonic()

        def use(connection: _Connection) -> tuple[int, float]:
            if connection.spoken:
                return (3 if connection.busy else 1), connection.since
            # One that has just come has had no time to say anything.
            return (0 if now - connection.since > _TO_SPEAK else 2), connection.since

        return sorted((connection for connection in self._here() if not connection.stays), key=use)
