import math
from typing import Any

import pytest

from gramophone.app import console
from gramophone.app.formatting import decibels
from gramophone.app.live import display as live_display
from gramophone.app.live import session_settings as live_settings
from gramophone.realtime.engine.stats import Snapshot


def snapshot(**changes: Any) -> Snapshot:
    values: dict[str, Any] = {
        "state": "running", "seconds": 83.0, "input_peak": (0.5, 0.25), "output_peak": (0.5, 0.0), "load": 0.12,
        "limiter_active": False, "muted": False, "sample_rate": 48000, "blocksize": 128, "hop": 256,
        "algorithmic_latency": 512, "buffer_latency": 256, "device_latency": 64, "deadlines_missed": 0, "faults": 0,
        "ring_empty": 0, "xruns": 0, "engine_restarts": 0, "device_losses": 0, "non_finite_inputs": 0,
        "realtime_priority": True, "parameters": {"strength": 0.7, "mix": 1.0, "notes": 1.0, "gain": -6.0},
        "input_name": "system [x]", "output_name": "system", "notes": (),
    }  # fmt: skip
    return Snapshot(**{**values, **changes})


def printed(thing: object, width: int = 100) -> str:
    made = console.err()
    made.width = width
    with made.capture() as capture:
        made.print(thing)
    return capture.get()


def picture(now: Snapshot) -> str:
    display = live_display.StatusDisplay(live_settings.parameters(), keys=True)
    return printed(display._picture(now, "nanoKONTROL2 (ALSA)"))


def test_the_budget_adds_up_in_samples_and_milliseconds() -> None:
    rows = [line.split() for line in printed(live_display.budget(snapshot())).splitlines()[1:]]
    samples = {row[0]: int(row[1]) for row in rows}
    assert samples == {"algorithmic": 512, "buffer": 256, "device": 64, "total": 832}
    milliseconds = {row[0]: float(row[2]) for row in rows}
    assert milliseconds["total"] == pytest.approx(832 / 48, abs=0.06)


def test_the_picture_shows_meters_values_and_troubles() -> None:
    text = picture(snapshot(deadlines_missed=2, xruns=1, muted=True, limiter_active=True))
    for part in ("-6 dB", "-12 dB", "-60 dB", "strength 70 %", "gain -6.0 dB", "load  12 %", "latency 17.3 ms",
                 "drop-outs 3", "1:23", "MUTED", "limiter", "nanoKONTROL2", "m mute"):  # fmt: skip
        assert part in text, part
    assert "restarts" not in text
    assert "adapt" not in text


def test_the_picture_keeps_its_height_while_nothing_happens() -> None:
    quiet = picture(snapshot(input_peak=(0.0, 0.0), load=0.0, seconds=0.0))
    loud = picture(snapshot(input_peak=(2.0, 1.0), load=1.0, seconds=36000.0))
    assert quiet.count("\n") == loud.count("\n")


def test_a_device_that_has_gone_is_shown() -> None:
    assert "DEVICE LOST" in picture(snapshot(state="device lost"))


def test_names_are_shown_as_they_are() -> None:
    text = printed(live_display.granted(snapshot(), styles="a[b].wav", output="system", midi="none"))
    assert "a[b].wav" in text
    assert "system [x]" in text


@pytest.mark.parametrize(("peak", "shown"), [(0.0, -60.0), (1e-9, -60.0), (1.0, 0.0), (0.5, -6.02)])
def test_decibels(peak: float, shown: float) -> None:
    assert decibels(peak) == pytest.approx(shown, abs=0.01)
    assert math.isfinite(decibels(peak))


def test_the_last_line_tells_troubles_or_that_there_were_none() -> None:
    figures = {"seconds": 3700.0, "load": 0.1, "hop_ms_p99": 1.25}
    assert "1:01:40" in live_display.closing(figures)
    assert "no drop-outs" in live_display.closing(figures)
    assert "2 xruns" in live_display.closing({**figures, "xruns": 2})


@pytest.mark.parametrize(
    "name",
    [
        "deadlines_missed",
        "ring_empty",
        "xruns",
        "faults",
        "device_losses",
        "engine_restarts",
        "non_finite_inputs",
    ],
)
def test_the_closing_line_tells_of_everything_that_went_wrong(name: str) -> None:
    figures = {"seconds": 65.0, "load": 0.1, "hop_ms_p99": 1.0}
    assert "no drop-outs" in live_display.closing(figures)
    line = live_display.closing({**figures, name: 519})
    assert "519 " in line
    assert "no drop-outs" not in line
