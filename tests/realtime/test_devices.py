import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from gramophone.media.errors import InputError
from gramophone.realtime.audio.devices import Device, choose_device, choose_pair, may_howl

ALSA, JACK = "ALSA", "JACK Audio Connection Kit"


def device(number: int, name: str, api: str = ALSA, inputs: int = 2, outputs: int = 2, **rest: Any) -> Device:
    return Device(
        number=number, name=name, host_api=api, inputs=inputs, outputs=outputs, sample_rate=48000.0, **rest
    )


CARDS = (
    device(0, "HDA Intel PCH: ALC257 Analog (hw:0,0)"),
    device(1, "Scarlett 2i2 USB: Audio (hw:1,0)"),
    device(2, "HDA Intel PCH: HDMI 0 (hw:0,3)", inputs=0, outputs=8),
    device(3, "default", default_input=True, default_output=True, inputs=32, outputs=32),
)
WITH_JACK = (
    *CARDS,
    device(4, "fluid", JACK, outputs=0),
    device(5, "system", JACK, default_input=True, default_output=True),
)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [(1, 1), ("1", 1), ("scarlett", 1), ("usb scarlett", 1), ("ALSA hw:1", 1), ("default", 3), ("alsa", 3)],
)
def test_devices_are_chosen_by_number_or_words(wanted: int | str, number: int) -> None:
    assert choose_device(CARDS, wanted, "input").number == number


def test_a_label_finds_its_device_again() -> None:
    for card in WITH_JACK:
        assert choose_device(WITH_JACK, card.label, "input" if card.inputs else "output") is card


@pytest.mark.parametrize(
    ("wanted", "kind", "says"),
    [
        ("hda intel", "output", "fits 2 output devices: 0 HDA"),
        ("hdmi", "input", "no input device"),
        (2, "input", "has no inputs"),
        (9, "output", "no device 9"),
        ("focusrite", "output", "no output device is called 'focusrite'"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_one_line(wanted: int | str, kind: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as refusal:
        choose_device(CARDS, wanted, kind)
    assert "\n" not in str(refusal.value)


def test_without_devices_the_message_names_the_ways_out() -> None:
    with pytest.raises(InputError, match=r"JACK.*--virtual-input"):
        choose_pair((), None, None)


def test_a_running_jack_is_taken_first_and_its_name_is_enough() -> None:
    assert [one.name for one in choose_pair(CARDS, None, None)] == ["default", "default"]
    assert [one.name for one in choose_pair(WITH_JACK, None, None)] == ["system", "system"]
    assert [one.name for one in choose_pair(WITH_JACK, "fluid", None)] == ["fluid", "system"]
    assert choose_device(WITH_JACK, "jack", "input").name == "system"


def test_the_second_device_is_looked_for_beside_the_first() -> None:
    assert [one.number for one in choose_pair(WITH_JACK, "scarlett", None)] == [1, 3]
    assert [one.number for one in choose_pair(WITH_JACK, None, "scarlett")] == [3, 1]
    with pytest.raises(InputError, match="different systems"):
        choose_pair(WITH_JACK, "scarlett", "jack")


@pytest.mark.parametrize(
    ("source", "sink", "howls"),
    [
        ("HDA Intel PCH: ALC257 Analog (hw:0,0)", "HDA Intel PCH: ALC257 Analog (hw:0,0)", True),
        ("default", "default", True),
        ("MacBook Pro Microphone", "MacBook Pro Speakers", True),
        ("Built-in Microphone", "Built-in Output", True),
        ("Microphone Array (Realtek(R) Audio)", "Speakers (Realtek(R) Audio)", True),
        ("MacBook Pro Microphone", "External Headphones", False),
        ("Microphone Array (Realtek(R) Audio)", "Headphones (Realtek(R) Audio)", False),
        ("Scarlett 2i2 USB: Audio (hw:0,0)", "Scarlett 2i2 USB: Audio (hw:0,0)", False),
        ("MacBook Pro Microphone", "Scarlett 2i2 USB", False),
    ],
)
def test_a_microphone_before_its_own_loudspeakers_is_recognised(source: str, sink: str, howls: bool) -> None:
    assert may_howl(device(0, source), device(1, sink)) is howls
    assert not may_howl(device(0, source, JACK), device(1, sink, JACK))


# In processes of their own: PortAudio, once loaded, would see this process's next JACK server as well.
LOOK = (
    "from gramophone.realtime.audio.devices import list_devices; "
    "print([(d.name, d.host_api) for d in list_devices()]); "
)
STAY = """
import sys
from gramophone.realtime.audio.devices import load_portaudio
sd = load_portaudio()
with sd.Stream(channels=1, callback=lambda *_: None):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_looking_sees_the_server_and_leaves_no_client_behind(jack: Any) -> None:
    code = (
        LOOK + "import subprocess; print(subprocess.run(['jack_lsp'], capture_output=True, text=True).stdout)"
    )
    out = jack.run(sys.executable, "-c", code)
    assert str([("system", JACK)]) in out
    assert "gramophone" not in out


def test_what_is_plugged_in_between_two_looks_is_seen(jack: Any) -> None:
    looker = jack.spawn(sys.executable, "-c", LOOK + "print(flush=True); input(); " + LOOK)
    assert "fluid" not in looker.stdout.readline()
    jack.play(np.zeros((1, 4800)), name="fluid")
    rest, _ = looker.communicate("\n", timeout=30)
    assert "fluid" in rest


def test_ports_are_called_gramophone(jack: Any) -> None:
    process = jack.spawn(sys.executable, "-c", STAY)
    assert process.stdout.readline() == "open\n", process.communicate()[1]
    jack.wait_for("gramophone:in_0", "gramophone:out_0")
    process.communicate(timeout=30)


def test_a_missing_portaudio_is_named_with_its_remedy() -> None:
    code = """
import sys
sys.modules["sounddevice"] = None
class Absent:
    def find_spec(self, name, *_):
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
sys.meta_path.insert(0, Absent())
del sys.modules["sounddevice"]
from gramophone.realtime.audio.devices import list_devices
try:
    list_devices()
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for remedy in ("libportaudio2", "brew install portaudio", "--virtual-input"):
        assert remedy in done.stdout
    assert done.stdout.count("\n") == 1
