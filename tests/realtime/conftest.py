"""A JACK server of its own for each test that asks for one: real ports, clocked in real time, no sound card.

@pytest.mark.parametrize("jack", [64, 256], indirect=True)   # the period in samples; 256 if not said
def test_something(jack): ...
"""

import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

_TOOLS = ("jackd", "jack_lsp", "jack_connect", "jack_disconnect", "jack_rec")
_REMEDY = "install jackd2 and its tools (on Debian: apt-get install jackd2)"
_PATIENCE = 30.0
_serial = itertools.count()

# Plays a sound file into JACK, over and over, from ports {client}:out_0, out_1, ... until it is stopped.
_PLAYER = """
import ctypes, ctypes.util, sys
name, path = sys.argv[1:]
client = ctypes.create_string_buffer(name.encode())  # PortAudio keeps the pointer, not the text
ctypes.CDLL(ctypes.util.find_library("portaudio")).PaJack_SetClientName(client)
import numpy, sounddevice, soundfile
samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
position = 0
def callback(block, frames, *_):
    global position
    block[:] = samples[(position + numpy.arange(frames)) % len(samples)]
    position += frames
api = next(number for number, api in enumerate(sounddevice.query_hostapis()) if "JACK" in api["name"])
device = sounddevice.query_hostapis(api)["default_output_device"]
with sounddevice.OutputStream(
    device=device, samplerate=rate, channels=samples.shape[1], blocksize=0, callback=callback
):
    print("playing", flush=True)
    sys.stdin.read()
"""


class Jack:
    """A JACK server with the dummy driver (2 capture and 2 playback ports), and what tests do with it."""

    sample_rate = 48_000

    def __init__(self, period: int, folder: Path) -> None:
        self.period = period
        # One server per name, ever: a leftover would answer in the place of the new one.
        self.name = f"gramophone-{os.getpid()}-{next(_serial)}"
        self.variables = {
            "JACK_DEFAULT_SERVER": self.name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
        }
        self.environment = {**os.environ, **self.variables}
        self.log = folder / "jackd.log"
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._clients: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """Start the server, and wait until it answers; also after `stop`, under the same name."""
        # -p 64 before the driver: 64 ports in place of 2048, and 40 MB of shared memory in place of 107.
        command = ["jackd", "-R", "-P", "70", "-n", self.name, "-p", "64"]
        driver = ["-d", "dummy", "-r", str(self.sample_rate), "-p", str(self.period)]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [*command, *driver], env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
        # jack_wait would look once a second.
        look = ["jack_lsp", "-s", self.name]
        end = time.monotonic() + 20.0
        while subprocess.run(
            look, env=self.environment, capture_output=True, timeout=20, check=False
        ).returncode:
            if time.monotonic() > end or self._server.poll() is not None:
                pytest.fail(f"jackd does not start:\n{self.log.read_text(errors='replace')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server under its clients' feet, as when someone ends it or its sound card is pulled."""
        if self._server is not None:
            _end(self._server)
            self._server = None

    def close(self) -> None:
        """Stop the clients started here, then the server."""
        # PortAudio aborts the interpreter of a client whose server goes first.
        for client in self._clients:
            _end(client)
        self.stop()

    def xruns(self) -> int:
        """Return how many xruns the servers have told of."""
        return self.log.read_text(errors="replace").count("XRun")

    def run(self, *command: str | Path) -> str:
        """Run a command among the server's clients; return what it printed. Its failure fails the test."""
        done = subprocess.run(
            list(map(str, command)),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def spawn(self, *command: str | Path, **options: Any) -> "subprocess.Popen[str]":
        """Start a client, with pipes for its input and outputs; it is ended with the test at the latest.

        `options` are for Popen.
        """
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        client: subprocess.Popen[str] = subprocess.Popen(
            list(map(str, command)), **{"env": self.environment, "text": True, **pipes, **options}
        )
        self._clients.append(client)
        return client

    def live(self, *arguments: object, **options: Any) -> "tuple[subprocess.Popen[str], str]":
        """Start `gramophone live` as a terminal does; return it when it plays, and what it printed so far."""
        command = [sys.executable, "-u", "-m", "gramophone", "live", *map(str, arguments)]
        process = self.spawn(*command, start_new_session=True, **options)
        assert process.stdout is not None
        assert process.stderr is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("total"):
                return process, printed
        pytest.fail(f"it does not play: {printed}{process.stderr.read()}")

    def ports(self, *options: str) -> list[str]:
        """Return the names of all ports; options are those of jack_lsp."""
        return self.run("jack_lsp", *options).split("\n")[:-1]

    def connections(self, port: str) -> list[str]:
        """Return the ports that are connected to `port`."""
        lines = iter(self.ports("-c"))
        found: list[str] = []
        for line in lines:
            if line == port:
                found = [other.strip() for other in itertools.takewhile(lambda text: text[:1] == " ", lines)]
        return found

    def wait_for(self, *ports: str, timeout: float = _PATIENCE) -> None:
        """Wait until all these ports are there."""
        end = time.monotonic() + timeout
        while missing := set(ports) - set(self.ports()):
            assert time.monotonic() < end, f"no {sorted(missing)} among {self.ports()}"
            time.sleep(0.05)

    def connect(self, source: str, sink: str) -> None:
        """Wait for two ports, and connect them."""
        self.wait_for(source, sink)
        if sink not in self.connections(source):
            self.run("jack_connect", source, sink)

    def disconnect(self, source: str, sink: str) -> None:
        """Take a connection away."""
        self.run("jack_disconnect", source, sink)

    def record(self, *ports: str, seconds: int) -> np.ndarray:
        """Record output ports, all in the same cycles; return [ports, samples]. An absent port fails.

        With 24 bits, and what is above full scale is clipped.
        """
        self.wait_for(*ports)
        path = self._folder / f"recorded-{next(_serial)}.wav"
        self.run("jack_rec", "-f", path, "-d", str(seconds), "-b", "24", *ports)
        samples, rate = soundfile.read(path, always_2d=True)
        assert rate == self.sample_rate
        return samples.T

    def play(self, samples: np.ndarray, *, name: str = "player") -> "subprocess.Popen[str]":
        """Play [channels, samples] over and over from ports `name`:out_0, `name`:out_1, ...; return when it does.

        To stop it, close its standard input.
        """
        path = self._folder / f"{name}-{next(_serial)}.wav"
        soundfile.write(path, samples.T, self.sample_rate, subtype="FLOAT")
        player = self.spawn(sys.executable, "-c", _PLAYER, name, path)
        assert player.stdout is not None
        if player.stdout.readline() != "playing\n":
            pytest.fail(f"the player does not play: {player.communicate(timeout=_PATIENCE)[1]}")
        self.wait_for(*(f"{name}:out_{channel}" for channel in range(samples.shape[0])))
        return player


def _end(process: "subprocess.Popen[bytes] | subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def missing_tools(names: Sequence[str]) -> list[str]:
    return [name for name in names if shutil.which(name) is None]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what plays through a JACK server."""
    for item in items:
        if "jack" in getattr(item, "fixturenames", ()):
            item.add_marker("jack")


@pytest.fixture
def knobs(jack: Jack) -> Iterator[Any]:  # noqa: ARG001 - the server first
    """A controller on the server, as the port controller:knobs."""
    import rtmidi

    out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="controller")
    out.open_virtual_port("knobs")
    yield out
    out.close_port()
    out.delete()


@pytest.fixture
def jack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Jack]:
    """A running JACK server; clients that this process opens itself find it as well."""
    if missing := missing_tools(_TOOLS):
        message = f"no {', '.join(missing)}: {_REMEDY}"
        # Where everything has to be checked, a test that did not run has not passed.
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    server = Jack(getattr(request, "param", 256), tmp_path_factory.mktemp("jack"))
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    try:
        server.start()
        yield server
    finally:
        server.close()
