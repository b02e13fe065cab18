"""Style and texture distance and content kept, over real pairs: every recipe, beside the baselines.

    python -m benchmarks.quality                      the judged pairs: half an hour
    python -m benchmarks.quality --recipes transport gramophone --pairs guitar-tabla
    python -m benchmarks.quality --on fresh tuning   pairs that no setting was chosen on, and those that they were
    python -m benchmarks.quality --learned            networks of others as judges too, see benchmarks/learned.py
    python -m benchmarks.quality --recipes grinstein2017 --set network=texture --set steps=100

Renders are kept in benchmarks/output and used again while their settings stay the same, so that an interrupted run
goes on where it was; after a change of an algorithm, remove them. Times are those of the run that made a render;
benchmarks/offline.py compares times.
Prints Markdown and writes benchmarks/output/quality.json.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.learned import LearnedJudge
from benchmarks.pairs import ALL_PAIRS, RATE, SETS, Pair, load_pair
from benchmarks.tables import MEAN, Row, mean, save, table
from benchmarks.texture_distance import TextureMeter
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.models.style import Style
from gramophone.offline.recipes.registry import RECIPES, get_recipe
from gramophone.offline.render.baselines import BASELINES
from gramophone.offline.render.render import render
from gramophone.offline.render.strength import at_strength

OUTPUT = Path(__file__).parent / "output"
# The published ones take hours on a processor: name them to see them.
BY_DEFAULT = ("gramophone", "transport")
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COLUMNS = (
    "raw",
    "centred",
    "free raw",
    "free centred",
    "texture",
    "kept",
    "notes",
    "onset",
    "energy",
    "mel",
    "seconds",
)
LEARNED_COLUMNS = ("kad", "note F1")

Samples = NDArray[np.float64]


def rendered(pair: Pair, recipe: str, changes: Mapping[str, object], *, seed: int) -> tuple[Samples, float]:
    """A render and the seconds that it took, from the folder of renders where it is there already."""
    settings = json.dumps(get_recipe(recipe, changes).settings(), sort_keys=True)
    key = hashlib.sha256(f"{settings} {seed} {pair.content.shape}".encode()).hexdigest()[:12]
    path = OUTPUT / f"{pair.name}.{recipe}.{key}.npz"
    if not path.exists():
        print(f"{pair.name}: rendering with {recipe} ...", file=sys.stderr, flush=True)
        style = Style.from_audio(pair.style, RATE, name=pair.name)
        rendering = render(pair.content, RATE, style, recipe=recipe, settings=changes, seed=seed)
        OUTPUT.mkdir(exist_ok=True)
        beside = path.with_suffix(".part.npz")
        np.savez(beside, samples=rendering.samples, seconds=sum(rendering.seconds.values()))
        beside.rename(path)
    with np.load(path) as stored:
        return stored["samples"], float(stored["seconds"])


class Judge:
    """Measures outputs for one pair; with `learned`, by the published networks too."""

    def __init__(self, pair: Pair, *, learned: bool = False) -> None:
        self._content = pair.content
        self._style = StyleMeter(pair.content, pair.style, RATE)
        self._free = TranspositionFreeMeter(pair.content, pair.style, RATE)
        self._texture = TextureMeter(pair.content, pair.style, RATE)
        self._learned = LearnedJudge(pair.content, pair.style, RATE) if learned else None

    def row(self, output: Samples, seconds: float | None = None) -> Row:
        distance, free = self._style.distance(output), self._free.distance(output)
        kept = content_kept(self._content, output, RATE)
        texture = self._texture.distance(output).overall
        parts = (kept.overall, kept.notes, kept.onset, kept.energy, kept.mel)
        values = (distance.raw, distance.centred, free.raw, free.centred, texture, *parts, seconds)
        row: Row = dict(zip(COLUMNS, values, strict=True))
        if self._learned is not None:
            judged = self._learned.row(output)
            row |= dict(zip(LEARNED_COLUMNS, judged, strict=True))
        return row

    def floor(self) -> Row:
        distance, free, texture = self._style.floor(), self._free.floor(), self._texture.floor()
        row: Row = dict.fromkeys((*COLUMNS, *LEARNED_COLUMNS))
        row |= {"raw": distance.raw, "centred": distance.centred}
        row |= {"free raw": free.raw, "free centred": free.centred}
        row["texture"] = None if texture is None else texture.overall
        return row


def measure(
    pair: Pair, recipes: Sequence[str], changes: Mapping[str, object], *, seed: int, learned: bool
) -> tuple[dict[str, Row], list[Row]]:
    """Rows by name, and the default recipe's rows along the strengths."""
    judge = Judge(pair, learned=learned)
    rows: dict[str, Row] = {"content unchanged": judge.row(pair.content)}
    for name, baseline in BASELINES.items():
        rows[name] = judge.row(baseline(pair.content, pair.style, RATE))
    curve: list[Row] = []
    for recipe in recipes:
        samples, seconds = rendered(pair, recipe, changes, seed=seed)
        rows[recipe] = judge.row(samples, seconds)
        if recipe == "gramophone":
            # The stored render has been brought to its level already; below 1 that happens once more, to little effect.
            steps = [at_strength(pair.content, samples, RATE, s) for s in STRENGTHS[:-1]]
            curve = [*(judge.row(step) for step in steps), rows[recipe]]
    rows["floor"] = judge.floor()
    return rows, curve


def at_equal_content(curve: Sequence[Row], kept: float, column: str = "centred") -> float:
    """A distance at the furthest point on the curve that keeps at least so much content, interpolated."""
    points = [(float(r["kept"] or 0.0), float(r[column] or 0.0)) for r in curve]
    if points[-1][0] >= kept:
        return points[-1][1]
    for (k0, c0), (k1, c1) in reversed(list(itertools.pairwise(points))):
        if k1 < kept <= k0:
            return c1 + (c0 - c1) * (kept - k1) / (k0 - k1)
    return points[0][1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", nargs="+", help="names of pairs (default: all)")
    parser.add_argument("--on", nargs="+", default=["judged"], choices=list(SETS), help="which sets of pairs")
    parser.add_argument("--learned", action="store_true", help="networks of others as judges too")
    parser.add_argument("--recipes", nargs="+", default=list(BY_DEFAULT), choices=list(RECIPES))
    parser.add_argument(
        "--set",
        dest="changes",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another setting, of all the recipes named",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if wrong := [change for change in args.changes if "=" not in change]:
        parser.error(f"--set {wrong[0]} must be KEY=VALUE")
    changes = dict(change.split("=", 1) for change in args.changes)
    columns = COLUMNS + (LEARNED_COLUMNS if args.learned else ())
    results: dict[str, dict[str, Row]] = {}
    curves: dict[str, list[Row]] = {}
    for group in args.on:
        wanted = [name for name in SETS[group] if not args.pairs or name in args.pairs]
        if not wanted:
            continue
        for name in wanted:
            pair = load_pair(name)
            results[name], curves[name] = measure(
                pair, args.recipes, changes, seed=args.seed, learned=args.learned
            )
            print(f"\n### {name}: {ALL_PAIRS[name][2]}\n\n{table(results[name], columns)}", flush=True)
        here = {name: results[name] for name in wanted}
        means = summary(group, here, {name: curves[name] for name in wanted}, args.recipes, columns)
        whole = wanted == list(SETS[group]) and not changes and args.recipes == list(BY_DEFAULT)
        if whole and not args.learned:
            save("quality" if group == "judged" else f"quality-{group}", here | {MEAN: means}, COLUMNS)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "quality.json").write_text(json.dumps({"pairs": results, "curves": curves}, indent=1))


def summary(
    group: str,
    results: Mapping[str, Mapping[str, Row]],
    curves: Mapping[str, Sequence[Row]],
    recipes: Sequence[str],
    columns: Sequence[str],
) -> dict[str, Row]:
    """Print what a set of pairs says as a whole; its means by the name of the output."""
    names = list(next(iter(results.values())))
    means = {name: mean([rows[name] for rows in results.values()], columns) for name in names}
    print(f"\n### Mean over {len(results)} pairs: {group}\n\n{table(means, columns)}")
    if "gramophone" in recipes:
        along = {f"{s:.1f}": mean([c[i] for c in curves.values()], COLUMNS) for i, s in enumerate(STRENGTHS)}
        print(f"\n### The default recipe along the strengths, mean\n\n{table(along, COLUMNS[:-1])}")
        rivals = [n for n in names if n not in ("content unchanged", "floor", "gramophone", "transport")]
        print("\n### Centred distance of the default recipe where it keeps as much content as each rival\n")
        print("| pair | " + " | ".join(rivals) + " |\n" + "|---" * (len(rivals) + 1) + "|")
        for pair, rows in results.items():
            cells = []
            for rival in rivals:
                theirs = float(rows[rival]["centred"] or 0.0)
                ours = at_equal_content(curves[pair], float(rows[rival]["kept"] or 0.0))
                cells.append(f"{ours:.2f} against {theirs:.2f}" + ("" if ours <= theirs else " (lost)"))
            print(f"| {pair} | " + " | ".join(cells) + " |")
    return means


if __name__ == "__main__":
    main()
