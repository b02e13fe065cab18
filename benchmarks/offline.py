"""Time of the offline stage: how long each recipe takes to come as far as the published ones do. One run, hours.

    python -m benchmarks.offline [--pairs guitar-tabla drums-choir]

Renders each pair with the published recipes dipani2018 (400 steps) and ulyanov2016 (300 iterations), and measures how
far they come. Then goes through settings of `transport` and of `gramophone`, from cheap to dear, until a render is at
least as good in everything: raw and centred style distance, and content kept. Times are those of whole renders, on
this machine, one at a time; of what takes less than ten seconds the median of three. Prints Markdown: each pair, and
at the end the mean over the pairs of how many times sooner, beside the targets.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.pairs import PAIRS, RATE, Pair, load_pair
from models.content import content_kept
from models.distance import StyleMeter
from models.style import Style
from offline.render import render

Settings = Mapping[str, object]

RIVALS = ("dipani2018", "ulyanov2016")

# From cheap to dear, the recipe's own settings last.
ROADS: dict[str, list[Settings]] = {
    "transport": [
        {"bands": 96, "rounds": 1, "phase_iterations": 0},
        {"bands": 96, "rounds": 1, "phase_iterations": 4},
        {"bands": 96},
        {"rounds": 1},
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
        if key not in self._done:
            seconds: list[float] = []
            samples = None
            while not seconds or (len(seconds) < 3 and seconds[0] < 10.0):
                start = time.perf_counter()
                samples = render(
                    self._pair.content, RATE, self._style, recipe=recipe, settings=settings
                ).samples
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


def measure(name: str) -> dict[tuple[str, str], float | None]:
    """Print one pair's table; by recipe and rival, how many times sooner, None where it does not come as far."""
    pair = load_pair(name)
    track = Track(pair)
    channels, samples = pair.content.shape
    print(f"\n### {name}: {samples / RATE:.0f} s, {channels} channels\n")
    print(
        "| recipe | settings | seconds | raw | centred | kept | as good as | times sooner |\n"
        + "|---" * 8
        + "|"
    )
    ratios: dict[tuple[str, str], float | None] = {}
    for rival in RIVALS:
        print(f"| {rival} | its own | {_cells(track.result(rival, {}))} | - | 1 |", flush=True)
    for recipe in ROADS:
        for rival in RIVALS:
            goal = track.result(rival, {})
            found = track.first_to_arrive(recipe, goal)
            ratios[recipe, rival] = None if found is None else goal.seconds / found[1].seconds
            if found is None:
                print(f"| {recipe} | does not come as far | - | - | - | - | {rival} | - |", flush=True)
                continue
            settings, result = found
            listed = ", ".join(f"{key}={value}" for key, value in settings.items()) or "its own"
            sooner = goal.seconds / result.seconds
            print(f"| {recipe} | {listed} | {_cells(result)} | {rival} | {sooner:.0f} |", flush=True)
        print(f"| {recipe} | its own | {_cells(track.result(recipe, {}))} | - | - |", flush=True)
    return ratios


def summary(ratios: Sequence[Mapping[tuple[str, str], float | None]]) -> str:
    """Means over the pairs beside the targets, as a table."""
    lines = ["| recipe | as good as | pairs | mean times sooner | least | target |", "|---" * 6 + "|"]
    for recipe in ROADS:
        for rival in RIVALS:
            found = [value for one in ratios if (value := one[recipe, rival]) is not None]
            mean, least = (f"{f(found):.0f}" if found else "-" for f in (statistics.fmean, min))
            share = f"{len(found)} of {len(ratios)}"
            lines.append(f"| {recipe} | {rival} | {share} | {mean} | {least} | {TARGETS[recipe]:.0f} |")
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
