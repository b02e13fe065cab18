"""Names of files may be anything a file system takes: they work, and are shown as text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = {
    "not UTF-8": os.fsdecode(b"x\xe0"),
    "steers": "-e\x1b[31m\x07\n\u202e[red]x[bold]:bomb:<b>&\"'%41%s{0}`$(x)",
    "long and decomposed": " e\u0301\xa0" + "é" * 120 + "1234",
}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, folder: Path) -> str:
    """Content and style of one name, content.wav and style.wav under other names."""
    name = NAMES[request.param]
    (folder / name).mkdir()
    (folder / "content.wav").rename(folder / name / f"{name}c.wav")
    (folder / "style.wav").rename(folder / name / f"{name}s.wav")
    os.chdir(folder / name)
    return name


def test_every_command_takes_any_name(name: str, call) -> None:
    content, style = f"./{name}c.wav", f"./{name}s.wav"
    # Other suffixes are longer.
    stem = f"./{name}" if len(name) < 100 else f"./{name[:-2]}"
    kept, out, page = (f"{stem}{end}" for end in (".style", "o.wav", ".html"))

    def fine(*args: str) -> str:
        outcome = call(*args)
        assert outcome.code == 0, outcome.err
        for text in (outcome.out, outcome.err):
            assert not {"\x1b", "\x07", "\u202e"} & set(text)
            text.encode()
        return outcome.out

    quick = ("--recipe", "transport")
    fine("style", "make", style, "-o", kept, "--author", name, "--licence", name)
    fine("style", "info", kept)
    fine("render", content, kept, "-o", out, *quick, "--report", page)
    made = Path(page).read_text(encoding="utf-8")
    assert "\u202e" not in made
    assert "<b>&" not in made
    fine("score", content, style, out)
    assert '"output"' in fine("score", content, style, out, "--json")
    fine("texture", style, "-o", f"{stem}t.wav", "--seconds", "0.5", *quick)
    assert "1 made" in fine("batch", content, "--styles", style, "-o", f"{stem}b", "-j", "1", *quick)
    assert "1 skipped" in fine("batch", content, "--styles", style, "-o", f"{stem}b", "-j", "1", *quick)
    assert all("'" not in one.name for one in Path(f"{stem}b").glob("*.wav")) or "'" in name


@pytest.mark.parametrize(
    "missing", [*NAMES.values(), "x" * 300, "x" * 5000], ids=lambda text: repr(text)[:20]
)
@pytest.mark.usefixtures("folder")
def test_a_name_that_is_not_there_is_one_line(missing: str, call) -> None:
    for args in (
        ("render", f"./{missing}", "style.wav", "-o", "out.wav"),
        ("render", "content.wav", f"./{missing}", "-o", "out.wav"),
        ("render", "content.wav", "style.wav", "-o", f"./{missing}/out.wav"),
        ("texture", f"./{missing}", "-o", "out.wav", "--seconds", "1"),
        ("score", "content.wav", "style.wav", f"./{missing}"),
        ("style", "info", f"./{missing}"),
        ("bounce", f"./{missing}", "-o", "out.wav"),
        ("batch", f"./{missing}", "--styles", "style.wav", "-o", "out", "-j", "1"),
        ("live", f"./{missing}", "--virtual-input", "content.wav", "--virtual-output", "out.wav"),
        ("live", "style.wav", "--virtual-input", f"./{missing}", "--virtual-output", "out.wav"),
    ):
        outcome = call(*args)
        assert outcome.code == 2, (args[0], outcome.err)
        assert outcome.err.startswith("gramophone: error: ")
        assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["not UTF-8"], indirect=True)
def test_playing_recording_and_bouncing_take_any_name(name: str) -> None:
    def fine(*args: str) -> None:
        done = subprocess.run([sys.executable, "-m", "gramophone", *args], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    files = ("--virtual-input", f"{name}c.wav", "--virtual-output", f"{name}o.wav", "--as-fast-as-possible")
    fine("live", f"{name}s.wav", *files, "--record", name, "--stats", f"{name}.json")
    fine("bounce", name, "-o", f"{name}.flac", "--quality", "live")
    fine("bounce", name, "-o", f"{name}.wav", "--recipe", "transport")
