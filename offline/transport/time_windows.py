"""The windows of a track over which statistics are taken: the whole track, or windows that follow the music."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Window:
    """A stretch of frames, with weights that rise from the centre of the window before and fall to that of the next.

    The weights of all windows add up to 1 in every frame. They are used twice: for the frame's share in the window's
    statistics, and for the share of the window's map in the frame.

    Attributes:
        first, last: the first frame of weight above 0, and the one after the last
        before, centre, after: centres of the window before, this one, and the next, in frames; None where there is
            none
    """

    first: int
    last: int
    before: float | None
    centre: float
    after: float | None

    def weights(self, first: int, last: int) -> Tensor | None:
        """Weights [last - first] of some of the window's frames; None where all are 1."""
        if self.before is None and self.after is None:
            return None
        places = torch.arange(first, last, dtype=torch.float64)
        weights = torch.ones_like(places)
        for other in (self.before, self.after):
            if other is not None:
                # cos² of a way from 0 at this centre to a quarter turn at the other: with the neighbour's, sin², 1.
                way = ((places - self.centre) / (other - self.centre)).clamp(0.0, 1.0)
                weights *= torch.cos(0.5 * torch.pi * way).square()
        return weights.float()


def windows(frames: int, length: float | None) -> list[Window]:
    """Windows over a track.

    Args:
        frames: of the track
        length: of a window in frames; None, or one that covers the track, gives a single window. Neighbours overlap
            by half or so, all equally long; the first and the last keep their full weight to the track's ends.
    """
    if length is None or frames <= length:
        return [Window(0, frames, None, frames / 2, None)]
    count = 1 + max(1, round((frames - length) / (length / 2)))
    step = (frames - length) / (count - 1)
    centres = [length / 2 + step * k for k in range(count)]
    found: list[Window] = []
    for k, centre in enumerate(centres):
        before = centres[k - 1] if k else None
        after = centres[k + 1] if k + 1 < count else None
        first = 0 if before is None else int(before) + 1
        last = frames if after is None else min(frames, -int(-after // 1))
        found.append(Window(first, last, before, centre, after))
    return found
