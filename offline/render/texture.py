"""Endless texture from a clip: noise played in the style of the clip, block after block.

Each block is rendered from its own noise, so memory does not grow with the length and no two blocks are alike. They are
joined where their spectra over time agree best, so that a rhythm goes on, by a crossfade that keeps the power of
independent sounds.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.level import gain_db, limit, loudness
from ...dsp.mastering import TRACK_CEILING_DB
from ...dsp.stft import log_spectrogram
from ...models.style import Style
from ..recipes.recipe import Recipe
from .baselines import matched_equaliser
from .render import Progress, render

Samples = NDArray[np.float64]

BLOCK_SECONDS = 20.0
FADE_SECONDS = 1.0
# How much later than it could a block may begin, so that it fits the one before.
SEARCH_SECONDS = 1.0
_JOIN_FFT = 1024
_JOIN_HOP = 256


def texture(
    style: Style,
    seconds: float,
    *,
    recipe: Recipe,
    seed: int = 0,
    device: str = "auto",
    progress: Callable[[Progress], None] | None = None,
) -> Iterator[Samples]:
    """Continue a style for any length.

    Args:
        style: the clip
        seconds: length of the texture
        recipe: see `offline.recipes.registry.Recipe.without_content`
        seed: of all randomness; the same seed gives the same samples on the same machine
        device: auto, cpu or cuda
        progress: called after every step, with the fraction of the whole

    Yields:
        array [channels of the style, n], one after the other, at the style's rate and loudness; true peak at most -1
        dBFS
    """
    rate = style.sample_rate
    fade, search = round(FADE_SECONDS * rate), round(SEARCH_SECONDS * rate)
    left = round(seconds * rate)
    parts = _parts(left, round(BLOCK_SECONDS * rate))
    tail: Samples | None = None
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        # Of a block after the first one, the fade replaces the end of the one before.
        lead = search if tail is not None else 0
        length = lead + part + (0 if last else fade)
        block = _block(
            style,
            length,
            recipe=recipe,
            seed=int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0] >> 1),
            device=device,
            progress=None if progress is None else _whole(progress, index, len(parts)),
        )
        if tail is not None:
            begin = best_join(tail, block[:, : search + fade], rate)
            block = block[:, begin:]
            block[:, :fade] = crossfade(tail, block[:, :fade])
        piece = block[:, :part]
        tail = block[:, part : part + fade]
        # Where two peaks of two blocks meet, their sum may be too high.
        yield limit(piece, rate, ceiling_db=TRACK_CEILING_DB)


def _parts(length: int, block: int) -> list[int]:
    """Samples that each block contributes: equal shares, none longer than `block`."""
    count = max(1, -(-length // block))
    edges = [length * index // count for index in range(count + 1)]
    return [after - before for before, after in itertools.pairwise(edges)]


def _block(
    style: Style,
    length: int,
    *,
    recipe: Recipe,
    seed: int,
    device: str,
    progress: Callable[[Progress], None] | None,
) -> Samples:
    """One block [channels, length] at the style's rate and loudness."""
    noise = noise_like(style, length, np.random.default_rng(seed))
    return render(
        noise, style.sample_rate, style, recipe=recipe, seed=seed, device=device, progress=progress
    ).samples


def noise_like(style: Style, length: int, generator: np.random.Generator) -> Samples:
    """Noise [channels, length] with a clip's loudness, average spectrum and correlation between channels."""
    samples = style.at(style.sample_rate)
    # A little of the mean power on the diagonal: equal channels, or a silent one, have no root otherwise.
    power = samples @ samples.T / samples.shape[1]
    power += np.eye(len(power)) * (1e-6 * np.trace(power) / len(power) + 1e-12)
    noise = np.linalg.cholesky(power) @ generator.standard_normal((len(power), length))
    noise = matched_equaliser(noise, samples, style.sample_rate)
    level = loudness(noise, style.sample_rate)
    return gain_db(noise, style.loudness - level) if np.isfinite(level + style.loudness) else noise


def best_join(tail: Samples, head: Samples, sample_rate: int) -> int:
    """Return the place in a new block whose spectrum over time continues the end of the old one best.

    Args:
        tail: array [channels, fade], the end of the old block, which will fade out
        head: array [channels, at least fade], the beginning of the new one
        sample_rate: Hz, of both

    Returns:
        int, 0 to head's length less tail's: the sample of the new block at which the fade begins
    """
    room = head.shape[-1] - tail.shape[-1]
    hop = max(1, _JOIN_HOP * sample_rate // 44100)
    ours, theirs = (
        log_spectrogram(torch.from_numpy(x).float(), _JOIN_FFT, hop).numpy() for x in (tail, head)
    )
    frames = ours.shape[-1]
    ours = ours - ours.mean(axis=-1, keepdims=True)
    best, place = -np.inf, 0
    for shift in range(room // hop + 1):
        piece = theirs[:, shift : shift + frames]
        piece = piece - piece.mean(axis=-1, keepdims=True)
        likeness = float((ours * piece).sum()) / max(float(np.linalg.norm(piece)), 1e-9)
        # A steady sound fits everywhere; then the first place is the best.
        if likeness > best + 1e-9:
            best, place = likeness, shift
    return int(min(place * hop, room))


def crossfade(old: Samples, new: Samples) -> Samples:
    """From the one to the other [channels, fade], cos and sin: the power of independent sounds stays as it is."""
    angle = 0.5 * np.pi * (np.arange(old.shape[-1]) + 0.5) / max(old.shape[-1], 1)
    faded: Samples = old * np.cos(angle) + new * np.sin(angle)
    return faded


def _whole(progress: Callable[[Progress], None], index: int, count: int) -> Callable[[Progress], None]:
    """A listener to one block, as a part of all blocks."""

    def report(step: Progress) -> None:
        stage = step.stage if count == 1 else f"block {index + 1} of {count}, {step.stage}"
        progress(dataclasses.replace(step, stage=stage, fraction=(index + step.fraction) / count))

    return report
