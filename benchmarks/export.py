"""What exported files cost, and how near they are to the live core.

    python -m benchmarks.export [FOLDER]

Writes a file for each format, with one and with four styles, to FOLDER, by default a temporary one, with the default
settings. Each is loaded by a process of its own, which uses PyTorch alone, in one thread. Columns: megabytes; seconds
of the processor to load it; share of a core that stereo sound at 48 kHz takes in blocks of 64 to 4096 samples, once
warm, in the best of four half seconds; and at 44.1, 48, and 96 kHz the difference to the live core, dB of its output,
on real sound (`guitar-hum`, 4 s). Times are those of the processor: what else runs on the machine changes them little.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gramophone
from benchmarks.pairs import PAIRS, RATE, load_pair
from gramophone.media.audiofile import resample

BLOCKS = (64, 256, 1024, 4096)
RATES = (44_100, 48_000, 96_000)
SECONDS = 4.0
FORMATS = {"torchscript": "pt", "nntilde": "ts", "neutone": "nm"}
CONTENT = "guitar-hum"

# argv: the file, the folder of the sounds, blocks, rates. It prints a line of JSON.
PLAYED = """
import json, sys, time
import numpy as np, torch
torch.set_num_threads(1)
path, folder, blocks, rates = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
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
for rate in rates:
    bare.set_sample_rate(rate)
    bare.reset()
    np.save(f"{folder}/out-{rate}.npy", play(np.load(f"{folder}/in-{rate}.npy"), 512))
bare.set_sample_rate(48_000)
sound = np.load(f"{folder}/in-48000.npy")[:, :96_000]
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


def row(path: Path, sounds: Path, expected: dict[int, NDArray[np.float32]]) -> list[str]:
    words = [str(path), str(sounds), json.dumps(BLOCKS), json.dumps(RATES)]
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", PLAYED, *words],
        check=True,
        capture_output=True,
        text=True,
    )
    told = json.loads(done.stdout)
    cells = [f"{path.stat().st_size / 1e6:.1f}", f"{told['load']:.2f}"]
    cells += [f"{100.0 * share:.0f} %" for share in told["shares"]]
    for rate, theirs in expected.items():
        away = np.linalg.norm(np.load(sounds / f"out-{rate}.npy") - theirs) / np.linalg.norm(theirs)
        cells.append(f"{20.0 * np.log10(away + 1e-12):.0f}")
    return cells


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, sounds = Path(sys.argv[1] if len(sys.argv) > 1 else temporary), Path(temporary)
        clips = dict.fromkeys(style for _, style, _ in PAIRS.values())
        names = [next(name for name, pair in PAIRS.items() if pair[1] == clip) for clip in list(clips)[:4]]
        styles = [gramophone.Style.from_audio(load_pair(name).style, RATE, name=name) for name in names]
        content = load_pair(CONTENT, seconds=SECONDS).content
        content = np.broadcast_to(content, (2, content.shape[1])) if content.shape[0] == 1 else content
        for rate in RATES:
            sound = resample(np.ascontiguousarray(content), RATE, rate)
            np.save(sounds / f"in-{rate}.npy", sound[:, : sound.shape[1] // 4 * 4].astype(np.float32))
        head = ["file", "styles", "MB", "load, s", *(f"{block}" for block in BLOCKS)]
        print(" | ".join(["", *head, *(f"dB, {rate}" for rate in RATES), ""]).strip())
        print("|" + "---|" * (len(head) + len(RATES)))
        for count in (1, 4):
            expected = {
                rate: live(styles[:count], np.load(sounds / f"in-{rate}.npy"), rate) for rate in RATES
            }
            for to, end in FORMATS.items():
                path = folder / f"{to}-{count}.{end}"
                gramophone.export(styles[:count], path, to=to, overwrite=True)
                cells = [to, str(count), *row(path, sounds, expected)]
                print(" | ".join(["", *cells, ""]).strip(), flush=True)


if __name__ == "__main__":
    main()
