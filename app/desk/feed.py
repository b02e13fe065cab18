"""The messages to the desk's pages, as plain data: parameters, values, the engine's status, the MIDI map, presets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...realtime.control.midi_bindings import BENDS, Assignment
from ...realtime.control.midi_map import Pad, written_knob, written_pad
from ..formatting import clock, decibels
from .spectra import HIGHEST_HZ, LOWEST_HZ

if TYPE_CHECKING:
    from ...plugins.parameter import Parameter
    from ...realtime.control.control_surface import ControlSurface
    from ...realtime.engine.stats import Snapshot
    from ..session.control_router import ControlRouter

Message = dict[str, Any]


def described(parameters: Sequence[Parameter]) -> list[Message]:
    """Return for each parameter what a page needs to draw its knob."""
    return [
        {
            "id": one.id,
            "name": one.name,
            "about": one.description,
            "kind": one.curve,
            "unit": one.unit,
            "low": one.low,
            "high": one.high,
            "default": one.to_unit(one.default),
            # A knob with positive and negative values is drawn from its 0.
            "origin": one.to_unit(0.0) if one.unit == "dB" and one.low < 0.0 < one.high else 0.0,
        }
        for one in parameters
    ]


def hello(surface: ControlSurface) -> Message:
    """Return the first message to a new page."""
    return {
        "type": "hello",
        "parameters": described(surface.parameters),
        "triggers": [
            {"id": one.id, "name": one.name, "about": one.description, "hold": one.hold}
            for one in surface.triggers
        ],
        "curves": list(BENDS),
        "hz": [LOWEST_HZ, HIGHEST_HZ],
    }


def values(surface: ControlSurface) -> dict[str, tuple[float, str]]:
    """Return every parameter's position, 0 to 1, and its value as text."""
    found = {}
    for one in surface.parameters:
        value = surface.get(one.id)
        found[one.id] = (round(one.to_unit(value), 6), one.show(value))
    return found


def status(snapshot: Snapshot) -> Message:
    """Return the engine's status."""
    parts = (
        ("effects and stylizer" if snapshot.effects else "stylizer", snapshot.algorithmic_latency),
        ("buffer", snapshot.buffer_latency),
        ("device", snapshot.device_latency),
    )
    return {
        "type": "status",
        "state": snapshot.state,
        "clock": clock(snapshot.seconds),
        "in": [round(decibels(peak), 1) for peak in snapshot.input_peak],
        "out": [round(decibels(peak), 1) for peak in snapshot.output_peak],
        "limiter": snapshot.limiter_active,
        "load": round(snapshot.load, 3),
        "effects": {key: round(load, 3) for key, load in snapshot.effects.items()},
        "rate": snapshot.sample_rate,
        "block": snapshot.blocksize,
        "hop": snapshot.hop,
        "latency": [
            {"part": name, "samples": samples, "ms": round(snapshot.milliseconds(samples), 2)}
            for name, samples in parts
        ],
        "total": round(snapshot.milliseconds(snapshot.total_latency), 2),
        "drops": {
            "deadlines missed": snapshot.deadlines_missed,
            "gaps": snapshot.ring_empty,
            "xruns": snapshot.xruns,
            "faults": snapshot.faults,
            "restarts": snapshot.engine_restarts,
        },
        "notes": list(snapshot.notes),
        "input": snapshot.input_name,
        "output": snapshot.output_name,
    }


def learning(router: ControlRouter) -> Message:
    """Return the state of MIDI learn, and the positions of controllers that have not yet taken over their knob."""
    learner = router.learner
    return {
        "type": "learning",
        "on": learner.active,
        "target": learner.target,
        "control": None if learner.control is None else str(learner.control),
        "waiting": {key: round(at, 4) for key, at in router.midi.knobs.waiting.items()},
    }


def mapping(router: ControlRouter) -> Message:
    """Return the MIDI map: what each control does, as written in its file and as shown."""
    items: list[Message] = []
    for item in router.items():
        target = item.parameter.id if isinstance(item, Assignment) else item.target
        what = str(item).partition(f" {target}")[0]
        entry = written_pad(item) if isinstance(item, Pad) else written_knob(item)
        items.append({"control": what, "target": target, "entry": entry})
    return {"type": "map", "items": items}


def presets(surface: ControlSurface) -> Message:
    """Return the presets, read from their files."""
    listed = [{"name": one.name, "program": one.program} for one in surface.presets.all()]
    return {"type": "presets", "items": listed, "current": surface.preset}
