"""The desk's server on real sockets, with knobs in the place of an engine."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.app.desk.commands import Commands
from gramophone.app.desk.server import Desk, DeskSettings
from gramophone.app.session.control_router import ControlRouter, starting_map
from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings

PATIENCE = 10.0
SETTINGS = EngineSettings(device=VirtualSettings(input=Path("none.wav"), output=Path("none.wav")))


@pytest.fixture
def router(tmp_path: Path) -> Iterator[ControlRouter]:
    # A host that is never started has all of its parameters, and no engine.
    host = Host(SETTINGS)
    midi, _ = starting_map(host.parameters, (), None)
    made = ControlRouter(host, midi=midi, map_path=tmp_path / "map.json", presets=tmp_path / "presets")
    yield made
    made.close()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with a token."""
    folder = tmp_path_factory.mktemp("guarded")
    host = Host(SETTINGS)
    midi, _ = starting_map(host.parameters, (), None)
    made = ControlRouter(host, midi=midi, map_path=None, presets=folder / "presets")
    desk = Desk(made, host, DeskSettings(port=0, token="secret"), Commands(made))
    yield desk
    desk.close()
    made.close()


@pytest.fixture
def serve(router: ControlRouter) -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def start(**options: Any) -> Desk:
        opened.append(Desk(router, Host(SETTINGS), DeskSettings(port=0, **options), Commands(router)))
        return opened[-1]

    yield start
    for desk in opened:
        desk.close()


class Page:
    """What a page sends and receives."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.received: list[dict[str, Any]] = []

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def receive(
        self, kind: str, fits: Callable[[dict[str, Any]], object] = lambda _: True
    ) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.socket.receive()
                assert message.type is not aiohttp.WSMsgType.CLOSED
                if message.type is aiohttp.WSMsgType.TEXT:
                    found = json.loads(message.data)
                    self.received.append(found)
                    if found["type"] == kind and fits(found):
                        return found


def visit(desk: Desk, talk: Callable[[Page], Awaitable[None]]) -> None:
    async def run() -> None:
        address = desk.address.partition("/?")[0]
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{address}/socket") as socket:
            await talk(Page(socket))

    asyncio.run(run())


def get(address: str, **headers: str) -> tuple[int, str]:
    async def run() -> tuple[int, str]:
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
            session.get(address, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    return asyncio.run(run())


def test_the_page_and_its_parts_are_served_and_nothing_else(serve: Callable[..., Desk]) -> None:
    desk = serve()
    status, page = get(desk.address)
    assert status == 200
    for part in ("desk.css", "desk.js", "knob.js", "pad.js", "scope.js", "maplist.js", "icon.svg"):
        assert get(f"{desk.address}/{part}")[0] == 200
    assert "http" not in page.replace("http-equiv", "")
    for path in ("/server.py", "/../server.py", "/static/desk.js", "/%2e%2e/server.py", "/none.js"):
        assert get(desk.address + path)[0] == 404


def test_a_page_learns_of_every_parameter_and_turns_each(
    serve: Callable[..., Desk], router: ControlRouter
) -> None:
    async def talk(page: Page) -> None:
        hello = await page.receive("hello")
        assert [one["id"] for one in hello["parameters"]] == [one.id for one in router.surface.parameters]
        for one in router.surface.parameters:
            for position in (1.0, 0.0):
                await page.send(do="set", v={one.id: position})
                await page.send(do="press", target="nothing")
                await page.receive("error")
                assert router.surface.get(one.id) == one.from_unit(position)

    visit(serve(), talk)


def test_what_others_turn_is_seen(serve: Callable[..., Desk], router: ControlRouter) -> None:
    async def talk(page: Page) -> None:
        await page.receive("hello")
        router.surface.set("mix", 0.25)
        found = await page.receive("values", lambda now: now["v"].get("mix", [1.0])[0] == 0.25)
        assert found["v"]["mix"] == [0.25, "25 %"]
        router.handle_midi([0xB0, 64, 127])
        found = await page.receive("values", lambda now: now["v"].get("freeze", [0])[0] == 1.0)
        assert found["v"]["freeze"] == [1.0, "on"]

    visit(serve(), talk)


def test_learning_editing_and_forgetting(
    serve: Callable[..., Desk], router: ControlRouter, tmp_path: Path
) -> None:
    async def talk(page: Page) -> None:
        await page.send(do="learn", on=True)
        await page.send(do="touch", target="strength")
        await page.receive("learning", lambda now: now["target"] == "strength")
        router.handle_midi([0xB0, 21, 64])
        learnt = await page.receive("map", lambda now: any(one["control"] == "CC 21" for one in now["items"]))
        place = next(n for n, one in enumerate(learnt["items"]) if one["control"] == "CC 21")
        entry = {
            **learnt["items"][place]["entry"],
            "low": 1.0,
            "high": 0.5,
            "curve": "slow",
            "takeover": False,
        }
        await page.send(do="edit", place=place, entry=entry)
        await page.receive("map", lambda now: any(one["entry"] == entry for one in now["items"]))
        await page.send(do="learn", on=False)
        await page.receive("learning", lambda now: not now["on"])
        router.handle_midi([0xB0, 21, 127])
        assert router.surface.get("strength") == 0.5
        await page.send(do="forget", place=place)
        await page.receive("map", lambda now: all(one["control"] != "CC 21" for one in now["items"]))

    visit(serve(), talk)
    router.close()
    written = json.loads((tmp_path / "map.json").read_text())
    assert all(knob["cc"] != 21 for knob in written["knobs"])


def test_presets_are_saved_recalled_and_deleted(serve: Callable[..., Desk]) -> None:
    async def talk(page: Page) -> None:
        await page.send(do="set", v={"mix": 0.5})
        await page.send(do="store", name="half")
        await page.receive("presets", lambda now: [one["name"] for one in now["items"]] == ["half"])
        await page.send(do="set", v={"mix": 1.0})
        await page.send(do="recall", name="half")
        await page.receive("values", lambda now: now["v"].get("mix", [1])[0] == 0.5)
        await page.send(do="store", name="../half")
        await page.receive("error")
        await page.send(do="delete", name="half")
        await page.receive("presets", lambda now: not now["items"])

    visit(serve(), talk)


def test_what_a_page_holds_is_let_go_when_it_leaves(tmp_path: Path) -> None:
    host, held = Host(SETTINGS), list[bool]()
    midi, _ = starting_map(host.parameters, (), None)
    router = ControlRouter(host, midi=midi, map_path=None, presets=tmp_path, actions={"capture": held.append})
    desk = Desk(router, host, DeskSettings(port=0), Commands(router))

    async def talk(page: Page) -> None:
        await page.send(do="press", target="capture", down=True)
        await page.send(do="press", target="nothing")
        await page.receive("error")

    try:
        visit(desk, talk)
    finally:
        desk.close()
        router.close()
    assert held == [True, False]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
ASKED = st.builds(
    lambda do, fields: {**fields, "do": do},
    st.sampled_from(
        ["set", "press", "learn", "touch", "forget", "edit", "recall", "store", "delete", "style", "x"]
    ),
    st.dictionaries(
        st.sampled_from(["v", "target", "down", "on", "place", "entry", "name", "take"]), JSON, max_size=4
    ),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlRouter]:
    host = Host(SETTINGS)
    midi, _ = starting_map(host.parameters, (), None)
    made = ControlRouter(host, midi=midi, map_path=None, presets=tmp_path_factory.mktemp("fuzz"))
    yield made
    made.close()


@given(asked=st.lists(ASKED | JSON, max_size=4))
def test_no_message_upsets_it_or_takes_a_knob_out_of_its_range(
    fuzzed: ControlRouter, asked: list[Any]
) -> None:
    commands = Commands(fuzzed)
    for message in asked:
        if not isinstance(message, dict):
            continue
        try:
            slow = commands.handle(message, set())
            if slow is not None:
                slow()
        except InputError as error:
            said = str(error)
        else:
            said = ""
        assert "\n" not in said
    get = fuzzed.surface.get
    assert all(one.clamp(get(one.id)) == get(one.id) for one in LIVE_PARAMETERS)


def test_rubbish_on_the_socket_is_survived(serve: Callable[..., Desk]) -> None:
    async def talk(page: Page) -> None:
        await page.socket.send_bytes(b"\0\1\2")
        for text in (
            "",
            "{",
            "[]",
            "null",
            '"x"',
            "[" * 5000,
            '{"do": "set", "v": {"mix": NaN}}',
            '{"do": []}',
        ):
            await page.socket.send_str(text)
        await page.send(do="set", v={"mix": 0.5})
        await page.receive("values", lambda now: now["v"].get("mix", [0])[0] == 0.5)

    visit(serve(), talk)


HEADERS = st.sampled_from(
    [b"Host", b"Cookie", b"Origin", b"Sec-WebSocket-Key", b"Upgrade", b"Content-Length"]
)
VALUES = st.binary(max_size=12) | st.sampled_from(
    [
        b"gramophone-desk=\xff",
        b"gramophone-desk=\x1b[31m",
        b"http://[",
        b"http://\xff",
        b"[::1",
        b"websocket",
        b'a="\\',
    ]
)
TARGETS = st.binary(max_size=8) | st.sampled_from(
    [
        b"",
        b"socket",
        b"%0d%0aX:1?token=secret",
        b"?token=%ff",
        b"?token=%ed%b3%a9",
        b"\xff.js",
        b"/evil?token=secret",
    ]
)


@settings(max_examples=150)
@given(target=TARGETS, headers=st.lists(st.tuples(HEADERS, VALUES), max_size=3))
def test_whatever_a_request_holds_it_is_no_fault_of_the_desk(
    guarded: Desk, target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    port = int(guarded.address.partition("/?")[0].rpartition(":")[2])
    lines = [b"GET /" + target + b" HTTP/1.1", b"Connection: close"]
    if all(name != b"Host" for name, _ in headers):
        lines.append(b"Host: 127.0.0.1")
    lines += [name + b": " + value for name, value in headers]
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
        client.sendall(b"\r\n".join([*lines, b"", b""]))
        client.shutdown(socket.SHUT_WR)
        answer = client.recv(4096)
    # 1xx to 4xx, or nothing where it was no request.
    assert not answer or answer[9:10] in b"1234", answer


@pytest.mark.parametrize("broken", ["_send_knobs", "_send_pictures", "_send_status"])
def test_what_fails_on_the_desk_fails_alone(
    broken: str, serve: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Desk) -> None:
        raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(Desk, broken, fail)

    async def talk(page: Page) -> None:
        # The others go on, the presets last of all.
        await page.receive("presets")
        await page.send(do="store", name="still here")
        await page.receive("presets", lambda now: now["items"])

    visit(serve(), talk)


def test_beyond_this_computer_a_token_is_asked_for(serve: Callable[..., Desk]) -> None:
    desk = serve(host="0.0.0.0")
    address, _, token = desk.address.partition("/?token=")
    assert len(token) >= 12
    local = f"http://127.0.0.1:{address.rpartition(':')[2]}"
    for path in ("/", "/desk.js", "/socket", "/?token=wrong", "/?token="):
        assert get(local + path)[0] == 401
    assert get(f"{local}/?token={token}")[0] == 200
    assert get(f"{local}/desk.js", Cookie=f"gramophone-desk={token}")[0] == 200
    assert get(f"{local}/desk.js", Cookie="gramophone-desk=wrong")[0] == 401


def test_pages_from_elsewhere_reach_nothing(serve: Callable[..., Desk]) -> None:
    desk = serve()
    assert get(desk.address, Host="evil.example")[0] == 403
    assert get(f"{desk.address}/socket", Origin="http://evil.example")[0] == 403
    # On loopback a token can be had as well.
    guarded = serve(token="open sesame")
    assert get(guarded.address.partition("/?")[0])[0] == 401


def test_a_port_that_is_taken_is_said_in_one_line(serve: Callable[..., Desk], router: ControlRouter) -> None:
    port = int(serve().address.rpartition(":")[2])
    with pytest.raises(InputError, match="--desk-port") as refusal:
        Desk(router, Host(SETTINGS), DeskSettings(port=port), Commands(router))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_tone_is_brightest_in_its_own_band(rate: int) -> None:
    from multiprocessing import get_context

    from gramophone.app.desk.spectra import BANDS, Spectra, band_edges
    from gramophone.realtime.link.taps import Tap

    tap = Tap.new(get_context("spawn"), 2, rate)
    tap.begin(0, rate)
    spectra = Spectra(tap, 2)
    assert spectra.columns().shape == (0, BANDS)
    for hz in (110.0, 1000.0, 7000.0):
        at = tap.position + np.arange(rate // 4)
        tone = 0.25 * np.sin(2.0 * np.pi * hz * at / rate).astype(np.float32)
        tap.publish(tap.write(tap.position, np.stack([tone, tone])), 0.0)
        columns = spectra.columns()
        assert len(columns) > 0
        centres = band_edges()[1:-1]
        brightest = centres[int(columns[-1].argmax())]
        assert brightest == pytest.approx(hz, rel=max(0.08, 25.0 / hz))
