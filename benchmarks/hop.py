"""What a hop of the streaming stylizer costs, beside another revision of this repository in the same run.

    python -m benchmarks.hop                      these sources alone
    python -m benchmarks.hop --against REV        beside a worktree of REV
    python -m benchmarks.hop --short              the hops only, not the engine
    python -m benchmarks.hop --deadlines 300 [--jack]     missed deadlines only, in so many seconds

Stereo, 48 kHz, one style of four slots, default iterations. Both revisions take turns, each in a process of its own,
on one core. Columns: milliseconds of a hop in a tight loop and at the pace of a clock (median and 99th percentile), and
the load of the process at that pace, % of a core. Of the engine: seconds from the command to the first sound, memory
that no other process shares (MB) of the engine and of the one that stands by, the load of the engine's process, and
milliseconds of silence or dry sound after it has been killed.

`--deadlines` plays with a latency of 4 ms and a busy thread in the host, through the virtual device or through a JACK
server of its own (128 samples; jackd2 and fluidsynth must be installed). The revisions take turns minute by minute.
Columns: load of the engine's process, missed deadlines, and how often a core stood still for longer than the buffer,
whatever ran on it (benchmarks/stalls.py): no program meets a deadline then.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.dropouts import player, server
from benchmarks.stalls import watching

ROOT = Path(__file__).parents[1]

HOPS = """
import json, sys, time
import numpy as np
from gramophone.models.live.stylizer import Stylizer, StylizerSettings
from gramophone.models.style import Style

try:
    import torch
    torch.set_num_threads(1)
except ImportError:
    pass
RATE, hop = 48_000, int(sys.argv[1])
rng = np.random.default_rng(0)
time_axis = np.arange(8 * RATE) / RATE
swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3.0 * time_axis)
clip = 0.05 * swell * np.cumsum(rng.standard_normal(time_axis.size) * 0.1) / 30
style = Style.from_audio((clip - clip.mean())[None], RATE, name="noise")
made = Stylizer([style], sample_rate=RATE, channels=2, settings=StylizerSettings(hop=hop), slots=4)
made.reset()
tone = sum(np.sin(2 * np.pi * 110 * n * time_axis) / n for n in range(1, 12)) * np.exp(-4 * (time_axis % 0.4))
sound = np.stack([0.1 * tone, 0.08 * tone]).astype(np.float32)
def play(count, paced):
    taken, start, busy = [], time.perf_counter(), time.process_time()
    for number in range(count):
        at = number * hop % (sound.shape[1] - hop)
        if paced:
            time.sleep(max(0.0, start + number * hop / RATE - time.perf_counter()))
        begin = time.perf_counter()
        made.feed(sound[:, at : at + hop])
        taken.append(time.perf_counter() - begin)
    wall = max(time.perf_counter() - start, 1e-9)
    return taken, (time.process_time() - busy) / wall
play(400, False)
tight, _ = play(4000, False)
paced, load = play(round(6.0 * RATE / hop), True)
row = {}
for name, taken in (("tight", tight), ("paced", paced)):
    row[f"{name} p50"], row[f"{name} p99"] = (1000 * float(np.percentile(taken, p)) for p in (50, 99))
print(json.dumps(row | {"load %": 100 * load}))
"""

ENGINE = """
import json, multiprocessing, os, signal, sys, time
START = float(sys.argv[1])
from pathlib import Path
import numpy as np
import soundfile
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings

def unshared(pid):
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024

def busy(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def engines():
    return sorted(p.pid for p in multiprocessing.active_children() if p.name == "gramophone engine")

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    soundfile.write("style.wav", 0.05 * np.cumsum(rng.uniform(-0.02, 0.02, (48_000 * 4, 2)), axis=0), 48_000)
    soundfile.write("in.wav", 0.1 * rng.standard_normal((48_000 * 60, 2)), 48_000)
    device = VirtualSettings(input=Path("in.wav"), output=Path("out.wav"), overwrite=True)
    row = {}
    with Host(EngineSettings(device=device, styles=(Path("style.wav"),))) as host:
        row["first sound s"] = time.time() - START
        while len(engines()) < 2:
            time.sleep(0.1)
        time.sleep(8.0)
        playing, standby = engines()
        before = busy(playing)
        time.sleep(6.0)
        row["engine load %"] = 100 * (busy(playing) - before) / 6.0
        row["engine MB"], row["standby MB"] = unshared(playing), unshared(standby)
        os.kill(playing, signal.SIGKILL)
        killed = time.monotonic()
        while host.snapshot().engine_restarts < 1 or host.snapshot().state != "running":
            time.sleep(0.001)
        row["gap ms"] = 1000 * (time.monotonic() - killed)
        time.sleep(1.0)
    print(json.dumps(row))
"""

DEADLINES = """
import json, multiprocessing, os, subprocess, sys, threading, time
from pathlib import Path
import numpy as np
import soundfile
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings, VirtualSettings

def busy(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def spin():
    while True:
        sum(range(1000))

def counted(host, *names):
    stats = host.stats()
    return [int(stats[name]) for name in names]

if __name__ == "__main__":
    seconds, latency, source = float(sys.argv[1]), sys.argv[2], sys.argv[3]
    rng = np.random.default_rng(0)
    soundfile.write("style.wav", 0.05 * np.cumsum(rng.uniform(-0.02, 0.02, (48_000 * 4, 2)), axis=0), 48_000)
    soundfile.write("in.wav", 0.1 * rng.standard_normal((int(48_000 * (seconds + 30)), 2)), 48_000)
    device = VirtualSettings(input=Path("in.wav"), output=Path("out.wav"), overwrite=True)
    device = DeviceSettings() if source else device
    settings = EngineSettings(device=device, styles=(Path("style.wav"),), latency=latency)
    threading.Thread(target=spin, daemon=True).start()
    with Host(settings) as host:
        for channel, port in enumerate(source.split()):
            subprocess.run(["jack_connect", port, f"gramophone:in_{channel}"], check=True)
        time.sleep(10.0)
        names = ("deadlines_missed", "ring_empty", "faults", "xruns")
        engine = min(p.pid for p in multiprocessing.active_children() if p.name == "gramophone engine")
        before, work, start = counted(host, *names), busy(engine), time.monotonic()
        time.sleep(seconds)
        after, end = counted(host, *names), time.monotonic()
        row = {"load %": 100 * (busy(engine) - work) / (end - start)}
        row |= {name: b - a for name, a, b in zip(names, before, after)}
        buffer = host.stats()["buffer_latency_samples"] / host.stats()["sample_rate"]
        print(json.dumps(row | {"buffer ms": 1000 * buffer, "start": start, "end": end}))
"""


def run(tree: Path, script: str, *arguments: str) -> dict[str, float]:
    """Run a script with a tree's package; what it prints last is its row."""
    (tree / ".types").mkdir(exist_ok=True)
    link = tree / ".types" / "gramophone"
    if not link.is_symlink():
        link.symlink_to("..")
    environment = os.environ | {"PYTHONPATH": str(tree / ".types"), "OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "script.py")
        file.write_text(script)
        done = subprocess.run(
            [sys.executable, str(file), *arguments],
            env=environment,
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
        )
    row: dict[str, float] = json.loads(done.stdout.decode().splitlines()[-1])
    return row


def compile_first(tree: Path) -> None:
    """Have a tree compile what plays live; from before that was done there is nothing to do."""
    environment = os.environ | {"PYTHONPATH": str(tree / ".types")}
    command = [sys.executable, "-m", "gramophone.models.live.first_run"]
    subprocess.run(
        command, env=environment, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {key: statistics.median(row[key] for row in rows) for key in rows[0]}


def show(name: str, row: dict[str, float]) -> None:
    print(f"  {name:10s}" + "  ".join(f"{key} {value:.3g}" for key, value in row.items()), flush=True)


def compare(trees: dict[str, Path], script: str, rounds: int, *arguments: str, now: bool = False) -> None:
    import time

    rows: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            rows[name].append(run(tree, script, *(arguments or (str(time.time()),) if now else arguments)))
    found = {name: medians(row) for name, row in rows.items()}
    for name, row in found.items():
        show(name, row)
    if len(found) == 2:
        ours, theirs = found.values()
        show("ratio", {key: ours[key] / theirs[key] for key in ours})


def soak(trees: dict[str, Path], seconds: float, latency: str, source: str) -> None:
    """Play for so many seconds, a minute at a time in turns; print the sums, and the mean of the load."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    minutes = max(1, round(seconds / 60.0))
    for _ in range(minutes):
        for name, tree in trees.items():
            with watching() as stalls:
                row = run(tree, DEADLINES, str(seconds / minutes), latency, source)
            start, end, buffer = row.pop("start"), row.pop("end"), row.pop("buffer ms") / 1000.0
            row["stalls"] = sum(start <= when <= end and late > buffer for when, late in stalls.seen)
            found[name].append(row)
    for name, rows in found.items():
        total = {key: sum(row[key] for row in rows) for key in rows[0]}
        show(name, total | {"load %": total["load %"] / len(rows)})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--against", metavar="REV", help="a revision to measure beside this one")
    parser.add_argument("--hops", type=int, nargs="+", default=[256, 128, 64])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="the hops only")
    parser.add_argument("--deadlines", type=float, metavar="SECONDS", help="missed deadlines only")
    parser.add_argument("--jack", action="store_true", help="deadlines through JACK")
    parser.add_argument("--latency", choices=["low", "high"], default="low", help="for the deadlines")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        trees = {"here": ROOT}
        if asked.against:
            trees[asked.against[:9]] = Path(folder, "tree")
            add = [
                "git",
                "-C",
                str(ROOT),
                "worktree",
                "add",
                "--detach",
                "--quiet",
                folder + "/tree",
                asked.against,
            ]
            subprocess.run(add, check=True)
        try:
            if asked.deadlines:
                with ExitStack() as stack:
                    source = ""
                    if asked.jack:
                        stack.enter_context(server(Path(folder)))
                        most = 2.0 * asked.deadlines + 60.0 * (1.0 + asked.deadlines / 60.0)
                        source = " ".join(player(Path(folder), most, stack)[1])
                    print(f"deadlines in {asked.deadlines:g} s, latency {asked.latency}", flush=True)
                    soak(trees, asked.deadlines, asked.latency, source)
                return
            for hop in asked.hops:
                print(f"hop {hop}, milliseconds")
                compare(trees, HOPS, asked.rounds, str(hop))
            if not asked.short:
                print("engine")
                for tree in trees.values():
                    compile_first(tree)
                compare(trees, ENGINE, asked.rounds, now=True)
        finally:
            if asked.against:
                remove = ["git", "-C", str(ROOT), "worktree", "remove", "--force", folder + "/tree"]
                subprocess.run(remove, check=True)


if __name__ == "__main__":
    main()
