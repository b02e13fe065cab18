"""What `gramophone live` shows: the latency at the start, a status display while playing, figures at the end."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .. import console
from ..formatting import FLOOR_DB, clock, decibels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...plugins.parameter import Parameter
    from ...realtime.engine.stats import Snapshot

_REFRESH = 10.0
_LINES_EVERY = 10.0
_LOUD_DB, _FULL_DB = -12.0, -1.0
# Always shown; other parameters only if they are not at their default.
_ALWAYS = ("strength", "notes", "mix")


def budget(snapshot: "Snapshot") -> Table:
    """Lay out where the latency comes from, in samples and milliseconds, and its sum."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", title_justify="left")
    grid.add_column("latency")
    for heading in ("samples", "ms"):
        grid.add_column(heading, justify="right")
    grid.add_column("")
    rows = (
        (
            "algorithmic",
            snapshot.algorithmic_latency,
            "a frame has to be complete first",
        ),
        ("buffer", snapshot.buffer_latency, "kept ahead, against late frames"),
        ("device", snapshot.device_latency, "as its driver says"),
        ("total", snapshot.total_latency, "from input to output"),
    )
    for name, samples, source in rows:
        style = "bold" if name == "total" else ""
        grid.add_row(
            name, str(samples), f"{snapshot.milliseconds(samples):.1f}", Text(source, "dim"), style=style
        )
    return grid


def granted(snapshot: "Snapshot", *, styles: str, output: str, midi: str, **more: str) -> Table:
    """Lay out the session's styles, devices, rate, block, controller, and the rows in `more`."""
    grid = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    rate = f"{snapshot.sample_rate} Hz, {len(snapshot.output_peak)} channels"
    block = f"blocks of {snapshot.blocksize}" if snapshot.blocksize else "blocks as the device likes"
    hop = f", hop {snapshot.hop}" if snapshot.hop else ""
    rows = {
        "style": styles,
        "input": snapshot.input_name,
        "output": f"{output}{', muted' if snapshot.muted else ''}",
        "sound": f"{rate}, {block}{hop}",
        "MIDI": midi,
        **more,
    }
    for name, value in rows.items():
        grid.add_row(Text(name, "bold"), value)
    return grid


def closing(stats: "Mapping[str, object]") -> str:
    """Return the last line of a run: its length, the load, and what went wrong."""
    seconds, load, late = (float(str(stats.get(key, 0.0))) for key in ("seconds", "load", "hop_ms_p99"))
    troubles = [
        f"{count} {word if count == 1 else plural}"
        for key, word, plural in (
            ("deadlines_missed", "missed deadline", "missed deadlines"),
            ("ring_empty", "gap", "gaps"),
            ("xruns", "xrun", "xruns"),
            ("faults", "block without the style after a fault", "blocks without the style after faults"),
            ("device_losses", "lost device", "lost devices"),
            ("engine_restarts", "engine restart", "engine restarts"),
            ("non_finite_inputs", "non-finite input sample", "non-finite input samples"),
        )
        if (count := stats.get(key))
    ]
    return (
        f"played {clock(seconds)}, load {100.0 * load:.0f} % of one core, 99 of 100 hops within {late:.1f} ms; "
        f"{', '.join(troubles) or 'no drop-outs'}"
    )


class StatusDisplay:
    """The engine's state on standard error: in place on a terminal, a plain line every ten seconds elsewhere.

    A context manager.

    Args:
        parameters: what to show the values of
        keys: whether keys are read, and should be shown
    """

    def __init__(self, parameters: "Sequence[Parameter]", *, keys: bool) -> None:
        self._console = console.err()
        self._parameters = parameters
        self._keys = keys
        self._live: Live | None = None
        self._next_line = time.monotonic() + _LINES_EVERY

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=_REFRESH, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, snapshot: "Snapshot", *, midi: str) -> None:
        """Show a snapshot and the name of the controller; may be called at any rate."""
        if self._live is not None:
            self._live.update(self._picture(snapshot, midi))
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINES_EVERY
            console.say(_line(snapshot))

    def _picture(self, snapshot: "Snapshot", midi: str) -> Group:
        meters = Table.grid(padding=(0, 1))
        meters.add_column(width=6)
        meters.add_column(width=40)
        meters.add_column(width=8, justify="right")
        meters.add_column(width=8)
        for name, peaks in (("in", snapshot.input_peak), ("out", snapshot.output_peak)):
            for channel, peak in enumerate(peaks):
                remark = "limiter" if name == "out" and not channel and snapshot.limiter_active else ""
                meters.add_row(
                    "" if channel else name, _bar(peak), f"{decibels(peak):.0f} dB", Text(remark, "yellow")
                )
        facts = Table.grid(padding=(0, 3))
        outs = snapshot.drop_outs
        facts.add_row(
            clock(snapshot.seconds).rjust(7),
            f"load {100.0 * snapshot.load:3.0f} %",
            f"latency {snapshot.milliseconds(snapshot.total_latency):.1f} ms",
            Text(f"drop-outs {outs}", style="yellow" if outs else ""),
            Text(f"restarts {snapshot.engine_restarts}", style="yellow") if snapshot.engine_restarts else "",
        )
        lines: list[Table | Text] = [
            meters,
            Text(self._values(snapshot)),
            facts,
            Text(f"MIDI {midi}", style="dim"),
        ]
        if snapshot.muted:
            lines.append(Text("MUTED", style="bold yellow"))
        if snapshot.state != "running":
            lines.append(Text(snapshot.state.upper(), style="bold red"))
        if self._keys:
            keys = "up/down strength   b bypass   f freeze   m mute   n next style   r record   q quit"
            lines.append(Text(keys, style="dim"))
        return Group(*lines)

    def _values(self, snapshot: "Snapshot") -> str:
        known = (
            (one, snapshot.parameters[one.id]) for one in self._parameters if one.id in snapshot.parameters
        )
        return "   ".join(
            f"{one.name.lower()} {one.show(value)}"
            for one, value in known
            if one.id in _ALWAYS or (value != one.default and one.id != "mute")
        )


def _bar(peak: float) -> ProgressBar:
    level = decibels(peak)
    colour = "red" if level > _FULL_DB else "yellow" if level > _LOUD_DB else "green"
    return ProgressBar(
        total=-FLOOR_DB, completed=level - FLOOR_DB, complete_style=colour, finished_style=colour
    )


def _line(snapshot: "Snapshot") -> str:
    source, sink = (
        decibels(max(peaks, default=0.0)) for peaks in (snapshot.input_peak, snapshot.output_peak)
    )
    state = "" if snapshot.state == "running" else f"{snapshot.state}, "
    return (
        f"{clock(snapshot.seconds)} {state}{'muted, ' if snapshot.muted else ''}in {source:.0f} dB, out {sink:.0f} dB, "
        f"load {100.0 * snapshot.load:.0f} %, drop-outs {snapshot.drop_outs}"
    )
