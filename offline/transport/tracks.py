"""The closed form over a whole track: which rounds it goes, and the sound that comes of them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ...dsp.frames import Framing
from ...dsp.level import REFERENCE_LUFS
from ...dsp.mastering import loudness_of
from ...dsp.stft import compress, expand
from ...media.audiofile import resample_track
from ...media.spool import Spool
from ..optimize.level_descent import BLOCK as LEVEL_BLOCK
from ..optimize.level_descent import Levels, descend
from ..work.block_pool import BLOCK_FRAMES, block_pool, blocks
from ..work.checkpoint import Checkpoint
from ..work.mixture import mixture
from .closed_form import StyleClip, StyleSide
from .notes import TIED, Bands, NotesPass, without_tones
from .rounds import MOST_ITERATIONS, TransportRounds
from .settings import ClosedForm
from .time_windows import Window, windows

OnStep = Callable[[int, int], None]

# Samples at a time where nothing is transformed.
PIECE = 1 << 18


def transport_track(
    content: Spool,
    style: StyleClip,
    settings: ClosedForm,
    work: Checkpoint,
    *,
    local: float | None = None,
    seed: int = 0,
    on_step: OnStep = lambda _, __: None,
    size: int = BLOCK_FRAMES,
) -> Spool:
    """Give a track the statistics of a style.

    With `settings.notes` between 0 and 1, both ways are gone, and what they give is mixed.

    Args:
        content: at the recipe's rate and the reference level
        style: the style; everything is computed on its device
        settings: the recipe's
        work: where the files are; rounds that are finished there are not done again
        local: seconds over which statistics are taken; None is the whole track
        seed: of the networks that `offline.optimize.level_descent` draws
        on_step: called with the blocks done, and all there are
        size: frames in a block; the result does not depend on it

    Returns:
        Spool, at the reference level
    """
    device, notes = style.logs.device, settings.notes
    if local is not None:
        # The descent knows the track as a whole only, and would even out what windows let differ.
        settings = replace(settings, level_steps=0)
    framing = Framing(settings.n_fft, settings.hop, content.length, device=device)
    length = None if local is None else local * settings.sample_rate / settings.hop
    stretches = windows(framing.frames, length)
    turns = [settings.early_iterations] * (settings.rounds - 1) + [settings.phase_iterations]
    count = len(blocks(framing.frames, size))
    over_windows = sum(
        2 * len(blocks(stretch.last, first=stretch.first))
        + len(blocks(stretch.last, size, first=stretch.first))
        for stretch in stretches
    )
    rebuilding = [max(1, -(-n // MOST_ITERATIONS)) for n in turns] if notes < 1.0 else []
    passes = [1] * (notes > 0.0) + rebuilding
    costs = [count * (1 + n) + over_windows for n in passes]
    if notes > 0.0 and settings.level_steps:
        costs[0] += 2 * count + settings.level_steps * len(blocks(framing.frames, LEVEL_BLOCK))
    done = 0

    def count_block() -> None:
        nonlocal done
        done += 1
        on_step(done, sum(costs))

    def skip(passed: int) -> None:
        nonlocal done
        done = sum(costs[:passed])

    with block_pool(device) as workers:
        track = partial(
            TransportRounds,
            framing=framing,
            folder=work.folder,
            device=device,
            block_pool=workers,
            size=size,
            on_block=count_block,
        )
        found: list[Spool] = []
        if notes > 0.0:
            found.append(_with_notes(track, content, style, settings, work, stretches, seed))
            skip(1)
        if notes < 1.0:
            found.append(_in_rounds(track, content, style, settings, work, stretches, turns))
    work.clear("logs", "moved", "wanted")
    if len(found) == 1:
        return found[0]
    parts = zip(found, torch.tensor([notes, 1.0 - notes])[:, None, None], strict=True)
    mixed = mixture(list(parts), work.folder / "mixed.spool")
    to_reference(mixed, loudness_of(mixed, settings.sample_rate))
    return mixed


def _with_notes(
    track: Callable[..., TransportRounds],
    content: Spool,
    style: StyleClip,
    settings: ClosedForm,
    work: Checkpoint,
    stretches: list[Window],
    seed: int,
) -> Spool:
    """See `offline.transport.notes`."""
    stage = "with notes"
    if (found := work.find(stage)) is not None:
        return found
    highest = settings.sample_rate / 2
    bands = Bands(style.logs.shape[0], highest=highest, device=style.logs.device)
    levels = compress(bands.levels(expand(style.logs).mT.square()))
    # Bands name no notes, and there are few of them: one tie of the loudness over all, as firm as half of them.
    inside = replace(settings, bands=0, energy_coupling=settings.energy_coupling / 2.0, band_coupling=0.0)
    rounds = track(settings=inside, style=StyleSide(levels.mT.contiguous(), inside), bands=bands)
    logs = rounds.frames_of(content)
    before = None
    if settings.level_steps:
        before = Spool.open(Path(shutil.copyfile(logs.path, work.folder / "before.spool")))
    sounds = rounds.sounding(logs, "heard")
    wanted = rounds.moved(logs, sounds, stretches, coupled=True)
    if before is not None:
        descend(
            Levels(wanted, before, sounds, levels.mT.contiguous(), bands.weights),
            steps=settings.level_steps,
            frame_rate=settings.sample_rate / settings.hop,
            generator=torch.Generator().manual_seed(seed),
            workers=rounds.block_pool,
            folder=work.folder,
            on_block=rounds.on_block,
        )
        rounds.distributed(wanted, sounds)
        before.path.unlink()
    notes = NotesPass(
        bands, without_tones(style.spectrum), levels, tied=0.0 if settings.level_steps else TIED
    )
    found, level = rounds.with_notes(content, wanted, notes, work.folder / "with-notes.spool")
    to_reference(found, level)
    return work.keep(stage, found)


def _in_rounds(
    track: Callable[..., TransportRounds],
    content: Spool,
    style: StyleClip,
    settings: ClosedForm,
    work: Checkpoint,
    stretches: list[Window],
    turns: list[int],
) -> Spool:
    """Bin by bin: the map, then the phase, as often as `settings.rounds`."""
    sound = content
    rounds = track(settings=settings, style=StyleSide(style.logs, settings))
    for turn in range(settings.rounds):
        stage = f"round {turn + 1}"
        if (found := work.find(stage)) is None:
            # What no signal can have is lost on the way through the phase; another round sees what is missing.
            logs = rounds.frames_of(sound)
            sounds = work.find("sounding") or work.keep("sounding", rounds.sounding(logs, "sounding"))
            wanted = rounds.moved(logs, sounds, stretches, coupled=turn == 0)
            found, level = rounds.rebuilt(sound, wanted, turns[turn], f"rebuilt-{turn + 1}")
            to_reference(found, level)
            found = work.keep(stage, found)
        if sound is not content:
            work.drop(f"round {turn}")
        sound = found
    return sound


def reference_track(
    content: Spool, sample_rate: int, to_rate: int, work: Checkpoint, *, loudness: Callable[[], float]
) -> Spool:
    """A content at another rate and the reference level, as a file of the work.

    Args:
        content: at `sample_rate`, Hz
        to_rate: Hz
        work: where the file is put
        loudness: gives the content's loudness, LUFS
    """
    path = work.folder / "reference.spool"
    reference = resample_track(content, sample_rate, to_rate, path)
    if reference is content:
        pieces = (
            content.read(start, min(start + PIECE, content.length))
            for start in range(0, content.length, PIECE)
        )
        reference = Spool.gather(path, pieces)
    to_reference(reference, loudness() if to_rate == sample_rate else loudness_of(reference, to_rate))
    return reference


def to_reference(sound: Spool, level: float) -> None:
    """Bring a sound of this loudness, LUFS, to the reference level (see `dsp.level.at_reference`), in place."""
    if not math.isfinite(level):
        return
    gain = 10.0 ** ((REFERENCE_LUFS + 10.0 * math.log10(sound.channels) - level) / 20.0)
    for start in range(0, sound.length, PIECE):
        sound.write(start, sound.read(start, start + PIECE) * np.float32(gain))
