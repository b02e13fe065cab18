"""What the engine tells of itself: the snapshot for a display, and the figures of a whole run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..link.engine_settings import MUTE, EngineSettings
from ..link.histogram import BINS, percentile
from ..link.shared_memory import HISTOGRAM, INPUT_PEAKS, OUTPUT_PEAKS, Cell, EngineState, Link

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
    known = next((link for link in reversed(links) if link.status[Cell.SAMPLE_RATE]), None)
    state = _state(supervisor)

    def total(cell: Cell) -> int:
        return sum(link.count(cell) for link in links)

    def present(cell: Cell) -> float:
        return 0.0 if known is None else float(known.status[cell])

    def peaks(first: int) -> tuple[float, ...]:
        if known is None or state != RUNNING:
            return (0.0,) * settings.channels
        return tuple(float(known.status[first + channel]) for channel in range(settings.channels))

    told = {} if known is None else known.last_report()
    return Snapshot(
        state=state,
        seconds=0.0 if supervisor is None else supervisor.seconds,
        input_peak=peaks(INPUT_PEAKS),
        output_peak=peaks(OUTPUT_PEAKS),
        load=present(Cell.LOAD),
        limiter_active=time.monotonic() - present(Cell.LIMITER_AT) < _LIMITER_SECONDS,
        muted=bool(parameters[MUTE.id]),
        sample_rate=int(present(Cell.SAMPLE_RATE)),
        blocksize=int(present(Cell.PERIOD)),
        hop=int(present(Cell.HOP)),
        algorithmic_latency=int(present(Cell.ALGORITHMIC)),
        buffer_latency=int(present(Cell.BUFFER)),
        device_latency=int(present(Cell.DEVICE)),
        deadlines_missed=total(Cell.DEADLINES_MISSED),
        faults=total(Cell.FAULTS),
        ring_empty=total(Cell.RING_EMPTY),
        xruns=total(Cell.XRUNS),
        engine_restarts=0 if supervisor is None else supervisor.engine_restarts,
        device_losses=0 if supervisor is None else supervisor.device_losses,
        non_finite_inputs=total(Cell.NON_FINITE),
        realtime_priority=bool(present(Cell.REALTIME)),
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
    known = next((link for link in reversed(links) if link.status[Cell.SAMPLE_RATE]), links[-1])
    seconds = supervisor.seconds
    histogram = [sum(link.status[HISTOGRAM + place] for link in links) for place in range(BINS)]

    def total(cell: Cell) -> int:
        return sum(link.count(cell) for link in links)

    def share(cell: Cell) -> float:
        return float(sum(link.status[cell] for link in links)) / seconds if seconds else 0.0

    slowest = max(link.status[Cell.SLOWEST_HOP] for link in links)
    latencies = [known.count(cell) for cell in (Cell.ALGORITHMIC, Cell.BUFFER, Cell.DEVICE)]
    return {
        "seconds": seconds,
        "sample_rate": known.count(Cell.SAMPLE_RATE),
        "blocksize": known.count(Cell.PERIOD),
        "hop": known.count(Cell.HOP),
        "algorithmic_latency_samples": latencies[0],
        "buffer_latency_samples": latencies[1],
        "device_latency_samples": latencies[2],
        "total_latency_samples": sum(latencies),
        "load": share(Cell.WORK),
        "hop_ms_p50": min(1e3 * percentile(histogram, 0.5), 1e3 * slowest),
        "hop_ms_p99": min(1e3 * percentile(histogram, 0.99), 1e3 * slowest),
        "hop_ms_max": 1e3 * slowest,
        "deadlines_missed": total(Cell.DEADLINES_MISSED),
        "faults": total(Cell.FAULTS),
        "xruns": total(Cell.XRUNS),
        "ring_empty": total(Cell.RING_EMPTY),
        "effects": _effect_figures(supervisor, known, seconds),
        "limiter_active": share(Cell.LIMITED),
        "engine_restarts": supervisor.engine_restarts,
        "device_losses": supervisor.device_losses,
        "non_finite_inputs": total(Cell.NON_FINITE),
        "realtime_priority": bool(known.status[Cell.REALTIME]),
        "notes": _notes(supervisor),
    }
