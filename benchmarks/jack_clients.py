"""JACK clients that the benchmarks start in processes of their own: a bare pass-through, a player, a probe.

    python -m benchmarks.jack_clients pass|play|probe

Each prints `ready` once it runs, then answers every line it is sent with one line of JSON, and ends with its
standard input. The server is the one that JACK_DEFAULT_SERVER names.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import sys
import threading
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

CHANNELS = 2
#: Names of the MIDI client and of its port, as JACK shows them.
CONTROLLER, CONTROLLER_PORT = "bench-controller", "wheel"

_RING = 8192
_MOD_WHEEL = (0xB0, 1)
_MESSAGES = 12
_GAP = 0.4
# Full scale 1; -60 dBFS.
_AUDIBLE = 1e-3
# PortAudio keeps the pointer to its client's name, and not the text.
_kept: list[object] = []


def _portaudio(name: str) -> tuple[ModuleType, int]:
    """Return sounddevice, whose JACK ports will be called `name`:..., and the number of JACK's device."""
    text = ctypes.create_string_buffer(name.encode())
    _kept.append(text)
    ctypes.CDLL(ctypes.util.find_library("portaudio") or "").PaJack_SetClientName(text)
    import sounddevice

    api = next(api for api in sounddevice.query_hostapis() if "JACK" in api["name"])
    return sounddevice, int(api["default_output_device"])


def _requests() -> Iterator[list[str]]:
    print("ready", flush=True)
    for line in sys.stdin:
        yield line.split()


def _answer(value: object) -> None:
    print(json.dumps(value), flush=True)


def pass_through() -> None:
    """Pass sound on from input to output by rtmixer's C code alone; answer with the xruns so far.

    They are counted as the engine counts its own: by PortAudio's flags of input or output, whichever is more.
    """
    _, device = _portaudio("bare")
    import pa_ringbuffer  # noqa: F401  (rtmixer's rings)
    import rtmixer

    with rtmixer.MixerAndRecorder(device=device, channels=CHANNELS, blocksize=0, latency="low") as mixer:
        ring = rtmixer.RingBuffer(4 * CHANNELS, _RING)
        # Ahead by more than a period, so that the order of the two actions does not matter.
        ring.write(np.zeros((_RING // 2, CHANNELS), dtype=np.float32))
        record, play = mixer.record_ringbuffer(ring), mixer.play_ringbuffer(ring)
        for _ in _requests():
            stats: Any = record.stats
            inputs = int(stats.input_underflows) + int(stats.input_overflows)
            outputs = int(stats.output_underflows) + int(stats.output_overflows)
            _answer({"xruns": max(inputs, outputs), "running": {record, play} <= set(mixer.actions)})


def play() -> None:
    """Play the demo's content over and over: what is heard where there is no synthesiser."""
    from gramophone.app import demo_sounds

    _, device = _portaudio("source")
    import rtmixer

    with rtmixer.Mixer(device=device, channels=CHANNELS, blocksize=0, latency="low") as mixer:
        samples = np.ascontiguousarray(
            demo_sounds.plucked_strings(round(mixer.samplerate)).T, dtype=np.float32
        )
        ring = rtmixer.RingBuffer(4 * CHANNELS, 4 * _RING)
        place = ring.write(samples[: 4 * _RING])
        mixer.play_ringbuffer(ring)

        def fill() -> None:
            nonlocal place
            while True:
                place = (place + ring.write(samples[place:])) % len(samples)
                time.sleep(0.02)

        threading.Thread(target=fill, daemon=True).start()
        for _ in _requests():
            _answer({})


def probe() -> None:
    """Turn the modulation wheel and hear how long it takes; the first word asked is the latency in samples.

    Input 0 hears the source, input 1 what was made of it. At strength 0 they are equal but for the latency; the time
    is from sending a message until they differ by more than -60 dBFS. Answers with a list of milliseconds.
    """
    import rtmidi

    sounddevice, device = _portaudio("probe")
    blocks: list[tuple[float, Any]] = []

    def keep(block: Any, *_: object) -> None:
        blocks.append((time.perf_counter(), block.copy()))

    wheel = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=CONTROLLER)
    wheel.open_virtual_port(CONTROLLER_PORT)
    rng = np.random.default_rng(0)
    with sounddevice.InputStream(device=device, channels=CHANNELS, blocksize=0, callback=keep) as stream:
        for late, *_ in _requests():
            blocks.clear()
            time.sleep(_GAP)
            sent = []
            for _ in range(_MESSAGES):
                # At any place within a period and a hop.
                time.sleep(_GAP + rng.uniform(0.0, 0.02))
                sent.append(time.perf_counter())
                wheel.send_message([*_MOD_WHEEL, 127])
                time.sleep(_GAP)
                wheel.send_message([*_MOD_WHEEL, 0])
            heard = list(blocks)
            _answer(_delays(heard, sent, late=int(late), rate=float(stream.samplerate)))
    wheel.close_port()
    wheel.delete()


def _delays(blocks: list[tuple[float, Any]], sent: list[float], *, late: int, rate: float) -> list[float]:
    """Return the milliseconds from each message to the first sample that is no longer the delayed input."""
    # A sample is heard as long after its block's first as it comes later in it.
    times = np.concatenate([start + np.arange(len(block)) / rate for start, block in blocks])[late:]
    sound = np.concatenate([block for _, block in blocks])
    differs = np.abs(sound[late:, 1] - sound[: len(sound) - late, 0]) > _AUDIBLE
    delays = []
    for moment in sent:
        if differs[(times > moment - 0.5 * _GAP) & (times < moment)].any():
            # It had not come to rest (an xrun): nothing can be said of this one.
            continue
        after = np.flatnonzero(differs & (times > moment) & (times < moment + _GAP))
        if after.size:
            delays.append(float(1e3 * (times[after[0]] - moment)))
    return delays


if __name__ == "__main__":
    {"pass": pass_through, "play": play, "probe": probe}[sys.argv[1]]()
