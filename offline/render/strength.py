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
from ..work.mixture import Part, on_the_way

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

    See `offline.work.mixture.on_the_way` for what lies between.

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
        way = torch.full((1, 1), strength)
        stylised = on_the_way(content, [Part(stylised, torch.ones(1, 1), gain)], way, folder / "blend.spool")
        level = measure(stylised, sample_rate)
    on_step(2, 3)
    reached = master(stylised, out, sample_rate, target, level=level, ceiling_db=TRACK_CEILING_DB)
    (folder / "blend.spool").unlink(missing_ok=True)
    on_step(3, 3)
    return Mastered(target, reached)
