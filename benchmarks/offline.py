"""Time of the offline recipes: how much faster each is than a published one at the same quality. One run, hours.

    python -m benchmarks.offline [--pairs guitar-tabla drums-choir]

Renders each pair with the published recipes dipani2018 (400 steps) and ulyanov2016 (300 iterations), and measures how
far they come. Then goes through settings of `transport` and of `gramophone`, from cheap to dear, until a render is at
least as good in everything: raw and centred style distance, and content kept. The cheapest work at 22.05 kHz, as the
published recipes do; distances are measured at 44.1 kHz, whatever a render worked at. Times are those of whole renders,
on this machine, one at a time; of what takes less than ten seconds the median of three. Prints Markdown: each pair, and
at the end the mean over the pairs of how many times sooner, beside the targets; and the same of each recipe's own
settings, whatever they are better in.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.pairs import PAIRS, RATE, Pair, load_pair
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import Style
from gramophone.offline.render.render import render

Settings = Mapping[str, object]

RIVALS = ("dipani2018", "ulyanov2016")

# Half the rate, with frames of the same length in time.
_HALF: Settings = {"sample_rate": 22050, "n_fft": 1024, "hop": 256}

# From cheap to dear, the recipe's own settings last.
ROADS: dict[str, list[Settings]] = {
    "transport": [
        {**_HALF, "bands": 48, "rounds": 1, "phase_iterations": 2},
        {**_HALF, "bands": 96, "rounds": 1},
        {"bands": 48, "rounds": 1, "phase_iterations": 0},
        {**_HALF, "bands": 96},
        {"bands": 96, "rounds": 1},
        {**_HALF},
        {"bands": 96},
        {},
    ],
    "gramophone": [*({"steps": steps} for steps in (0, 5, 10, 20, 40)), {}],
}

# How many times sooner than each rival.
TARGETS = {"transport": 300.0, "gramophone": 20.0}


@dataclass(frozen=True)
class Result:
    """How long a render took, and how far it came."""

    seconds: float
    raw: float
    centred: float
    kept: float

    def reaches(self, other: Result) -> bool:
        """Whether it is at least as good in everything but time."""
        return self.raw <= other.raw and self.centred <= other.centred and self.kept >= other.kept


class Track:
    """One pair, its meter, and every render of it that has been timed."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._style = Style.from_audio(pair.style, RATE, name=pair.name)
        self._meter = StyleMeter(pair.content, pair.style, RATE)
        self._done: dict[tuple[str, str], Result] = {}

    def result(self, recipe: str, settings: Settings) -> Result:
        """Render, time and measure; or what came of it the last time."""
        key = recipe, str(settings)
        # The published recipes keep no notes, so ours are compared with them without.
        whole = settings if recipe in RIVALS else {"notes": 0.0, **settings}
        if key not in self._done:
            seconds: list[float] = []
            samples = None
            while not seconds or (len(seconds) < 3 and seconds[0] < 10.0):
                start = time.perf_counter()
                samples = render(self._pair.content, RATE, self._style, recipe=recipe, settings=whole).samples
                seconds.append(time.perf_counter() - start)
            assert samples is not None
            distance = self._meter.distance(samples)
            kept = content_kept(self._pair.content, samples, RATE).overall
            self._done[key] = Result(statistics.median(seconds), distance.raw, distance.centred, kept)
        return self._done[key]

    def first_to_arrive(self, recipe: str, goal: Result) -> tuple[Settings, Result] | None:
        """The cheapest settings of a recipe whose render is as good as `goal`."""
        for settings in ROADS[recipe]:
            if (result := self.result(recipe, settings)).reaches(goal):
                return settings, result
        return None


def _cells(result: Result) -> str:
    return f"{result.seconds:.2f} | {result.raw:.2f} | {result.centred:.2f} | {result.kept:.2f}"


Ratios = dict[tuple[str, str, bool], float | None]


def measure(name: str) -> Ratios:
    """Print one pair's table.

    Returns:
        By recipe, rival and whether it is at the recipe's own settings, how many times sooner; None where no setting,
        or not its own, comes as far.
    """
    pair = load_pair(name)
    track = Track(pair)
    channels, samples = pair.content.shape
    print(f"\n### {name}: {samples / RATE:.0f} s, {channels} channels\n")
    print(
        "| recipe | settings | seconds | raw | centred | kept | as good as | times sooner |\n"
        + "|---" * 8
        + "|"
    )
    ratios: Ratios = {}
    for rival in RIVALS:
        print(f"| {rival} | its own | {_cells(track.result(rival, {}))} | - | 1 |", flush=True)
    for recipe in ROADS:
        for rival in RIVALS:
            goal, own = track.result(rival, {}), track.result(recipe, {})
            found = track.first_to_arrive(recipe, goal)
            ratios[recipe, rival, False] = None if found is None else goal.seconds / found[1].seconds
            ratios[recipe, rival, True] = goal.seconds / own.seconds if own.reaches(goal) else None
            if found is None:
                print(f"| {recipe} | does not come as far | - | - | - | - | {rival} | - |", flush=True)
                continue
            settings, result = found
            listed = ", ".join(f"{key}={value}" for key, value in settings.items()) or "its own"
            sooner = goal.seconds / result.seconds
            print(f"| {recipe} | {listed} | {_cells(result)} | {rival} | {sooner:.0f} |", flush=True)
        print(f"| {recipe} | its own | {_cells(track.result(recipe, {}))} | - | - |", flush=True)
    return ratios


def summary(ratios: Sequence[Ratios]) -> str:
    """Means over the pairs beside the targets, as a table."""
    lines = [
        "| recipe | settings | as good as | pairs | times faster, mean | least | target |",
        "|---" * 7 + "|",
    ]
    for recipe, target in TARGETS.items():
        for rival in RIVALS:
            for own in (False, True):
                found = [value for one in ratios if (value := one[recipe, rival, own]) is not None]
                mean, least = (f"{f(found):.0f}" if found else "-" for f in (statistics.fmean, min))
                what, goal = ("its own", "-") if own else ("the cheapest", f"{target:.0f}")
                share = f"{len(found)} of {len(ratios)}"
                lines.append(f"| {recipe} | {what} | {rival} | {share} | {mean} | {least} | {goal} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pairs", nargs="+", default=list(PAIRS), choices=list(PAIRS), help="names of pairs (default: all)"
    )
    args = parser.parse_args()
    # Threads, allocators and libraries are started by the first render, whatever it is.
    first = load_pair(args.pairs[0], seconds=3.0)
    render(first.content, RATE, Style.from_audio(first.style, RATE, name=first.name), settings={"steps": 2})
    ratios = [measure(name) for name in args.pairs]
    print(f"\n### Over {len(ratios)} pairs\n\n{summary(ratios)}")


if __name__ == "__main__":
    main()
