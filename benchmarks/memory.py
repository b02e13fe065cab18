"""Peak memory of a render against the length of the content: real stereo music, each length in a process of its own.

python -m benchmarks.memory [--seconds 10 60 180]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys

from benchmarks.pairs import RATE, load_pair
from models.style import Style
from offline.render import render

PAIR = "guitar-tabla"
# Memory does not grow with the number of steps.
FEW = {"gramophone": {"steps": 3}, "transport": {}}


def measure(recipe: str, seconds: float) -> float:
    """Peak resident memory of this process in gigabytes, after a render."""
    pair = load_pair(PAIR, seconds=seconds)
    style = Style.from_audio(load_pair(PAIR).style, RATE, name=PAIR)
    render(pair.content, RATE, style, recipe=recipe, settings=FEW[recipe])
    # Linux counts in kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0, 60.0, 180.0])
    parser.add_argument(
        "--one", choices=list(FEW), help="measure one recipe at the first length, in this process"
    )
    args = parser.parse_args()
    if args.one:
        print(f"{measure(args.one, args.seconds[0]):.2f}")
        return
    print("| recipe | " + " | ".join(f"{s:g} s" for s in args.seconds) + " |")
    print("|---" * (len(args.seconds) + 1) + "|")
    for recipe in FEW:
        peaks = []
        for seconds in args.seconds:
            command = [sys.executable, "-m", "benchmarks.memory", "--one", recipe, "--seconds", str(seconds)]
            peaks.append(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        print(f"| {recipe} | " + " | ".join(f"{peak} GB" for peak in peaks) + " |", flush=True)


if __name__ == "__main__":
    main()
