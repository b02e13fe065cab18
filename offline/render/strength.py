"""Strength: mixes content and stylised sound, and brings the result to its loudness."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.mastering import TRACK_CEILING_DB, loudness_of, master, measure
from ...media.spool import Sink, Spool
from ..work.mixture import mixture

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Mastered:
    """Wanted and reached loudness, LUFS; -inf for silence."""

    wanted: float
    reached: float


def at_strength(content: Samples, stylised: Samples, sample_rate: int, strength: float) -> Samples:
    """The sound at a strength, at the content's loudness; see `strengthened`.

    Args:
        content, stylised: array [channels, samples], equally long
        sample_rate: Hz, of both
        strength: 0 (the content, unchanged) to 1 (the stylised sound)
    """
    if strength == 0.0:
        return content.copy()
    with tempfile.TemporaryDirectory(prefix="gramophone-") as name:
        sounds: list[Spool] = []
        for place, samples in (("content", content), ("stylised", stylised), ("out", None)):
            spool = Spool.create(Path(name, place), channels=content.shape[0], length=content.shape[1])
            if samples is not None:
                spool.write(0, samples)
            sounds.append(spool)
        target = loudness_of(sounds[0], sample_rate)
        ours, theirs, out = sounds
        strengthened(ours, theirs, out, sample_rate, strength, target=target, folder=Path(name))
        return out.read(0, content.shape[1]).astype(np.float64)


def strengthened(
    content: Spool,
    stylised: Spool,
    out: Sink,
    sample_rate: int,
    strength: float,
    *,
    target: float,
    folder: Path,
    on_step: Callable[[int, int], None] = lambda _, __: None,
) -> Mastered:
    """Write the sound at a strength and a loudness (see `dsp.mastering.master` for its limits).

    Magnitudes move along the straight line (1 - t) |X| + t |Y|, with the phase of the same mixture of the spectra, so
    that nothing cancels. The straight line between log-magnitudes would be the geodesic of the closed form, but on it
    the style distance first rises if content and style are loud in different bins: halfway, both are soft. Distances
    are measured on a logarithmic scale, on which a soft sound beside a loud one hardly counts. So t = 1 - (1 - s)²
    makes equal steps of strength more nearly equal steps of style distance.

    Args:
        content, stylised: equally long
        out: as long; the result
        sample_rate: Hz, of all
        strength: above 0, to 1 (the stylised sound)
        target: LUFS
        folder: for temporary files
        on_step: called with the steps done, and all there are
    """
    level = measure(stylised, sample_rate)
    on_step(1, 3)
    if strength < 1.0:
        # Equally loud, and limited only after mixing: limited twice, it would jump at strength 1.
        ours = loudness_of(content, sample_rate)
        known = math.isfinite(level.loudness) and math.isfinite(ours)
        gain = 10.0 ** ((ours - level.loudness) / 20.0) if known else 1.0
        way = 1.0 - (1.0 - strength) ** 2
        weights = (1.0 - way, way * gain)
        parts = zip((content, stylised), torch.tensor(weights)[:, None, None], strict=True)
        stylised = mixture(list(parts), folder / "blend.spool")
        level = measure(stylised, sample_rate)
    on_step(2, 3)
    reached = master(stylised, out, sample_rate, target, level=level, ceiling_db=TRACK_CEILING_DB)
    (folder / "blend.spool").unlink(missing_ok=True)
    on_step(3, 3)
    return Mastered(target, reached)
