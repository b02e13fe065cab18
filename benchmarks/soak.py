"""An evening in minutes: the live chain played without a break, as fast as possible, with knobs turning.

    python -m benchmarks.soak [--minutes 60]

Prints resident memory, whether all that the stylizer has learnt is finite, and the output's level as it goes, and ends
with an error if memory grew by more than 5 % after the first tenth, or anything was not finite. Linux only (/proc).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.pairs import RATE, load_pair
from gramophone.models.live.stylizer import StylizerSettings
from gramophone.models.style import Style
from gramophone.plugins.live_chain import live_chain

BLOCK = 128


def resident() -> float:
    """Resident memory of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    args = parser.parse_args()
    pair = load_pair("mix-land")
    chain = live_chain([Style.from_audio(pair.style, RATE, name="style")], StylizerSettings())
    chain.prepare(sample_rate=RATE, block=BLOCK, channels=2)
    content = np.broadcast_to(pair.content, (2, pair.content.shape[1])).astype(np.float32)
    blocks = [np.ascontiguousarray(content[:, at : at + BLOCK]) for at in range(0, content.shape[1], BLOCK)]
    rng = np.random.default_rng(0)
    rounds = max(10, round(args.minutes * 60 * RATE / content.shape[1]))
    memory: list[float] = []
    print("| minutes | MB | peak, dBFS | level, dBFS | all finite |\n|---|---|---|---|---|")
    for number in range(rounds):
        for knob in ("strength", "notes", "mix"):
            chain.set(knob, 1.0 if number % 3 == 0 else float(rng.uniform()))
        peak, power = 0.0, 0.0
        for block in blocks:
            out = chain.process(block)
            peak = max(peak, float(np.abs(out).max()))
            power += float(np.square(out).mean())
        kept = chain.plugins[0]._stylizer._core.kept  # type: ignore[attr-defined]
        floats = [part for part in kept if part.dtype.kind == "f"]
        finite = all(bool(np.isfinite(part).all()) for part in floats) and np.isfinite(peak)
        memory.append(resident())
        if number % max(1, rounds // 10) == 0 or number == rounds - 1 or not finite:
            level = 10.0 * np.log10(power / len(blocks) + 1e-12)
            minutes = (number + 1) * content.shape[1] / RATE / 60
            print(
                f"| {minutes:.1f} | {memory[-1]:.1f} | {20 * np.log10(peak + 1e-9):.1f} | {level:.1f} | {finite} |",
                flush=True,
            )
        if not finite or chain.faults:
            sys.exit("something was not finite")
    begin = memory[len(memory) // 10]
    if memory[-1] > 1.05 * begin:
        sys.exit(f"memory grew from {begin:.1f} to {memory[-1]:.1f} MB")


if __name__ == "__main__":
    main()
