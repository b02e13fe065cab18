"""A performance of some minutes with hundreds of moves, recorded and bounced.

    python -m benchmarks.bounce [--pair mix-land] [--seconds 120] [--moves 500] [--recipe gramophone] [--live-only]

Plays a pair through the engine process, from file to file and as fast as possible, turns every knob and switch at
random moments, and records it. The take is bounced live, which must be what was heard, bit for bit, and at full
quality, whose style distance must be lower than that of what was heard. Ends with an error where it is not so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from benchmarks.pairs import RATE, Pair, load_pair
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import Style
from gramophone.offline.bounce.bounce import bounce_full
from gramophone.offline.bounce.live import bounce_live
from gramophone.offline.recipes.registry import get_recipe
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings
from gramophone.realtime.recorder import Recorder
from gramophone.takes.reader import PARAMETERS, Take, open_take

# Switches that take the effect out are mostly off, so that there is something to hear.
_ON = 0.15


def record(pair: Pair, folder: Path, *, moves: int, seed: int) -> tuple[Take, float]:
    """Play and record; return the take and how many seconds it took."""
    soundfile.write(folder / "in.wav", pair.content.T, RATE, subtype="FLOAT")
    Style.from_audio(pair.style, RATE, name="style").save(folder / "style.style")
    device = VirtualSettings(
        input=folder / "in.wav", output=folder / "out.wav", as_fast_as_possible=True, overwrite=True
    )
    settings = EngineSettings(device=device, styles=(folder / "style.style",), channels=pair.content.shape[0])
    host = Host(settings)
    recorder = Recorder(host, folder, take=folder / "take", whole=True)
    rng = np.random.default_rng(seed)
    seconds = pair.content.shape[1] / RATE
    # Nothing before the first second: it tells how the engine's time goes.
    due = np.sort(rng.uniform(0.5, seconds - 0.5, moves))
    begin = time.perf_counter()
    with host:
        recorder.start()
        made = 0
        while not host.wait(0.0005):
            now = host.snapshot().seconds
            turned: set[str] = set()
            while made < moves and due[made] <= now:
                parameter = PARAMETERS[rng.integers(len(PARAMETERS))]
                value = parameter.from_unit(float(rng.random()))
                if parameter.curve == "toggle":
                    value = float(rng.random() < _ON)
                elif parameter.unit == "dB":
                    value = parameter.clamp(float(rng.uniform(-12.0, 0.0)))
                if parameter.id in turned or value == host.get(parameter.id):
                    # A move to where a knob stands is none, and of two between two blocks there is only the last.
                    continue
                turned.add(parameter.id)
                host.set(parameter.id, value)
                made += 1
        status = recorder.stop()
    if status.error:
        sys.exit(status.error)
    return open_take(folder / "take"), time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pair", default="mix-land")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--moves", type=int, default=500)
    parser.add_argument("--recipe", default="gramophone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--live-only", action="store_true")
    args = parser.parse_args()
    pair = load_pair(args.pair, seconds=args.seconds)
    style = load_pair(args.pair).style
    with tempfile.TemporaryDirectory(prefix="gramophone-") as name:
        folder = Path(name)
        take, took = record(
            Pair(pair.name, pair.note, pair.content, style), folder, moves=args.moves, seed=args.seed
        )
        seconds = take.frames / RATE
        print(f"{pair.name}, {seconds:.0f} s, {len(take.events)} moves, recorded in {took:.0f} s")
        print(
            f"missed {len(take.header.missed)}, left out {len(take.header.gaps)}, in 24 bits but for ", end=""
        )
        print(f"{sum(b - a for a, b in take.header.exact) / RATE:.0f} s")
        begin = time.perf_counter()
        live = bounce_live(take, folder)
        print(f"live bounce in {time.perf_counter() - begin:.0f} s; ", end="")
        assert live.comparison is not None
        print(
            "bit-identical" if live.comparison.same else f"differs: {live.comparison.differing[:5]}",
            flush=True,
        )
        if not live.comparison.same:
            sys.exit("the live bounce is not what was heard")
        if args.live_only:
            return
        heard = live.sound.read(0, live.sound.length).astype(np.float64)
        begin = time.perf_counter()
        full = bounce_full(take, folder, recipe=get_recipe(args.recipe, {}))
        print(f"full bounce ({args.recipe}) in {time.perf_counter() - begin:.0f} s")
        rendered = full.sound.read(0, full.sound.length).astype(np.float64)
        _compare(pair.content, style, {"as heard": heard, "full quality": rendered})


def _compare(
    content: NDArray[np.float64], style: NDArray[np.float64], sounds: dict[str, NDArray[np.float64]]
) -> None:
    meter = StyleMeter(content, style, RATE)
    print("| | raw | centred |\n|---|---|---|")
    found = {}
    for name, sound in sounds.items():
        found[name] = meter.distance(sound)
        print(f"| {name} | {found[name].raw:.3f} | {found[name].centred:.3f} |")
    floor = meter.floor()
    print(f"| floor: the style's own halves | {floor.raw:.3f} | {floor.centred:.3f} |")
    heard, rendered = found.values()
    if not (rendered.raw < heard.raw and rendered.centred < heard.centred):
        sys.exit("full quality is no nearer to the style than what was heard")


if __name__ == "__main__":
    main()
