"""The tables of `gramophone bench live`."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

Figures = Mapping[str, Any]


def tables(figures: Figures) -> Group:
    """Lay out what `bench_live.measure` returns."""
    return Group(_latency(figures["latency"]), "", _rest(figures))


def _latency(rows: Sequence[Figures]) -> Table:
    headings = ("Hz", "hop", "algorithmic", "ms", "buffer", "total", "ms", "measured", "")
    table = Table(*headings, box=None, padding=(0, 2, 0, 0), title="Latency, samples", title_justify="left")
    for column in table.columns[:-1]:
        column.justify = "right"
    for row in rows:
        measured = row["measured_latency_samples"]
        same = measured == row["total_latency_samples"]
        table.add_row(
            str(row["sample_rate"]),
            str(row["hop"]),
            str(row["algorithmic_latency_samples"]),
            f"{row['algorithmic_latency_ms']:.1f}",
            str(row["buffer_latency_samples"]),
            str(row["total_latency_samples"]),
            f"{row['total_latency_ms']:.1f}",
            "none" if measured is None else str(measured),
            Text("equal", "green") if same else Text("not equal", "red"),
        )
    return table


def _rest(figures: Figures) -> Table:
    table = Table("measure", "figure", box=None, padding=(0, 2, 0, 0))
    cost, dropouts, message = (figures[name] for name in ("cost", "dropouts", "message"))
    table.add_row(Text("cost", "bold"), f"{cost['seconds']:.0f} s of stereo at {cost['sample_rate']} Hz")
    table.add_row("load", f"{100 * cost['load']:.1f} % of one core")
    table.add_row("time per hop", _times(cost))
    table.add_row(
        "99th of 100", f"{100 * cost['p99_share_of_hop']:.0f} % of a hop of {cost['hop_ms']:.2f} ms"
    )
    table.add_row("deadlines missed", str(cost["deadlines_missed"]))
    table.add_row("", "")
    if (why := dropouts.get("left_out")) is not None:
        table.add_row(Text("drop-outs", "bold"), f"left out: {why}")
    else:
        through = f"{dropouts['source']} through JACK, period {dropouts['period']}, {dropouts['seconds']:g} s"
        table.add_row(Text("drop-outs", "bold"), through)
        table.add_row("deadlines missed", str(dropouts["deadlines_missed"]))
        table.add_row("xruns", f"{dropouts['xruns']}; of a bare pass-through client {dropouts['bare_xruns']}")
        table.add_row("ring empty", str(dropouts["ring_empty"]))
        table.add_row("time per hop", _times(dropouts))
        table.add_row("sound", f"heard in {100 * dropouts['heard']:.0f} % of all looks")
    if (why := message.get("left_out")) is not None:
        table.add_row(Text("message to sound", "bold"), f"left out: {why}")
    else:
        times = f"median {message['message_ms_p50']:.1f} ms, max {message['message_ms_max']:.1f} ms"
        parts = f"hop {message['hop_ms']:.1f}, buffer {message['buffer_ms']:.1f}"
        table.add_row(Text("message to sound", "bold"), f"{times} ({message['messages']} messages; {parts})")
    return table


def _times(figures: Figures) -> str:
    return ", ".join(f"{name} {figures[f'hop_ms_{name}']:.2f} ms" for name in ("p50", "p99", "max"))
