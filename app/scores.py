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
    "an equaliser alone lowers raw, hardly centred. Free is the transposition-free distance: the same, whatever "
    "notes the style plays. The floor is the distance between the style's own halves: "
    "no method can be asked for less. "
    "Content kept is the mean of notes (partials found again, less chance; where there are any), onsets, energy "
    "and mel (correlations with the content): 1.00 kept, 0.00 unrelated."
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
    from ..models.measures.transposition_free import TranspositionFreeMeter
    from ..offline.render.baselines import BASELINES
    from ..offline.report.report import Row

    stage("measuring the style")
    meter = StyleMeter(content, style, sample_rate, style_rate=style_rate)
    free_meter = TranspositionFreeMeter(content, style, sample_rate, style_rate=style_rate)

    def row(name: str, output: "Samples", *, highlight: bool) -> Row:
        stage(f"measuring {name}")
        distance, free = meter.distance(output), free_meter.distance(output)
        kept = content_kept(content, output, sample_rate)
        return Row(
            name=name,
            raw=distance.raw,
            centred=distance.centred,
            free_raw=free.raw,
            free_centred=free.centred,
            kept=kept.overall,
            notes=kept.notes,
            onset=kept.onset,
            energy=kept.energy,
            mel=kept.mel,
            highlight=highlight,
        )

    rows = [row(name, output, highlight=True) for name, output in outputs.items()]
    if baselines:
        at_rate = resample(style, style_rate, sample_rate)
        for name, baseline in BASELINES.items():
            rows.append(row(name, baseline(content, at_rate, sample_rate), highlight=False))
    floor, free = meter.floor(), free_meter.floor()
    limit = Row(FLOOR, floor.raw, floor.centred, free_raw=free.raw, free_centred=free.centred)
    return [*rows, limit]


def table(rows: "list[Row]") -> Table:
    """Lay the figures out for the terminal."""
    grid = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    # Eighty columns hold the longest name and nine figures.
    grid.add_column("")
    for heading in ("raw", "centred", "free", "centred", "kept", "notes", "onsets", "energy", "mel"):
        grid.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        distances = (row.raw, row.centred, row.free_raw, row.free_centred)
        values = (*distances, row.kept, row.notes, row.onset, row.energy, row.mel)
        grid.add_row(row.name, *map(_figure, values), style="bold" if row.highlight else "")
    return grid


def as_json(rows: "list[Row]") -> dict[str, Any]:
    """Return the figures of one output (the first row) by stable keys; what is not measured is None."""
    first, *others, floor = rows
    limits = {"floor": _distance(floor.raw, floor.centred), "transposition_free_floor": _free(floor)}
    result: dict[str, Any] = {**_entry(first), **limits}
    if others:
        result["baselines"] = {row.name: _entry(row) for row in others}
    return result


def _entry(row: "Row") -> dict[str, object]:
    kept = {"overall": row.kept, "notes": row.notes, "onset": row.onset, "energy": row.energy, "mel": row.mel}
    return {
        "style_distance": _distance(row.raw, row.centred),
        "transposition_free_distance": _free(row),
        "content_kept": {key: _number(value) for key, value in kept.items()},
    }


def _free(row: "Row") -> dict[str, float | None]:
    return _distance(row.free_raw, row.free_centred)


def _distance(raw: float | None, centred: float | None) -> dict[str, float | None]:
    return {"raw": _number(raw), "centred": _number(centred)}


def _number(value: float | None) -> float | None:
    # JSON has no NaN.
    return value if value is not None and math.isfinite(value) else None


def _figure(value: float | None) -> str:
    return "-" if _number(value) is None else f"{value:.2f}"
