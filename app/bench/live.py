"""What `gramophone bench live` measures: latency, cost, drop-outs, the time from message to sound."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from ...realtime.host import Host
from ...realtime.link.engine_settings import EngineSettings, VirtualSettings
from .. import demo_sounds
from . import jack as bench_jack

Figures = dict[str, object]

RATES = (48_000, 44_100)
HOPS = (256, 128)
_IMPULSE_SECONDS = 0.6
_IMPULSE_AT = 0.25


def measure(
    *, seconds: float, jack_seconds: float, latency: float | str, stage: Callable[[str], None]
) -> Figures:
    """Measure everything, with the demo's clips: plucked strings in the style of bubbling water.

    Args:
        seconds: of sound for the cost
        jack_seconds: of counting drop-outs through JACK; 0 leaves JACK out
        latency: how long the output is kept ahead where cost and drop-outs are measured: "low", "high", or seconds
        stage: is called with the name of each step

    Returns:
        "machine", "latency" (a list, one for each rate and hop), "cost", "dropouts", "message"; of the last two, only
        "left_out" (why) where they could not be measured
    """
    with tempfile.TemporaryDirectory(prefix="gramophone-bench-") as name:
        folder = Path(name)
        style = folder / "style.wav"
        soundfile.write(style, demo_sounds.bubbling_water().T, demo_sounds.SAMPLE_RATE, subtype="FLOAT")
        latencies = []
        for rate in RATES:
            for hop in HOPS:
                stage(f"latency at {rate} Hz, hop {hop}")
                latencies.append(_latency(style, folder, rate=rate, hop=hop))
        stage(f"cost, for {seconds:g} s")
        cost = _cost(style, folder, seconds, latency)
        dropouts, message = _through_jack(style, folder, jack_seconds, latency, stage)
    return {
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
        "latency": latencies,
        "cost": cost,
        "dropouts": dropouts,
        "message": message,
    }


def _play(settings: EngineSettings) -> Figures:
    """Play a file to its end; return the figures of the run."""
    host = Host(settings)
    with host:
        host.wait()
    return host.stats()


def _latency(style: Path, folder: Path, *, rate: int, hop: int) -> Figures:
    """Send a single sample through at strength 0, in step with the engine, and see when it comes out."""
    sound = np.zeros((round(_IMPULSE_SECONDS * rate), 2), dtype=np.float32)
    start = round(_IMPULSE_AT * rate)
    sound[start] = 0.5
    source, sink = folder / "impulse.wav", folder / "impulse-out.wav"
    soundfile.write(source, sound, rate, subtype="FLOAT")
    figures = _play(
        EngineSettings(
            device=VirtualSettings(input=source, output=sink, as_fast_as_possible=True, overwrite=True),
            styles=(style,),
            stylizer={"hop": hop},
            parameters={"strength": 0.0},
        )
    )
    found = np.flatnonzero(np.abs(soundfile.read(sink, dtype="float32")[0]).max(axis=1) > 0.0)
    measured = int(found[0]) - start if found.size else None
    algorithmic, total = (_number(figures, f"{part}_latency_samples") for part in ("algorithmic", "total"))
    return {
        "sample_rate": rate,
        "hop": figures["hop"],
        **{key: figures[key] for key in figures if key.endswith("_latency_samples")},
        "measured_latency_samples": measured,
        "algorithmic_latency_ms": 1e3 * algorithmic / rate,
        "total_latency_ms": 1e3 * total / rate,
    }


def _cost(style: Path, folder: Path, seconds: float, latency: float | str) -> Figures:
    """Play stereo at 48 kHz at the pace of time, with all settings at their defaults."""
    rate = RATES[0]
    clip = demo_sounds.plucked_strings(rate).T.astype(np.float32)
    source, sink = folder / "content.wav", folder / "content-out.wav"
    length = round(seconds * rate)
    with soundfile.SoundFile(source, "w", rate, clip.shape[1], subtype="FLOAT") as file:
        for start in range(0, length, len(clip)):
            file.write(clip[: length - start])
    figures = _play(
        EngineSettings(
            device=VirtualSettings(input=source, output=sink, overwrite=True),
            styles=(style,),
            latency=latency,
        )
    )
    hop_ms = 1e3 * _number(figures, "hop") / rate
    return {**figures, "hop_ms": hop_ms, "p99_share_of_hop": _number(figures, "hop_ms_p99") / hop_ms}


def _through_jack(
    style: Path, folder: Path, seconds: float, latency: float | str, stage: Callable[[str], None]
) -> tuple[Figures, Figures]:
    if not seconds:
        why = "--jack-seconds 0"
    else:
        try:
            return bench_jack.measure(style, folder, seconds, latency, stage)
        except bench_jack.UnavailableError as error:
            why = str(error)
    return {"left_out": why}, {"left_out": why}


def _number(figures: Figures, key: str) -> float:
    value = figures[key]
    assert isinstance(value, int | float)
    return float(value)
