"""Keeps an engine process alive: one plays, another one stands by with everything loaded, and takes over at once."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import TYPE_CHECKING
from weakref import WeakSet

from ...plugins.effects import without_texts
from ..link.descriptors import is_shortage, reason, reserve
from ..link.effect_board import EffectBoard
from ..link.engine_settings import EngineSettings, VirtualSettings
from ..link.shared_memory import EngineState, Link
from ..link.spawning import start_process
from .effect_loader import Errand
from .effect_watch import TAKEN_OUT, failed_line
from .process import DEVICE_LOST, run_engine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ...plugins.effects import Effect
    from ..link.memory_types import Doubles
    from ..link.trace_board import TraceBoard
    from .process import BuildChain

_WATCH_SECONDS = 0.01
# An engine that has not looked round for so long hangs. It does so every quarter of a millisecond, or after a block.
_HUNG_SECONDS = 2.0
# Some effects read gigabytes of sound when they are loaded.
_LOADING_SECONDS = 60.0
# Engines that fail one after the other without having played for a while: there is no use in another one.
_MOST_FAILURES = 4
_LONG_ENOUGH = 2.0
_STOP_SECONDS = 3.0
# Between two tries to start a process for which the system has no room: as long as this at first, then ever longer.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
# There is no sound without it; after so long nobody waits for it any more.
_GIVE_UP_SECONDS = 60.0


@dataclass(frozen=True, eq=False)
class Worker:
    """An engine process and what is shared with it."""

    process: SpawnProcess
    link: Link
    errands: Connection


class Supervisor:
    """Starts engine processes, one to play and one to stand by, and replaces those that end.

    Args:
        context: to spawn with
        settings: of the engine
        parameters: the cells of the targets
        ids: of these cells
        build_chain: as for `realtime.host.Host`
        board: shared by all engine processes
    """

    def __init__(
        self,
        context: SpawnContext,
        settings: EngineSettings,
        parameters: Doubles,
        ids: Sequence[str],
        build_chain: BuildChain | None,
        board: TraceBoard,
    ) -> None:
        self._context = context
        self.settings = self._settings = settings
        self._parameters = parameters
        self._ids = tuple(ids)
        self._build_chain = build_chain
        self._board = board
        # Of each process, which work of an effect was under way, and since when.
        self._works: dict[int, tuple[float, float]] = {}
        self._out = EffectBoard.none_out(context)
        #: the memory of every engine process that has played, the present one last
        self.links: list[Link] = []
        self.engine_restarts = 0
        self.device_losses = 0
        #: one line each
        self.notes: list[str] = []
        #: what the last engine said when it could not go on, whether that is the user's to mend, and its traceback
        self.failure: tuple[str, bool, str] | None = None
        #: set when there will be no more sound
        self.ended = threading.Event()
        #: whether sound has passed
        self.has_played = False
        self._active: Worker | None = None
        self._standby: Worker | None = None
        self._failures = 0
        # When another one may be started to stand by, and how long after that if it cannot.
        self._next_standby = 0.0
        self._pause = _FIRST_PAUSE
        self._playing_since = 0.0
        # An engine has died, and it is not known yet whether its device was the cause.
        self._unexplained = False
        self._stop = threading.Event()
        self._started = threading.Event()
        self._beat = (0.0, 0.0)
        # Held while a process is started or an effect is added, so that each process knows of each effect.
        self._spawning = threading.Lock()
        self._workers: WeakSet[Worker] = WeakSet()
        self._thread = threading.Thread(target=self._watch, name="engine supervisor", daemon=True)

    def start(self) -> None:
        """Start an engine; return when it plays, or has failed."""
        self._thread.start()
        while not self._started.wait(0.2):
            pass

    def stop(self) -> None:
        """End all engine processes, the one that plays with a fade."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def link(self) -> Link:
        """What is shared with the engine process that plays, or is to play next."""
        return self.links[-1]

    def add(self, effect: Effect, ids: Sequence[str]) -> int:
        """Have the engines add an effect, and know the ids of all parameters from now on; return its number."""
        with self._spawning:
            place = len(self._settings.effects)
            self._ids = tuple(ids)
            self._tell((*self._settings.effects, effect), Errand(without_texts(effect), place, self._ids))
        return place

    def restate(self, place: int, effect: Effect) -> None:
        """Have effect number `place` take another state, in the engines and in those that come after them."""
        with self._spawning:
            known = self._settings.effects
            effects = (*known[:place], effect, *known[place + 1 :])
            self._tell(effects, Errand(without_texts(effect), place, self._ids, again=True))

    def _tell(self, effects: tuple[Effect, ...], errand: Errand) -> None:
        self.settings = self._settings = replace(self._settings, effects=effects)
        for worker in self._workers:
            # One that has ended needs nothing more.
            with suppress(OSError):
                worker.errands.send(errand)

    def _spawn(self, *, sample_rate: int) -> Worker:
        with self._spawning, reserve.released():
            effects = EffectBoard.new(self._context, self._out)
            ours, theirs = self._context.Pipe()
            link = Link.new(self._context, self._parameters, self._board, effects, theirs)
            link.orders.sample_rate = sample_rate
            process = self._context.Process(
                target=run_engine,
                args=(link, self._ids, self._settings, self._build_chain),
                name="gramophone engine",
                # Ends with the host even if that forgets to stop it.
                daemon=True,
            )
            start_process(process)
            theirs.close()
            worker = Worker(process, link, ours)
            self._workers.add(worker)
        return worker

    def _spawn_patiently(self, *, sample_rate: int) -> Worker | None:
        """Start an engine as soon as the system has room for it; return None if that takes too long."""
        pause, end = _FIRST_PAUSE, time.monotonic() + _GIVE_UP_SECONDS
        while True:
            try:
                return self._spawn(sample_rate=sample_rate)
            except (OSError, MemoryError) as error:
                if not is_shortage(error) or time.monotonic() > end:
                    self.failure = (f"no other engine process can be started: {reason(error)}", False, "")
                    return None
                self._note(f"no other engine process can be started yet: {reason(error)}")
            if self._stop.wait(pause):
                return None
            pause = min(2.0 * pause, _LONGEST_PAUSE)

    def _note(self, line: str) -> None:
        if line not in self.notes:
            self.notes.append(line)

    def _stuck(self, worker: Worker) -> bool:
        """Whether an effect hangs in a process that gets ready, where nothing beats."""
        board, process = worker.link.effects, worker.process.pid or 0
        now = time.monotonic()
        if board is None or not board.working[0]:
            return False
        begun, since = self._works.get(process, (0.0, now))
        if board.working[1] != begun:
            self._works[process] = (board.working[1], now)
            return False
        return now - since > (_LOADING_SECONDS if board.working[2] else _HUNG_SECONDS)

    def _blame(self, worker: Worker) -> None:
        """Take out the effect that worked when a process ended, or had to be ended."""
        self._works.pop(worker.process.pid or 0, None)
        culprit = None if worker.link.effects is None else worker.link.effects.culprit
        if culprit is None or self._out[culprit]:
            return
        self._out[culprit] = 1.0
        known = self._settings.effects
        title = known[culprit].title if culprit < len(known) else f"effect {culprit + 1}"
        self._note(failed_line(title, "it ended the engine process, or did not answer any more"))

    def _play(self, worker: Worker) -> None:
        """Have a worker take the device."""
        if self.links:
            last = self.link
            worker.link.orders.persist = self.has_played
            worker.link.orders.resume = self._resume_at(last)
            # While it waits it writes nothing itself.
            worker.link.report({"connections": last.last_report().get("connections")})
        self._active = worker
        self._beat = (0.0, time.monotonic())
        self.links.append(worker.link)
        worker.link.orders.play = True

    def _resume_at(self, last: Link) -> int:
        """Return the frame at which files go on: what would have passed meanwhile is lost, as it is in life."""
        frames = last.status.frames
        if not isinstance(self._settings.device, VirtualSettings) or self._settings.fast or not frames:
            return frames
        gap = time.monotonic() - last.status.heartbeat
        return frames + round(gap * last.status.sample_rate)

    def _watch(self) -> None:
        try:
            self._play(self._spawn(sample_rate=0))
            while not self._stop.is_set() and self._poll():
                assert self._active is not None
                # The end of a process is seen at once.
                wait([self._active.process.sentinel], _WATCH_SECONDS)
        except Exception as error:
            # What the user can mend is a shortage; anything else is ours.
            trace = "" if is_shortage(error) else traceback.format_exc()
            self.failure = (f"the engine cannot go on: {reason(error)}", is_shortage(error), trace)
        finally:
            self._end()
            self.ended.set()
            self._started.set()

    def _poll(self) -> bool:
        """Do what is to be done now; return whether to go on."""
        worker = self._active
        assert worker is not None
        state = worker.link.state
        if state == EngineState.FINISHED:
            return False
        if state == EngineState.FAILED:
            return self._replace(worker)
        if not worker.process.is_alive():
            # It may have said why just before it ended.
            if worker.link.state in (EngineState.FINISHED, EngineState.FAILED):
                return True
            return self._replace(worker)
        if state == EngineState.RUNNING:
            self._note_running(worker)
            if self._hangs(worker):
                self.notes.append("the engine did not answer any more and was ended")
                worker.process.kill()
        elif state in (EngineState.LOADING, EngineState.READY) and self._stuck(worker):
            worker.process.kill()
        elif state == EngineState.LOST and self._unexplained:
            self._unexplained = False
            self.device_losses += 1
        self._keep_standby(state)
        return not self._duration_over()

    def _note_running(self, worker: Worker) -> None:
        if not self._started.is_set() or not self._playing_since:
            self._playing_since = time.monotonic()
            self.has_played = True
            self._started.set()
        if self._unexplained:
            self._unexplained = False
            self.engine_restarts += 1
        if self._failures and time.monotonic() - self._playing_since > _LONG_ENOUGH:
            self._failures = 0
        del worker

    def _hangs(self, worker: Worker) -> bool:
        now = time.monotonic()
        beat = worker.link.status.heartbeat
        # Seen from here, so that a machine that was asleep is not taken for an engine that hangs.
        if beat != self._beat[0]:
            self._beat = (beat, now)
        return now - self._beat[1] > _HUNG_SECONDS

    def _replace(self, worker: Worker) -> bool:
        """Have another process go on; return False if there is no use in it."""
        self.failure = None
        if worker.link.state == EngineState.FAILED:
            told = worker.link.last_report()
            self.failure = (
                told.get("error", ""),
                worker.link.status.input_error,
                told.get("trace", ""),
            )
            reason = told.get("error", "")
            worker.process.join(1.0)
        else:
            worker.process.join()
            reason = f"exit code {worker.process.exitcode}"
        if worker.process.exitcode != DEVICE_LOST:
            self._blame(worker)
        for line in worker.link.last_report().get("notes", ()):
            if TAKEN_OUT in line:
                self._note(line)
        self._failures += 1
        # What is the user's to mend, another process would only run into as well.
        mendable = self.failure is not None and self.failure[1]
        if mendable or not self.has_played or self._failures >= _MOST_FAILURES:
            if self.failure is None:
                self.failure = (f"the engine process ended ({reason})", False, "")
            return False
        if worker.process.exitcode == DEVICE_LOST:
            self.device_losses += 1
        else:
            self._unexplained = True
            self.notes.append(f"the engine process ended ({reason}); another one goes on")
        self._playing_since = 0.0
        standby, self._standby = self._standby, None
        if standby is None or not standby.process.is_alive():
            # Nobody else writes there now, and it does not run.
            worker.link.enter(EngineState.LOADING)
            standby = self._spawn_patiently(sample_rate=worker.link.status.sample_rate)
            if standby is None:
                return False
        self._play(standby)
        return True

    def _keep_standby(self, state: EngineState) -> None:
        if self._standby is not None and self._stuck(self._standby):
            self._standby.process.kill()
            self._standby.process.join()
        if self._standby is not None and not self._standby.process.is_alive():
            self._blame(self._standby)
            self._standby = None
        # Where nothing waits for the sound, nothing needs to be ready.
        wanted = self._standby is None and state == EngineState.RUNNING and not self._settings.fast
        if not wanted or time.monotonic() < self._next_standby:
            return
        try:
            self._standby = self._spawn(sample_rate=self.link.status.sample_rate)
            self._pause = _FIRST_PAUSE
        except (OSError, MemoryError) as error:
            # The sound goes on without.
            self._note(f"no engine stands by, since none can be started: {reason(error)}")
            self._next_standby = time.monotonic() + self._pause
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)

    def _duration_over(self) -> bool:
        duration = self._settings.duration
        if duration is None or isinstance(self._settings.device, VirtualSettings):
            return False
        return self.seconds >= duration

    @property
    def seconds(self) -> float:
        """Seconds of sound that all engine processes together have played."""
        return sum(link.status.played / rate for link in self.links if (rate := link.status.sample_rate))

    def _end(self) -> None:
        workers = [worker for worker in (self._active, self._standby) if worker is not None]
        if self._active is not None:
            self._let_finish(self._active)
        for worker in workers:
            # What is left of them holds nothing that would have to be put down gently.
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            with suppress(ValueError):
                worker.process.close()
        self._active = self._standby = None

    def _let_finish(self, worker: Worker) -> None:
        """Have an engine that plays fade out and put its device down; return when it has, or takes too long."""
        worker.link.orders.stop = True
        end = time.monotonic() + _STOP_SECONDS
        while worker.link.state == EngineState.RUNNING and time.monotonic() < end:
            worker.process.join(_WATCH_SECONDS)
            if not worker.process.is_alive():
                return
