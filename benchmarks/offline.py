"""Time of the offline stage, on one pair and in one run.

    python -m benchmarks.offline [--pair guitar-tabla]

Renders with the published recipe dipani2018 (400 steps) and measures how far it has come. Then finds the cheapest of
`transport`'s settings, and the fewest steps of `gramophone`, that come to a style distance as low or lower, raw and
centred. Prints times, ratios, and the times of both recipes at their full settings.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from benchmarks.pairs import PAIRS, RATE, load_pair
from models.distance import StyleDistance, StyleMeter
from models.style import Style
from offline.render import render

Settings = Mapping[str, object]

# From cheap to dear.
TRANSPORTS: list[Settings] = [
    {"bands": 96, "rounds": 1, "phase_iterations": 4},
    {"rounds": 1},
    {},
]
STEPS = (0, 5, 10, 20, 40, 80, 160, 320)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pair", default="guitar-tabla", choices=list(PAIRS))
    args = parser.parse_args()
    pair = load_pair(args.pair)
    style = Style.from_audio(pair.style, RATE, name=pair.name)
    meter = StyleMeter(pair.content, pair.style, RATE)

    def run(recipe: str, settings: Settings) -> tuple[float, StyleDistance]:
        start = time.perf_counter()
        rendering = render(pair.content, RATE, style, recipe=recipe, settings=settings)
        return time.perf_counter() - start, meter.distance(rendering.samples)

    # Threads, allocators and libraries are started by the first render, whatever it is.
    run("transport", {})
    seconds, goal = run("dipani2018", {})
    channels, samples = pair.content.shape
    print(f"{pair.name}: {samples / RATE:.0f} s, {channels} channels\n")
    print(
        "| recipe | settings | seconds | raw | centred | dipani2018's time / this |\n|---|---|---|---|---|---|"
    )

    def show(recipe: str, settings: Settings, taken: float, distance: StyleDistance) -> None:
        listed = ", ".join(f"{key}={value}" for key, value in settings.items()) or "its own"
        scores = f"{distance.raw:.2f} | {distance.centred:.2f}"
        print(f"| {recipe} | {listed} | {taken:.1f} | {scores} | {seconds / taken:.0f} |", flush=True)

    def first_to_arrive(recipe: str, candidates: Sequence[Settings]) -> None:
        for settings in candidates:
            taken, distance = run(recipe, settings)
            if distance.raw <= goal.raw and distance.centred <= goal.centred:
                show(recipe, settings, taken, distance)
                return
        print(f"| {recipe} | does not come as far | - | - | - | - |")

    show("dipani2018", {}, seconds, goal)
    first_to_arrive("transport", TRANSPORTS)
    first_to_arrive("gramophone", [{"steps": steps} for steps in STEPS])
    for recipe in ("transport", "gramophone"):
        show(recipe, {}, *run(recipe, {}))


if __name__ == "__main__":
    main()
