"""Audio devices: lists them, chooses among them, and recognises pairs that would howl.

PortAudio is loaded only here. A process that only lists devices (the one with the display) releases it at once: with
JACK, an initialised PortAudio is a client of the server. It would take the name that the engine wants, and end the
process if the server ends first.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from ...media.errors import InputError
from ...plugins.parameter import whole_number

Kind = Literal["input", "output"]

CLIENT_NAME = "gramophone"
JACK = "JACK Audio Connection Kit"
WITHOUT = "play a file instead: --virtual-input IN.wav --virtual-output OUT.wav"

# PortAudio keeps the pointer and not the text, so the text must stay.
_client_name = ctypes.create_string_buffer(CLIENT_NAME.encode())

# Preferred systems: a JACK server runs because a musician started it; MME, which PortAudio has first on Windows, has
# far more latency than WASAPI. All others follow in PortAudio's own order.
_PREFERRED = (JACK, "Windows WASAPI", "Core Audio", "ALSA")

# Parts of the names of built-in microphones and loudspeakers, or of defaults that lead to these; and of external
# devices and headphones.
_OWN = (
    "built-in", "builtin", "internal", "macbook", "imac", "microphone array", "realtek", "hda ", "sof-", "hw:0",
    "default", "pulse", "pipewire", "sound mapper", "primary sound",
)  # fmt: skip
_OUTSIDE = ("usb", "headphone", "headset", "earphone", "airpods", "line in", "line out", "digital", "hdmi")


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device as PortAudio sees it now.

    Args:
        number: Changes when something is plugged in or out; `label` does not.
        inputs, outputs: Most channels of each.
        sample_rate: Hz, its default; with JACK the only one.
        default_input, default_output: Whether its host API takes it where nothing is chosen.
    """

    number: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    sample_rate: float
    default_input: bool = False
    default_output: bool = False

    @property
    def label(self) -> str:
        """Name and host API: finds the device again, also in sounddevice."""
        return f"{self.name}, {self.host_api}"

    def channels(self, kind: Kind) -> int:
        """Return how many channels it has in one direction."""
        return self.inputs if kind == "input" else self.outputs


def load_portaudio() -> ModuleType:
    """Return the module `sounddevice`, initialised, with `gramophone` as the name of its JACK client.

    Raises:
        InputError: PortAudio is not installed, or does not start.
    """
    library = ctypes.util.find_library("portaudio")
    # Only where PortAudio was built with JACK is there such a function.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(library or "").PaJack_SetClientName(_client_name)
    try:
        import sounddevice
    except OSError as error:
        raise InputError(
            "PortAudio, the library for sound cards, is missing; install it (Debian, Ubuntu: sudo apt install "
            "libportaudio2; Fedora: sudo dnf install portaudio; macOS: brew install portaudio), or " + WITHOUT
        ) from error
    try:
        # Importing has initialised it, but it may have been let go of since.
        if not sounddevice._initialized:
            sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise InputError(
            f"PortAudio does not start ({error.args[0]}); restart the sound system, or " + WITHOUT
        ) from error
    module: ModuleType = sounddevice
    return module


@contextmanager
def portaudio() -> Iterator[ModuleType]:
    """Yield `sounddevice`, with an up-to-date list of devices, and release it afterwards.

    If another part of the process uses it already, it is not released.
    """
    before = getattr(sys.modules.get("sounddevice"), "_initialized", 0)
    sounddevice = load_portaudio()
    try:
        yield sounddevice
    finally:
        while sounddevice._initialized > before:
            sounddevice._terminate()


def list_devices() -> tuple[Device, ...]:
    """Return the present devices in PortAudio's order; the index is the number.

    Raises:
        InputError: as `load_portaudio`
    """
    with portaudio() as sounddevice:
        apis = sounddevice.query_hostapis()
        return tuple(
            Device(
                number=number,
                name=found["name"],
                host_api=apis[found["hostapi"]]["name"],
                inputs=found["max_input_channels"],
                outputs=found["max_output_channels"],
                sample_rate=found["default_samplerate"],
                default_input=number == apis[found["hostapi"]]["default_input_device"],
                default_output=number == apis[found["hostapi"]]["default_output_device"],
            )
            for number, found in enumerate(sounddevice.query_devices())
        )


def choose_device(
    devices: Sequence[Device], wanted: int | str | None, kind: Kind, *, host_api: str | None = None
) -> Device:
    """Return the wanted device.

    Args:
        wanted: Its number; or its `label`; or some of the words of it, in any order and case: `usb`, `alsa hw:1`. The
            name of a host API alone (`jack`) is that one's default. None: the default of the best host API.
        host_api: Only devices of this one.

    Raises:
        InputError: There is no such device, or more than one, or it has no channels in this direction.
    """
    usable = [d for d in devices if d.channels(kind) and host_api in (None, d.host_api)]
    if isinstance(wanted, str) and (number := whole_number(wanted.strip())) is not None:
        wanted = number
    if isinstance(wanted, int):
        return _numbered(devices, wanted, kind)
    if not usable:
        if devices and host_api:
            raise InputError(f"{host_api} has no {kind} device; choose input and output with -i and -o")
        what = f"no {kind} device" if devices else "no audio device"
        raise InputError(
            f"there is {what} here; connect one, start JACK or PipeWire and look again with `gramophone devices`, "
            "or " + WITHOUT
        )
    if wanted is None:
        return _default(usable, kind)
    exact = [d for d in usable if wanted in (d.label, d.name)]
    fitting = exact or [d for d in usable if _fits(wanted, d.label)]
    whole_api = [d for d in fitting if _fits(wanted, d.host_api)]
    if len(fitting) > 1 and len(whole_api) == len(fitting) and len({d.host_api for d in fitting}) == 1:
        return _default(fitting, kind)
    if not fitting:
        raise InputError(f"no {kind} device is called {wanted!r}; `gramophone devices` lists them")
    if len(fitting) > 1:
        raise InputError(
            f"{wanted!r} fits {len(fitting)} {kind} devices: {_listed(fitting)}; give a number or more of the name"
        )
    return fitting[0]


def choose_pair(
    devices: Sequence[Device], source: int | str | None, sink: int | str | None
) -> tuple[Device, Device]:
    """Return input and output device. If only one is chosen, the other is taken from the same host API.

    Raises:
        InputError: as `choose_device`; or the two belong to different host APIs, which cannot share a stream
    """
    if source is None and sink is not None:
        output = choose_device(devices, sink, "output")
        return choose_device(devices, None, "input", host_api=output.host_api), output
    entry = choose_device(devices, source, "input")
    output = choose_device(devices, sink, "output", host_api=None if sink is not None else entry.host_api)
    if entry.host_api != output.host_api:
        raise InputError(
            f"input {entry.label!r} and output {output.label!r} belong to different systems; choose both from one"
        )
    return entry, output


def may_howl(source: Device, sink: Device) -> bool:
    """Return whether the names look like a machine's own microphone and loudspeakers, which would feed back.

    JACK's names do not show the hardware, and users of JACK or ASIO have chosen their cables. So these never count.
    """
    if source.host_api == JACK or "ASIO" in source.host_api:
        return False
    return all(_own(device.name) for device in (source, sink))


def _own(name: str) -> bool:
    lower = f"{name.lower()} "
    return any(part in lower for part in _OWN) and not any(part in lower for part in _OUTSIDE)


def _fits(wanted: str, label: str) -> bool:
    return all(word in label.lower() for word in wanted.lower().split())


def _default(devices: Iterable[Device], kind: Kind) -> Device:
    def rank(device: Device) -> tuple[int, bool, int]:
        place = _PREFERRED.index(device.host_api) if device.host_api in _PREFERRED else len(_PREFERRED)
        chosen = device.default_input if kind == "input" else device.default_output
        return place, not chosen, device.number

    return min(devices, key=rank)


def _numbered(devices: Sequence[Device], number: int, kind: Kind) -> Device:
    for device in devices:
        if device.number == number:
            if not device.channels(kind):
                raise InputError(
                    f"device {number} ({device.label}) has no {kind}s; `gramophone devices` lists them"
                )
            return device
    raise InputError(f"there is no device {number}; `gramophone devices` lists them")


def _listed(devices: Sequence[Device]) -> str:
    names = [f"{device.number} {device.label}" for device in devices[:4]]
    return "; ".join([*names, "..."] if len(devices) > len(names) else names)
