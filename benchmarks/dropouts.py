"""Drop-outs and the time from message to sound, between real ports of a JACK server that is started for it.

    python -m benchmarks.dropouts                                a minute at --latency low
    python -m benchmarks.dropouts --seconds 600 --latency high

The server has the dummy driver (jackd2 must be installed); fluidsynth plays, or plucked strings where it is not
installed; everything is played in the style of the demo's bubbling water, under a busy thread in the host and beside a
client that does nothing. Prints Markdown and writes benchmarks/output/dropouts.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from benchmarks.jack_clients import CONTROLLER_PORT
from benchmarks.midi_tune import write_tune
from gramophone.app import demo_sounds
from gramophone.app.live.session_settings import latency, parameters
from gramophone.media.errors import InputError
from gramophone.realtime.control.midi import MidiInput
from gramophone.realtime.control.midi_bindings import CcMap
from gramophone.realtime.engine.stats import Snapshot
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings

OUTPUT = Path(__file__).parent / "output"
RATE = 48_000
PERIOD = 128
_TOOLS = ("jackd", "jack_wait", "jack_connect", "jack_rec")
_SOUND_FONTS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/share/sounds/sf3")
_PATIENCE = 20.0
_SETTLE = 1.0
_POLL_SECONDS = 0.1
_REST = 30.0
# Linear; -60 dBFS.
_HEARD = 1e-3
_COUNTERS = ("deadlines_missed", "faults", "ring_empty", "xruns", "engine_restarts")
_serial = itertools.count()

Figures = dict[str, object]


class UnavailableError(Exception):
    """There is no JACK here to measure with; the message says why."""


@contextmanager
def server(folder: Path) -> Iterator[None]:
    """Run a JACK server with the dummy driver, which this process and its children find in their environment.

    Raises:
        UnavailableError: it is not installed, or does not start
    """
    missing = [name for name in _TOOLS if shutil.which(name) is None]
    if missing:
        raise UnavailableError(f"no {', '.join(missing)}; install jackd2 (Debian: apt-get install jackd2)")
    # A unique name: a left-over server with the same one would answer instead.
    name = f"gramophone-bench-{os.getpid()}-{next(_serial)}"
    variables = {
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_START_SERVER": "1",
        "JACK_NO_AUDIO_RESERVATION": "1",
    }
    before = {key: os.environ.get(key) for key in variables}
    os.environ.update(variables)
    command = ["jackd", "-R", "-P", "70", "-n", name, "-p", "64", "-d", "dummy", "-r", str(RATE)]
    log = folder / "jackd.log"
    try:
        with log.open("wb") as out, _running([*command, "-p", str(PERIOD)], out) as process:
            wait = subprocess.run(
                ["jack_wait", "-s", name, "-w", "-t", "20"], capture_output=True, check=False
            )
            if wait.returncode or process.poll() is not None:
                said = log.read_text(errors="replace").split("\n")
                raise UnavailableError(f"jackd does not start: {next((x for x in said[::-1] if x), '')}")
            yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


@contextmanager
def _running(
    command: Sequence[str], out: int | IO[bytes] = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


class _Client:
    """One of `benchmarks.jack_clients`, running; a context manager."""

    def __init__(self, role: str, log: Path) -> None:
        self._role, self._log = role, log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.jack_clients", role],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def __enter__(self) -> _Client:
        try:
            if self._line() != "ready":
                raise self._failure()
        except BaseException:
            _end(self._process)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)

    def ask(self, *words: object) -> object:
        """Send a line, and return the answer."""
        assert self._process.stdin is not None
        try:
            print(*words, file=self._process.stdin, flush=True)
            return json.loads(self._line())
        except (OSError, ValueError):
            raise self._failure() from None

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _failure(self) -> UnavailableError:
        said = self._log.read_text(errors="replace").strip().split("\n")[-1]
        return UnavailableError(f"the JACK client {self._role!r} does not run: {said}")


def connect(source: str, sink: str) -> None:
    """Connect two ports as soon as both are there; UnavailableError if they do not come."""
    end = time.monotonic() + _PATIENCE
    while subprocess.run(["jack_connect", source, sink], capture_output=True, check=False).returncode:
        if time.monotonic() > end:
            raise UnavailableError(f"no connection from {source} to {sink}")
        time.sleep(0.1)


def player(folder: Path, seconds: float, stack: ExitStack) -> tuple[str, tuple[str, str]]:
    """Start what plays; return its name and its ports."""
    synthesiser = shutil.which("fluidsynth")
    fonts = [font for place in _SOUND_FONTS for font in sorted(Path(place).glob("*.sf[23]"))]
    if synthesiser is None or not fonts:
        stack.enter_context(_Client("play", folder / "play.log"))
        return "plucked strings", ("source:out_0", "source:out_1")
    tune = folder / "tune.mid"
    write_tune(tune, seconds=seconds)
    # Its MIDI comes from the file; on which system it would listen does not matter, but it has to be there.
    options = ["-q", "-i", "-s", "-a", "jack", "-m", "jack", "-r", str(RATE), "-g", "0.6"]
    names = ["-o", "audio.jack.id=fluid", "-o", "midi.jack.id=fluid"]
    stack.enter_context(_running([synthesiser, *options, *names, str(fonts[0]), str(tune)]))
    return "fluidsynth", ("fluid:left", "fluid:right")


@contextmanager
def _busy_thread() -> Iterator[None]:
    """Keep the interpreter of this process busy, as a user interface does at its worst."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def measure(
    style: Path, folder: Path, seconds: float, ahead: float | str, stage: Callable[[str], None]
) -> tuple[Figures, Figures]:
    """Play through JACK, beside a bare client and under a busy thread; then turn the wheel.

    Args:
        style: path of it
        folder: for files that are needed on the way
        seconds: how long to count drop-outs
        ahead: how long the output is kept ahead, as in the engine's settings
        stage: is called with the name of each step

    Returns:
        figures of the drop-outs, and of the time from message to sound (ms). Counters are of the `seconds`, and
        "deadlines_missed_at" the seconds at which they grew; load and times of hops are of the whole run, its start
        included.

    Raises:
        UnavailableError: JACK, or a client of the bench, does not run here
    """
    with ExitStack() as stack:
        stage("starting a JACK server")
        stack.enter_context(server(folder))
        name, ports = player(folder, seconds + _REST + _PATIENCE, stack)
        bare = stack.enter_context(_Client("pass", folder / "pass.log"))
        host = stack.enter_context(
            Host(EngineSettings(device=DeviceSettings(), styles=(style,), latency=ahead))
        )
        for channel, port in enumerate(ports):
            for sink in ("gramophone", "bare"):
                connect(port, f"{sink}:in_{channel}")
        time.sleep(_SETTLE)
        stage(f"{name} through JACK for {seconds:g} s")
        dropouts: Figures = {"source": name, **_count(host, bare, seconds)}
        peak = _record(folder, *(f"gramophone:out_{channel}" for channel in (0, 1)))
        if not dropouts["heard"] or peak < _HEARD:
            raise UnavailableError(f"nothing of {name} was heard, so that no drop-out could be")
        dropouts["recorded_peak"] = peak
        stage("from message to sound")
        try:
            message = _message(host, ports[0], folder)
        except (InputError, UnavailableError) as error:
            message = {"left_out": str(error)}
        host.stop()
        figures = host.stats()
    for key in ("hop", "load", "hop_ms_p50", "hop_ms_p99", "hop_ms_max", "total_latency_samples", "notes"):
        dropouts[key] = figures[key]
    dropouts["realtime_priority"] = figures["realtime_priority"]
    return dropouts, message


def _count(host: Host, bare: _Client, seconds: float) -> Figures:
    """Count what goes wrong during `seconds`, here and in the bare client."""
    looks = heard = missed = 0
    missed_at = []
    with _busy_thread():
        before, bare_before = host.snapshot(), bare.ask("count")
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0.0:
            time.sleep(min(_POLL_SECONDS, left))
            looks += 1
            now = host.snapshot()
            heard += max(now.output_peak) > _HEARD
            if now.deadlines_missed - before.deadlines_missed > missed:
                missed = now.deadlines_missed - before.deadlines_missed
                missed_at.append(round(now.seconds - before.seconds, 1))
        after, bare_after = host.snapshot(), bare.ask("count")
    assert isinstance(bare_before, dict)
    assert isinstance(bare_after, dict)
    if not bare_after["running"]:
        raise UnavailableError("the bare client has run out of sound; there is nothing to compare with")
    return {
        "seconds": seconds,
        "period": after.blocksize,
        **_differences(before, after),
        "bare_xruns": bare_after["xruns"] - bare_before["xruns"],
        "deadlines_missed_at": missed_at,
        "heard": heard / looks if looks else 0.0,
    }


def _differences(before: Snapshot, after: Snapshot) -> Figures:
    return {name: getattr(after, name) - getattr(before, name) for name in _COUNTERS}


def _record(folder: Path, *ports: str) -> float:
    """Return the peak of a second and more as JACK's own recorder hears it."""
    path = folder / "heard.wav"
    done = subprocess.run(
        ["jack_rec", "-f", str(path), "-d", "2", "-b", "24", *ports], capture_output=True, check=False
    )
    if done.returncode:
        raise UnavailableError(f"jack_rec does not record {', '.join(ports)}")
    return float(np.abs(soundfile.read(path)[0]).max())


def _message(host: Host, port: str, folder: Path) -> Figures:
    """Measure the time from a controller's message to the first sample that it changes."""
    knobs = CcMap(["1=strength"], parameters())

    def set_knobs(message: list[int]) -> None:
        for identity, value in knobs.receive(message):
            host.set(identity, value)

    host.set("strength", 0.0)
    with _Client("probe", folder / "probe.log") as probe:
        controller = MidiInput(set_knobs, wanted=CONTROLLER_PORT, api="jack")
        try:
            connect(port, "probe:in_0")
            connect("gramophone:out_0", "probe:in_1")
            time.sleep(_SETTLE)
            seen = host.snapshot()
            delays = probe.ask(seen.total_latency)
        finally:
            controller.close()
    assert isinstance(delays, list)
    if not delays:
        return {"left_out": "no change was heard"}
    return {
        "messages": len(delays),
        "message_ms_p50": float(np.median(delays)),
        "message_ms_max": max(delays),
        "hop_ms": seen.milliseconds(seen.hop),
        "buffer_ms": seen.milliseconds(seen.buffer_latency),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--latency", type=latency, default="low")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gramophone-bench-") as name:
        style = Path(name) / "style.wav"
        soundfile.write(style, demo_sounds.bubbling_water().T, demo_sounds.SAMPLE_RATE, subtype="FLOAT")
        dropouts, message = measure(
            style,
            Path(name),
            args.seconds,
            args.latency,
            lambda step: print(step, file=sys.stderr, flush=True),
        )
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "dropouts.json").write_text(
        json.dumps({"dropouts": dropouts, "message": message}, indent=2) + "\n"
    )
    print("| measure | figure |\n|---|---|")
    for figures in (dropouts, message):
        for key, value in figures.items():
            print(f"| {key} | {f'{value:.3g}' if isinstance(value, float) else value} |")


if __name__ == "__main__":
    main()
