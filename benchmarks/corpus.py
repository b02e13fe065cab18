"""Styles of many files: time and memory, and distance to parts of the corpus that were held out.

    python -m benchmarks.corpus /usr/share/sonic-pi/samples
    python -m benchmarks.corpus /usr/share/games/openttd/baseset/openmsx        an hour of music, from MIDI files

`apt-get install sonic-pi-samples openttd-openmsx fluidsynth timgm6mb-soundfont`. A folder of MIDI files is played by
fluidsynth first. A style is made of all files with the command line, which gives time and memory. Then another is made
of four fifths of the files, and its clip is compared with three minutes of the last fifth: by the style distance and
the texture distance, which no part of the program optimises. The rivals are all single clips of 30 s of the four
fifths, one after the other. 1 is the distance of strings that our own code plucks, which have nothing to do with the
corpus; the floor is that of three minutes from all over the four fifths. Prints Markdown.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.lines import run
from benchmarks.texture_distance import TextureMeter
from gramophone.app.demo_sounds import plucked_strings
from gramophone.dsp.level import at_reference
from gramophone.media.audiofile import is_silent, read_audio, resample
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import MAX_SECONDS, load_style

OUTPUT = Path(__file__).parent / "output"
FONT = "/usr/share/sounds/sf2/TimGM6mb.sf2"
RATE = 44100
HELD_OUT_SECONDS, PIECE_SECONDS = 180.0, 10.0
EVERY = 5

Samples = NDArray[np.float64]


def played(folder: Path) -> Path:
    """A folder of sounds; MIDI files become sounds in a folder of their own, once."""
    midi = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".mid", ".midi"))
    if not midi:
        return folder
    out = OUTPUT / f"corpus-{folder.name}"
    out.mkdir(parents=True, exist_ok=True)
    for path in midi:
        made = out / f"{path.stem}.flac"
        if not made.exists():
            beside = made.with_suffix(".part")
            how = ["fluidsynth", "-ni", "-q", "-T", "flac", "-O", "s16", "-r", str(RATE), "-F", str(beside)]
            run([*how, FONT, str(path)], "apt-get install fluidsynth timgm6mb-soundfont")
            beside.rename(made)
    return out


def make(files: Sequence[Path], out: Path) -> tuple[float, float]:
    """Make a style with the command line; seconds, and the most memory of all its processes together, GB."""
    start, most = time.perf_counter(), 0.0
    command = [
        sys.executable,
        "-m",
        "gramophone",
        "style",
        "make",
        *map(str, files),
        "-o",
        str(out),
        "--overwrite",
    ]
    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        taken = 0
        for one in (process, *process.children(recursive=True)):
            try:
                # What processes share counts once.
                taken += one.memory_full_info().pss
            except psutil.Error:
                continue
        most = max(most, taken / 1e9)
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"style make failed with {process.returncode}")
    return time.perf_counter() - start, most


def sound(path: Path) -> Samples:
    """A file in two channels, at one rate and loudness."""
    audio = read_audio(path)
    samples = resample(np.resize(audio.samples, (2, audio.samples.shape[1])), audio.sample_rate, RATE)
    return samples[:, :0] if is_silent(samples) else at_reference(samples, RATE)


def excerpts(files: Sequence[Path]) -> Samples:
    """Three minutes from all over the files."""
    length = round(PIECE_SECONDS * RATE)
    each = -(-round(HELD_OUT_SECONDS / PIECE_SECONDS) // len(files))
    pieces: list[Samples] = []
    for path in files:
        whole = sound(path)
        for place in np.linspace(0, max(0, whole.shape[1] - length), each + 2)[1:-1]:
            pieces.append(whole[:, int(place) : int(place) + length])
            if whole.shape[1] <= length:
                break
    return np.concatenate(pieces, axis=1)[:, : round(HELD_OUT_SECONDS * RATE)]


def clips(files: Sequence[Path]) -> Iterator[Samples]:
    """All clips of 30 s, the files one after the other."""
    length, kept = round(MAX_SECONDS * RATE), np.zeros((2, 0))
    for path in files:
        kept = np.concatenate([kept, sound(path)], axis=1)
        while kept.shape[1] >= length:
            yield kept[:, :length]
            kept = kept[:, length:]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=["time", "distance"], help="one of the two parts")
    parser.add_argument("--fold", type=int, default=0, help=f"which fifth is held out, 0 to {EVERY - 1}")
    args = parser.parse_args()
    folder = played(args.folder)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".wav"))
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "corpus.style")
        if args.only != "distance":
            seconds, memory = make(files, out)
            corpus = load_style(out).corpus
            assert corpus is not None
            print("| corpus | files used | minutes of sound | seconds | memory |\n|---|---|---|---|---|")
            row = f"{corpus.files} of {len(files)} | {corpus.seconds / 60:.1f} | {seconds:.0f} | {memory:.2f} GB"
            print(f"| {args.folder.name} | {row} |\n", flush=True)
        if args.only == "time":
            return
        held = files[args.fold :: EVERY]
        rest = [path for path in files if path not in held]
        make(rest, out)
        style = load_style(out)
    target, unrelated = excerpts(held), plucked_strings(RATE)
    meter, texture = StyleMeter(unrelated, target, RATE), TextureMeter(unrelated, target, RATE)

    def measured(samples: Samples) -> tuple[float, float, float]:
        distance = meter.distance(samples)
        return distance.raw, distance.centred, texture.distance(samples).overall

    singles = np.array([measured(clip) for clip in clips(rest)])
    rows = {
        "the style's clip": np.array(measured(style.at(RATE))),
        f"the best of {len(singles)} single clips, in each measure": singles.min(axis=0),
        "the median single clip": np.median(singles, axis=0),
        "the floor": np.array(measured(excerpts(rest))),
    }
    print("| to the part held out | raw | centred | texture |\n|---|---|---|---|")
    for label, values in rows.items():
        print(f"| {label} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


if __name__ == "__main__":
    main()
