"""Time of the offline stage, on one pair and in one run.

    python -m benchmarks.offline [--pair guitar-tabla]

Renders with the published recipe dipani2018 (400 steps), measures how far it has come, and then finds how long
`transport` takes, and with how many steps and in what time `gramophone` gets, to a style distance as low or lower,
raw and centred. Prints times, ratios, and the times of both recipes at their full settings.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.pairs import PAIRS, RATE, load_pair
from models.distance import StyleDistance, StyleMeter
from models.style import Style
from offline.recipes import RECIPES
from offline.render import render

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

    def run(recipe: str, steps: int | None = None) -> tuple[float, StyleDistance]:
        start = time.perf_counter()
        rendering = render(pair.content, RATE, style, recipe=recipe, steps=steps)
        return time.perf_counter() - start, meter.distance(rendering.samples)

    # Threads, allocators and libraries are started by the first render, whatever it is.
    run("transport")
    seconds, goal = run("dipani2018")
    channels, samples = pair.content.shape
    print(f"{pair.name}: {samples / RATE:.0f} s, {channels} channels\n")
    print(
        "| recipe | steps | seconds | raw | centred | dipani2018's time / this |\n|---|---|---|---|---|---|"
    )

    def show(recipe: str, steps: object, taken: float, distance: StyleDistance) -> None:
        scores = f"{distance.raw:.2f} | {distance.centred:.2f}"
        print(f"| {recipe} | {steps} | {taken:.1f} | {scores} | {seconds / taken:.0f} |", flush=True)

    def reached(distance: StyleDistance) -> bool:
        return distance.raw <= goal.raw and distance.centred <= goal.centred

    show("dipani2018", 400, seconds, goal)
    taken, distance = run("transport")
    show("transport" + ("" if reached(distance) else " (does not get there)"), "-", taken, distance)
    for steps in STEPS:
        taken, distance = run("gramophone", steps)
        if reached(distance):
            show("gramophone, as far as dipani2018", steps, taken, distance)
            break
    else:
        show("gramophone (does not get there)", STEPS[-1], taken, distance)
    taken, distance = run("gramophone")
    show("gramophone, full", RECIPES["gramophone"].settings()["steps"], taken, distance)


if __name__ == "__main__":
    main()
