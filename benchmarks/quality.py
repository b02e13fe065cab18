"""Style and texture distance and content kept, over real pairs: every recipe, beside the baselines.

    python -m benchmarks.quality                      all pairs; hours, most of them the published recipes'
    python -m benchmarks.quality --recipes transport gramophone --pairs guitar-tabla
    python -m benchmarks.quality --tuning             the pairs that settings were chosen on
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

from benchmarks.pairs import PAIRS, RATE, TUNING_PAIRS, Pair, load_pair
from benchmarks.tables import MEAN, Row, mean, save, table
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.measures.texture_distance import TextureMeter
from gramophone.models.style import Style
from gramophone.offline.recipes.registry import RECIPES, get_recipe
from gramophone.offline.render.baselines import BASELINES
from gramophone.offline.render.render import render
from gramophone.offline.render.strength import at_strength

OUTPUT = Path(__file__).parent / "output"
PUBLISHED_RATE = 22050
# The others take many hours on a processor, or keep nothing of the content: name them to see them.
BY_DEFAULT = ("gramophone", "transport", "ulyanov2016", "dipani2018")
STRENGTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
COLUMNS = (
    "raw",
    "centred",
    "texture",
    "kept",
    "onset",
    "energy",
    "mel",
    "pitch",
    "raw22k",
    "centred22k",
    "seconds",
)

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
    """Measures outputs for one pair, at 44.1 kHz and in the band that the published recipes work in."""

    def __init__(self, pair: Pair) -> None:
        self._content = pair.content
        self._full = StyleMeter(pair.content, pair.style, RATE)
        self._half = StyleMeter(pair.content, pair.style, RATE, rate=PUBLISHED_RATE)
        self._texture = TextureMeter(pair.content, pair.style, RATE)

    def row(self, output: Samples, seconds: float | None = None) -> Row:
        full, half = self._full.distance(output), self._half.distance(output)
        kept = content_kept(self._content, output, RATE)
        parts = (kept.overall, kept.onset, kept.energy, kept.mel, kept.pitch)
        texture = self._texture.distance(output).overall
        values = (full.raw, full.centred, texture, *parts, half.raw, half.centred, seconds)
        return dict(zip(COLUMNS, values, strict=True))

    def floor(self) -> Row:
        full, half = self._full.floor(), self._half.floor()
        texture = self._texture.floor()
        row: Row = dict.fromkeys(COLUMNS)
        row |= {"raw": full.raw, "centred": full.centred, "raw22k": half.raw, "centred22k": half.centred}
        row["texture"] = None if texture is None else texture.overall
        return row


def measure(
    pair: Pair, recipes: Sequence[str], changes: Mapping[str, object], *, seed: int
) -> tuple[dict[str, Row], list[Row]]:
    """Rows by name, and the default recipe's rows along the strengths."""
    judge = Judge(pair)
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


def at_equal_content(curve: Sequence[Row], kept: float) -> float:
    """Centred distance of the furthest strength on the curve that keeps at least so much content, interpolated."""
    points = [(float(r["kept"] or 0.0), float(r["centred"] or 0.0)) for r in curve]
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
    parser.add_argument("--tuning", action="store_true", help="the pairs that settings were chosen on")
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
    table_of = TUNING_PAIRS if args.tuning else PAIRS
    results: dict[str, dict[str, Row]] = {}
    curves: dict[str, list[Row]] = {}
    for name in args.pairs or list(table_of):
        results[name], curves[name] = measure(load_pair(name), args.recipes, changes, seed=args.seed)
        print(
            f"\n### {name}: {(PAIRS | TUNING_PAIRS)[name][2]}\n\n{table(results[name], COLUMNS)}", flush=True
        )

    names = list(next(iter(results.values())))
    means = {name: mean([rows[name] for rows in results.values()], COLUMNS) for name in names}
    print(f"\n### Mean over {len(results)} pairs\n\n{table(means, COLUMNS)}")
    if "gramophone" in args.recipes:
        along = {f"{s:.1f}": mean([c[i] for c in curves.values()], COLUMNS) for i, s in enumerate(STRENGTHS)}
        print(f"\n### The default recipe along the strengths, mean\n\n{table(along, COLUMNS[:-3])}")
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
    if list(results) == list(PAIRS) and not changes and args.recipes == list(BY_DEFAULT):
        save("quality", results | {MEAN: means}, COLUMNS)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "quality.json").write_text(json.dumps({"pairs": results, "curves": curves}, indent=1))


if __name__ == "__main__":
    main()
