"""What the engine tells of itself: the snapshot for a display, and the figures of a whole run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..link.engine_settings import MUTE, EngineSettings
from ..link.histogram import percentile
from ..link.shared_memory import EngineState, Link, Status

if TYPE_CHECKING:
    from .supervisor import Supervisor

_LIMITER_SECONDS = 0.1

# The states of an engine as a user is told of them.
STARTING, RUNNING, DEVICE_LOST, RESTARTING, FINISHED, FAILED = (
    "starting",
    "running",
    "device lost",
    "restarting",
    "finished",
    "failed",
)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The engine at one moment.

    Attributes:
        state: "starting", "running", "device lost" (and looked for every second), "restarting", "finished" or
            "failed"
        seconds: of sound that passed
        input_peak, output_peak: linear, full scale 1, per channel; fall back by 20 dB per second
        load: share of one core over about the last second
        limiter_active: whether the limiter worked within the last 100 ms or so
        sample_rate: Hz
        blocksize: samples per call of the device
        hop: of the chain, samples; 0 where it has none
        algorithmic_latency, buffer_latency, device_latency: samples; see `total_latency`
        deadlines_missed: times that the delayed dry signal had to stand in because the chain was late
        faults: blocks for which it had to because a plugin raised or gave what is not finite
        ring_empty: times that even the dry signal had run out and there was silence
        xruns: blocks that PortAudio reported as lost
        engine_restarts: engine processes that died and were replaced
        device_losses: times that the device or its server went away
        non_finite_inputs: samples of the input that were NaN or infinite and became 0
        realtime_priority: whether the system granted it
        parameters: targets by id
        input_name, output_name: of the devices or files
        effects: load of each effect around the stylizer, a share of one core, by its key
        notes: one line each: what the user should know, such as what the system did not grant
    """

    state: str
    seconds: float
    input_peak: tuple[float, ...]
    output_peak: tuple[float, ...]
    load: float
    limiter_active: bool
    muted: bool
    sample_rate: int
    blocksize: int
    hop: int
    algorithmic_latency: int
    buffer_latency: int
    device_latency: int
    deadlines_missed: int
    faults: int
    ring_empty: int
    xruns: int
    engine_restarts: int
    device_losses: int
    non_finite_inputs: int
    realtime_priority: bool
    parameters: Mapping[str, float]
    input_name: str
    output_name: str
    notes: tuple[str, ...]
    effects: Mapping[str, float] = field(default_factory=dict)

    @property
    def total_latency(self) -> int:
        """Samples from input to output: the chain's, the ring's and the device's own."""
        return self.algorithmic_latency + self.buffer_latency + self.device_latency

    def milliseconds(self, samples: int) -> float:
        """Return a number of samples in milliseconds at the engine's rate."""
        return 1000.0 * samples / self.sample_rate if self.sample_rate else 0.0

    @property
    def drop_outs(self) -> int:
        """What a listener may have noticed, in one number."""
        return self.deadlines_missed + self.faults + self.ring_empty + self.xruns


def _state(supervisor: Supervisor | None) -> str:
    if supervisor is None or not supervisor.links:
        return STARTING
    if supervisor.ended.is_set():
        return FAILED if supervisor.failure is not None else FINISHED
    state = supervisor.link.state
    if state == EngineState.RUNNING:
        return RUNNING
    if state == EngineState.LOST:
        return DEVICE_LOST
    return RESTARTING if supervisor.has_played else STARTING


def _notes(supervisor: Supervisor) -> list[str]:
    """Return what the engine that plays has to say, and what was said of its predecessors, each line once."""
    notes = [*(supervisor.link.last_report().get("notes", []) if supervisor.links else ()), *supervisor.notes]
    if supervisor.failure is not None and supervisor.failure[0]:
        notes.append(supervisor.failure[0])
    return list(dict.fromkeys(notes))


def take_snapshot(
    supervisor: Supervisor | None, parameters: Mapping[str, float], settings: EngineSettings
) -> Snapshot:
    """Read the shared memory of the engine that plays, and add up what its predecessors counted.

    Args:
        supervisor: None before the start
        parameters: targets by id
        settings: of the engine
    """
    links = [] if supervisor is None else list(supervisor.links)
    # What was found out of the device stays true while the next engine gets ready.
    known = next((link for link in reversed(links) if link.status.sample_rate), None)
    state = _state(supervisor)

    present = Status() if known is None else known.status
    # What was heard last is not heard any more.
    peaks = present if state == RUNNING else Status()

    def total(cell: str) -> int:
        return sum(getattr(link.status, cell) for link in links)

    told = {} if known is None else known.last_report()
    return Snapshot(
        state=state,
        seconds=0.0 if supervisor is None else supervisor.seconds,
        input_peak=tuple(peaks.input_peaks[: settings.channels]),
        output_peak=tuple(peaks.output_peaks[: settings.channels]),
        load=present.load,
        limiter_active=time.monotonic() - present.limiter_at < _LIMITER_SECONDS,
        muted=bool(parameters[MUTE.id]),
        sample_rate=present.sample_rate,
        blocksize=present.period,
        hop=present.hop,
        algorithmic_latency=present.algorithmic,
        buffer_latency=present.buffer,
        device_latency=present.device,
        deadlines_missed=total("deadlines_missed"),
        faults=total("faults"),
        ring_empty=total("ring_empty"),
        xruns=total("xruns"),
        engine_restarts=0 if supervisor is None else supervisor.engine_restarts,
        device_losses=0 if supervisor is None else supervisor.device_losses,
        non_finite_inputs=total("non_finite"),
        realtime_priority=present.realtime,
        parameters=dict(parameters),
        input_name=str(told.get("input", "")),
        output_name=str(told.get("output", "")),
        effects={} if known is None else _effects(known, settings),
        notes=() if supervisor is None else tuple(_notes(supervisor)),
    )


def _effects(link: Link, settings: EngineSettings) -> dict[str, float]:
    """Return the load of each effect of late, by its key."""
    board = link.effects
    return {} if board is None else {one.key: board.load[n] for n, one in enumerate(settings.effects)}


def _effect_figures(supervisor: Supervisor, known: Link, seconds: float) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for place, effect in enumerate(supervisor.settings.effects):
        boards = [link.effects for link in supervisor.links if link.effects is not None]
        work = sum(board.seconds[place] for board in boards)
        found[effect.key] = {
            "load": work / seconds if seconds else 0.0,
            "latency_samples": 0 if known.effects is None else int(known.effects.latency[place]),
            "taken_out": any(board.out[place] for board in boards),
        }
    return found


def figures(supervisor: Supervisor) -> dict[str, object]:
    """Return the figures of a whole run by the names of `--stats`; times of hops in milliseconds.

    `load` is the mean share of one core, `limiter_active` the share of the time in which a limiter worked.
    """
    links = list(supervisor.links)
    known = next((link for link in reversed(links) if link.status.sample_rate), links[-1])
    seconds = supervisor.seconds
    histogram = [sum(counts) for counts in zip(*(link.status.histogram for link in links), strict=True)]

    def total(cell: str) -> int:
        return sum(getattr(link.status, cell) for link in links)

    def share(cell: str) -> float:
        return float(sum(getattr(link.status, cell) for link in links)) / seconds if seconds else 0.0

    slowest = max(link.status.slowest_hop for link in links)
    latencies = [known.status.algorithmic, known.status.buffer, known.status.device]
    return {
        "seconds": seconds,
        "sample_rate": known.status.sample_rate,
        "blocksize": known.status.period,
        "hop": known.status.hop,
        "algorithmic_latency_samples": latencies[0],
        "buffer_latency_samples": latencies[1],
        "device_latency_samples": latencies[2],
        "total_latency_samples": sum(latencies),
        "load": share("work"),
        "hop_ms_p50": min(1e3 * percentile(histogram, 0.5), 1e3 * slowest),
        "hop_ms_p99": min(1e3 * percentile(histogram, 0.99), 1e3 * slowest),
        "hop_ms_max": 1e3 * slowest,
        "deadlines_missed": total("deadlines_missed"),
        "faults": total("faults"),
        "xruns": total("xruns"),
        "ring_empty": total("ring_empty"),
        "effects": _effect_figures(supervisor, known, seconds),
        "limiter_active": share("limited"),
        "engine_restarts": supervisor.engine_restarts,
        "device_losses": supervisor.device_losses,
        "non_finite_inputs": total("non_finite"),
        "realtime_priority": known.status.realtime,
        "notes": _notes(supervisor),
    }
