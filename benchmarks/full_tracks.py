"""Whole tracks: peak memory, time, and the share of each stage, for 1, 5 and 20 minutes of real stereo music.

    python -m benchmarks.full_tracks                                   both recipes; the default one takes an hour
    python -m benchmarks.full_tracks --recipes transport --minutes 1 5

Each render is a process of its own, from file to file, as the command line does it; importing PyTorch and reading and
writing the files count. The track is made of the contents of all pairs in turn, each time round at another speed and
level; the style is that of the first pair. Prints Markdown and writes benchmarks/output/full_tracks.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

OUTPUT = Path(__file__).parent / "output"
MINUTES = (1.0, 5.0, 20.0)
RECIPES = ("transport", "gramophone")
PART_SECONDS = 10.0
STYLE = "style.wav"


def make_track(path: Path, minutes: float, *, seed: int = 0) -> None:
    """Write a stereo track of real music, 24-bit WAV at 44.1 kHz."""
    from benchmarks.pairs import PAIRS, RATE, TUNING_PAIRS, load_pair
    from gramophone.media.audiofile import resample, write_audio
    from gramophone.media.spool import Spool

    length = round(minutes * 60.0 * RATE)
    rng = np.random.default_rng(seed)
    parts = [load_pair(name, seconds=PART_SECONDS).content for name in (*PAIRS, *TUNING_PAIRS)]
    with tempfile.TemporaryDirectory() as folder:
        track = Spool.create(Path(folder, "track"), channels=2, length=length)
        place = turn = 0
        while place < length:
            part = np.resize(parts[turn % len(parts)], (2, parts[turn % len(parts)].shape[1]))
            faster = 1.0 + 0.06 * rng.uniform(-1.0, 1.0)
            part = resample(part, round(RATE * faster), RATE) * 10.0 ** (rng.uniform(-12.0, 0.0) / 20.0)
            track.write(place, part)
            place += part.shape[1]
            turn += 1
        write_audio(path, track, RATE)


def make_style(path: Path) -> None:
    """Write the style."""
    from benchmarks.pairs import PAIRS, RATE, load_pair
    from gramophone.media.audiofile import write_audio

    write_audio(path, load_pair(next(iter(PAIRS))).style, RATE)


def render_one(content: Path, recipe: str, settings: dict[str, object]) -> dict[str, object]:
    """Render in this process, from imports to the written file; the style lies beside the content."""
    start = time.perf_counter()
    from gramophone.media.audiofile import read_audio
    from gramophone.models.style import Style
    from gramophone.offline.recipes.registry import get_recipe
    from gramophone.offline.render.render_file import FileJob, rendered_file

    clip = read_audio(content.with_name(STYLE))
    style = Style.from_audio(clip.samples, clip.sample_rate, name="style")
    job = FileJob(
        content, style, content.with_suffix(".out.wav"), get_recipe(recipe, settings), overwrite=True
    )
    with rendered_file(job) as (track, rendering):
        length = track.sound.length / track.sample_rate
    seconds = time.perf_counter() - start
    stages = dict(rendering.seconds)
    stages["files and imports"] = seconds - sum(stages.values())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": seconds,
        "length": length,
        "stages": stages,
        "cpu": usage.ru_utime + usage.ru_stime,
        # Linux counts in kilobytes.
        "peak_gb": usage.ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, nargs="+", default=list(MINUTES))
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--one", type=Path, help="render this file with the first recipe, in this process")
    args = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in args.settings)
    if args.one:
        print(json.dumps(render_one(args.one, args.recipes[0], settings)))
        return
    rows: list[dict[str, object]] = []
    print("| recipe | minutes | peak | seconds | times real time | CPU seconds | share of each stage |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        make_style(Path(folder, STYLE))
        for minutes in args.minutes:
            content = Path(folder, f"{minutes:g}.wav")
            make_track(content, minutes)
            for recipe in args.recipes:
                command = [sys.executable, "-m", "benchmarks.full_tracks", "--one", str(content)]
                command += ["--recipes", recipe, *(f"--set={pair}" for pair in args.settings)]
                environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
                row = json.loads(done.stdout.splitlines()[-1])
                rows.append({"recipe": recipe, "minutes": minutes, **row})
                total = row["seconds"]
                shares = ", ".join(f"{name} {100 * s / total:.0f} %" for name, s in row["stages"].items())
                figures = (
                    f"{row['peak_gb']:.2f} GB | {total:.0f} | {row['length'] / total:.1f} | {row['cpu']:.0f}"
                )
                print(f"| {recipe} | {minutes:g} | {figures} | {shares} |", flush=True)
            content.unlink()
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "full_tracks.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
