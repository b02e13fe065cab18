"""The frontier: style distance against content kept, along every setting that trades one for the other.

    python -m benchmarks.frontier                    judged and fresh pairs: some hours on one core
    python -m benchmarks.frontier --on tuning --pairs piano-rub

Distance is the transposition-free one, the mean of raw and centred; content kept is the mean of its parts. Each curve
is a way of making an output with one setting turned: its points are means over the pairs of a set. A curve that lies
below another gives more style for the same content. The last table asks for each pair how near the default recipe comes
where it keeps as much content as a rival does, at the rival's best point: the default recipe goes from the unchanged
content along the strength at notes 1, then along the notes to 0.

Renders are shared with benchmarks/quality.py, and what was measured is kept beside them in benchmarks/output, so that
an interrupted run goes on where it was; after a change of an algorithm or a measure, remove both. Writes
docs/measurements/frontier.csv and docs/images/frontier.svg where it ran over whole sets, or with --save.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairs import RATE, SETS, Pair, load_pair
from benchmarks.quality import OUTPUT, at_equal_content, rendered
from benchmarks.tables import DOCS, Row, mean, save, table
from gramophone.dsp.level import at_reference
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.offline.render.baselines import channel_vocoder, half_mix, matched_equaliser
from gramophone.offline.render.strength import at_strength

COLUMNS = ("distance", "free raw", "free centred", "kept", "notes", "onset", "energy", "mel")
RECIPES = ("gramophone", "transport")
STRENGTHS = ("0.25", "0.5", "0.75", "1")
NOTES = ("1", "0.5", "0")
RIVALS = ("matched equaliser", "mix", "channel vocoder", "gramophone, notes 0, strength")
END = ("gramophone, notes 0, strength", "1")
# What two decimals do not show.
ALIKE = 0.005
UNCHANGED: Row = dict.fromkeys(COLUMNS, 1.0)
PICTURE = DOCS / "images" / "frontier.svg"

Samples = NDArray[np.float64]
Point = tuple[str, str]
Rows = Mapping[Point, Row]


def outputs(pair: Pair, *, seed: int) -> Iterator[tuple[Point, Callable[[], Samples]]]:
    """Curve and point on it of everything that stands in the plot, and what makes the output."""

    @cache
    def equalised() -> Samples:
        return matched_equaliser(pair.content, pair.style, RATE)

    @cache
    def vocoded() -> Samples:
        return channel_vocoder(pair.content, pair.style, RATE)

    def full(recipe: str, notes: str) -> Samples:
        return rendered(pair, recipe, {"notes": float(notes)}, seed=seed)[0]

    def mixed(share: float) -> Samples:
        # Content and style at one loudness.
        ours = at_reference(pair.content, RATE)
        theirs = at_reference(2.0 * half_mix(pair.content, pair.style, RATE) - pair.content, RATE)
        return (1.0 - share) * ours + share * theirs

    def weaker(make: Callable[[], Samples], strength: str) -> Samples:
        return at_strength(pair.content, make(), RATE, float(strength))

    for share in STRENGTHS[:-1]:
        yield ("mix", share), partial(mixed, float(share))
    for strength in STRENGTHS:
        yield ("matched equaliser", strength), partial(weaker, equalised, strength)
        yield ("channel vocoder", strength), partial(weaker, vocoded, strength)
    for recipe in RECIPES:
        # Along the strengths at either end of the notes, then along the notes at full strength.
        for notes in (NOTES[0], NOTES[-1]):
            for strength in STRENGTHS:
                curve = f"{recipe}, notes {notes}, strength"
                yield (curve, strength), partial(weaker, partial(full, recipe, notes), strength)
        yield (f"{recipe}, notes", NOTES[1]), partial(full, recipe, NOTES[1])


def measure(pair: Pair, *, seed: int) -> dict[Point, Row]:
    """Rows by curve and point, those of the last run taken from its file."""
    path = OUTPUT / f"frontier.{pair.name}.{seed}.json"
    known: dict[str, Row] = json.loads(path.read_text()) if path.exists() else {}
    meter = cache(lambda: TranspositionFreeMeter(pair.content, pair.style, RATE))
    rows: dict[Point, Row] = {}
    for point, make in outputs(pair, seed=seed):
        name = " ".join(point)
        if name not in known:
            print(f"{pair.name}: {name}", file=sys.stderr, flush=True)
            samples = make()
            distance, kept = meter().distance(samples), content_kept(pair.content, samples, RATE)
            both = (distance.raw + distance.centred) / 2.0
            parts = (kept.overall, kept.notes, kept.onset, kept.energy, kept.mel)
            known[name] = dict(zip(COLUMNS, (both, distance.raw, distance.centred, *parts), strict=True))
            OUTPUT.mkdir(exist_ok=True)
            beside = path.with_suffix(".part")
            beside.write_text(json.dumps(known))
            beside.rename(path)
        rows[point] = known[name]
    return rows


def curves(rows: Rows) -> dict[str, list[Row]]:
    """What the plot shows: curves along the strengths begin at the unchanged content, those along the notes at 1."""
    found: dict[str, list[Row]] = {}
    for (curve, _), row in rows.items():
        found.setdefault(curve, [UNCHANGED] if not curve.endswith("notes") else []).append(row)
    for recipe in RECIPES:
        ends = [rows[f"{recipe}, notes {notes}, strength", "1"] for notes in (NOTES[0], NOTES[-1])]
        found[f"{recipe}, notes"] = [ends[0], *found[f"{recipe}, notes"], ends[1]]
    return found


def whole_way(rows: Rows) -> list[Row]:
    """From the unchanged content to the default recipe without its notes: along the strength, then along the notes."""
    found = curves(rows)
    return [*found["gramophone, notes 1, strength"], *found["gramophone, notes"][1:]]


def compared(results: Mapping[str, Rows]) -> str:
    """The default recipe and each rival at equal content kept, pair by pair, in Markdown.

    Of a rival's points it is the one at which it does best: ours less theirs is highest in the mean distance.
    """
    lines = [f"| pair | {' | '.join(RIVALS)} |", "|---" * (len(RIVALS) + 1) + "|"]
    for name, rows in results.items():
        cells = []
        for rival in RIVALS:
            # At strength 1 without notes it is where the way ends.
            points = [row for (curve, at), row in rows.items() if curve == rival and (curve, at) != END]
            cells.append(_closest(whole_way(rows), points))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _closest(way: list[Row], rival: list[Row]) -> str:
    def both(row: Row, column: str) -> tuple[float, float]:
        return at_equal_content(way, float(row["kept"] or 0.0), column), float(row[column] or 0.0)

    best = max(rival, key=lambda row: np.subtract(*both(row, "distance")))
    ours, theirs = both(best, "distance")
    lost = [
        column.removeprefix("free ") for column in COLUMNS[1:3] if np.subtract(*both(best, column)) > ALIKE
    ]
    note = " (lost)" if ours > theirs + ALIKE else f" ({lost[0]} lost)" if lost else ""
    return f"{ours:.2f} against {theirs:.2f} at {best['kept']:.2f}{note}"


def draw(results: Mapping[str, Rows]) -> None:
    """One chart a set: content kept to the right, distance upwards, so that right and down is better."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same file from the same figures.
    matplotlib.rcParams.update({"svg.hashsalt": "frontier", "svg.fonttype": "none"})
    figure, charts = pyplot.subplots(1, len(results), figsize=(5.5 * len(results), 5.0), squeeze=False)
    for chart, (group, rows) in zip(charts[0], results.items(), strict=True):
        for number, (curve, points) in enumerate(curves(rows).items()):
            ours = curve.startswith(RECIPES)
            chart.plot(
                [row["kept"] for row in points],
                [row["distance"] for row in points],
                marker="o" if ours else "x",
                markersize=4,
                linestyle="-" if ours else "--",
                color=f"C{number}",
                label=curve,
            )
        chart.plot([1.0], [1.0], marker="s", color="black", linestyle="", label="content unchanged")
        chart.set(title=f"{group} pairs", xlabel="content kept", ylabel="transposition-free style distance")
        chart.set(xlim=(0.0, 1.03), ylim=(0.0, 1.1))
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
    parser.add_argument("--save", action="store_true", help="write the files also for some of the pairs")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    means: dict[str, dict[Point, Row]] = {}
    flat: dict[str, dict[str, Row]] = {}
    for group in args.on:
        names = [name for name in SETS[group] if not args.pairs or name in args.pairs]
        if not names:
            continue
        found = {name: measure(load_pair(name), seed=args.seed) for name in names}
        points = list(found[names[0]])
        means[f"{len(names)} {group}"] = here = {
            point: mean([rows[point] for rows in found.values()], COLUMNS) for point in points
        }
        for name, rows in (*found.items(), (group, here)):
            flat[name] = {" ".join(point): row for point, row in rows.items()}
        print(f"\n### {group}\n\n{table(flat[group], COLUMNS)}\n\n{compared(found)}", flush=True)
    if args.save or not args.pairs:
        save("frontier", flat, COLUMNS)
        draw(means)


if __name__ == "__main__":
    main()
