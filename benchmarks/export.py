"""What exported files cost, and how near they are to the live core.

    python -m benchmarks.export [FOLDER]

Writes a file for each format, with one and with four styles, to FOLDER, by default a temporary one, with the default
settings. Each is loaded by a process of its own, which uses PyTorch alone, in one thread. Columns: megabytes; seconds
of the processor to load it; share of a core that stereo sound at 48 kHz takes in blocks of 64 to 4096 samples, once
warm, in the best of four half seconds; and at 44.1, 48, and 96 kHz the difference to the live core, dB of its output,
over 4 s of each sound of the pairs: the median, and the largest. Blocks of 64 and of 4096 must give the same samples.
Times are those of the processor: what else runs on the machine changes them little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gramophone
from benchmarks.pairs import PAIRS, RATE, load_pair
from gramophone.media.audiofile import resample

BLOCKS = (64, 256, 1024, 4096)
RATES = (44_100, 48_000, 96_000)
SECONDS = 4.0
FORMATS = {"torchscript": "pt", "nntilde": "ts", "neutone": "nm"}
CONTENTS = dict.fromkeys(content for content, _, _ in PAIRS.values())

# argv: the file, the folder of the sounds, then blocks to measure or nothing, as JSON. It prints a line of JSON.
PLAYED = """
import json, pathlib, sys, time
import numpy as np, torch
torch.set_num_threads(1)
path, folder, blocks = sys.argv[1], pathlib.Path(sys.argv[2]), json.loads(sys.argv[3])
begin = time.process_time()
model = torch.jit.load(path)
load = time.process_time() - begin
bare = getattr(model, "model", model)
kind = path.rpartition(".")[2]
def play(sound, block):
    parts = []
    with torch.inference_mode():
        for part in torch.from_numpy(sound).split(block, dim=1):
            parts.append(model(part[None])[0] if kind == "ts" else model(part))
    return torch.cat(parts, dim=1).numpy()
shares = []
if not blocks:
    for begin in folder.glob("in-*.npy"):
        bare.set_sample_rate(int(begin.stem.split("-")[1]))
        bare.reset()
        out = play(np.load(begin), 64)
        np.save(begin.with_name(begin.name.replace("in-", "out-")), out)
        bare.reset()
        assert np.array_equal(play(np.load(begin)[:, :16_384], 4096), out[:, :16_384])
bare.set_sample_rate(48_000)
sound = np.load(folder / "in-48000-0.npy")[:, :96_000]
for block in blocks:
    play(sound[:, :24_000], block)
    taken = []
    for part in np.split(sound, 4, axis=1):
        begin = time.process_time()
        play(part, block)
        taken.append((time.process_time() - begin) / 0.5)
    shares.append(min(taken))
print(json.dumps({"load": load, "shares": shares}))
"""


def live(styles: Sequence[gramophone.Style], sound: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    made = gramophone.Stylizer(styles, sample_rate=rate, channels=2)
    return np.concatenate(
        [made.feed(np.ascontiguousarray(part)) for part in np.split(sound, 4, axis=1)], axis=1
    )


def alone(path: Path, sounds: Path, blocks: Sequence[int]) -> dict[str, Any]:
    """Play a file where PyTorch is all there is."""
    words = [sys.executable, "-I", "-W", "ignore", "-c", PLAYED, str(path), str(sounds), json.dumps(blocks)]
    told: dict[str, Any] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return told


def cost(path: Path, sounds: Path) -> list[str]:
    told = alone(path, sounds, BLOCKS)
    cells = [f"{path.stat().st_size / 1e6:.1f}", f"{told['load']:.2f}"]
    return cells + [f"{100.0 * share:.0f} %" for share in told["shares"]]


def distances(path: Path, sounds: Path, expected: dict[int, list[NDArray[np.float32]]]) -> list[str]:
    alone(path, sounds, [])
    cells = []
    for rate, outputs in expected.items():
        away = []
        for number, theirs in enumerate(outputs):
            rest = np.linalg.norm(np.load(sounds / f"out-{rate}-{number}.npy") - theirs)
            away.append(20.0 * np.log10(rest / np.linalg.norm(theirs) + 1e-12))
        cells.append(f"{np.median(away):.0f} ({max(away):.0f})")
    return cells


def write_sounds(folder: Path) -> None:
    for number, name in enumerate(CONTENTS):
        pair = next(pair for pair in PAIRS if PAIRS[pair][0] == name)
        content = load_pair(pair, seconds=SECONDS).content
        content = np.broadcast_to(content, (2, content.shape[1])) if content.shape[0] == 1 else content
        for rate in RATES:
            sound = resample(np.ascontiguousarray(content), RATE, rate)
            np.save(
                folder / f"in-{rate}-{number}.npy", sound[:, : sound.shape[1] // 4 * 4].astype(np.float32)
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, sounds = Path(sys.argv[1] if len(sys.argv) > 1 else temporary), Path(temporary)
        clips = dict.fromkeys(style for _, style, _ in PAIRS.values())
        names = [next(name for name, pair in PAIRS.items() if pair[1] == clip) for clip in list(clips)[:4]]
        styles = [gramophone.Style.from_audio(load_pair(name).style, RATE, name=name) for name in names]
        write_sounds(sounds)
        head = ["file", "styles", "MB", "load, s", *(f"{block}" for block in BLOCKS)]
        print(" | ".join(["", *head, *(f"dB, {rate}" for rate in RATES), ""]).strip())
        print("|" + "---|" * (len(head) + len(RATES)))
        for count in (1, 4):
            expected = {
                rate: [
                    live(styles[:count], np.load(sounds / f"in-{rate}-{number}.npy"), rate)
                    for number in range(len(CONTENTS))
                ]
                for rate in RATES
            }
            for to, end in FORMATS.items():
                path = folder / f"{to}-{count}.{end}"
                gramophone.export(styles[:count], path, to=to, overwrite=True)
                cells = [to, str(count), *cost(path, sounds), *distances(path, sounds, expected)]
                print(" | ".join(["", *cells, ""]).strip(), flush=True)


if __name__ == "__main__":
    main()
