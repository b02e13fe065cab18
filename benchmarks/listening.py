"""Makes a page to listen to: the judged pairs at `notes` 1, 0.5 and 0, with the default recipe and live.

    make gallery
    python -m benchmarks.listening [PAIR ...] [--output build/gallery/index.html]

One HTML file with all its sounds, which any browser opens from disk. It takes about as long as 24 renders of 10 s.
"""

from __future__ import annotations

import argparse
import base64
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from jinja2 import Environment, FileSystemLoader
from numpy.typing import NDArray

import gramophone
from benchmarks.live import stream
from benchmarks.pairs import ALL_PAIRS, PAIRS, RATE, load_pair, source
from gramophone.dsp.level import gain_db, loudness, true_peak
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.transposition_free import TranspositionFreeMeter

Samples = NDArray[np.float64]

OUTPUT = Path(__file__).parents[1] / "build" / "gallery" / "index.html"
NOTES = (1.0, 0.5, 0.0)
EXCERPT = 6.0
_FADE = 0.05
_LUFS, _PEAK_DB = -20.0, -1.0


@dataclass(frozen=True)
class Player:
    """A sound of the page: its role (content, style, output or live), texts, and MP3 in base64."""

    role: str
    heading: str
    caption: str
    data: str


@dataclass(frozen=True)
class PairOfPage:
    """A pair on the page."""

    title: str
    note: str
    sounds: list[Player]


def encoded(samples: Samples) -> str:
    """The first seconds of [channels, samples], faded and at one loudness, as MP3 in base64."""
    out = samples[:, : round(EXCERPT * RATE)].copy()
    ramp = np.linspace(0.0, 1.0, round(_FADE * RATE))
    out[:, : ramp.size] *= ramp
    out[:, -ramp.size :] *= ramp[::-1]
    peak_db = 20.0 * np.log10(max(true_peak(out, RATE), 1e-9))
    out = gain_db(out, min(_LUFS - loudness(out, RATE), _PEAK_DB - peak_db))
    file = io.BytesIO()
    soundfile.write(file, out.T, RATE, format="MP3", subtype="MPEG_LAYER_III")
    return base64.b64encode(file.getvalue()).decode("ascii")


def players(name: str) -> Iterator[Player]:
    """The sounds of a pair, one after the other as they are made."""
    pair = load_pair(name)
    clips = {"content": (ALL_PAIRS[name][0], pair.content), "style": (ALL_PAIRS[name][1], pair.style)}
    for role, (clip, samples) in clips.items():
        yield Player(role, role, f"{clip}: {source(clip)}", encoded(samples))
    style = gramophone.Style.from_audio(pair.style, RATE, name=name)
    meter = TranspositionFreeMeter(pair.content, pair.style, RATE, style_rate=RATE)
    for way, notes in itertools.product(("", "live, "), NOTES):
        play = played_live if way else gramophone.stylize
        output = play(pair.content, RATE, style, notes=notes)
        kept, distance = content_kept(pair.content, output, RATE).notes, meter.distance(output)
        caption = f"distance {distance.raw:.2f} / {distance.centred:.2f}"
        # Drums and noise have no notes to keep.
        caption = caption if kept is None else f"notes kept {kept:.2f}, {caption}"
        print(f"{name}, {way}notes {notes:g}: {caption}", flush=True)
        yield Player("live" if way else "output", f"{way}notes {notes:g}", caption, encoded(output))


def played_live(content: Samples, rate: int, style: gramophone.Style, *, notes: float) -> Samples:
    """What comes out of the live stage the second time that the content is played."""
    made = gramophone.Stylizer([style], sample_rate=rate, channels=content.shape[0])
    made.set("notes", notes)
    made.reset()
    return stream(made, content)[0][:, content.shape[1] :]


def page(pairs: Sequence[PairOfPage]) -> str:
    """The page as HTML."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    return environment.get_template("listening.html").render(pairs=pairs, seconds=f"{EXCERPT:g}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help="default: the judged pairs")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args(arguments)
    if unknown := set(args.pairs) - set(ALL_PAIRS):
        parser.error(f"unknown pairs: {', '.join(sorted(unknown))}; there are {', '.join(ALL_PAIRS)}")
    pairs = [
        PairOfPage(
            f"{ALL_PAIRS[name][0]} in the style of {ALL_PAIRS[name][1]}",
            ALL_PAIRS[name][2],
            list(players(name)),
        )
        for name in args.pairs or PAIRS
    ]
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(page(pairs), encoding="utf-8")
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
