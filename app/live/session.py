"""A live session from start to end: the engine, the controller, the keys, the display, the figures."""

import json
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...media.files import replacing, shown
from .. import console
from ..repeated_task import Task
from . import display as live_display
from .keys import Keys

if TYPE_CHECKING:
    from ...realtime.control.midi import MidiInput
    from ...realtime.engine.stats import Snapshot
    from ...realtime.host import EngineError, Host
    from ...realtime.link.engine_settings import EngineSettings
    from .controls import ControlOptions, LiveControls
    from .session_recorder import SessionRecorder

# Between two polls of the engine and the keys.
_POLL_SECONDS = 0.05
_STRENGTH_STEP = 0.05
_PRESSES = {"b": "bypass", "f": "freeze", "m": "mute", "n": "next_style", "r": "record", "d": "panic"}
_STEPS = {"up": _STRENGTH_STEP, "down": -_STRENGTH_STEP}

# What must not go unnoticed, by the names of --stats: more than a computer that is too slow.
_TROUBLES = ("faults", "device_losses", "engine_restarts")

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130


def play(
    settings: "EngineSettings",
    options: "ControlOptions",
    *,
    stats: Path | None,
    overwrite: bool,
    record: Path | None = None,
) -> None:
    """Play until the end of the file or of the time, until the engine gives up, or until Ctrl-C or q.

    Args:
        options: what it is controlled by
        stats: where the figures of the run go, if anywhere; `overwrite` is for this file
        record: where what is played is recorded, if anywhere; see `realtime.recorder.take_folder`

    Raises:
        InputError: Something in `settings` or `options` cannot be used.
        typer.Exit: 130 where a file was interrupted; 1 where the engine could not go on, the device or an engine
            process was lost, a plugin failed, or something is missing in the recording.
    """
    from ...dsp.compile_cache import is_complete
    from ...models.live.first_run import REASON
    from ...realtime.engine.stats import FAILED
    from ...realtime.host import EngineError, Host
    from ...realtime.link.engine_settings import VirtualSettings
    from .controls import LiveControls
    from .session_recorder import SessionRecorder

    files = settings.device if isinstance(settings.device, VirtualSettings) else None
    host = Host(settings)
    started = interrupted = False
    # To the last line that tells what there is: one more Ctrl-C before that would have it said that nothing was
    # written.
    with console.closing_whole("one moment: what was played is being saved") as closing:
        with ExitStack() as stack:
            # A wrong port or address is reported before the engine loads anything.
            controls = stack.enter_context(LiveControls(host, settings, options))
            recorder = SessionRecorder(host, record)
            try:
                with console.Display() as display:
                    display.stage(REASON if not is_complete() else "starting the engine")
                    stack.enter_context(host)
                    started = True
                    stack.enter_context(recorder)
                _watch(host, settings, controls, recorder)
            except EngineError as error:
                raise _failed(error) from error
            except KeyboardInterrupt:
                if not started:
                    raise
                interrupted = True
            closing()
            last = host.snapshot()
        figures = host.stats()
        if files is not None and files.output.exists():
            console.written.append(files.output)
        if stats is not None:
            with replacing(stats, overwrite=overwrite) as temporary:
                temporary.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
            console.written.append(stats)
        out = console.out()
        out.print(live_display.closing(figures))
        if files is not None and last.state != FAILED:
            out.print(shown(files.output))
        # Without files, Ctrl-C is the usual way to stop.
        if files is not None and (interrupted or last.state == FAILED) and files.output.exists():
            what = "interrupted" if interrupted else "ended"
            console.say(f"{what} after {last.seconds:.1f} s; {shown(files.output)} ends there")
        _check_end(last)
        if files is not None and interrupted:
            raise typer.Exit(_EXIT_INTERRUPTED)
        if recorder.failed or any(figures[key] for key in _TROUBLES):
            raise typer.Exit(_EXIT_FAILED)


def through_files(settings: "EngineSettings") -> tuple["Snapshot", dict[str, Any]]:
    """Play from file to file, with nothing to turn or to watch; `settings.device` is a `VirtualSettings`.

    Returns:
        the engine as it was at the end, and the figures of the run

    Raises:
        InputError: Something in `settings` cannot be used.
        typer.Exit: 1 where the engine could not go on.
    """
    from ...realtime.host import EngineError, Host

    host = Host(settings)
    try:
        with host:
            host.wait()
            last = host.snapshot()
    except EngineError as error:
        raise _failed(error) from error
    _check_end(last)
    return last, host.stats()


def _failed(error: "EngineError") -> typer.Exit:
    """Report an engine that could not start; return the exit."""
    # The user cannot mend it, but a report of it needs the place.
    console.show_trace("\n".join(getattr(error, "__notes__", ())))
    console.say(f"error: {error}")
    return typer.Exit(_EXIT_FAILED)


def _check_end(last: "Snapshot") -> None:
    """Say why the engine could not go on, and leave, if that is how it ended."""
    from ...realtime.engine.stats import FAILED

    if last.state == FAILED:
        console.say(f"error: {last.notes[-1] if last.notes else 'the engine cannot go on'}")
        raise typer.Exit(_EXIT_FAILED)


def _watch(
    host: "Host", settings: "EngineSettings", controls: "LiveControls", recorder: "SessionRecorder"
) -> None:
    """Show the engine's state and handle the keys until either of them ends the session."""
    controller: MidiInput | None = controls.controller

    def midi() -> str:
        return "none" if controller is None else str(controller)

    before, port = host.snapshot(), midi()
    news = _Changes(before)
    out = console.out()
    out.print(
        live_display.granted(
            before,
            styles=", ".join(shown(style) for style in settings.styles),
            output=shown(before.output_name),
            midi=port,
            **recorder.rows(),
        )
    )
    for name, address in controls.addresses().items():
        # Whole, however narrow the terminal is, so that it can be opened.
        out.print(f"{name:<8}{address}")
    out.print(live_display.budget(before))
    for note in _notes(before):
        console.say(note)
    with Keys() as keys, live_display.StatusDisplay(host.parameters, keys=keys.available) as display:

        def show_news() -> None:
            for line in (*controls.news(), *recorder.news()):
                # Messages from outside can cause any number of errors.
                (console.fault if line.startswith("error:") else console.say)(line)

        def show_status() -> None:
            nonlocal port
            now = host.snapshot()
            lines, back = news.poll(now)
            for line in lines:
                console.say(line)
            # The MIDI client of a JACK server that has ended does not connect to the new one; and it may be deaf.
            if controller is not None and (back or controller.deaf):
                controller.reopen()
            if (name := midi()) != port:
                port = name
                console.say(f"MIDI: {port}")
            display.update(now, midi=port)

        pressed, handle = Task("reading the keys", keys.pressed), Task("a key", partial(_handle, controls))
        tasks = (
            Task("showing the news", show_news),
            Task("remembering where this session stands", controls.remember),
            Task("the display", show_status),
        )
        while not host.wait(_POLL_SECONDS):
            for key in pressed() or ():
                if key == "q":
                    return
                handle(key)
            for task in tasks:
                task()


def _handle(controls: "LiveControls", key: str) -> None:
    """Handle a key."""
    surface = controls.router.surface
    if key in _PRESSES and surface.can(_PRESSES[key]):
        surface.press(_PRESSES[key], True)
    elif key in _STEPS:
        surface.set("strength", surface.get("strength") + _STEPS[key])


def _notes(now: "Snapshot") -> tuple[str, ...]:
    """Return the notes to show now; why the engine could not go on is shown at the end."""
    from ...realtime.engine.stats import FAILED

    return now.notes[:-1] if now.state == FAILED else now.notes


class _Changes:
    """Finds what has changed since the last poll and a user should know."""

    def __init__(self, now: "Snapshot") -> None:
        self._before = now
        self._away = False
        self._granted = (now.sample_rate, now.total_latency)

    def poll(self, now: "Snapshot") -> tuple[list[str], bool]:
        """Return a line for each piece of news, and whether the device has come back."""
        from ...realtime.engine.stats import RUNNING

        lines = [note for note in _notes(now) if note not in self._before.notes]
        back = False
        if now.device_losses > self._before.device_losses:
            self._away = True
            lines.append("warning: the audio device has gone; it is looked for every second")
        elif self._away and now.state == RUNNING:
            self._away, back = False, True
            lines.append(f"the audio device is back{self._other(now)}")
        self._before = now
        return lines, back

    def _other(self, now: "Snapshot") -> str:
        """Say what the device grants now, if that has changed."""
        before, self._granted = self._granted, (now.sample_rate, now.total_latency)
        if before == self._granted:
            return ""
        latency = f"a latency of {now.milliseconds(now.total_latency):.1f} ms"
        if before[0] == now.sample_rate:
            return f", now with {latency}"
        return f", now at {now.sample_rate} Hz (before: {before[0]} Hz), with {latency}"
