"""The limit of the desk's connections, on real sockets."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from gramophone.app.desk.connection_limit import ConnectionLimit, listening

MOST = 8
PATIENCE = 20.0
visitors: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []


class Echo(asyncio.Protocol):
    """A server in the place of the desk: a line is a request, and `stay` makes the connection one of a page."""

    limit: ConnectionLimit

    def __init__(self) -> None:
        self.open: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        asking = self.limit.asking(self.transport, stays=data == b"stay\n")
        asking.__enter__()
        if data == b"stay\n":
            self.open.append(asking)
        else:
            asking.__exit__(None, None, None)
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data)


def at_the_limit(visit: Callable[[ConnectionLimit, int], Awaitable[None]]) -> None:
    async def run() -> None:
        limit = Echo.limit = ConnectionLimit(Echo, most=MOST)
        entries = listening("127.0.0.1", 0)
        tasks = [asyncio.create_task(limit.watch(entry)) for entry in entries]
        try:
            async with asyncio.timeout(PATIENCE):
                await visit(limit, entries[0].getsockname()[1])
        finally:
            for task in tasks:
                task.cancel()
            for _, writer in visitors:
                writer.transport.abort()
            for connection in limit._here():
                connection.transport.abort()
            await asyncio.sleep(0.1)
            for entry in entries:
                entry.close()

    visitors.clear()
    asyncio.run(run())


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    visitors.append(await asyncio.open_connection("127.0.0.1", port))
    return visitors[-1]


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bool:
    writer.write(line)
    return await reader.readline() == line


@pytest.mark.parametrize("silent", [1, MOST - 1, MOST, 20 * MOST])
def test_who_speaks_gets_in_however_many_say_nothing(silent: int) -> None:
    async def visit(limit: ConnectionLimit, port: int) -> None:
        page = await connect(port)
        assert await answered(*page, b"stay\n")
        others = [await connect(port) for _ in range(silent)]
        for _ in range(3):
            assert await answered(*await connect(port), b"hello\n")
        assert len(limit._here()) <= MOST
        # Nobody is put out who is at work.
        assert await answered(*page, b"stay\n")
        assert len(others) == silent

    at_the_limit(visit)


def test_a_page_stays_and_what_is_at_rest_makes_room() -> None:
    async def visit(limit: ConnectionLimit, port: int) -> None:
        pages = [await connect(port) for _ in range(MOST // 2)]
        for page in pages:
            assert await answered(*page, b"stay\n")
        for _ in range(3 * MOST):
            assert await answered(*await connect(port), b"hello\n")
            assert len(limit._here()) <= MOST
        for page in pages:
            assert await answered(*page, b"stay\n")

    at_the_limit(visit)


def test_all_addresses_of_a_name_have_one_port() -> None:
    opened = listening("localhost", 0)
    try:
        assert len({entry.getsockname()[1] for entry in opened}) == 1
        with pytest.raises(OSError, match="in use"):
            listening("localhost", opened[0].getsockname()[1])
    finally:
        for entry in opened:
            entry.close()


def test_a_name_that_stands_for_nothing_is_refused() -> None:
    with pytest.raises(socket.gaierror):
        listening("no.such.host.invalid", 0)
