"""Quality of the streaming stylizer: windows, hops, iterations and phases, beside the offline closed form.

    python -m benchmarks.live                     all pairs and settings
    python -m benchmarks.live --on fresh          pairs that no setting was chosen on
    python -m benchmarks.live --only default "phase: input"

The content of each pair is streamed twice in a row, cold, in blocks of one hop; what comes out the second time, after
the content's 10 s of playing, is judged whole. Columns:

- raw to mel: as in benchmarks.quality (the offline recipe and the equaliser hear the whole content beforehand);
- level: loudness of the output less that of the content, LU, without sign;
- edge: roughness (mean square of second differences) at the hop's worst offset over that at its median: 1 is none;
- level 1 s: the same in the first second from a cold start, with its sign; peak: highest sample of the run, dBFS;
- % of hop: median time of a hop, of the hop's own length, one thread, one channel.

Prints Markdown and writes benchmarks/output/live.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pairs import ALL_PAIRS, RATE, SETS, Pair, load_pair
from benchmarks.quality import Judge
from benchmarks.tables import MEAN, Row, mean, save, table
from gramophone.dsp.level import loudness
from gramophone.models.live.stylizer import Stylizer, StylizerSettings
from gramophone.models.style import Style
from gramophone.offline.render.baselines import matched_equaliser
from gramophone.offline.render.render import render

OUTPUT = Path(__file__).parent / "output"
SETTINGS: dict[str, StylizerSettings] = {
    "default": StylizerSettings(),
    "hop 64 (3 ms)": StylizerSettings(hop=64),
    "hop 128 (6 ms)": StylizerSettings(hop=128),
    "hop 512 (23 ms)": StylizerSettings(hop=512),
    "full window (46 ms)": StylizerSettings(window="full"),
    "0 iterations": StylizerSettings(iterations=0),
    "4 iterations": StylizerSettings(iterations=4),
    "phase: input": StylizerSettings(phase="input"),
    "phase: noise": StylizerSettings(phase="noise"),
}
# Another knob, not another setting: the same stylizer at half strength, and with the style's notes.
KNOBS: dict[str, Mapping[str, float]] = {
    "strength 0.25": {"strength": 0.25},
    "strength 0.5": {"strength": 0.5},
    "strength 0.75": {"strength": 0.75},
    "notes 0": {"notes": 0.0},
    "notes 0.5": {"notes": 0.5},
}
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
    "level",
    "edge",
    "level 1 s",
    "peak",
    "% of hop",
)

Samples = NDArray[np.float64]


def stream(made: Stylizer, content: Samples) -> tuple[Samples, float]:
    """All that comes out of the content, played twice, without the latency; and the median seconds of a hop."""
    sound = np.concatenate([content, content], axis=1).astype(np.float32)
    out, seconds = [], []
    for at in range(0, sound.shape[1], made.hop):
        begin = time.perf_counter()
        out.append(made.feed(sound[:, at : at + made.hop]))
        seconds.append(time.perf_counter() - begin)
    whole = np.concatenate([*out, made.flush()], axis=1)[:, made.latency_samples :]
    return whole.astype(np.float64), float(np.median(seconds))


def edge(samples: Samples, hop: int) -> float:
    """How much rougher the output is at one offset from the hop's beginning than at others; see the module's text."""
    rough = np.diff(samples, 2).mean(axis=0) ** 2
    folded = rough[: rough.size // hop * hop].reshape(-1, hop)
    # A transient is rough wherever it falls: the loudest hundredth of the hops would decide alone.
    total = folded.sum(axis=1)
    folded = folded[total <= np.quantile(total, 0.99)]
    by_offset = folded.mean(axis=0)
    return float(by_offset.max() / np.median(by_offset))


class LiveJudge:
    """Measures outputs and streams for one pair."""

    def __init__(self, pair: Pair) -> None:
        self._content = pair.content
        self._judge = Judge(pair)

    def row(self, output: Samples) -> Row:
        """Of a whole output: what needs no stream."""
        judged = self._judge.row(output)
        level = abs(loudness(output, RATE) - loudness(self._content, RATE))
        return {column: judged.get(column) for column in COLUMNS} | {"level": level}

    def live(self, made: Stylizer) -> Row:
        """Of what a stylizer plays, its sound included."""
        output, seconds = stream(made, self._content)
        length = self._content.shape[1]
        return self.row(output[:, length:]) | {
            "edge": edge(output[:, length:], made.hop),
            "level 1 s": loudness(output[:, :RATE], RATE) - loudness(self._content[:, :RATE], RATE),
            "peak": 20.0 * float(np.log10(np.abs(output).max())),
            "% of hop": 100.0 * seconds * RATE / made.hop,
        }


def measure(pair: Pair, names: list[str]) -> dict[str, Row]:
    judge = LiveJudge(pair)
    style = Style.from_audio(pair.style, RATE, name=pair.name)
    offline = render(pair.content, RATE, style, recipe="transport", seed=0)
    rows = {
        "offline transport": judge.row(offline.samples),
        "matched equaliser": judge.row(matched_equaliser(pair.content, pair.style, RATE)),
    }
    channels = pair.content.shape[0]
    for name in names:
        settings = SETTINGS.get(name, StylizerSettings())
        made = Stylizer([style], sample_rate=RATE, channels=channels, settings=settings)
        for knob, value in KNOBS.get(name, {}).items():
            made.set(knob, value)
        made.reset()
        rows[name] = judge.live(made)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    every = [*SETTINGS, *KNOBS]
    parser.add_argument("--pairs", nargs="+", help="names of pairs (default: all)")
    parser.add_argument("--on", default="judged", choices=list(SETS), help="which set of pairs")
    parser.add_argument(
        "--only", nargs="+", default=every, choices=every, metavar="NAME", help=", ".join(every)
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, dict[str, Row]] = {}
    for name in args.pairs or list(SETS[args.on]):
        results[name] = measure(load_pair(name), args.only)
        print(f"\n### {name}: {ALL_PAIRS[name][2]}\n\n{table(results[name], COLUMNS)}", flush=True)
    means = {
        name: mean([rows[name] for rows in results.values()], COLUMNS)
        for name in next(iter(results.values()))
    }
    print(f"\n### Mean over {len(results)} pairs\n\n{table(means, COLUMNS)}")
    for name in args.only:
        worst = max(float(rows[name]["peak"] or 0.0) for rows in results.values())
        lost = [
            pair
            for pair, rows in results.items()
            if float(rows[name]["centred"] or 0.0) >= float(rows["matched equaliser"]["centred"] or 0.0)
        ]
        ratio = [
            float(means[name][c] or 0.0) / float(means["offline transport"][c] or 1.0)
            for c in ("raw", "centred")
        ]
        print(
            f"{name}: raw {ratio[0]:.2f} and centred {ratio[1]:.2f} times offline transport's; highest peak "
            f"{worst:.2f} dBFS; centred not below the matched equaliser's on {', '.join(lost) or 'no pair'}"
        )
    if list(results) == list(SETS[args.on]) and args.on != "tuning" and args.only == every:
        save("live" if args.on == "judged" else f"live-{args.on}", results | {MEAN: means}, COLUMNS)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "live.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
