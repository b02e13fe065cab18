"""The desk's server: pages, and a WebSocket for each of them.

It runs in a thread of the host's process with an event loop of its own. The engine is another process, so nothing that
happens here, least of all a page that goes away, reaches the sound.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...media.errors import InputError
from ...media.inputs import parse_json
from .. import console
from ..repeated_task import Task
from . import feed
from .access import COOKIE, LOOPBACK, Access
from .commands import Commands
from .connection_limit import MOST, ConnectionLimit, listening

if TYPE_CHECKING:
    from aiohttp import web

    from ...realtime.host import Host
    from ..session.control_router import ControlRouter
    from .spectra import Spectra

PORT = 8520
_STATIC = Path(__file__).parent / "static"
# Knobs that others turn are followed at the rate of the picture.
_TICK = 0.05
_STATUS_TICKS = 2
_FILES_TICKS = 40
# A page with so many unsent messages has gone; it connects again by itself.
_BACKLOG = 200
_START_SECONDS = 10.0
# Of the connections; the others are for what pages are made of.
_MOST_PAGES = 3 * MOST // 4
_LARGEST_MESSAGE = 65_536
_CONTENT_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_MISSING = "the desk needs aiohttp, which is not installed; install it with: pip install 'gramophone[desk]'"
_DENIED = "This desk asks for its token: open the address that gramophone printed when it started.\n"


@dataclass(frozen=True, kw_only=True)
class DeskSettings:
    """Where the desk is.

    Attributes:
        host: address to listen on; any but loopback demands a token
        port: 0 is any free one
        token: None makes one up where one is needed
    """

    host: str = LOOPBACK
    port: int = PORT
    token: str | None = None


def check_desk() -> None:
    """Raise InputError where the desk cannot run, before anything else is started."""
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise InputError(_MISSING) from None


class _Page:
    """One open page: its unsent messages, and a task that sends them."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue(_BACKLOG)

    def send(self, message: str | bytes) -> bool:
        """Have something sent; return whether the page still keeps up."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True

    async def run(self) -> None:
        """Send until the page has gone."""
        with suppress(ConnectionError, RuntimeError):
            while True:
                message = await self._queue.get()
                if isinstance(message, str):
                    await self.socket.send_str(message)
                else:
                    await self.socket.send_bytes(message)


class Desk:
    """A running desk; `close` ends it.

    Args:
        router: for knobs, triggers and the MIDI map
        host: of the engine; only read
        settings: where to listen
        commands: what pages may ask for

    Raises:
        InputError: aiohttp is missing, or the address cannot be listened on
    """

    def __init__(self, router: ControlRouter, host: Host, settings: DeskSettings, commands: Commands) -> None:
        check_desk()
        self._router = router
        self._host = host
        self._settings = settings
        self._commands = commands
        self._access = Access(settings.host, settings.token)
        self._pages: set[_Page] = set()
        self._limit: ConnectionLimit | None = None
        self._said: dict[str, str] = {}
        self._told = 0
        self._pictures: tuple[Spectra, Spectra] | None = None
        self._known: dict[str, tuple[float, str]] = {}
        self._shown = router.surface.parameters
        self._port = settings.port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None
        self._ready = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
        self._thread.start()
        self._ready.wait(_START_SECONDS)
        self._check()

    def _check(self) -> None:
        if self._failure is None:
            return
        self._thread.join()
        where = f"{self._settings.host}:{self._settings.port}"
        reason = self._failure.strerror or str(self._failure)
        raise InputError(f"the desk cannot listen on {where}: {reason}; give another --desk-port")

    @property
    def address(self) -> str:
        """What to open in a browser, with the token if one is needed."""
        host = self._settings.host
        if host in ("0.0.0.0", "::", ""):
            host = own_address()
        host = f"[{host}]" if ":" in host else host
        token = "" if self._access.token is None else f"/?token={self._access.token}"
        return f"http://{host}:{self._port}{token}"

    def close(self) -> None:
        """Say goodbye to the pages, and stop."""
        if self._loop is not None and self._end is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        from aiohttp import web

        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application(middlewares=[self._guard()])
        application.router.add_get("/", self._file)
        application.router.add_get("/socket", self._socket)
        application.router.add_get("/{name:[a-z-]+\\.(?:js|css|svg)}", self._file)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        assert runner.server is not None
        self._limit = ConnectionLimit(runner.server)
        entries: list[socket.socket] = []
        try:
            entries = listening(self._settings.host, self._settings.port)
            self._port = entries[0].getsockname()[1]
            work = [self._tick(), self._limit.sweep(), *map(self._limit.watch, entries)]
            tasks = [asyncio.create_task(one) for one in work]
            self._ready.set()
            await self._end.wait()
            for task in tasks:
                task.cancel()
            for page in list(self._pages):
                with suppress(Exception):
                    await asyncio.wait_for(page.socket.close(), 0.5)
        finally:
            for entry in entries:
                entry.close()
            await runner.cleanup()

    def _guard(self) -> Any:
        from aiohttp import web

        @web.middleware
        async def guard(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            assert self._limit is not None
            with self._limit.asking(request.transport, stays=request.path == "/socket"):
                return await answer(request, handler)

        async def answer(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if not self._access.host_fits(request.headers.get("Host", "")):
                return web.Response(status=403, text="This desk is for this computer only.\n")
            given = request.query.get("token")
            if self._access.token is not None and given is not None and self._access.knows(given):
                # From here on the cookie: in the address, an audience could see the token.
                moved = web.Response(status=303, headers={"Location": request.rel_url.raw_path})
                moved.set_cookie(COOKIE, given, httponly=True, samesite="Strict", max_age=30 * 86_400)
                return moved
            if not self._access.knows(request.cookies.get(COOKIE)):
                return web.Response(status=401, text=_DENIED)
            return await handler(request)

        return guard

    async def _file(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        path = _STATIC / request.match_info.get("name", "index.html")
        if not path.is_file():
            raise web.HTTPNotFound
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _CONTENT_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        }
        return web.Response(
            body=path.read_bytes(), content_type=_TYPES[path.suffix], charset="utf-8", headers=headers
        )

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import WSMsgType, web

        if not self._access.origin_fits(request.headers.get("Origin"), request.headers.get("Host", "")):
            raise web.HTTPForbidden
        if len(self._pages) >= _MOST_PAGES:
            raise web.HTTPServiceUnavailable
        connection = web.WebSocketResponse(heartbeat=20.0, max_msg_size=_LARGEST_MESSAGE, compress=False)
        await connection.prepare(request)
        page = _Page(connection)
        for message in await self._greeting():
            page.send(message)
        sending = asyncio.create_task(page.run())
        self._pages.add(page)
        held: set[str] = set()
        try:
            async for asked in connection:
                if asked.type == WSMsgType.TEXT:
                    await self._handle(page, asked.data, held)
        finally:
            self._pages.discard(page)
            sending.cancel()
            # Whatever this page held down is let go, or it would stay down.
            for target in held:
                with suppress(InputError):
                    self._router.surface.press(target, False)
        return connection

    async def _greeting(self) -> list[str]:
        surface = self._router.surface
        messages = [feed.hello(surface), {"type": "values", "v": feed.values(surface)}]
        messages += [feed.status(self._host.snapshot()), feed.learning(self._router)]
        messages += [feed.mapping(self._router), await asyncio.to_thread(feed.presets, surface)]
        messages += self._commands.lists()
        return [json.dumps(message) for message in messages]

    async def _handle(self, page: _Page, text: str, held: set[str]) -> None:
        try:
            asked = parse_json(text)
            if not isinstance(asked, dict):
                return
            slow = self._commands.handle(asked, held)
            if slow is not None:
                await asyncio.to_thread(slow)
                self._changed(await asyncio.to_thread(feed.presets, self._router.surface))
        except InputError as error:
            page.send(json.dumps({"type": "error", "text": str(error)}))
        except ValueError:
            return
        except Exception as error:
            # This page goes on, and so do the others.
            console.fault(f"warning: the desk: {type(error).__name__}: {error}")
        self._send_values()
        self._send_learning()

    async def _tick(self) -> None:
        knobs = Task("showing the knobs on the desk", self._send_knobs)
        pictures = Task("showing the spectrograms on the desk", self._send_pictures)
        status = Task("showing the meters on the desk", self._send_status)
        presets = Task("listing the presets on the desk", partial(feed.presets, self._router.surface))
        count = 0
        while True:
            await asyncio.sleep(_TICK)
            if not self._pages:
                self._pictures = None
                continue
            count += 1
            knobs()
            pictures()
            if count % _STATUS_TICKS == 0:
                status()
            if count % _FILES_TICKS == 0 and (found := await asyncio.to_thread(presets)) is not None:
                self._changed(found)

    def _send_knobs(self) -> None:
        if self._shown != self._router.surface.parameters:
            # An effect has been added: the pages are built anew.
            self._shown = self._router.surface.parameters
            self._said.clear()
            self._broadcast(json.dumps(feed.hello(self._router.surface)))
            self._broadcast(json.dumps({"type": "values", "v": feed.values(self._router.surface)}))
        self._send_values()
        self._send_learning()
        self._send_news()

    def _send_pictures(self) -> None:
        from .spectra import Spectra

        if self._pictures is None:
            taps = self._host.taps
            self._pictures = Spectra(taps.input, taps.channels), Spectra(taps.output, taps.channels)
        self._broadcast(_packed(*self._pictures))

    def _send_status(self) -> None:
        self._broadcast(json.dumps(feed.status(self._host.snapshot())))
        for message in self._commands.lists():
            self._changed(message)

    def _send_values(self) -> None:
        now = feed.values(self._router.surface)
        changed = {key: value for key, value in now.items() if self._known.get(key) != value}
        self._known = now
        if changed:
            self._broadcast(json.dumps({"type": "values", "v": changed}))

    def _send_learning(self) -> None:
        self._changed(feed.learning(self._router))
        self._changed(feed.mapping(self._router))

    def _send_news(self) -> None:
        for number, line in self._router.surface.news(self._told):
            self._told = number
            self._broadcast(json.dumps({"type": "news", "text": line}))

    def _changed(self, message: feed.Message) -> None:
        """Send a message to all pages, unless it was their last one of its type."""
        text = json.dumps(message)
        if self._said.get(message["type"]) != text:
            self._said[message["type"]] = text
            self._broadcast(text)

    def _broadcast(self, message: str | bytes) -> None:
        for page in list(self._pages):
            if message and not page.send(message):
                self._pages.discard(page)
                asyncio.ensure_future(page.socket.close())  # noqa: RUF006  (it ends by itself)


def _packed(source: Spectra, sink: Spectra) -> bytes:
    """Return the new columns of both pictures: two counts, one byte each, then the columns, input first.

    Both have as many, so that the pictures stay in step; empty where there are none.
    """
    before, after = source.columns(), sink.columns()
    if not len(before) and not len(after):
        return b""
    return bytes((len(before), len(after))) + before.tobytes() + after.tobytes()


def own_address() -> str:
    """Return the address under which others on the network reach this machine, or loopback."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: connecting a UDP socket only asks which way it would go (TEST-NET-1, RFC 5737).
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return LOOPBACK
