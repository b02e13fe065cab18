import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from gramophone.app.cli.several_values import spread
from gramophone.media.audiofile import write_audio
from gramophone.media.tags import Tags, read_tags

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ("--recipe", "transport", "--strength", "0")


@pytest.fixture(autouse=True)
def more(folder: Path) -> None:
    """A second content and a second style."""
    for name in ("content", "style"):
        sound, rate = soundfile.read(folder / f"{name}.wav", always_2d=True)
        soundfile.write(folder / f"{name}2.wav", sound[::-1], rate)


def test_names_may_follow_styles() -> None:
    assert spread(["a", "--styles", "b", "c", "-o", "out", "d"]) == [
        *("a", "--styles", "b", "--styles", "c"),
        *("-o", "out", "d"),
    ]
    assert spread(["--styles", "b", "--styles", "c"]) == ["--styles", "b", "--styles", "c"]
    assert spread(["a", "--styles"]) == ["a", "--styles"]
    assert spread(["a", "--styles", "b", "--", "-c"]) == ["a", "--styles", "b", "--", "-c"]


def test_every_pair_is_made_then_skipped(call, folder: Path) -> None:
    args = (
        "batch",
        "content.wav",
        "content2.wav",
        "--styles",
        "style.wav",
        "style2.wav",
        "-o",
        "out",
        *QUICK,
    )
    outcome = call(*args, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    assert "4 made" in outcome.out
    names = [f"content{a}--style{b}.wav" for a in ("", "2") for b in ("", "2")]
    assert sorted(path.name for path in folder.glob("out/*.wav")) == sorted(names)
    for name in names:
        assert name in outcome.out
    before = {path: path.stat().st_mtime_ns for path in folder.glob("out/**/*.*") if path.is_file()}
    again = call(*args, "--jobs", 1)
    assert again.code == 0
    assert "4 skipped" in again.out
    assert {path: path.stat().st_mtime_ns for path in folder.glob("out/**/*.*") if path.is_file()} == before


def test_failures_cost_only_themselves(call, folder: Path) -> None:
    (folder / "text.wav").write_text("this is not a sound")
    args = ("batch", "text.wav", "content.wav", "--styles", "style.wav", "-o", "out", *QUICK, "--jobs", 1)
    outcome = call(*args)
    assert outcome.code == 1
    assert "1 made, 1 failed" in outcome.out
    assert "not a readable sound file" in " ".join(outcome.out.split())
    (folder / "text.wav").write_bytes((folder / "content2.wav").read_bytes())
    outcome = call(*args)
    assert outcome.code == 0
    assert "1 made, 1 skipped" in outcome.out


def test_folders_formats_and_clashing_names(call, folder: Path) -> None:
    for name in ("one", "two"):
        (folder / name).mkdir()
        write_audio(
            folder / name / "song.flac",
            np.random.default_rng(0).uniform(-0.3, 0.3, (1, 8000)),
            16000,
            tags=Tags(fields={"title": [name]}),
        )
    (folder / "one" / "notes.txt").write_text("no sound")
    outcome = call(
        *("batch", "one", "two", "--styles", "style.wav", "-o", "out", *QUICK),
        *("--jobs", 1, "--format", "flac", "--subtype", "pcm_16"),
    )
    assert outcome.code == 0, outcome.err
    assert "one/song.flac as one-song" in " ".join(outcome.err.split())
    for name in ("one", "two"):
        made = folder / "out" / f"{name}-song--style.flac"
        assert soundfile.info(made).subtype == "PCM_16"
        assert read_tags(made).fields == {"title": [name]}


def test_other_settings_need_force(call, folder: Path) -> None:
    args = (
        "batch",
        "content.wav",
        "--styles",
        "style.wav",
        "-o",
        "out",
        "--recipe",
        "transport",
        "--jobs",
        1,
    )
    assert call(*args, "--strength", 0).code == 0
    before = (folder / "out" / "content--style.wav").read_bytes()
    outcome = call(*args, "--strength", 0, "--seed", 7)
    assert outcome.code == 2
    assert "--force" in outcome.err
    assert (folder / "out" / "content--style.wav").read_bytes() == before
    assert call(*args, "--strength", 0, "--seed", 7, "--force").code == 0


def test_notes_are_a_setting_like_others(call) -> None:
    args = ("batch", "content.wav", "--styles", "style.wav", "-o", "out", *QUICK, "--jobs", 1)
    assert "1 made" in call(*args, "--notes", 0.5).out
    assert "1 skipped" in call(*args, "--set", "notes=0.5").out
    other = call(*args)
    assert other.code == 2
    assert "--force" in other.err


def test_everything_may_be_at_addresses(call, folder: Path, memory) -> None:
    for name in ("content.wav", "content2.wav", "style.wav"):
        memory.pipe_file(f"/in/{name}", (folder / name).read_bytes())
    args = (
        "batch",
        "memory://in/content*.wav",
        "--styles",
        "memory://in/style.wav",
        "-o",
        "memory://out",
        *QUICK,
    )
    outcome = call(*args, "--jobs", 1)
    assert outcome.code == 0, outcome.err
    assert memory.exists("/out/content--style.wav")
    assert memory.exists("/out/content2--style.wav")
    assert "2 skipped" in call(*args, "--jobs", 1).out
    assert call(*args, "--jobs", 2).code == 2


def test_render_takes_addresses_format_and_subtype(call, folder: Path, memory) -> None:
    memory.pipe_file("/in/content.wav", (folder / "content.wav").read_bytes())
    style = f"file://{folder}/style.wav"
    args = ("render", "memory://in/content.wav", style, "-o", "memory://out/a.flac", *QUICK)
    outcome = call(*args, "--subtype", "PCM_16")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("memory://out/a.flac: 1.5 s in ")
    (folder / "a.flac").write_bytes(memory.cat_file("/out/a.flac"))
    assert soundfile.info("a.flac").subtype == "PCM_16"
    again = call(*args)
    assert again.code == 2
    assert "memory://out/a.flac already exists" in again.err
    assert call("render", "memory://in/content.wav", style, "-o", "memory://in/content.wav", *QUICK).code == 2
    missing = call("render", "memory://in/other.wav", style, "-o", "b.wav", *QUICK)
    assert missing.code == 2
    assert "memory://in/other.wav does not exist" in missing.err
    assert call("render", "content.wav", "style.wav", "-o", "b.bin", "--format", "flac", *QUICK).code == 0
    assert soundfile.info("b.bin").format == "FLAC"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--format", "xyz"), "wav, flac"),
        (("--format", "mp3", "--subtype", "PCM_16"), "MPEG_LAYER_III"),
        (("--subtype", "VORBIS"), "PCM_16"),
        (("--jobs", 0), "--jobs 0"),
        (("--jobs", 2, "--scheduler", "tcp://127.0.0.1:1"), "one of the two"),
        (("--scheduler", "nonsense"), "nonsense"),
        (("--recipe", "nothing"), "nothing"),
        (("--set", "rounds=0"), "rounds"),
        (("-o", "no/such/folder"), "no/such"),
        (("-o", "https://host/folder"), "can only be read"),
        (("-o", "nosuch://folder"), "nosuch"),
        (("-o", "style.wav"), "style.wav"),
    ],
)
def test_bad_usage_is_one_line(call, folder: Path, listing, args: tuple[object, ...], says: str) -> None:
    before = listing(folder)
    outcome = call(
        "batch", "content.wav", "content2.wav", "--styles", "style.wav", "-o", "out", *QUICK, *args
    )
    assert outcome.code == 2
    lines = outcome.err.strip().splitlines()
    assert len([line for line in lines if "error:" in line]) == 1
    assert says in outcome.err
    assert {name for name in listing(folder) if not name.startswith("out")} == set(before)


@pytest.mark.parametrize("name", ["missing.wav", "emptyfolder"])
def test_inputs_that_are_not_there(call, folder: Path, name: str) -> None:
    (folder / "emptyfolder").mkdir()
    outcome = call("batch", "content.wav", name, "--styles", "style.wav", "-o", "out", *QUICK)
    assert outcome.code == 2
    assert name in outcome.err
    assert not (folder / "out").exists()


def test_an_interruption_keeps_what_is_finished(folder: Path) -> None:
    for number in range(6):
        (folder / f"c{number}.wav").write_bytes((folder / "content.wav").read_bytes() + bytes(number))
    names = [f"c{number}.wav" for number in range(6)]
    command = [sys.executable, "-m", "gramophone", "batch", *names, "--styles", "style.wav", "style2.wav"]
    options = ["-o", "out", "--recipe", "transport", "--jobs", "2"]
    for setting in ("bands=24", "n_fft=512", "hop=128", "rounds=1", "sample_rate=16000"):
        options += ["--set", setting]
    # In a group of its own, all of which gets the signal, as from a terminal.
    with subprocess.Popen(
        [*command, *options],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for _ in range(600):
            if len(list(folder.glob("out/*.wav"))) >= 2:
                break
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted, but" in err
    assert "Traceback" not in err
    made = list(folder.glob("out/*.wav"))
    assert 2 <= len(made) < 12
    assert f"{len(made)} of 12 are complete" in err
    for path in made:
        assert soundfile.info(path).frames == soundfile.info("content.wav").frames
    # Finished outputs and their records; nothing half-written.
    assert sorted({path.suffix for path in folder.glob("out/**/*") if path.is_file()}) == [".json", ".wav"]
    assert not list(folder.glob("out/.gramophone/work-*"))


def test_a_cluster_that_is_running_is_used(call, folder: Path) -> None:
    distributed = pytest.importorskip("distributed")
    args = ("batch", "content.wav", "content2.wav", "--styles", "style.wav", "-o", "out", *QUICK)
    # A thread is worker enough: where it is, makes no difference to whoever submits.
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as cluster:
        outcome = call(*args, "--scheduler", cluster.scheduler_address)
        assert outcome.code == 0, outcome.err
        assert "2 made" in outcome.out
        assert "2 skipped" in call(*args, "--scheduler", cluster.scheduler_address).out
    assert sorted(path.name for path in folder.glob("out/*.wav")) == [
        "content--style.wav",
        "content2--style.wav",
    ]


def test_only_a_scheduler_needs_dask(folder: Path) -> None:
    # A package that cannot be imported stands in front of the real one.
    (folder / "hidden").mkdir()
    (folder / "hidden" / "distributed.py").write_text("raise ImportError")
    args = ("batch", "content.wav", "content2.wav", "--styles", "style.wav", "-o", "out", *QUICK)
    environment = {**os.environ, "PYTHONPATH": f"{folder / 'hidden'}:{os.environ.get('PYTHONPATH', '')}"}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gramophone", *args, *more]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    done = run("--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 2
    assert "pip install 'gramophone[cluster]'" in done.stderr
    assert "2 made" in run("--jobs", "2").stdout
