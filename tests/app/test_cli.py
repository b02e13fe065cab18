import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import gramophone
from gramophone.app import scores
from gramophone.app.cli import style
from gramophone.offline.report.report import Row

pytestmark = pytest.mark.usefixtures("folder")


def test_version_and_module(spawn) -> None:
    outcome = spawn("--version")
    assert (outcome.code, outcome.out) == (0, f"gramophone {gramophone.__version__}\n")


def test_render_keeps_rate_channels_length_and_says_where(call) -> None:
    outcome = call("render", "content.wav", "style.wav", "-o", "out.wav", "--recipe", "transport")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("out.wav: 1.5 s in ")
    assert "real-time factor" in outcome.out
    content, output = soundfile.info("content.wav"), soundfile.info("out.wav")
    assert (output.samplerate, output.channels, output.frames) == (
        content.samplerate,
        content.channels,
        content.frames,
    )
    assert output.subtype == "PCM_24"
    assert not list(Path().glob(".*"))


@pytest.mark.parametrize("name", ["out.flac", "out.ogg", "out.mp3", "OUT.AIFF"])
def test_the_extension_says_the_format(name: str, call) -> None:
    assert call("render", "content.wav", "style.wav", "-o", name, "--recipe", "transport").code == 0
    assert soundfile.info(name).format == Path(name).suffix[1:].upper()


def test_same_seed_same_file(call) -> None:
    files = []
    for name, seed in (("a.wav", 1), ("b.wav", 1), ("c.wav", 2)):
        args = ("--recipe", "gramophone", "--steps", 3, "--seed", seed)
        assert call("render", "content.wav", "style.wav", "-o", name, *args).code == 0
        files.append(Path(name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


@pytest.mark.parametrize(
    ("subtype", "name"),
    [
        ("PCM_U8", "out.wav"),
        ("PCM_16", "out.flac"),
        ("PCM_24", "out.aiff"),
        ("PCM_32", "out.wav"),
        ("FLOAT", "out.wav"),
        ("DOUBLE", "out.wav"),
    ],
)
def test_strength_zero_gives_the_content_back(subtype: str, name: str, tune, call) -> None:
    soundfile.write("exact.wav", tune.T, 16000, subtype=subtype)
    assert call("render", "exact.wav", "style.wav", "-o", name, "--strength", 0).code == 0
    np.testing.assert_array_equal(soundfile.read(name)[0], soundfile.read("exact.wav")[0])


def test_settings_and_steps_reach_the_recipe(call) -> None:
    args = ("--recipe", "dipani2018", "--steps", 2, "--set", "filters=16", "--set", "phase_iterations=2")
    assert call("render", "content.wav", "style.wav", "-o", "out.wav", *args).code == 0


@pytest.mark.parametrize(
    "command", [("render", "content.wav", "style.wav"), ("batch", "content.wav", "--styles", "style.wav")]
)
@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--notes", 1.5), "--notes 1.5 is out of range"),
        (
            ("--notes", 1, "--recipe", "ulyanov2016"),
            "has no setting 'notes'; recipes that have it: gramophone, transport",
        ),
    ],
)
def test_what_notes_cannot_be_is_one_line(command, args, says: str, call, folder: Path, listing) -> None:
    before = listing(folder)
    outcome = call(*command, "-o", "out.wav", *args)
    assert outcome.code == 2
    assert says in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert listing(folder) == before


def test_notes_reach_the_recipe_and_its_report(call) -> None:
    args = ("content.wav", "style.wav", "--recipe", "transport")
    assert call("render", *args, "-o", "set.wav", "--set", "notes=0.25").code == 0
    outcome = call("render", *args, "-o", "out.wav", "--notes", 0.25, "--report", "page.html")
    assert outcome.code == 0, outcome.err
    assert Path("out.wav").read_bytes() == Path("set.wav").read_bytes()
    assert "<dt>notes</dt><dd>0.25</dd>" in Path("page.html").read_text(encoding="utf-8")
    assert call("render", *args, "-o", "own.wav").code == 0
    assert Path("own.wav").read_bytes() != Path("out.wav").read_bytes()


def test_style_files(call) -> None:
    args = ("--name", "Brook [1]", "--author", "Nobody", "--licence", "CC0-1.0")
    assert call("style", "make", "style.wav", "-o", "brook.style", *args).out == "brook.style\n"
    shown = call("style", "info", "brook.style").out
    for text in ("Brook [1]", "Nobody", "CC0-1.0", "22050"):
        assert text in shown
    outcome = call("render", "content.wav", "brook.style", "-o", "out.wav", "--recipe", "transport")
    assert outcome.code == 0, outcome.err
    assert call("style", "make", "style.wav").out == "style.style\n"


def test_report(call) -> None:
    args = ("--recipe", "transport", "--report", "page.html")
    outcome = call("render", "content.wav", "style.wav", "-o", "out.wav", *args)
    assert outcome.code == 0, outcome.err
    assert "page.html" in outcome.out
    for row in ("transport", "matched equaliser", "half-and-half mix", "channel vocoder", "floor"):
        assert row in outcome.out
    assert "<audio" in Path("page.html").read_text(encoding="utf-8")


def test_score(call) -> None:
    outcome = call("score", "content.wav", "style.wav", "content.wav", "--json")
    assert outcome.code == 0, outcome.err
    figures = json.loads(outcome.out)
    assert set(figures) == {
        "content", "style", "output", "sample_rate", "style_distance", "transposition_free_distance",
        "content_kept", "floor", "transposition_free_floor",
    }  # fmt: skip
    assert figures["style_distance"]["raw"] == pytest.approx(1.0)
    assert figures["style_distance"]["centred"] == pytest.approx(1.0)
    assert figures["content_kept"]["overall"] == pytest.approx(1.0)
    assert set(figures["content_kept"]) == {"overall", "notes", "onset", "energy", "mel"}
    assert figures["floor"]["raw"] > 0.0


def test_json_has_rows_for_the_baselines_where_they_were_measured() -> None:
    floor = Row(name=scores.FLOOR, raw=0.2, centred=0.3)
    ours = Row(name="out.wav", raw=0.1, centred=math.nan, kept=0.9, onset=0.8, energy=0.9, mel=1.0)
    mix = Row(name="half-and-half mix", raw=0.8, centred=0.6, kept=0.7)
    alone, beside = scores.as_json([ours, floor]), scores.as_json([ours, mix, floor])
    assert "baselines" not in alone
    assert alone["style_distance"] == {"raw": 0.1, "centred": None}
    assert alone["floor"] == {"raw": 0.2, "centred": 0.3}
    assert beside["baselines"]["half-and-half mix"]["style_distance"] == {"raw": 0.8, "centred": 0.6}
    json.dumps(beside, allow_nan=False)


def test_score_brings_rates_and_lengths_together(tune, call) -> None:
    soundfile.write("other.wav", np.repeat(tune[:, :-4000], 2, axis=1).T, 32000)
    outcome = call("score", "content.wav", "style.wav", "other.wav")
    assert outcome.code == 0, outcome.err
    assert "differ by 0.25 s" in outcome.err
    for text in ("raw", "centred", "notes", "Content kept", "other.wav", "floor", "Style distance"):
        assert text in outcome.out


def test_recipes(call) -> None:
    listed = call("recipes").out
    for name, recipe in gramophone.recipes().items():
        assert name in listed
        shown = call("recipes", name).out
        assert recipe.paper in shown
        for key in recipe.settings():
            assert key in shown


def interrupt_once_it_works(folder: Path, number: signal.Signals) -> tuple[int, str]:
    args = [
        "render",
        "content.wav",
        "style.wav",
        "-o",
        "out.wav",
        "--recipe",
        "dipani2018",
        "--steps",
        "100000",
    ]
    command = [sys.executable, "-u", "-m", "gramophone", *args, "--set", "filters=32"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment) as process:
        assert process.stderr is not None
        # The first line of progress says that the work has begun.
        first = process.stderr.readline()
        time.sleep(0.3)
        process.send_signal(number)
        rest = process.communicate(timeout=30)[1]
    return process.returncode, first + rest


def test_ctrl_c_leaves_nothing_behind(folder: Path, listing) -> None:
    before = listing(folder)
    code, err = interrupt_once_it_works(folder, signal.SIGINT)
    assert code == 130, err
    assert err.endswith("gramophone: interrupted, nothing was written\n")
    assert "Traceback" not in err
    assert listing(folder) == before


def test_termination_leaves_nothing_behind(folder: Path, listing) -> None:
    before = listing(folder)
    code, err = interrupt_once_it_works(folder, signal.SIGTERM)
    assert code == 143, err
    assert "Traceback" not in err
    assert listing(folder) == before


def test_output_may_be_cut_off() -> None:
    command = f"'{sys.executable}' -m gramophone recipes ulyanov2016 | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_styles_of_many_files(call, folder: Path) -> None:
    (folder / "rain" / "deep").mkdir(parents=True)
    sound, rate = soundfile.read("style.wav", always_2d=True)
    for name in ("one.wav", "deep/two.flac"):
        soundfile.write(folder / "rain" / name, sound * (0.9 if "two" in name else 1.0), rate)
    soundfile.write(folder / "rain" / "copy.aiff", sound, rate)
    soundfile.write(folder / "rain" / "silent.wav", 0.0 * sound, rate)
    (folder / "rain" / "notes.txt").write_text("no sound")
    outcome = call("style", "make", "rain", "content.wav", "--jobs", 1, "-o", "rain.style")
    assert outcome.code == 0, outcome.err
    told = " ".join(outcome.err.split())
    assert "silent.wav is left out: it is silent" in told
    assert "is left out: it is the same sound as" in told
    assert "3 files" in call("style", "info", "rain.style").out
    assert list(folder.glob(".*")) == []
    assert call("render", "content.wav", "rain.style", "-o", "out.wav", "--recipe", "transport").code == 0
    again = call("style", "make", "rain", "-o", "rain.style")
    assert again.code == 2
    assert "already exists" in again.err


@pytest.mark.parametrize(
    ("clip", "name"),
    [
        ("deep/rain [1].wav", "rain [1]"),
        ("recordings/", "recordings"),
        ("s3://bucket/rain/", "rain"),
        ("s3://bucket/rain/**/*.flac", "rain"),
        ("https://host/rain.wav?signature=secret", "rain"),
    ],
)
def test_a_style_is_called_like_its_file_or_folder(clip: str, name: str) -> None:
    assert style.called(clip) == name
