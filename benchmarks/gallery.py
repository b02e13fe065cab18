"""Makes the sounds and pictures of the README: docs/sounds and docs/images.

    make gallery

Sounds are this project's own clips, and recordings from Debian's package sonic-pi-samples (CC0). The pictures need
Chromium. Nothing is measured here; it is the first thing that a visitor hears and sees.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from benchmarks.browser import find_chromium, open_page
from benchmarks.pairs import load_pair
from gramophone.app.demo_sounds import SAMPLE_RATE, bubbling_water, plucked_strings
from gramophone.media.audiofile import read_audio, write_audio

Samples = NDArray[np.float64]

DOCS = Path(__file__).parents[1] / "docs"
SECONDS = 8.0
_FADE = 0.05


def gramophone(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "gramophone", *map(str, arguments)], check=True)


def clips() -> dict[str, Samples]:
    """What goes in, [channels, samples] at 44.1 kHz."""
    drums = load_pair("drums-choir", seconds=SECONDS)
    return {
        "strings": plucked_strings(SAMPLE_RATE),
        "water": bubbling_water(SAMPLE_RATE),
        "drums": drums.content,
        "choir": drums.style,
    }


def faded(samples: Samples) -> Samples:
    """The first seconds, with a short fade at both ends."""
    out = samples[:, : round(SECONDS * SAMPLE_RATE)].copy()
    ramp = np.linspace(0.0, 1.0, round(_FADE * SAMPLE_RATE))
    out[:, : ramp.size] *= ramp
    out[:, -ramp.size :] *= ramp[::-1]
    return out


def sounds(work: Path, folder: Path) -> None:
    """Render and play everything; MP3 into `folder`."""
    given = clips()
    for name, samples in given.items():
        write_audio(work / f"{name}.wav", samples, SAMPLE_RATE)
    for content, style in (("strings", "water"), ("drums", "choir")):
        gramophone(
            "render", work / f"{content}.wav", work / f"{style}.wav", "-o", work / f"{content}-in-{style}.wav",
            *(("--report", work / "report.html") if content == "strings" else ()),
        )  # fmt: skip
    gramophone(
        "live", work / "water.wav", "--virtual-input", work / "drums.wav",
        "--virtual-output", work / "drums-in-water-live.wav", "--as-fast-as-possible",
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(work.glob("*.wav")):
        audio = read_audio(path)
        write_audio(folder / f"{path.stem}.mp3", faded(audio.samples), audio.sample_rate, overwrite=True)


def pictures(work: Path, folder: Path) -> None:
    """Photograph the report, and the desk while something plays."""
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium: on Debian, apt-get install chromium")
    folder.mkdir(parents=True, exist_ok=True)
    with open_page(program) as page:
        page.set_viewport_size({"width": 1100, "height": 900})
        page.goto((work / "report.html").as_uri())
        page.screenshot(path=folder / "report.png")
        desk(page, work, folder / "desk.png")


def desk(page: Page, work: Path, picture: Path) -> None:
    """Open the desk of a session that plays files, and photograph it."""
    styles = work / "styles"
    styles.mkdir()
    for name in ("water", "choir", "drums"):
        (work / f"{name}.wav").rename(styles / f"{name}.wav")
    session = subprocess.Popen(
        [sys.executable, "-u", "-m", "gramophone", "live", styles / "water.wav", "--styles", styles,
         "--desk", "--desk-port", "0",
         "--virtual-input", work / "strings.wav", "--virtual-output", work / "played.wav"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        assert session.stdout is not None
        address = next(
            found[0] for line in session.stdout if (found := re.search(r"http://[^\s]+", line)) is not None
        )
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(address)
        page.locator("#state.running").wait_for()
        # Some seconds of both spectrograms, and the styles of the folder made ready.
        time.sleep(5.0)
        page.screenshot(path=picture)
    finally:
        session.terminate()
        session.wait(10.0)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="gramophone-gallery-") as name:
        work = Path(name)
        sounds(work, DOCS / "sounds")
        pictures(work, DOCS / "images")
    for path in sorted([*(DOCS / "sounds").iterdir(), *(DOCS / "images").iterdir()]):
        print(f"{path.stat().st_size / 1000:6.0f} kB  {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
