"""OSC through real sockets on loopback."""

import functools
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.plugins.parameter import Parameter
from gramophone.plugins.preset import PresetFolder
from gramophone.realtime.control.control_surface import ControlSurface
from gramophone.realtime.control.osc import OscControl, messages, parse_address
from tests.waiting import wait_until

PATIENCE = 10.0
HERE = ("127.0.0.1", 0)


class Knobs:
    """Parameters that are held, as the host holds them."""

    def __init__(self) -> None:
        self.parameters: tuple[Parameter, ...] = LIVE_PARAMETERS
        self.values = {parameter.id: parameter.default for parameter in LIVE_PARAMETERS}
        self._known = {parameter.id: parameter for parameter in LIVE_PARAMETERS}

    def get(self, id: str) -> float:
        return self.values[id]

    def set(self, id: str, value: float) -> None:
        self.values[id] = self._known[id].clamp(value)


class Remote:
    """A surface on the other side."""

    def __init__(self, to: tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(HERE)
        self.socket.settimeout(0.2)
        self.to = to
        self.heard: dict[str, float] = {}
        self.count = 0

    @property
    def address(self) -> tuple[str, int]:
        return self.socket.getsockname()

    def send(self, address: str, *arguments: str | float | bool) -> None:
        builder = OscMessageBuilder(address=address)
        for argument in arguments:
            builder.add_arg(argument)
        self.socket.sendto(builder.build().dgram, self.to)

    def listen(self, until: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            assert time.monotonic() < end, f"waited in vain; heard {self.heard}"
            try:
                packet = self.socket.recv(65_536)
            except TimeoutError:
                continue
            for message in messages(packet):
                self.count += 1
                self.heard[message.address.removeprefix("/gramophone/")] = message.params[0]

    def quiet(self) -> bool:
        """Whether nothing comes for a while."""
        before = self.count
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            try:
                self.socket.recv(65_536)
                self.count += 1
            except TimeoutError:
                break
        return self.count == before


@pytest.fixture
def surface(tmp_path: Path) -> Iterator[ControlSurface]:
    made = ControlSurface(Knobs(), presets=PresetFolder(tmp_path, LIVE_PARAMETERS))
    yield made
    made.close()


@contextmanager
def control(surface: ControlSurface, **options: object) -> Iterator[tuple[OscControl, Remote]]:
    osc = OscControl(surface, HERE, **options)  # type: ignore[arg-type]
    remote = Remote(osc.address)
    try:
        yield osc, remote
    finally:
        osc.close()
        remote.socket.close()


def all_at(surface: ControlSurface, end: str) -> bool:
    return all(surface.get(one.id) == getattr(one, end) for one in LIVE_PARAMETERS)


def test_every_parameter_has_an_address_and_goes_its_whole_way(surface: ControlSurface) -> None:
    with control(surface) as (_, remote):
        for position, end in ((1.0, "high"), (0.0, "low")):
            for parameter in LIVE_PARAMETERS:
                remote.send(f"/gramophone/{parameter.id}", position)
            wait_until(functools.partial(all_at, surface, end))


def test_a_newcomer_is_told_of_everything_and_then_of_what_others_turn(surface: ControlSurface) -> None:
    with control(surface) as (_, remote):
        remote.send("/gramophone/strength")
        remote.listen(lambda: len(remote.heard) == len(LIVE_PARAMETERS))
        assert remote.heard["strength"] == 1.0
        surface.set("strength", 0.25)
        remote.listen(lambda: remote.heard["strength"] == 0.25)
        assert remote.quiet()


def test_who_turns_is_not_told_what_it_knows_but_what_became_of_it(surface: ControlSurface) -> None:
    with control(surface) as (_, remote):
        remote.send("/gramophone/mix", 0.5)
        remote.listen(lambda: len(remote.heard) == len(LIVE_PARAMETERS) - 1)
        assert "mix" not in remote.heard
        # A switch has no middle: what it was set to is told.
        remote.send("/gramophone/freeze", 0.75)
        remote.listen(lambda: remote.heard["freeze"] == 1.0)
        # And whoever asks is answered.
        remote.send("/gramophone/mix")
        remote.listen(lambda: remote.heard.get("mix") == 0.5)


def test_feedback_goes_to_whom_it_was_promised_only(surface: ControlSurface) -> None:
    listener = Remote(HERE)
    with control(surface, feedback=listener.address) as (_, remote):
        remote.send("/gramophone/mix", 0.5)
        listener.listen(lambda: listener.heard.get("mix") == 0.5)
        assert remote.quiet()
    listener.socket.close()


def test_triggers_switches_and_presets(surface: ControlSurface) -> None:
    surface.set("mix", 0.125)
    surface.store("thin")
    surface.set("mix", 1.0)
    with control(surface) as (_, remote):
        remote.send("/gramophone/panic")
        wait_until(lambda: surface.get("bypass") == 1.0)
        remote.send("/gramophone/preset", "thin")
        wait_until(lambda: surface.get("mix") == 0.125)
        assert surface.get("bypass") == 1.0


def test_a_bundle_counts_when_it_arrives(surface: ControlSurface) -> None:
    inner = OscBundleBuilder(IMMEDIATELY)
    builder = OscMessageBuilder(address="/gramophone/mix")
    builder.add_arg(0.25)
    inner.add_content(builder.build())
    outer = OscBundleBuilder(round(time.time()) + 3600)
    outer.add_content(inner.build())
    with control(surface) as (_, remote):
        remote.socket.sendto(outer.build().dgram, remote.to)
        wait_until(lambda: surface.get("mix") == 0.25)


ODD = st.one_of(
    st.binary(max_size=80),
    st.binary(max_size=60).map(lambda tail: b"/gramophone/mix\0" + tail),
    st.binary(max_size=60).map(lambda tail: b"#bundle\0" + tail),
    st.text(max_size=6).map(lambda tags: b"/gramophone/mix\0," + tags.encode() + bytes(24)),
    st.binary(max_size=40).map(lambda tail: b"/gramophone/mix\0,f\0\0" + tail),
)


@given(packet=ODD)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_packet_upsets_the_reader_or_is_printed(packet: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with suppress(ValueError):
        for message in messages(packet):
            assert isinstance(message.address, str)
    assert not caplog.records


def test_bundles_within_bundles_without_end_are_survived() -> None:
    packet = b""
    for _ in range(3000):
        packet = b"#bundle\0" + bytes(7) + b"\x01" + len(packet).to_bytes(4, "big") + packet
    with pytest.raises(ValueError, match="damaged"):
        messages(packet)


def test_damaged_packets_are_counted_and_told_of_once(surface: ControlSurface) -> None:
    unknown_tag = b"/gramophone/panic\0\0\0,q\0\0"
    unknown_element = b"#bundle\0" + bytes(8) + b"\0\0\0\x04abcd"
    with control(surface) as (osc, remote):
        for _ in range(3):
            remote.socket.sendto(unknown_tag, remote.to)
            remote.socket.sendto(unknown_element, remote.to)
        wait_until(lambda: osc.damaged == 6)
        assert len([line for _, line in surface.news(0) if "OSC" in line]) == 1
        assert surface.get("bypass") == 0.0


@given(
    address=st.sampled_from(
        [*(f"/gramophone/{one.id}" for one in LIVE_PARAMETERS), "/gramophone/preset", "/gramophone/panic"]
    )
    | st.text(max_size=30),
    arguments=st.lists(
        st.floats() | st.integers() | st.text(max_size=9) | st.booleans() | st.none() | st.binary(),
        max_size=3,
    ),
)
def test_no_message_takes_a_parameter_out_of_its_range(
    tmp_path_factory: pytest.TempPathFactory, address: str, arguments: list[object]
) -> None:
    knobs = Knobs()
    surface = ControlSurface(knobs, presets=PresetFolder(tmp_path_factory.getbasetemp(), LIVE_PARAMETERS))
    osc = OscControl.__new__(OscControl)
    osc._surface, osc._known = surface, {}
    import threading

    osc._lock = threading.Lock()
    try:
        osc.handle(address, arguments)
        assert all(one.clamp(knobs.values[one.id]) == knobs.values[one.id] for one in LIVE_PARAMETERS)
    finally:
        surface.close()


def test_what_a_message_breaks_is_logged_and_the_next_one_counts(
    surface: ControlSurface, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(surface, "recall", fail)
    with control(surface) as (_, remote):
        remote.send("/gramophone/preset", "\x1b[31m")
        remote.send("/gramophone/mix", 0.25)
        wait_until(lambda: surface.get("mix") == 0.25)
    assert "no such thing" in caplog.text


def test_after_a_storm_of_rubbish_it_still_listens(surface: ControlSurface) -> None:
    with control(surface) as (_, remote):
        for length in range(200):
            remote.socket.sendto(bytes((7 * length + n) % 256 for n in range(length)), remote.to)
            remote.socket.sendto(b"/gramophone/mix\0,f\0\0" + bytes(length % 4), remote.to)

        def heard() -> bool:
            # Again and again: what the storm leaves no room for in the socket's queue is lost, as datagrams are.
            remote.send("/gramophone/notes", 0.5)
            return surface.get("notes") == 0.5

        wait_until(heard)
        # What was the knob `detail`.
        remote.send("/gramophone/detail", 0.75)
        wait_until(lambda: surface.get("notes") == 0.25)


@pytest.mark.parametrize("written", ["", "x", "host:", "1:2:x", "70000", "-1"])
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(InputError, match="--osc"):
        parse_address(written)


def test_addresses_are_on_loopback_unless_told_otherwise(surface: ControlSurface) -> None:
    assert parse_address("9000") == ("127.0.0.1", 9000)
    assert parse_address("[::1]:9000") == ("::1", 9000)
    with control(surface) as (osc, _), pytest.raises(InputError, match="another port"):
        OscControl(surface, osc.address)
