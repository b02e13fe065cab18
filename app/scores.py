"""Measures outputs for one content and one style, and lays the figures out."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..offline.report.report import Row

    Samples = NDArray[np.float64]

FLOOR = "floor"

EXPLANATION = (
    "Style distance, raw and centred: 1.00 is the unchanged content, 0.00 has the style's own statistics; "
    "an equaliser alone lowers raw, hardly centred. The floor is the distance between the style's own halves: "
    "no method can be asked for less. "
    "Content kept is the mean of onsets, energy and mel (correlations with the content: 1.00 kept, "
    "0.00 unrelated); pitch is the share of notes kept."
)


def measure(
    content: "Samples",
    style: "Samples",
    outputs: "Mapping[str, Samples]",
    sample_rate: int,
    *,
    style_rate: int,
    baselines: bool,
    stage: Callable[[str], None],
) -> "list[Row]":
    """Measure outputs, then (if asked) the baselines that need no Gramophone, then the floor.

    Args:
        content, style, outputs: [channels, samples]. Content and outputs at `sample_rate` Hz, the style at
            `style_rate` Hz.
        stage: called with what is being done now

    Returns:
        One row each; the rows of `outputs` are highlighted.

    Raises:
        InputError: One of the sounds is silent.
    """
    stage("loading")
    from ..media.audiofile import resample
    from ..models.measures.content_kept import content_kept
    from ..models.measures.style_distance import StyleMeter
    from ..offline.render.baselines import BASELINES
    from ..offline.report.report import Row

    stage("measuring the style")
    meter = StyleMeter(content, style, sample_rate, style_rate=style_rate)

    def row(name: str, output: "Samples", *, highlight: bool) -> Row:
        stage(f"measuring {name}")
        distance, kept = meter.distance(output), content_kept(content, output, sample_rate)
        return Row(
            name=name,
            raw=distance.raw,
            centred=distance.centred,
            kept=kept.overall,
            onset=kept.onset,
            energy=kept.energy,
            mel=kept.mel,
            pitch=kept.pitch,
            highlight=highlight,
        )

    rows = [row(name, output, highlight=True) for name, output in outputs.items()]
    if baselines:
        at_rate = resample(style, style_rate, sample_rate)
        for name, baseline in BASELINES.items():
            rows.append(row(name, baseline(content, at_rate, sample_rate), highlight=False))
    floor = meter.floor()
    return [*rows, Row(name=FLOOR, raw=floor.raw, centred=floor.centred)]


def table(rows: "list[Row]") -> Table:
    """Lay the figures out for the terminal."""
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    grid.add_column("")
    for heading in ("raw", "centred", "content kept", "onsets", "energy", "mel", "pitch"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        values = (row.raw, row.centred, row.kept, row.onset, row.energy, row.mel, row.pitch)
        grid.add_row(row.name, *map(_figure, values), style="bold" if row.highlight else "")
    return grid


def as_json(rows: "list[Row]") -> dict[str, Any]:
    """Return the figures of one output (the first row) by stable keys; what is not measured is None."""
    first, *others, floor = rows
    result: dict[str, Any] = {**_entry(first), "floor": _distance(floor)}
    if others:
        result["baselines"] = {row.name: _entry(row) for row in others}
    return result


def _entry(row: "Row") -> dict[str, object]:
    kept = {"overall": row.kept, "onset": row.onset, "energy": row.energy, "mel": row.mel, "pitch": row.pitch}
    return {
        "style_distance": _distance(row),
        "content_kept": {key: _number(value) for key, value in kept.items()},
    }


def _distance(row: "Row") -> dict[str, float | None]:
    return {"raw": _number(row.raw), "centred": _number(row.centred)}


def _number(value: float | None) -> float | None:
    # JSON has no NaN.
    return value if value is not None and math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return "-" if _number(value) is None else f"{value:.2f}"
