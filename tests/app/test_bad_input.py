"""What a user can get wrong: one line that names it, exit code 2, and nothing written."""

import os
import pickle
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
import soundfile
from safetensors.numpy import save_file
from typer.core import TyperOption
from typer.main import get_command

from gramophone.app.cli.main import app


def make_bad_files(folder: Path) -> None:
    rate = 16000
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, rate)
    (folder / "text.wav").write_text("this is not a sound\n")
    (folder / "text.style").write_text("this is not a style\n")
    (folder / "empty.wav").touch()
    (folder / "empty.style").touch()
    (folder / "folder").mkdir()
    (folder / "existing.wav").write_bytes(b"precious")
    (folder / "existing.html").write_bytes(b"precious")
    (folder / "existing.style").write_bytes(b"precious")
    soundfile.write(folder / "nothing.wav", noise[:0], rate)
    soundfile.write(folder / "short.wav", noise[:100], rate)
    soundfile.write(folder / "silent.wav", 0 * noise, rate)
    soundfile.write(folder / "three.wav", np.stack([noise] * 3, axis=1), rate)
    for name, value in (("nan", np.nan), ("infinite", np.inf)):
        broken = noise.copy()
        broken[500] = value
        soundfile.write(folder / f"{name}.wav", broken, rate, subtype="DOUBLE")
    save_file({"weights": np.zeros(3, np.float32)}, folder / "foreign.style")
    (folder / "pickled.style").write_bytes(pickle.dumps({"samples": noise}))


def given(content="content.wav", style="style.wav", out="out.wav", *rest: str) -> tuple[str, ...]:
    return ("render", content, style, "-o", out, "--recipe", "transport", *rest)


def also(*rest: str) -> tuple[str, ...]:
    return given("content.wav", "style.wav", "out.wav", *rest)


SOUNDS = {
    "missing": "missing.wav",
    "not audio": "text.wav",
    "empty": "empty.wav",
    "no samples": "nothing.wav",
    "too short": "short.wav",
    "silent": "silent.wav",
    "NaN": "nan.wav",
    "infinite": "infinite.wav",
    "a folder": "folder",
    "a name with a line break": "no\nsuch.wav",
}

CASES = {
    **{f"content {kind}": (given(name), name.split("\n")[0]) for kind, name in SOUNDS.items()},
    **{f"style {kind}": (given(style=name), name.split("\n")[0]) for kind, name in SOUNDS.items()},
    "style file missing": (given(style="missing.style"), "missing.style"),
    "style file is text": (given(style="text.style"), "text.style"),
    "style file empty": (given(style="empty.style"), "empty.style"),
    "style file foreign": (given(style="foreign.style"), "foreign.style"),
    "style file pickled": (given(style="pickled.style"), "pickled.style"),
    "output exists": (given(out="existing.wav"), "existing.wav"),
    "output in no folder": (given(out="nowhere/out.wav"), "nowhere"),
    "output is a folder": (given(out="folder"), "folder"),
    "output without extension": (given(out="out"), "out"),
    "output of unknown kind": (given(out="out.xyz"), "out.xyz"),
    "output cannot be written": (given(out="/proc/out.wav"), "/proc/out.wav"),
    "output is the content": (given("content.wav", "style.wav", "content.wav", "--overwrite"), "content.wav"),
    "output is the style": (given("content.wav", "style.wav", "./style.wav", "--overwrite"), "style.wav"),
    "output cannot hold the channels": (given("three.wav", out="out.mp3"), "out.mp3"),
    "report exists": (
        also("--report", "existing.html"),
        "existing.html",
    ),
    "report is no page": (
        also("--report", "report.pdf"),
        "report.pdf",
    ),
    "report in no folder": (
        also("--report", "nowhere/r.html"),
        "nowhere",
    ),
    "no output": (("render", "content.wav", "style.wav"), "--output"),
    "unknown option": (also("--colour", "blue"), "--colour"),
    "unknown command": (("rendre", "content.wav"), "rendre"),
    "unknown recipe": (also("--recipe", "transports"), "transport"),
    "unknown setting": (also("--set", "colour=1"), "colour"),
    "setting without value": (also("--set", "hop"), "hop"),
    "setting out of range": (
        also("--recipe", "ulyanov2016", "--set", "hop=-4"),
        "hop",
    ),
    "setting of wrong type": (
        also("--recipe", "ulyanov2016", "--set", "hop=wide"),
        "hop",
    ),
    "steps out of range": (
        also("--recipe", "ulyanov2016", "--steps", "-1"),
        "steps",
    ),
    "steps are no number": (also("--steps", "many"), "--steps"),
    "strength below": (also("--strength", "-0.1"), "--strength"),
    "strength above": (also("--strength", "1.01"), "--strength"),
    "strength no number": (also("--strength", "nan"), "--strength"),
    "seed below": (also("--seed", "-1"), "--seed"),
    "unknown device": (also("--device", "tpu"), "tpu"),
    "style make missing": (("style", "make", "missing.wav"), "missing.wav"),
    "style make silent": (("style", "make", "silent.wav"), "silent.wav"),
    "style make too short": (("style", "make", "short.wav"), "short.wav"),
    "style make exists": (("style", "make", "style.wav", "-o", "existing.style"), "existing.style"),
    "style make wrong extension": (("style", "make", "style.wav", "-o", "rain.wav"), "rain.wav"),
    "style info missing": (("style", "info", "missing.style"), "missing.style"),
    "style info foreign": (("style", "info", "foreign.style"), "foreign.style"),
    "score missing": (("score", "content.wav", "style.wav", "missing.wav"), "missing.wav"),
    "score silent": (("score", "content.wav", "style.wav", "silent.wav"), "silent.wav"),
    "score of too little": (("score", "content.wav", "style.wav", "short.wav"), "short.wav"),
    "recipes unknown": (("recipes", "transports"), "transport"),
    "demo into a file": (("demo", "--out", "existing.wav"), "existing.wav"),
}


def assert_one_line(code: int, err: str, names: str) -> None:
    assert code == 2, err
    # A slow machine may have shown progress before; the error itself is one line, the last.
    *before, error = err.splitlines()
    assert error.startswith("gramophone: error: ")
    assert names in error
    assert all(line.startswith("gramophone: ") and "error" not in line for line in before), err
    assert "Traceback" not in err


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line_and_writes_nothing(case: str, folder: Path, call, listing) -> None:
    make_bad_files(folder)
    before = listing(folder)
    args, names = CASES[case]
    outcome = call(*args)
    assert_one_line(outcome.code, outcome.err, names)
    assert listing(folder) == before


@pytest.mark.parametrize("part", [0.02, 0.5, 0.99])
def test_truncated_style_file(part: float, folder: Path, call, listing) -> None:
    assert call("style", "make", "style.wav", "-o", "whole.style").code == 0
    whole = (folder / "whole.style").read_bytes()
    (folder / "cut.style").write_bytes(whole[: int(part * len(whole))])
    before = listing(folder)
    for args in (given(style="cut.style"), ("style", "info", "cut.style")):
        outcome = call(*args)
        assert_one_line(outcome.code, outcome.err, "cut.style")
    assert listing(folder) == before


def test_read_only_folder(folder: Path, call) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (folder / "locked").mkdir(mode=0o500)
    outcome = call(*given(out="locked/out.wav"))
    assert_one_line(outcome.code, outcome.err, "locked/out.wav")


def test_existing_files_are_replaced_when_asked(folder: Path, call) -> None:
    (folder / "out.wav").write_bytes(b"old")
    assert call(*also("--overwrite")).code == 0
    assert soundfile.info(folder / "out.wav").samplerate == 16000


def test_cuda_asked_for_and_absent(folder: Path, spawn, listing) -> None:
    before = listing(folder)
    outcome = spawn(*also("--device", "cuda"))
    if outcome.code == 0:
        pytest.skip("there is a CUDA device")
    assert_one_line(outcome.code, outcome.err, "CUDA")
    assert listing(folder) == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_disk_full(folder: Path, spawn, listing) -> None:
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    before = listing(folder)
    outcome = spawn(*given(), preexec_fn=small_disk)
    assert_one_line(outcome.code, outcome.err, "out.wav")
    assert listing(folder) == before


def test_mistakes_are_answered_as_by_a_user_at_a_shell(folder: Path, spawn, listing) -> None:
    before = listing(folder)
    outcome = spawn(*given("missing.wav"))
    assert_one_line(outcome.code, outcome.err, "missing.wav")
    assert outcome.out == ""
    assert listing(folder) == before


# ---- numbers that nobody means

MEANINGLESS = ("1e308", "nan", "9" * 400, "9" * 5000)
LIVE = ("style.wav", "--virtual-input", "content.wav", "--virtual-output", "o.wav", "--as-fast-as-possible")
# What each command needs before its options are looked at; commands without numbers need none.
BEFORE = {
    ("render",): ("content.wav", "style.wav", "-o", "o.wav", "--recipe", "transport"),
    ("batch",): ("content.wav", "--styles", "style.wav", "-o", "made"),
    ("texture",): ("style.wav", "-o", "o.wav"),
    ("live",): LIVE,
    ("bounce",): ("take", "-o", "o.wav"),
    ("bench", "live"): (),
    ("export",): ("style.wav", "-o", "o.ts", "--to", "nntilde"),
    ("style", "make"): ("style.wav", "content.wav", "-o", "o.style"),
}
# Options of text that hold numbers too.
WRITTEN = {
    ("render",): ("--set {}=rounds", "--set rounds={}"),
    ("live",): (
        "--latency {}",
        "--iterations {}",
        "--input-channels {}",
        "--input-channels 1,{}",
        "--capture-channels {}",
        "--cc {}=strength",
        "--cc 1+{}=strength",
        "--cc 1=strength:0:{}",
        "--set strength={}",
        "--osc {}",
        "--osc-to localhost:{}",
        "--midi {}",
    ),
    ("bench", "live"): ("--latency {}",),
}


def numeric() -> Iterator[tuple[tuple[str, ...], str]]:
    """Every option of every command that takes a number."""

    def walk(command, path):
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*path, name))
        hints = get_type_hints(command.callback) if command.callback else {}
        for option in command.params:
            kinds = get_args(hints.get(option.name)) or (hints.get(option.name),)
            if isinstance(option, TyperOption) and {int, float}.intersection(kinds):
                yield path, option.opts[0] + " {}"

    yield from walk(get_command(app), ())


NUMBERS = [*numeric(), *((command, option) for command, options in WRITTEN.items() for option in options)]


def test_every_command_with_numbers_is_tried() -> None:
    assert {command for command, _ in NUMBERS} == set(BEFORE)
    assert len(NUMBERS) > 25


@pytest.mark.parametrize(("command", "option"), NUMBERS)
def test_numbers_without_meaning_are_one_line(command, option: str, folder: Path, call, listing) -> None:
    before = listing(folder)
    for number in MEANINGLESS:
        outcome = call(*command, *BEFORE[command], *option.format(number).split(" "))
        assert_one_line(outcome.code, outcome.err, "")
        assert listing(folder) == before
