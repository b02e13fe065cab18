"""Optimisation of the resulting audio against fresh random networks, for tracks of any length.

A fixed random network is over-fitted: the result satisfies that network and no other. So every step draws a new one, of
another kernel size, and only the statistics themselves can be learnt.

The unknowns are a gain, in nepers, and a turn (a phase rotation) for every bin and frame of the sound's STFT. Both pass
through the inverse and the forward transform before any loss is taken. So the loss sees the STFT of the resulting
signal, and never magnitudes that no signal has. Compared with samples as unknowns, this is a preconditioning: loud and
soft bins have gradients of one scale, which suits Adam's equal steps.

All channels share gains and turns, so their differences of level and phase, the stereo image, stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import torch
from torch import Tensor

from ...dsp.frames import Framing
from ...dsp.stft import compress
from ...media.spool import Spool
from ...models.mel_bands import mel_members
from ..work.block_pool import block_pool
from .content_loss import ContentLoss, LoudnessLoss
from .descent import Descent, Sound, Step, mean_power
from .losses import Block, Weighted
from .loudness_normalisation import LoudnessNormalisation
from .notes_loss import NotesLoss
from .optimizer_state import (
    OptimizerState,
    Samples,
    SamplesInMemory,
    SamplesOnDisk,
    StateInMemory,
    StateOnDisk,
)
from .pattern_loss import PatternLoss
from .settings import Optimisation
from .style_loss import StyleLoss
from .texture_loss import TextureLoss

OnStep = Callable[[int, float], None]

# Frames of one block, and the most frames of a sound that is held in memory: for stereo, 150 MB.
BLOCK = 256
HELD = 1536

# Mel-like bands whose envelopes and movements are compared.
BANDS = 32

# The content's fine structure, in the folder of the work.
NOTES = "notes.spool"

#: the terms whose weighted sum is shown as the style loss
STYLE_TERMS = frozenset({"style", "patterns"})

# The loss is relative to the content's distance from the style: of tracks, this many runs of so many frames tell it.
_RUNS, _RUN = 8, 64


def optimise_sound(
    start: Spool,
    out: Spool,
    content: Spool,
    style: Tensor,
    settings: Optimisation,
    *,
    generator: torch.Generator,
    on_step: OnStep,
    folder: Path,
    block: int = BLOCK,
    held: int = HELD,
) -> None:
    """Optimise a sound towards a style's statistics while keeping the content's envelopes.

    Args:
        start: the first sound
        out: for the result; as long as `start`, with as many channels, and another file
        content: as long, at the reference level; the loss is relative to its distance from the style
        style: Tensor [bins, frames of its own], log-magnitudes; everything is computed on its device
        settings: the recipe's
        generator: draws the networks, on the CPU
        on_step: called with the number of steps done and the style loss before that step: the mean over raw and
            centred, linear and rectified, of ‖G - G_style‖ / ‖G_content - G_style‖ on that step's network
        folder: for the files of a sound that is not held in memory, which are removed in the end
        block: frames that are worked on at a time; the result does not depend on it, but for rounding
        held: sounds of no more frames than this are held in memory
    """
    device = style.device
    framing = Framing(settings.n_fft, settings.hop, start.length, device=device)
    in_memory = framing.frames <= held
    terms = loss_terms(content, style, settings, framing, folder, block=block)
    loudness = LoudnessNormalisation(settings.n_fft, settings.hop, settings.sample_rate, device=device)
    with ExitStack() as stack:
        stack.callback((folder / NOTES).unlink, missing_ok=True)
        unknowns: OptimizerState
        kept: list[Samples]
        if in_memory:
            margin = 2 * settings.n_fft
            kept = [SamplesInMemory(start.channels, start.length, margin, device=device) for _ in range(3)]
            unknowns = StateInMemory(framing.frames, framing.bins, device=device)
        else:
            names = "slopes.spool", "level.spool", "unknowns"
            for name in names:
                stack.callback((folder / name).unlink, missing_ok=True)
            spools = (
                Spool.create(folder / name, channels=start.channels, length=start.length)
                for name in names[:2]
            )
            kept = [SamplesOnDisk(spool, device=device) for spool in (out, *spools)]
            unknowns = StateOnDisk(folder / names[2], framing.frames, framing.bins, device=device)
        sound = Sound(SamplesOnDisk(start, device=device), *kept)
        workers = stack.enter_context(block_pool(device))
        descent = Descent(framing, sound, unknowns, loudness, workers, block=block, held=in_memory)
        descent.synthesise()
        descent.measure_loudness()
        beside = stack.enter_context(ThreadPoolExecutor(1))

        def renew() -> None:
            for one in terms:
                one.term.renew(generator)

        renewed = beside.submit(renew)
        for step in range(1, settings.steps_taken + 1):
            renewed.result()
            losses = descent.differentiate(terms)
            # The next step's networks are drawn, and shown the style, while the sound is computed.
            renewed = beside.submit(renew)
            # Constant for the first half, then down to zero: fresh networks make every gradient a noisy one.
            decay = min(1.0, 2.0 * (1.0 - (step - 1) / settings.steps_taken))
            descent.synthesise(Step(step, settings.learning_rate * decay, settings.phase_rate * decay))
            on_step(step, sum(one.weight * losses[one.name] for one in terms if one.name in STYLE_TERMS))
        if in_memory:
            out.write(0, sound.present.read(0, start.length).cpu().numpy())


def loss_terms(
    content: Spool,
    style: Tensor,
    settings: Optimisation,
    framing: Framing,
    folder: Path,
    *,
    block: int = BLOCK,
) -> list[Weighted]:
    """Return the terms of the loss with their weights. A new term is a new line here, with a setting for its weight."""
    source = SamplesOnDisk(content, device=style.device)
    frames, device, highest = framing.frames, style.device, settings.sample_rate / 2

    def magnitudes(first: int, last: int) -> Tensor:
        return mean_power(framing.analyse(source.read(*framing.span(first, last)))).sqrt_().mT

    def consecutive() -> Iterator[Tensor]:
        for first in range(0, frames, block):
            yield magnitudes(max(first - 1, 0), min(first + block, frames))

    def sampled() -> list[Tensor]:
        length = max(_RUN, 2 * max(settings.kernels))
        if frames <= _RUNS * length:
            return [compress(magnitudes(0, frames))]
        starts = [i * (frames - length) // (_RUNS - 1) for i in range(_RUNS)]
        return [compress(magnitudes(first, first + length)) for first in starts]

    def surrounded(context: int) -> Iterator[Block]:
        for first in range(0, frames, block):
            last, begin = min(first + block, frames), max(first - context, 0)
            around = magnitudes(begin, min(last + context, frames)).mT
            yield Block(around, first=first, last=last, before=first - begin, total=frames)

    notes = settings.notes
    # Bins hold the style's notes so firmly that half of their weight would already take the content's away.
    by_bins = (1.0 - notes) ** 2
    runs = sampled()
    terms: list[Weighted] = []
    if notes < 1.0:
        bins = StyleLoss(
            runs, style, frames=frames, kernels=settings.kernels, filters=settings.filters, rank=settings.rank
        )
        terms.append(Weighted("style", bins, by_bins))
    if notes > 0.0:
        k_weights = LoudnessNormalisation(
            settings.n_fft, settings.hop, settings.sample_rate, device=device
        ).weights
        loudness = LoudnessLoss(consecutive(), frames=frames, weights=k_weights)
        partials = NotesLoss(
            consecutive(),
            frames=frames,
            bins=framing.bins,
            highest=highest,
            path=folder / NOTES,
            device=device,
        )
        terms += [
            Weighted("patterns", PatternLoss(runs, style, frames=frames, highest=highest), 1.0 - by_bins),
            Weighted("loudness", loudness, settings.loudness_weight * notes),
            Weighted("notes", partials, settings.notes_weight * notes),
        ]
    bands = torch.from_numpy(mel_members(framing.bins, BANDS, highest=highest)).float()
    events = ContentLoss(consecutive(), frames=frames, bands=bands, device=device)
    terms.append(Weighted("content", events, settings.content_weight))
    if settings.texture_weight:
        rate = settings.sample_rate / settings.hop
        texture = TextureLoss(style, frames=frames, frame_rate=rate, bands=bands)
        # Patterns see less of how bands move than bins do, and more of the content is held still.
        terms.append(
            Weighted(
                "texture",
                texture.start_from(surrounded(texture.context)),
                settings.texture_weight * (1.0 + 2.0 * notes),
            )
        )
    return [one for one in terms if one.weight]
