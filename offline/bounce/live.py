"""A take played again through the chain that played it. Importing this does not need torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...media.errors import InputError
from ...media.files import shown
from ...media.spool import Spool
from ...plugins.effects import Effect
from ...takes.reader import Take
from ..work.progress import Progress
from .replay import Comparison, ReplayChain, live_again, play_again

Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class Bounced:
    """A bounce: its sound on disk, and for a live one the comparison with what was heard.

    Attributes:
        sound: in time with the take's dry sound
        comparison: whether it is what was heard, sample for sample; None for full quality
    """

    sound: Spool
    comparison: Comparison | None


def bounce_live(
    take: Take, folder: Path, *, effects: Sequence[Effect] | None = None, progress: Listener | None = None
) -> Bounced:
    """Play a take again through the chain that played it.

    Args:
        take: what was recorded
        folder: for the sound
        effects: around the stylizer; None is those of the take
        progress: called now and then

    Raises:
        InputError: The take is damaged, or the disk full.
    """
    comparison = Comparison(take)
    sound = played(take, live_again(take, effects), folder, take.wet_frames, progress, comparison)
    return Bounced(sound, comparison)


def played(
    take: Take,
    stage: ReplayChain,
    folder: Path,
    frames: int,
    progress: Listener | None,
    comparison: Comparison | None,
) -> Spool:
    """Write a chain's output for a take to disk, and compare it meanwhile."""
    if not frames:
        raise InputError(f"{shown(take.folder)} ends before anything was heard; nothing can be bounced")
    out = Spool.create(folder / "out.spool", channels=take.header.channels, length=frames)
    position = told = 0
    for block in play_again(take, stage, frames=frames):
        out.write(position, block)
        if comparison is not None:
            comparison.feed(block)
        position += block.shape[1]
        if progress is not None and position - told > take.header.sample_rate:
            told = position
            progress(Progress("playing", position, frames, None, position / frames))
    return out
