"""The frontier: style distance against content kept, along every setting that trades one for the other.

    python -m benchmarks.frontier                    judged and fresh pairs
    python -m benchmarks.frontier --on tuning --pairs piano-rub

Distance is the transposition-free one, the mean of raw and centred; content kept is the mean of its parts. Each curve
is a way of making an output with one setting turned: its points are means over the pairs of a set. A curve that lies
below another gives more style for the same content. Renders are shared with benchmarks/quality.py. Writes
docs/measurements/frontier.csv and docs/images/frontier.svg where it ran over whole sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import RATE, SETS, Pair, load_pair
from benchmarks.quality import rendered
from benchmarks.tables import DOCS, Row, mean, save, table
from gramophone.dsp.level import at_reference
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.render.baselines import channel_vocoder, half_mix, matched_equaliser
from gramophone.offline.render.strength import at_strength

COLUMNS = ("distance", "free raw", "free centred", "kept", "notes", "onset", "energy", "mel")
STRENGTHS = (0.5, 1.0)
NOTES = (0.0, 0.5, 1.0)
PICTURE = DOCS / "images" / "frontier.svg"

Samples = NDArray[np.float64]
Results = Mapping[str, Mapping[str, Mapping[str, Row]]]


def outputs(pair: Pair, *, seed: int) -> Iterator[tuple[str, str, Samples]]:
    """Curve, point on it, and output of everything that stands in the plot."""
    equalised = matched_equaliser(pair.content, pair.style, RATE)
    vocoded = channel_vocoder(pair.content, pair.style, RATE)
    # Content and style at one loudness, at each share of the style.
    ours = at_reference(pair.content, RATE)
    theirs = at_reference(2.0 * half_mix(pair.content, pair.style, RATE) - pair.content, RATE)
    for share in (0.25, 0.5, 0.75):
        yield "mix", f"{share:g}", (1.0 - share) * ours + share * theirs
    for strength in STRENGTHS:
        yield "matched equaliser", f"{strength:g}", at_strength(pair.content, equalised, RATE, strength)
        yield "channel vocoder", f"{strength:g}", at_strength(pair.content, vocoded, RATE, strength)
    for recipe in ("transport", "gramophone"):
        known = get_recipe(recipe, {}).settings()
        # Along the strengths at either end of the notes, then along the notes at full strength.
        ends = (0.0, 1.0) if "notes" in known else (None,)
        for notes in ends:
            samples, _ = rendered(pair, recipe, {} if notes is None else {"notes": notes}, seed=seed)
            for strength in STRENGTHS:
                curve = f"{recipe}, strength" if notes is None else f"{recipe}, notes {notes:g}, strength"
                yield curve, f"{strength:g}", at_strength(pair.content, samples, RATE, strength)
        if "notes" in known:
            for notes in NOTES:
                yield f"{recipe}, notes", f"{notes:g}", rendered(pair, recipe, {"notes": notes}, seed=seed)[0]


def measure(pair: Pair, *, seed: int) -> dict[tuple[str, str], Row]:
    """Rows by curve and point."""
    meter = TranspositionFreeMeter(pair.content, pair.style, RATE)
    rows: dict[tuple[str, str], Row] = {}
    for curve, at, samples in outputs(pair, seed=seed):
        distance, kept = meter.distance(samples), content_kept(pair.content, samples, RATE)
        both = (distance.raw + distance.centred) / 2.0
        parts = (kept.overall, kept.notes, kept.onset, kept.energy, kept.mel)
        rows[curve, at] = dict(zip(COLUMNS, (both, distance.raw, distance.centred, *parts), strict=True))
    return rows


def draw(results: Results) -> None:
    """One chart a set: content kept to the right, distance upwards, so that right and down is better."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same file from the same figures.
    matplotlib.rcParams["svg.hashsalt"] = "frontier"
    figure, charts = pyplot.subplots(1, len(results), figsize=(5.5 * len(results), 5.0), squeeze=False)
    for chart, (group, curves) in zip(charts[0], results.items(), strict=True):
        for number, (curve, points) in enumerate(curves.items()):
            ours = curve.startswith(("gramophone", "transport"))
            chart.plot(
                [row["kept"] for row in points.values()],
                [row["distance"] for row in points.values()],
                marker="o" if ours else "x",
                markersize=4,
                linestyle="-" if ours else "--",
                color=f"C{number}",
                label=curve,
            )
        chart.plot([1.0], [1.0], marker="s", color="black", linestyle="", label="content unchanged")
        chart.set(title=f"{group} pairs", xlabel="content kept", ylabel="transposition-free style distance")
        chart.set_ylim(bottom=0.0)
        chart.grid(alpha=0.3)
    charts[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(PICTURE, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--on", nargs="+", default=["judged", "fresh"], choices=list(SETS))
    parser.add_argument("--pairs", nargs="+", help="names of pairs (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    results: dict[str, dict[str, dict[str, Row]]] = {}
    for group in args.on:
        names = [name for name in SETS[group] if not args.pairs or name in args.pairs]
        measured = [measure(load_pair(name), seed=args.seed) for name in names]
        for curve, at in measured[0] if measured else ():
            row = mean([rows[curve, at] for rows in measured], COLUMNS)
            results.setdefault(group, {}).setdefault(curve, {})[at] = row
    flat = {
        group: {f"{curve} {at}": row for curve, points in curves.items() for at, row in points.items()}
        for group, curves in results.items()
    }
    for group, rows in flat.items():
        print(f"\n### {group}\n\n{table(rows, COLUMNS)}", flush=True)
    if not args.pairs:
        save("frontier", flat, COLUMNS)
        draw(results)


if __name__ == "__main__":
    main()
