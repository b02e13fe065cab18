"""MIDI through the ports of a real JACK server."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

import pytest
import rtmidi

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.control import midi, midi_stream
from gramophone.realtime.control.midi import MidiInput
from gramophone.realtime.control.midi_bindings import CcMap
from gramophone.realtime.control.midi_ports import Port, choose_port, list_ports
from tests.waiting import wait_until

# What has not arrived by then is lost.
ARRIVAL = 5.0


def again_after_an_xrun(test: Callable[..., None]) -> Callable[..., None]:
    """Have a test another try if it fails and the server has had xruns meanwhile: JACK loses messages in these."""

    @wraps(test)
    def attempts(jack: Any) -> None:
        for _ in range(9):
            before = jack.xruns()
            try:
                test(jack)
            except AssertionError:
                if jack.xruns() == before:
                    raise
            else:
                return
        test(jack)

    return attempts


@contextmanager
def controller(client: str = "controller", port: str = "knobs") -> Iterator[Any]:
    """A program with a MIDI output port, as a controller's driver is one."""
    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=client)
    out.open_virtual_port(port)
    try:
        yield out
    finally:
        out.close_port()
        out.delete()


@contextmanager
def listening(receive: Callable[[list[int]], object], wanted: str | None = None) -> Iterator[MidiInput]:
    listener = MidiInput(receive, wanted=wanted, api="jack")
    try:
        yield listener
    finally:
        listener.close()


def send(out: Any, messages: list[list[int]]) -> None:
    # Without gaps JACK's own buffers mangle them.
    for message in messages:
        out.send_message(message)
        time.sleep(0.002)


@again_after_an_xrun
def test_a_thousand_controller_changes_arrive_in_order(jack: Any) -> None:  # noqa: ARG001 - for the decorator
    sent = [[0xB0 | step % 16, step % 120, (7 * step + step // 128) % 128] for step in range(1000)]
    heard: list[list[int]] = []
    with controller() as out, listening(heard.append, "controller:knobs") as listener:
        send(out, sent)
        wait_until(lambda: len(heard) >= len(sent), seconds=ARRIVAL)
        assert listener.received == len(sent)
    assert heard == sent


@again_after_an_xrun
def test_a_sweep_of_the_wheel_becomes_a_sweep_of_strength(jack: Any) -> None:  # noqa: ARG001 - for the decorator
    knobs = CcMap([], LIVE_PARAMETERS)
    turned: list[tuple[str, float]] = []
    sweep = [*range(128), *reversed(range(128))]
    with controller() as out, listening(lambda message: turned.extend(knobs.receive(message)), "controller"):
        for reserved in (120, 121, 123, 127):
            send(out, [[0xB0, reserved, 0]])
        send(out, [[0xB0, 1, position] for position in sweep])
        wait_until(lambda: len(turned) >= len(sweep), seconds=ARRIVAL)
    assert turned == [("strength", position / 127) for position in sweep]


@again_after_an_xrun
def test_fourteen_bits_through_a_port(jack: Any) -> None:  # noqa: ARG001 - for the decorator
    knobs = CcMap(["1+33=strength"], LIVE_PARAMETERS)
    turned: list[float] = []
    positions = [0, 1, 127, 128, 8192, 16382, 16383]

    def receive(message: list[int]) -> None:
        turned.extend(value for identity, value in knobs.receive(message) if identity == "strength")

    with controller() as out, listening(receive, "controller"):
        send(out, [[0xB0, *half] for p in positions for half in ((1, p >> 7), (33, p & 127))])
        wait_until(lambda: len(turned) >= 2 * len(positions), seconds=ARRIVAL)
    assert turned[1::2] == [pytest.approx(position / 16383, abs=1e-9) for position in positions]


def test_the_virtual_port_is_called_gramophone_and_takes_connections(jack: Any) -> None:
    heard: list[list[int]] = []
    with listening(heard.append, "virtual") as listener:
        assert "gramophone" in str(listener)
        with controller() as out:
            # The MIDI client's own name leaves `gramophone` to the audio ports.
            jack.connect("controller:knobs", "gramophone-midi:gramophone")
            send(out, [[0xB0, 1, 64]])
            wait_until(lambda: heard)
    assert heard == [[0xB0, 1, 64]]


@again_after_an_xrun
def test_no_malformed_message_deafens_the_port(jack: Any) -> None:  # noqa: ARG001 - for the decorator
    """RtMidi took all that followed an exclusive message without an end for a part of it, from JACK for ever."""
    broken: tuple[list[int], ...] = (
        [0xF0, 1, 2, 3],
        [0xF0],
        [0xF4],
        [0xF5],
        [0xFD],
        [5],
        [0xB0, 7],
        [0x90, 1, 0xF8],
        [0xF0, 1, 0xF0],
        [],
    )
    heard: list[list[int]] = []
    sent = [[0xB0, 1, step] for step in range(2 * len(broken))]
    with ExitStack() as stack:
        out = stack.enter_context(controller())
        listener = stack.enter_context(listening(heard.append, "controller:knobs"))
        for before, message in zip(broken, zip(sent[::2], sent[1::2], strict=True), strict=True):
            send(out, [before] if before else [])
            send(out, list(message))
        wait_until(lambda: len(heard) >= len(sent), seconds=ARRIVAL)
        assert listener.received == len(sent)
    assert heard == sent


@pytest.mark.usefixtures("jack")
def test_the_only_controller_is_taken_unasked_and_of_two_none() -> None:
    with controller(), listening(lambda _: None) as listener:
        assert "controller:knobs" in str(listener)
        assert listener.connected
    with controller(), controller("other"), listening(lambda _: None) as listener:
        assert "gramophone" in str(listener)


@pytest.mark.usefixtures("jack")
def test_an_unplugged_controller_is_noticed_and_taken_back() -> None:
    heard: list[list[int]] = []
    with ExitStack() as stack:
        with controller() as out:
            listener = stack.enter_context(listening(heard.append, "knobs"))
            send(out, [[0xB0, 1, 1]])
            wait_until(lambda: heard)
        wait_until(lambda: not listener.connected)
        assert "unplugged" in str(listener)
        with controller() as out:
            wait_until(lambda: listener.connected)
            send(out, [[0xB0, 1, 2]])
            wait_until(lambda: len(heard) == 2)
            assert "unplugged" not in str(listener)
        assert heard == [[0xB0, 1, 1], [0xB0, 1, 2]]
        assert listener.losses == 1


def test_a_port_on_a_running_server_keeps_its_connections(jack: Any) -> None:
    heard: list[list[int]] = []
    with listening(heard.append, "virtual") as listener, controller() as out:
        jack.connect("controller:knobs", "gramophone-midi:gramophone")
        # The audio device has come back once more.
        listener.reopen()
        send(out, [[0xB0, 1, 64]])
        wait_until(lambda: heard)
    assert heard == [[0xB0, 1, 64]]


def test_after_a_new_server_the_port_is_opened_anew(jack: Any) -> None:
    heard: list[list[int]] = []
    with listening(heard.append, "virtual") as listener:
        jack.stop()
        jack.start()
        listener.reopen()
        with controller() as out:
            jack.connect("controller:knobs", "gramophone-midi:gramophone")
            send(out, [[0xB0, 1, 5]])
            wait_until(lambda: heard)
    assert heard == [[0xB0, 1, 5]]


def test_a_port_that_has_heard_nothing_since_it_was_opened_is_deaf_until_it_is_opened_anew(
    jack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that there is time to cut the port off before the first message of its own arrives.
    monkeypatch.setattr(midi, "_END", 0.5)
    monkeypatch.setattr(midi_stream, "_SILENCE", 2)
    heard: list[list[int]] = []
    with listening(heard.append, "virtual") as listener:
        jack.disconnect("gramophone-eox:eox", "gramophone-midi:gramophone")
        assert not listener.deaf
        wait_until(lambda: listener.deaf)
        listener.reopen()
        assert not listener.deaf
        with controller() as out:
            jack.connect("controller:knobs", "gramophone-midi:gramophone")
            send(out, [[0xB0, 1, 6]])
            wait_until(lambda: heard)
        # The next reopening finds that all is well.
        listener.reopen()
        assert not listener.deaf
    assert heard == [[0xB0, 1, 6]]


@again_after_an_xrun
def test_a_busy_thread_in_the_same_process_loses_nothing(jack: Any) -> None:  # noqa: ARG001 - for the decorator
    heard: list[list[int]] = []
    busy = threading.Event()

    def spin() -> None:
        while not busy.is_set():
            sum(range(1000))

    thread = threading.Thread(target=spin, daemon=True)
    sent = [[0xB0, 1, step % 128] for step in range(200)]
    with controller() as out, listening(heard.append, "controller"):
        thread.start()
        try:
            send(out, sent)
            wait_until(lambda: len(heard) >= len(sent), seconds=ARRIVAL)
        finally:
            busy.set()
            thread.join()
    assert heard == sent


PORTS = (
    Port(0, "alsa", "nanoKONTROL2:nanoKONTROL2 MIDI 1 20:0"),
    Port(1, "alsa", "Keystation 49:Keystation MIDI 1 24:0"),
    Port(2, "jack", "system:midi_capture_1"),
)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(1, 1), ("2", 2), ("nano", 0), ("midi keystation", 1), ("jack", 2), ("ALSA nano", 0)],
)
def test_ports_are_chosen_by_number_or_words(wanted: int | str, number: int) -> None:
    assert choose_port(PORTS, wanted).number == number


@pytest.mark.parametrize("wanted", [3, "7", "oxygen", "alsa"])
def test_what_fits_no_port_or_several_is_refused_in_one_line(wanted: int | str) -> None:
    with pytest.raises(InputError, match=r"gramophone ports|more of the name") as refusal:
        choose_port(PORTS, wanted)
    assert "\n" not in str(refusal.value)


def test_a_replugged_controller_is_the_same_though_its_number_differs() -> None:
    before, after = (Port(0, "alsa", f"nanoKONTROL2:nanoKONTROL2 MIDI 1 {client}:0") for client in (20, 28))
    assert before.lasting_name == after.lasting_name


def test_an_unknown_midi_system_is_refused() -> None:
    with pytest.raises(InputError, match="--midi-api carrier-pigeon"):
        list_ports("carrier-pigeon")
