"""One page about one rendering: the sounds, how near it came, and every setting to make it again.

The page is a single HTML file that needs nothing else: sounds and pictures are inside it, and its content
security policy forbids it to load anything. The page itself is `report.html` (with `report.css` and
`report.js`), which only lays out what is prepared here.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from ...dsp.level import loudness
from ...media.audiofile import resample
from ...media.errors import InputError
from ...media.escaping import escaped
from ...media.files import replacing
from . import figures

# Beyond this a lossless copy makes a page that is slow to open and too large to send.
LOSSLESS_SECONDS = 60.0
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_PICTURE_COLUMNS = 880
# A short style beside a long song is drawn no narrower than this part of it, and says that its time is wider.
_NARROWEST = 0.34
# How far the louder sounds may be turned down so that all three are equally loud.
_MOST_TURNED_DOWN_DB = 24.0
_MISSING = "–"
_PARTS = ("notes", "onset", "energy", "mel")
# The transposition-free distance is shown first; to the other, the style is also the notes that it plays.
_FREE = ("free_raw", "free_centred")
_OTHER = ("raw", "centred")


@dataclass(frozen=True)
class ReportSound:
    """A sound of the report: `samples` [channels, samples], full scale ±1."""

    name: str
    samples: npt.NDArray[np.float64]
    sample_rate: int


@dataclass(frozen=True)
class Row:
    """The measures of one output: style distances (0 .. 1 and above), content kept and its parts (-1 .. 1).

    `free_raw` and `free_centred` are the transposition-free distance. None is "not measured" or, for the notes, "there
    are none". A row without `kept` (the floor) is a limit and not an output. `highlight` marks the output that the
    report is about.
    """

    name: str
    raw: float
    centred: float
    kept: float | None = None
    onset: float | None = None
    energy: float | None = None
    mel: float | None = None
    notes: float | None = None
    free_raw: float | None = None
    free_centred: float | None = None
    highlight: bool = False


@dataclass(frozen=True)
class Report:
    """Everything the page shows.

    `settings` are (key, value, one-line help), `losses` (stage, step, loss) in the order they were computed,
    `seconds` the time of each stage, `facts` whatever else belongs to it (seed, strength, version).
    """

    content: ReportSound
    style: ReportSound
    output: ReportSound
    recipe_name: str
    recipe_summary: str
    settings: Sequence[tuple[str, object, str]] = ()
    losses: Sequence[tuple[str, int, float]] = ()
    rows: Sequence[Row] = ()
    seconds: Mapping[str, float] | None = None
    facts: Mapping[str, str] | None = None


def write_report(path: str | Path, report: Report, *, overwrite: bool = False) -> None:
    """Write `report` as one self-contained HTML file.

    Raises:
        InputError: The file exists and `overwrite` is False, it cannot be written, a sound is empty or not finite, or
            the packages of the extra "report" are missing. Nothing is left behind then.
    """
    environment = _environment()
    with replacing(Path(path), overwrite=overwrite) as temporary:
        page = environment.get_template("report.html").render(_page(report))
        temporary.write_text(page, encoding="utf-8")


def check_installed() -> None:
    """Raise InputError if the packages that a report needs are missing."""
    for module, package in (("jinja2", "jinja2"), ("PIL", "pillow")):
        if importlib.util.find_spec(module) is None:
            raise InputError(f'a report needs {package}; install it with pip install "gramophone[report]"')


def _environment() -> Any:
    check_installed()
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        # Names may hold what is no character, and what turns the direction of all that follows.
        finalize=lambda value: escaped(value, keep="\n\t") if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(report: Report) -> dict[str, object]:
    """What the template needs, already in words and positions."""
    rows = [_row(row, letter) for row, letter in zip(report.rows, _letters(), strict=False)]
    curve = figures.loss_curve(report.losses)
    seconds = dict(report.seconds or {})
    title = [report.content.name, report.style.name]
    title_length = sum(map(len, title))
    letters = min(max(len(word) for name in title for word in [*name.split(), ""]), 30) or 1
    return {
        "report": report,
        "letters": letters,
        "largest": 4.4 if title_length < 60 else 2.7,
        "sounds": _sounds(report),
        "groove": figures.groove(_checked(report.output)),
        "colour_stops": figures.colour_stops(),
        "range_db": round(figures.RANGE_DB),
        "rows": rows,
        "result": next((row for row in rows if row["highlight"]), None),
        "scale": _scale(report.rows),
        "scatter": _scatter(report.rows),
        "has_floor": any(row.kept is None for row in report.rows),
        "curve": curve,
        "stages": _stages(curve, seconds),
        "total": _duration(sum(seconds.values())) if seconds else None,
        "settings": [(key, _plain(value), help_) for key, value, help_ in report.settings],
        "facts": {key: _plain(value) for key, value in (report.facts or {}).items()},
    }


# Sounds


def _checked(sound: ReportSound) -> npt.NDArray[np.float64]:
    samples = np.atleast_2d(np.asarray(sound.samples, dtype=np.float64))
    if samples.size == 0 or not np.all(np.isfinite(samples)):
        wrong = "is empty" if samples.size == 0 else "has samples that are not finite numbers"
        raise InputError(f"{sound.name}: the sound {wrong}; a report needs one that can be played")
    return samples


def _sounds(report: Report) -> list[dict[str, object]]:
    given = {"content": report.content, "style": report.style, "output": report.output}
    samples = {role: _checked(sound) for role, sound in given.items()}
    durations = {role: samples[role].shape[1] / sound.sample_rate for role, sound in given.items()}
    loud = {role: loudness(samples[role], sound.sample_rate) for role, sound in given.items()}
    audible = [level for level in loud.values() if math.isfinite(level)]
    longest = max(durations.values())
    widths = {role: max(duration / longest, _NARROWEST) for role, duration in durations.items()}
    highest = min(figures.HIGHEST_HZ, max(sound.sample_rate for sound in given.values()) / 2)
    highest = max(highest, 10 * figures.LOWEST_HZ)
    levels = {}
    for role, sound in given.items():
        columns = round(_PICTURE_COLUMNS * widths[role])
        power = figures.log_spectrogram(samples[role], sound.sample_rate, columns=columns, highest=highest)
        # Compared as the measures and the ear compare them: at one loudness.
        levels[role] = figures.decibels(power) - (loud[role] if math.isfinite(loud[role]) else 0.0)
    # The very loudest cells are few: let them saturate rather than darken everything else.
    top = max(float(np.quantile(level, 0.9995)) for level in levels.values())
    quietest = max(min(audible), max(audible) - _MOST_TURNED_DOWN_DB) if audible else 0.0
    return [
        {
            "role": role,
            "number": number,
            "name": sound.name,
            "audio": _audio_uri(samples[role], sound.sample_rate),
            "picture": figures.png(levels[role], top=top),
            "width": f"{widths[role]:.4f}",
            "wider": _times(widths[role] * longest / durations[role]),
            "duration": f"{durations[role]:.6f}",
            "length": _duration(durations[role]),
            "rate": f"{sound.sample_rate / 1000:g} kHz",
            "channels": {1: "mono", 2: "stereo"}.get(len(samples[role]), f"{len(samples[role])} channels"),
            "loudness": f"{_signed(loud[role], 1)} LUFS" if math.isfinite(loud[role]) else "silent",
            "volume": f"{min(1.0, 10 ** ((quietest - loud[role]) / 20)):.4f}"
            if math.isfinite(loud[role])
            else "1",
            "time_ticks": figures.time_ticks(durations[role], count=max(2, round(5 * widths[role]))),
            "frequency_ticks": figures.frequency_ticks(highest),
        }
        for number, (role, sound) in enumerate(given.items(), start=1)
    ]


def _audio_uri(samples: npt.NDArray[np.float64], sample_rate: int) -> str:
    """The sound for a browser: 16-bit FLAC, or MP3 when it is long."""
    long = samples.shape[1] > LOSSLESS_SECONDS * sample_rate
    if len(samples) > (2 if long else 8):
        samples = samples.mean(axis=0, keepdims=True)
    if long and sample_rate not in _MP3_RATES:
        rate = min((rate for rate in _MP3_RATES if rate >= sample_rate), default=48_000)
        samples, sample_rate = resample(samples, sample_rate, rate), rate
    data = io.BytesIO()
    kind = {"format": "MP3", "subtype": "MPEG_LAYER_III"} if long else {"format": "FLAC", "subtype": "PCM_16"}
    soundfile.write(data, np.clip(samples.T, -1.0, 1.0), sample_rate, **kind)
    return figures.data_uri(data.getvalue(), "audio/mpeg" if long else "audio/flac")


# Measures


def _letters() -> Iterator[str]:
    """A, B, .. Z, then numbers."""
    yield from "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    yield from map(str, itertools.count(27))


def _scale(rows: Sequence[Row]) -> float:
    """The distance at the right end of the bars: 1, or what the worst row needs, up to 2."""
    values = [value for row in rows for value in (row.free_raw, row.free_centred)]
    worst = [value for value in values if value is not None and math.isfinite(value)]
    return min(max([1.0, *worst]), 2.0)


def _row(row: Row, letter: str) -> dict[str, object]:
    return {
        "letter": letter,
        "name": row.name,
        "highlight": row.highlight,
        "limit": row.kept is None,
        "free": [(_words(part), _measure(getattr(row, part))) for part in _FREE],
        "other": [(part, _measure(getattr(row, part))) for part in _OTHER],
        "kept": _measure(row.kept),
        "parts": [(part, _measure(getattr(row, part))) for part in _PARTS],
    }


def _words(measure: str) -> str:
    return measure.replace("_", ", ")


def _measure(value: float | None) -> dict[str, object]:
    """A number in words, and as the length of a bar (0 for what is missing or negative)."""
    if value is None or not math.isfinite(value):
        return {"text": _MISSING, "missing": True, "bar": 0.0}
    return {"text": _signed(value, 2), "missing": False, "bar": max(value, 0.0)}


def _scatter(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Two charts of style distance over content kept; positions in percent from the left and the bottom."""
    kept = [row.kept for row in rows if row.kept is not None and math.isfinite(row.kept)]
    if not kept:
        return []
    least = min(0.0, math.floor(min(kept) * 5) / 5)
    most = _scale(rows) * 1.1
    charts: list[dict[str, object]] = []
    for measure in _FREE:
        name = _words(measure)
        points, limits = [], []
        for row, letter in zip(rows, _letters(), strict=False):
            distance = getattr(row, measure)
            if distance is None or not math.isfinite(distance):
                continue
            y = 100 * min(max(distance, 0.0), most) / most
            if row.kept is None:
                limits.append({"name": row.name, "y": y})
            elif math.isfinite(row.kept):
                x = 100 * (row.kept - least) / (1.08 - least)
                label = f"{row.name}: {name} {_signed(distance, 2)}, content kept {_signed(row.kept, 2)}"
                points.append({"x": x, "y": y, "letter": letter, "highlight": row.highlight, "label": label})
        charts.append(
            {
                "measure": name,
                "points": points,
                "limits": limits,
                "x_ticks": _ticks(least, 1.0, span=1.08 - least, step=0.2 if least == 0 else 0.4),
                "y_ticks": _ticks(0.0, most, span=most, step=0.25 if most < 1.5 else 0.5),
                "unchanged": 100 / most,
            }
        )
    return charts


def _ticks(low: float, high: float, *, span: float, step: float) -> list[figures.Tick]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [figures.Tick(100 * (n * step - low) / span, _signed(n * step, 2)) for n in range(first, last + 1)]


# Words


def _stages(curve: figures.Curve | None, seconds: Mapping[str, float]) -> list[dict[str, object]]:
    """The stages of the work, in order: those with a loss, those with a time, mostly both."""
    drawn = {stage.name: stage for stage in curve.stages} if curve else {}
    longest = max([*seconds.values(), 1e-9])
    # Time is told in the order things happened, so it leads; a loss without a time comes last.
    names = [*seconds, *(name for name in drawn if name not in seconds)]
    return [
        {
            "name": name,
            "number": list(drawn).index(name) + 1 if name in drawn else None,
            "loss": f"{drawn[name].first:.2g} → {drawn[name].last:.2g}" if name in drawn else None,
            "points": drawn[name].points if name in drawn else None,
            "time": _duration(seconds[name]) if name in seconds else None,
            "part": 100 * max(seconds.get(name, 0.0), 0.0) / longest,
        }
        for name in names
    ]


def _duration(seconds: float) -> str:
    if seconds < 0.01:
        return "under 0.01 s"
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _times(factor: float) -> str | None:
    """How many times wider, or None for not at all."""
    if factor < 1.05:
        return None
    return f"{factor:.1f}" if factor < 10 else f"{factor:.0f}"


def _signed(value: float, digits: int) -> str:
    """A number with a real minus sign, and without one before zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _plain(value: object) -> str:
    """A setting as a person would write it."""
    if value is None or value == "":
        return _MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}"  # as exact as it takes to make the rendering again
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(part) for part in value)
    return str(value)
