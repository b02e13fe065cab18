"""Switching among eight styles, capturing one, and turning a knob, while the live chain plays through JACK.

    python -m benchmarks.desk                       five minutes, a switch every 500 ms, then six captures of 10 s
    python -m benchmarks.desk --seconds 30 --captures 2
    python -m benchmarks.desk --latency high

A JACK server of its own with the dummy driver (jackd2 must be installed); a player repeats a pair's content; the styles
are clips of the pairs. The desk is open in a headless browser all the while (Chromium must be installed), and draws its
pictures; --no-desk goes without. Reported:

- knob: from a movement of the mouse over the page's knob, and from a page's message without a browser's own share,
  until the engine's log of changes says that its parameter has moved, seconds;
- deadlines missed, times that the ring ran empty, faults; load, and the slowest hop's time; how many of the deadlines
  were missed while a core stood still for more than a hop, whatever ran on it (benchmarks/stalls.py), how often that
  was the case, and for how long at most;
- switches done, and the time from asking to the weights' arrival, median and largest: 50 ms of it are the fade;
- click: the steepest moment near the switches over the steepest one elsewhere. The second difference of the output,
  its maximum in each tenth of a second: that of the three tenths from a change of the weights on, over that of the
  others, at the 99.9th percentile and at the maximum. A click stands far above 1 in both;
- capture: from the release to the frame at which the style is in its slot (ready), and to that at which its weight was
  1 and all others 0 (alone), seconds, by the engine's own log; it is heard after the chain's latency.

Prints Markdown and writes benchmarks/output/desk.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from benchmarks.browser import find_chromium, grab, open_page
from benchmarks.dropouts import connect, player, server
from benchmarks.pairs import PAIRS, RATE, load_pair
from benchmarks.stalls import watching
from gramophone.app.desk.server import DeskSettings
from gramophone.app.live.controls import ControlOptions, LiveControls
from gramophone.models.style import Style
from gramophone.plugins.knobs import MAX_STYLES
from gramophone.realtime.host import Host
from gramophone.realtime.link.changes import Change, ChangeReader
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings

OUTPUT = Path(__file__).parent / "output"
_PIECE = 4800
# Pieces from a change of the weights on that count as near it: the latency and the grains that overlap are in them.
_NEAR = 3
_PATIENCE = 30.0
_CAPTURE_SECONDS = 10.0
# Of each style without a switch, seconds: what is played then is what clicks are compared with.
_STILL_SECONDS = 15.0
_TURNS = 60
# How long after a stall a missed deadline may be found, seconds.
_AROUND = 0.25
_TURN_PAUSE = 0.1
_WEIGHTS = tuple(f"style_{place + 1}" for place in range(MAX_STYLES))
_COUNTERS = ("deadlines_missed", "ring_empty", "faults", "load", "hop_ms_p50", "hop_ms_p99", "hop_ms_max")

Figures = dict[str, object]


class Listener:
    """Follows the output tap and the log of changes; keeps figures of both, and not the sound."""

    def __init__(self, host: Host) -> None:
        self._tap = host.taps.output
        self._changes = host.change_reader()
        self._next = self._tap.position
        self.first = self._next
        #: largest second difference of each piece of sound
        self.steepest: list[float] = []
        self.changes: list[Change] = []
        self._host = host
        self._missed = _missed(host)
        #: when deadlines were found to have been missed, and how many
        self.late: list[tuple[float, float]] = []

    def listen(self) -> None:
        """Take in what is new."""
        self.changes += self._changes.read()
        if (missed := _missed(self._host)) > self._missed:
            self.late.append((time.monotonic(), missed - self._missed))
            self._missed = missed
        while self._tap.position >= self._next + _PIECE + 2:
            heard = self._tap.read(self._next, self._next + _PIECE + 2).astype(np.float64)
            self.steepest.append(float(np.abs(np.diff(heard, 2)).max()))
            self._next += _PIECE

    def wait(self, seconds: float) -> None:
        """Let time pass, listening, at least for a moment."""
        self.listen()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.listen()
            time.sleep(min(0.05, max(0.0, end - time.monotonic())))

    def near(self) -> NDArray[np.bool_]:
        """Whether each piece is near a change of the weights."""
        found = np.zeros(len(self.steepest), dtype=bool)
        for change in self.changes:
            place = (change.frame - self.first) // _PIECE
            if change.id in _WEIGHTS and place >= 0:
                found[place : place + _NEAR] = True
        return found


def switching(host: Host, names: Sequence[str], *, seconds: float, pause: float) -> Figures:
    """Switch among styles for so many seconds, with a pause between two; return what came of it."""
    with watching() as stalls:
        figures, listener = _switching(host, names, seconds=seconds, pause=pause)
    if not stalls.watched:
        return figures
    hop = host.snapshot().hop / host.taps.output.sample_rate
    beside = [count for when, count in listener.late if stalls.longest(when - _AROUND, when) > hop]
    return {
        **figures,
        "missed_at_stalls": sum(beside),
        "stalls": sum(late > hop for _, late in stalls.seen),
        "stall_ms_max": 1000.0 * max((late for _, late in stalls.seen), default=0.0),
    }


def _switching(host: Host, names: Sequence[str], *, seconds: float, pause: float) -> tuple[Figures, Listener]:
    missed = _missed(host)
    listener = Listener(host)
    arrivals = []
    start = said = time.monotonic()
    end = start + seconds
    turn = 0
    while time.monotonic() < end:
        if time.monotonic() >= said + 30.0:
            said = time.monotonic()
            _say(
                f"switching: {said - start:.0f} of {seconds:.0f} s, {_missed(host) - missed:g} deadlines missed"
            )
        asked = time.monotonic()
        host.styles.switch(names[turn % len(names)])
        turn += 1
        if host.styles.wait(pause):
            arrivals.append(time.monotonic() - asked)
        listener.wait(max(0.0, asked + pause - time.monotonic()))
    missed = _missed(host) - missed
    for name in names:
        _say(f"listening to {name} for comparison")
        host.styles.switch(name)
        host.styles.wait(_PATIENCE)
        listener.wait(min(_STILL_SECONDS, seconds / len(names)))
    steepest, near = np.array(listener.steepest), listener.near()
    after = host.stats()
    return {
        "switches": turn,
        "arrived": len(arrivals),
        "arrival_s_median": float(np.median(arrivals)),
        "arrival_s_max": float(np.max(arrivals)),
        "click_p999": float(np.quantile(steepest[near], 0.999) / np.quantile(steepest[~near], 0.999)),
        "click_max": float(steepest[near].max() / steepest[~near].max()),
        **{name: after[name] for name in _COUNTERS},
        "missed_meanwhile": missed,
        "events": [event.text for event in host.styles.events() if event.kind == "error"],
    }, listener


def capturing(host: Host, count: int) -> Figures:
    """Capture `count` times; return how long it took until the style sounded, and what was missed meanwhile."""
    rate = host.taps.input.sample_rate
    ready, alone = [], []
    before = _missed(host)
    for number in range(count):
        _say(f"capture {number + 1} of {count}")
        reader = host.change_reader()
        host.styles.capture_begin()
        time.sleep(_CAPTURE_SECONDS)
        released = host.taps.input.position
        host.styles.capture_end(f"captured {number}")
        host.styles.wait(_PATIENCE)
        time.sleep(0.2)
        log = reader.read()
        slots = [change.frame for change in log if change.id.startswith("slot") and change.value]
        weights = {name: host.get(name) for name in _WEIGHTS}
        ready.append((slots[-1] - released) / rate)
        moves = [change.frame for change in log if change.id in _WEIGHTS and change.frame >= slots[-1]]
        alone.append((max(moves, default=slots[-1]) - released) / rate)
        if sorted(weights.values()) != [0.0, 0.0, 0.0, 1.0]:
            raise RuntimeError(f"the captured style is not alone: {weights}")
    return {
        "captures": count,
        "ready_s": [round(value, 3) for value in ready],
        "ready_s_max": max(ready),
        "alone_s": [round(value, 3) for value in alone],
        "alone_s_max": max(alone),
        "missed_meanwhile": _missed(host) - before,
    }


def turning(host: Host, address: str, page: Page) -> Figures:
    """Turn one knob with the mouse, another by a page's messages; return how long the engine's took to follow."""
    _say("turning knobs")
    x, y = grab(page, "[data-id=mix]")
    # With a button down, page.mouse asks the page before and after each move whether something is dragged: up to 6 ms.
    mouse = page.context.new_cdp_session(page)
    moved = {"type": "mouseMoved", "button": "left", "buttons": 1, "x": x}
    by_mouse = []
    for turn in range(_TURNS):
        reader = host.change_reader()
        time.sleep(_TURN_PAUSE)
        reader.read()
        start = time.monotonic()
        # Up and down again, never further than the knob turns.
        mouse.send("Input.dispatchMouseEvent", {**moved, "y": y + 8 + turn % 2 * 8})
        by_mouse.append(_followed(reader, "mix", start))
    page.mouse.up()
    with ThreadPoolExecutor(1) as beside:  # Playwright has this thread's event loop.
        by_message = beside.submit(asyncio.run, _saying(host, address)).result()
    return {
        name: found
        for what, times in (("mouse", by_mouse), ("message", by_message))
        for name, found in (
            (f"{what}_s_median", float(np.median(times))),
            (f"{what}_s_p90", float(np.quantile(times, 0.9))),
            (f"{what}_s_max", max(times)),
        )
    }


async def _saying(host: Host, address: str) -> list[float]:
    times = []
    async with aiohttp.ClientSession() as client, client.ws_connect(f"{address}/socket") as socket:
        for turn in range(_TURNS):
            reader = host.change_reader()
            await asyncio.sleep(_TURN_PAUSE)
            reader.read()
            start = time.monotonic()
            await socket.send_str(json.dumps({"do": "set", "v": {"notes": turn % 2}}))
            # What the socket is sent on this thread must not wait for the log.
            times.append(await asyncio.to_thread(_followed, reader, "notes", start))
    return times


def _followed(reader: ChangeReader, name: str, start: float) -> float:
    """Seconds from `start` until the log says that a parameter has moved."""
    while time.monotonic() < start + _PATIENCE:
        if any(change.id == name for change in reader.read()):
            return time.monotonic() - start
        time.sleep(0.0005)
    raise RuntimeError(f"the engine's {name} does not follow its knob")


def _missed(host: Host) -> float:
    return float(host.snapshot().deadlines_missed)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--pause", type=float, default=0.5)
    parser.add_argument("--captures", type=int, default=6)
    parser.add_argument("--latency", default="low")
    parser.add_argument("--desk", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()
    program = find_chromium() if arguments.desk else None
    if arguments.desk and program is None:
        parser.error("no Chromium: on Debian, apt-get install chromium; or measure with --no-desk")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        (folder / "styles").mkdir()
        for pair in PAIRS:
            clip = load_pair(pair).style
            Style.from_audio(clip, RATE, name=pair).save(folder / "styles" / f"{pair}.style")
        stack.enter_context(server(folder))
        seconds = arguments.seconds + min(arguments.seconds, _STILL_SECONDS * len(PAIRS))
        plays, ports = player(folder, seconds + 15.0 * arguments.captures + 240.0, stack)
        first = next(iter(sorted((folder / "styles").iterdir())))
        latency = arguments.latency if arguments.latency in ("low", "high") else float(arguments.latency)
        host = Host(EngineSettings(device=DeviceSettings(), styles=(first,), latency=latency))
        options = ControlOptions(
            port="none",
            map_path=folder / "map.json",
            desk=DeskSettings(port=0) if program else None,
            folder=folder / "styles",
            takes=folder / "takes",
        )
        controls = stack.enter_context(LiveControls(host, host.settings, options))
        stack.enter_context(host)
        for channel, port in enumerate(ports):
            connect(port, f"gramophone:in_{channel}")
        figures: Figures = {
            "source": plays,
            "latency": latency,
            "desk": bool(program),
            "pause_s": arguments.pause,
        }
        if program is not None:
            address = controls.addresses()["desk"]
            page = stack.enter_context(open_page(program))
            page.goto(address)
            page.locator("#state.running").wait_for()
        names = host.styles.names
        for known in names:
            # All of them once, so that what is measured is not the loader's first look at them.
            host.styles.switch(known)
            host.styles.wait(_PATIENCE)
        time.sleep(2.0)
        if program is not None:
            figures["knob"] = _shown("knob", turning(host, address, page))
        figures["switching"] = _shown(
            "switching", switching(host, names, seconds=arguments.seconds, pause=arguments.pause)
        )
        if arguments.captures:
            figures["capturing"] = _shown("capturing", capturing(host, arguments.captures))
        if program is not None:
            state = page.locator("#state").text_content()
            figures["page"] = _shown("page", {"faults": len(page.page_errors()), "state": state})
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "desk.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _shown(part: str, found: Figures) -> Figures:
    print(f"\n| {part} | |\n|---|---|")
    for key, value in found.items():
        print(f"| {key} | {value if not isinstance(value, float) else round(value, 4)} |", flush=True)
    return found


if __name__ == "__main__":
    main()
