"""What a sound and a list of losses look like: pictures and geometry for the report, without a page around.

Everything that must be read as text (axis labels) is given as a position in percent of its picture, so that a
page can set it in its own type at any width.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

Array = npt.NDArray[np.float64]

LOWEST_HZ = 40.0
HIGHEST_HZ = 20_000.0
RANGE_DB = 72.0
ROWS = 272
_WINDOW_SECONDS = 0.06
_SMALLEST_POWER = 1e-12
_NARROWEST_STAGE = 0.14
# Quietest first: matplotlib's "magma" at eleven points, between which colours run in straight lines.
_COLOURS = bytes.fromhex("000004 150e38 3b0f70 641a80 8c2981 b73779 de4968 f66e5c fe9f6d fecf92 fcfdbf")
_POINTS = np.frombuffer(_COLOURS, np.uint8).reshape(-1, 3)


@dataclass(frozen=True)
class Tick:
    """A label of an axis: `at` in percent from the left or the bottom."""

    at: float
    label: str


@dataclass(frozen=True)
class StageBand:
    """One stage of a loss curve, with its own steps: positions in percent, `path` as SVG path data."""

    name: str
    points: int
    steps: int
    first: float
    last: float
    start: float
    width: float
    path: str


@dataclass(frozen=True)
class Curve:
    """A loss curve in a picture of 1000 × 1000 units, y downwards."""

    stages: Sequence[StageBand]
    step_ticks: Sequence[Tick]
    loss_ticks: Sequence[Tick]


def log_spectrogram(samples: Array, sample_rate: int, *, columns: int, highest: float = HIGHEST_HZ) -> Array:
    """Power of a sound over log frequency and time.

    Args:
        samples: [channels, samples]. Channels are averaged as powers, so that what is out of phase between them does
            not vanish.
        columns: int > 0. Columns of the picture, whatever the length of the sound.
        highest: float. Upper end of the frequency axis in Hz; the lower end is `LOWEST_HZ`.

    Returns:
        [ROWS, columns], lowest frequency first, linear power per band (bands are of equal width in octaves, so that
        pink noise is even). Rows above half the sample rate are 0.
    """
    window_length = max(32, 2 * round(_WINDOW_SECONDS * sample_rate / 2))
    window = np.hanning(window_length + 1)[:-1]
    length = samples.shape[1]
    # Never further apart than half a window: a long sound is averaged into its columns, not sampled there.
    # Never closer than its 24th part: nothing happens between such frames.
    hop = min(max(math.ceil(length / columns), window_length // 24), window_length // 2)
    frames = math.ceil(length / hop)
    bands = _bands(window_length, sample_rate, highest)
    power = np.zeros((columns, ROWS))
    counts = np.zeros(columns)
    half = window_length // 2
    for first in range(0, frames, 256):
        centres = np.arange(first, min(first + 256, frames)) * hop
        low, high = int(centres[0]) - half, int(centres[-1]) + half
        piece = np.zeros((samples.shape[0], high - low))
        inside = samples[:, max(low, 0) : min(high, length)]
        piece[:, max(-low, 0) : max(-low, 0) + inside.shape[1]] = inside
        cut = np.lib.stride_tricks.sliding_window_view(piece, window_length, axis=1)[:, ::hop]
        spectrum = scipy.fft.rfft(cut * window, axis=-1)
        density = np.mean(spectrum.real**2 + spectrum.imag**2, axis=0) / np.sum(window) ** 2
        column = np.minimum(centres * columns // length, columns - 1)
        np.add.at(power, column, density @ bands.T)
        np.add.at(counts, column, 1.0)
    filled = np.flatnonzero(counts)
    # A sound shorter than the picture has fewer frames than columns: the nearest frame fills the gaps.
    nearest = filled[np.abs(filled[None, :] - np.arange(columns)[:, None]).argmin(axis=1)]
    picture: Array = (power[nearest] / counts[nearest, None]).T
    return picture


def _bands(window_length: int, sample_rate: int, highest: float) -> Array:
    """[ROWS, bins]: what of each bin's power goes to each band."""
    bins = window_length // 2 + 1
    edges = LOWEST_HZ * (highest / LOWEST_HZ) ** (np.arange(ROWS + 1) / ROWS) * window_length / sample_rate
    weights = np.zeros((ROWS, bins))
    for row, (low, high) in enumerate(itertools.pairwise(edges)):
        if high > bins - 1:
            break
        if high - low < 1.0:
            # Narrower than a bin: the density between two bins, times the width of the band.
            centre = (low + high) / 2
            below = min(int(centre), bins - 2)
            weights[row, below] = (below + 1 - centre) * (high - low)
            weights[row, below + 1] = (centre - below) * (high - low)
        else:
            # Bin n covers n - 1/2 .. n + 1/2.
            numbers = np.arange(bins)
            weights[row] = np.clip(
                np.minimum(numbers + 0.5, high) - np.maximum(numbers - 0.5, low), 0.0, None
            )
    return weights


def decibels(power: Array) -> Array:
    """Power as dB; nothing at all is -120 dB."""
    level: Array = 10.0 * np.log10(np.maximum(power, _SMALLEST_POWER))
    return level


def png(level: Array, *, top: float) -> str:
    """A spectrogram as a PNG data URI: `level` [rows, columns] in dB, from `top - RANGE_DB` to `top`."""
    from PIL import Image

    shade = np.clip((level[::-1] - top + RANGE_DB) / RANGE_DB, 0.0, 1.0)
    image = Image.fromarray(np.round(shade * 255).astype(np.uint8))
    at, known = np.linspace(0, 1, 256), np.linspace(0, 1, len(_POINTS))
    palette = np.stack([np.interp(at, known, part) for part in _POINTS.T], axis=1)
    image.putpalette(palette.round().astype(np.uint8).tobytes())
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    return data_uri(data.getvalue(), "image/png")


def colour_stops() -> list[Tick]:
    """The colour scale as stops of a CSS gradient, quietest first."""
    return [
        Tick(100.0 * n / (len(_POINTS) - 1), f"#{colour.tobytes().hex()}") for n, colour in enumerate(_POINTS)
    ]


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as a `data:` address of the media type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def groove(samples: Array, *, turns: int = 15, outer: float = 150.0, inner: float = 62.0) -> str:
    """A sound as the groove of a record, a spiral as wide as it is loud: SVG path data around (0, 0)."""
    points = turns * 96
    edges = np.linspace(0, samples.shape[1], points + 1).astype(int)
    power = np.concatenate([[0.0], np.cumsum(np.mean(samples**2, axis=0))])
    rms = np.sqrt(np.maximum(np.diff(power[edges]), 0.0) / np.maximum(np.diff(edges), 1))
    loud = float(np.percentile(rms, 99.0))
    # The square root of the envelope: quiet passages stay visible beside loud ones.
    width = np.sqrt(np.clip(rms / loud, 0.0, 1.0)) if loud > 0 else np.zeros(points)
    at = np.linspace(0.0, 1.0, points)
    radius = outer + (inner - outer) * at
    half = (outer - inner) / turns * (0.04 + 0.40 * width)
    angle = 2 * np.pi * turns * at - np.pi / 2
    rim = _points(np.cos(angle) * (radius + half), np.sin(angle) * (radius + half))
    hub = _points(np.cos(angle) * (radius - half), np.sin(angle) * (radius - half))
    return "M" + "L".join([*rim, *reversed(hub)]) + "Z"


def _points(x: Array, y: Array) -> list[str]:
    return [f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)]


def time_ticks(duration: float, *, count: int) -> list[Tick]:
    """About `count` round times between 0 and `duration` seconds."""
    step = _round_step(
        duration / max(count, 1), (1, 2, 5, 10) if duration < 60 else (10, 15, 20, 30, 60, 120, 300, 600)
    )
    ticks = [n * step for n in range(int(duration / step + 1e-9) + 1)]
    return [Tick(100 * at / duration, clock(at) if duration >= 60 else f"{at:g}") for at in ticks]


def clock(seconds: float) -> str:
    """Seconds as `m:ss`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def frequency_ticks(highest: float) -> list[Tick]:
    """The round frequencies between `LOWEST_HZ` and `highest` on a log axis."""
    span = math.log(highest / LOWEST_HZ)
    marks = [(50, "50"), (100, "100"), (200, "200"), (500, "500"), (1000, "1k"), (2000, "2k"), (5000, "5k")]
    marks += [(10_000, "10k"), (20_000, "20k")]
    return [
        Tick(100 * math.log(hz / LOWEST_HZ) / span, label) for hz, label in marks if hz <= highest * 1.001
    ]


def _round_step(least: float, family: Sequence[int]) -> float:
    """The smallest round number from `least` up: one of `family`, in any decade where that starts at 1."""
    if family[0] == 1:
        decade = 10.0 ** math.floor(math.log10(max(least, 1e-9)))
        return next((n * decade for n in family if n * decade >= least * 0.999), 10 * decade)
    return float(next((n for n in family if n >= least), family[-1] * math.ceil(least / family[-1])))


def loss_curve(losses: Sequence[tuple[str, int, float]]) -> Curve | None:
    """The curve of `(stage, step, loss)`, one stage after the other; None when there is nothing to draw.

    The loss is on a log axis, so points that are not positive and finite are left out.
    """
    grouped: dict[str, list[tuple[int, float]]] = {}
    for name, step, loss in losses:
        if math.isfinite(loss) and loss > 0:
            grouped.setdefault(name, []).append((step, loss))
    if not grouped:
        return None
    every = [loss for points in grouped.values() for _, loss in points]
    low, high = math.log10(min(every)), math.log10(max(every))
    margin = max(0.06 * (high - low), 0.1)
    low, high = low - margin, high + margin
    stages = list(_stages(grouped, low, high))
    step_ticks = [tick for stage in stages for tick in _step_ticks(stage)]
    return Curve(stages, step_ticks, _loss_ticks(low, high))


def _stages(grouped: dict[str, list[tuple[int, float]]], low: float, high: float) -> Iterator[StageBand]:
    lengths = {name: max(max(step for step, _ in points), 1) for name, points in grouped.items()}
    # A few steps on the waveform after thousands on the magnitudes must still be seen.
    least = sum(lengths.values()) * min(_NARROWEST_STAGE, 1 / len(lengths))
    total = sum(max(length, least) for length in lengths.values())
    start = 0.0
    for name, points in grouped.items():
        width = 100 * max(lengths[name], least) / total
        thin = points[:: math.ceil(len(points) / 600)]
        if thin[-1] != points[-1]:
            thin.append(points[-1])
        x = np.array([10 * (start + width * step / lengths[name]) for step, _ in thin])
        y = np.array([1000 * (high - math.log10(loss)) / (high - low) for _, loss in thin])
        coordinates = _points(x, y)
        # A single point has no length: a line to itself is drawn as a dot by round caps.
        path = "M" + "L".join(coordinates if len(coordinates) > 1 else coordinates * 2)
        yield StageBand(name, len(points), lengths[name], points[0][1], points[-1][1], start, width, path)
        start += width


def _step_ticks(stage: StageBand) -> list[Tick]:
    """Round steps of one stage, as many as fit; the 0 only where the picture begins."""
    spacing = max(_round_step(stage.steps / max(stage.width / 16, 1.0), (1, 2, 5, 10)), 1.0)
    if spacing > stage.steps:
        spacing = stage.steps
    numbers = range(0 if stage.start == 0 else 1, int(stage.steps / spacing + 1e-9) + 1)
    return [Tick(stage.start + stage.width * n * spacing / stage.steps, f"{n * spacing:g}") for n in numbers]


def _loss_ticks(low: float, high: float) -> list[Tick]:
    """Powers of ten, or, where fewer than two are in sight, 1, 2 and 5 times those."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for family in ((1,), (1, 2, 5), tuple(range(1, 10))):
        exponents = [(n, k, k + math.log10(n)) for k in decades for n in family]
        seen = [(n, k, at) for n, k, at in exponents if low <= at <= high]
        if len(seen) >= 2:
            break
    thin = seen[:: math.ceil(len(seen) / 7)]
    return [Tick(100 * (at - low) / (high - low), f"{n * 10.0**k:.3g}") for n, k, at in thin]
