"""The engine: takes what the device has recorded, has the chain work on it, and puts it where the device plays it.

One thread, in a process of its own. It never waits for anybody: when a block is due, it looks every quarter of a
millisecond whether there is input. Whatever a plugin does, the delayed dry signal is in the ring already: see
`realtime.audio.output_scheduler`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from multiprocessing import parent_process

import numpy as np

from ...dsp.dry_path import loudest, take_in
from ...dsp.history import History
from ...media.errors import InputError
from ...plugins.ramp import Ramp
from ..audio.output_scheduler import FADE, OutputScheduler, rising
from ..audio.rings import POLL, Frames
from ..audio.stream_contract import ChainLike, DeviceLostError, Stream
from ..link.changes import LAYOUT, ChangeKind
from ..link.engine_settings import MUTE, EngineSettings
from ..link.shared_memory import Link
from .effect_loader import EffectLoader
from .effect_watch import EffectWatch
from .engine_trace import EngineTrace
from .meters import Meters

# The most samples that the chain gets at once.
MAX_BLOCK = 1024
# Seconds that the chain may be behind before it leaves out what it can no longer be in time for.
_MOST_BEHIND = 0.1
_HOUSEKEEPING = 0.1
_CONNECTIONS = 0.5
_GAIN_SECONDS = 0.02
_MOST_NOTES = 20
# Where a gain stands for silence, in the chain and so in its stand-in.
_SILENT_DB = -60.0


class Engine:
    """Plays one stream through one chain.

    Args:
        chain: prepared for the stream's rate and blocks of `MAX_BLOCK`, and reset
        stream: open, not started
        link: to the host
        ids: of the cells in `link.parameters`
        settings: of the engine
        watch: of the chain's effects, if it can have any
        loader: of effects that are added
    """

    def __init__(
        self,
        chain: ChainLike,
        stream: Stream,
        link: Link,
        ids: Sequence[str],
        settings: EngineSettings,
        watch: EffectWatch | None = None,
        loader: EffectLoader | None = None,
    ) -> None:
        self._chain = chain
        self._stream = stream
        self._link = link
        self._ids = ids
        self._settings = settings
        self._rate = rate = stream.sample_rate
        self._knobs = frozenset(parameter.id for parameter in chain.parameters)
        # There is room for further ones behind them.
        self._cells = np.frombuffer(memoryview(link.parameters), dtype=np.float64)
        self._parameters = self._cells[: len(ids)]
        self._values = self._parameters.copy()
        self._seen = self._values.tobytes()
        self._algorithmic = chain.latency_samples
        # A full ring, and before it what the chain has not had yet and what is heard late.
        frames = 2 * stream.input.frames
        self._input = History(frames, settings.channels)
        # What stands in for the chain is as loud as the chain would let it through.
        self._dry = History(frames, settings.channels)
        self._gain, self._ceiling = self._levels()
        self._dry_gain = Ramp(self._gain, _GAIN_SECONDS)
        self._dry_ceiling = Ramp(self._ceiling, _GAIN_SECONDS)
        for ramp in (self._dry_gain, self._dry_ceiling):
            ramp.prepare(sample_rate=rate, block=stream.input.frames)
        self._fade = rising(round(FADE * rate))
        self._faded = self._fade.size
        self._buffer = 0
        # The dry signal is renewed after each piece, so that one may take no longer than that lasts: a burst of work.
        self._piece = min(MAX_BLOCK, chain.hop or MAX_BLOCK)
        # Frames that the chain has got.
        self._fed = 0
        self._faults = 0
        # Counted before the flows were last started again.
        self._missed_before = self._empty_before = self._played_before = 0
        self._begun = 0
        self._housekeeping_at = self._connections_at = 0.0
        self._stop_at: int | None = None
        self._watch = watch
        self._loader = loader
        if watch is not None:
            watch.sample_rate = rate
            watch.listen(self._note)
        self._trace = EngineTrace(link.board, chain, stream, fast=settings.fast)

    def run(self, running: Callable[[], None]) -> None:
        """Play until the host says stop or is gone, or the stream ends.

        Args:
            running: called when sound begins to pass

        Raises:
            DeviceLostError: from the stream
        """
        stream, link = self._stream, self._link
        latency = self._settings.latency_seconds()
        try:
            self._buffer = stream.start(latency=latency, algorithmic=self._algorithmic)
        except (DeviceLostError, InputError):
            # Whoever opens it next shall find what was connected to it meanwhile.
            self._publish("connections", stream.last_connections)
            raise
        self._begin(amid_sound=stream.running_start)
        hop = self._chain.hop or 0
        granted = (self._rate, hop, self._algorithmic, self._buffer, stream.device_latency)
        self._trace.begin(self._fed, self._values.tolist(), dict(zip(LAYOUT, granted, strict=True)))
        self._meters = Meters(
            link,
            sample_rate=self._rate,
            channels=self._settings.channels,
            hop=self._chain.hop or stream.period,
        )
        link.status.period = stream.period
        for event, number in zip(LAYOUT, granted, strict=True):
            setattr(link.status, event.name.lower(), number)
        running()
        waited = True
        while not self._ended():
            began = time.perf_counter()
            if began >= self._housekeeping_at:
                self._housekeeping_at = began + _HOUSEKEEPING
                self._keep_house()
            if not self._take() and self._fed == self._input.position:
                # Flows that have ended bring nothing more.
                if self._trace.ahead_of_reader:
                    time.sleep(POLL)
                elif stream.flowing or stream.finished:
                    stream.wait()
                else:
                    self._start_again()
                waited = True
                continue
            self._follow_parameters()
            played = stream.output.position
            self._ahead.lay(played, waited=waited, tap=self._trace.output, tapped=self._trace.origin)
            waited = False
            self._trace.publish(self._input.position, played, self._beat())
            count = self._step()
            self._trace.poll(self._fed)
            self._meters.work(time.perf_counter() - began, count)
        # What has been played since the last block belongs to the tap as well.
        self._ahead.free(stream.output.position, self._trace.output, self._trace.origin)
        self._trace.publish(self._input.position, stream.output.kept, time.monotonic())
        self._report()

    def _begin(self, *, amid_sound: bool) -> None:
        """Begin with what the device moves from now on; with a fade of the input if that sounds already."""
        stream = self._stream
        start = 0
        if amid_sound:
            start = stream.input.position
            stream.input.advance(start)
            self._faded = 0
        self._fed = self._begun = start
        self._input.begin(start)
        self._dry.begin(start)
        self._ahead = OutputScheduler(
            stream.output,
            self._dry,
            lambda: stream.input.position,
            algorithmic=self._algorithmic,
            buffer=self._buffer,
            period=stream.period,
            start=start,
            sample_rate=self._rate,
            muted=bool(self._values[self._ids.index(MUTE.id)]),
        )

    def _take(self) -> int:
        """Take over all input that there is; return how many frames."""
        ring = self._stream.input
        count: int = ring.position - self._input.position
        if not count:
            return 0
        ring.see()
        # Behind the engine's own channels come those that are only captured.
        wrong = take_in(
            ring.memory,
            self._input.position,
            count,
            self._fade,
            self._faded,
            self._dry_gain.line(self._gain, count),
            self._dry_ceiling.line(self._ceiling, count),
            self._input.memory,
            self._dry.memory,
            self._trace.input,
            self._trace.origin,
        )
        ring.advance(count)
        if wrong:
            self._link.status.non_finite += wrong
        self._faded = min(self._faded + count, self._fade.size)
        self._input.position = self._dry.position = self._input.position + count
        return count

    def _step(self) -> int:
        """Have the chain work on one piece of what has come in; return its length."""
        behind = self._input.position - self._ahead.frontier
        if behind > _MOST_BEHIND * self._rate and self._input.position - self._fed > 2 * self._fade.size:
            block = self._jump()
        else:
            stop = min(self._input.position, self._fed + self._piece)
            block = self._input.get(self._fed, stop)
        count: int = block.shape[1]
        began = time.perf_counter()
        wet = self._process(block)
        self._meters.chain(time.perf_counter() - began, count)
        self._fed += count
        if self._watch is not None and self._watch.watching:
            self._follow_latency(self._chain.latency_samples)
        heard = self._ahead.place(wet, count)
        self._trace.missed(self._fed - count, self._ahead.deadlines_missed)
        self._meters.sound(block, heard)
        if getattr(self._chain, "limiter_active", False):
            self._meters.limiter(count)
        return count

    def _take_added(self) -> None:
        """Put an effect that has been loaded meanwhile into the chain; its knobs then bring it in."""
        added = None if self._loader is None else self._loader.put(self._chain)
        if added is None:
            return
        known, self._ids = len(self._ids), added.errand.ids
        self._parameters = self._cells[: len(self._ids)]
        self._values = np.concatenate([self._values, self._parameters[known:]])
        self._knobs = frozenset(parameter.id for parameter in self._chain.parameters)
        for place, id in enumerate(self._ids[known:], start=known):
            if id == f"{added.errand.effect.key}_on":
                # It comes in as by a hand.
                self._values[place] = 0.0
            elif id in self._knobs:
                self._chain.set(id, float(self._values[place]))
        self._trace.renew()

    def _follow_latency(self, latency: int) -> None:
        """An effect has come or gone with its latency: the dry signal follows, and the display."""
        if latency == self._algorithmic:
            return
        self._algorithmic = latency
        self._ahead.move(latency + self._buffer)
        self._link.status.algorithmic = latency

    def _process(self, block: Frames) -> Frames | None:
        """Return the chain's output; None if it failed, whatever the reason."""
        try:
            wet = self._chain.process(block)
            if wet.shape == block.shape and loudest(np.ascontiguousarray(wet, np.float32)) < np.inf:
                return wet
        except Exception as error:
            self._note(f"a plugin failed ({type(error).__name__}: {error}); the dry signal stands in")
        self._faults += 1
        try:
            self._chain.reset()
        except Exception as error:
            self._note(f"a plugin failed ({type(error).__name__}: {error}); the dry signal stands in")
        self._trace.event(self._fed + block.shape[1], ChangeKind.RESET)
        # What the chain had in hand is lost: for as long as it is late, it gives nothing.
        self._ahead.settle(block.shape[1] + self._algorithmic)
        return None

    def _jump(self) -> Frames:
        """Leave out what is too late; return a first block in which the old sound goes over into the new."""
        size = self._fade.size
        start = self._input.position - size
        self._ahead.skip(start - self._fed)
        self._trace.event(start, ChangeKind.SKIP, start - self._fed)
        old = self._input.get(self._fed, self._fed + size)
        new = self._input.get(start, start + size)
        self._fed = start
        # For as long as it is late, the chain still gives sound of before.
        self._ahead.settle(size + self._algorithmic)
        return old + self._fade * (new - old)

    def _follow_parameters(self) -> None:
        # Nearly always they are the same, which one comparison of bytes tells.
        seen = self._parameters.tobytes()
        if seen == self._seen:
            return
        self._seen = seen
        changed = np.flatnonzero(self._parameters != self._values).tolist()
        for place in changed:
            value = self._values[place] = self._parameters[place]
            self._trace.changed(self._fed, place, float(value))
            name = self._ids[place]
            if name == MUTE.id:
                self._ahead.open_gate(opened=not value and self._stop_at is None)
            elif name in self._knobs:
                self._chain.set(name, float(value))
        if changed:
            self._gain, self._ceiling = self._levels()

    def _levels(self) -> tuple[float, float]:
        """Return at which level the chain lets sound through, and above which it lifts nothing, as its knobs say."""
        gain, ceiling = self._decibels("gain", "gain_bypass"), self._decibels("ceiling", "limiter_bypass")
        return 0.0 if gain <= _SILENT_DB else float(10.0 ** (gain / 20.0)), float(10.0 ** (ceiling / 20.0))

    def _decibels(self, knob: str, bypass: str) -> float:
        """Return where a knob of the chain stands; 0 where there is none, or what it turns is bypassed."""
        if knob not in self._knobs:
            return 0.0
        if any(name in self._knobs and self._chain.get(name) for name in ("bypass", bypass)):
            return 0.0
        return self._chain.get(knob)

    def _ended(self) -> bool:
        if self._stream.finished:
            return self._stream.input.position == self._fed
        if self._stop_at is not None:
            return self._stream.input.position >= self._stop_at
        return False

    def _keep_house(self) -> None:
        """Do what need not be done at every block."""
        stream = self._stream
        parent = parent_process()
        orphan = parent is not None and not parent.is_alive()
        if self._stop_at is None and (orphan or self._link.orders.stop):
            self._ahead.open_gate(opened=False)
            self._trace.changed(self._fed, self._ids.index(MUTE.id), 1.0)
            self._stop_at = (self._ahead.silenced_from or 0) + stream.period
        self._take_added()
        if time.monotonic() >= self._connections_at:
            self._connections_at = time.monotonic() + _CONNECTIONS
            self._publish("connections", stream.connections())
        self._report()

    def _start_again(self) -> None:
        """After a stall for longer than the rings are: begin anew, at the same latency."""
        ahead = self._ahead
        self._missed_before += ahead.deadlines_missed
        self._empty_before += ahead.ring_empty
        self._played_before += self._stream.input.position - self._begun
        self._stream.realign()
        self._chain.reset()
        self._begin(amid_sound=True)
        self._trace.begin(self._fed, None)
        self._note("the engine stood still for more than a second")

    def _report(self) -> None:
        status, stream = self._link.status, self._stream
        self._beat()
        status.played = self._played_before + stream.input.position - self._begun
        status.deadlines_missed = self._missed_before + self._ahead.deadlines_missed
        status.ring_empty = self._empty_before + self._ahead.ring_empty
        status.faults = self._faults + getattr(self._chain, "faults", 0)
        status.xruns = stream.xruns
        if self._watch is not None:
            self._watch.publish()

    def _beat(self) -> float:
        """Write down that it lives, and where it is; return the time, of `time.monotonic`."""
        status = self._link.status
        status.frames = self._stream.frames
        status.heartbeat = now = time.monotonic()
        return now

    def _note(self, text: str) -> None:
        notes = self._link.last_report().get("notes", [])
        if text not in notes and len(notes) < _MOST_NOTES:
            self._publish("notes", [*notes, text])

    def _publish(self, key: str, value: object) -> None:
        told = self._link.last_report()
        if value is not None and told.get(key) != value:
            self._link.report(told | {key: value})
