"""The content's notes, as a loss: the fine structure of its spectrum."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ...dsp.stft import compress
from ...media.spool import Spool
from .losses import Block, Sums

# Bins to either side of one whose mean is taken away: half the distance of the partials of a high voice.
_AROUND = 8
# Above this, Hz, partials say little of which note is played, and noise is most of what there is.
_HIGHEST_HZ = 5500.0


class NotesLoss:
    """1 - r of the fine structures of output and content; r is Pearson's correlation.

    The fine structure is what log-magnitudes have beyond their mean over the neighbouring bins: partials and what lies
    between them. Envelopes and colour are not in it, and are free to be the style's.

    Args:
        content: its magnitudes [bins, frames] in consecutive runs, at the reference level; each run but the first
            begins with the last frame of the run before
        frames, bins: of the whole spectrogram
        highest: Hz, of the last bin
        path: where the content's fine structure is kept, 88 kB a second
        device: where everything is computed
    """

    context = 0

    def __init__(
        self,
        content: Iterable[Tensor],
        *,
        frames: int,
        bins: int,
        highest: float,
        path: Path,
        device: torch.device,
    ) -> None:
        self._top = min(int(_HIGHEST_HZ / highest * (bins - 1)), bins - _AROUND)
        self._wanted = Spool.create(path, channels=self._top, length=frames)
        self._device = device
        done, square = 0, 0.0
        with torch.no_grad():
            for run in content:
                fine = self._fine(compress(run).mT)
                end = done + len(fine) - min(done, 1)
                fine = fine[done - end :]
                self._wanted.write(done, fine.mT.cpu().numpy())
                square += float(fine.square().sum(dtype=torch.float64))
                done = end
        self._norm = max(square, 1e-18) ** 0.5

    def renew(self, generator: torch.Generator) -> None:
        """Nothing here is random."""

    def _fine(self, logs: Tensor) -> Tensor:
        """Log-magnitudes [frames, bins] less their local means, [frames, top]."""
        part = logs[:, : self._top + _AROUND]
        width = 2 * _AROUND + 1
        # Ends are repeated: beyond the lowest bin there is none to take a mean over.
        padded = functional.pad(part[:, None], (_AROUND, 0), mode="replicate")[:, 0]
        return part[:, : self._top] - functional.avg_pool1d(padded, width, stride=1)[:, : self._top]

    def sums(self, block: Block) -> Sums:
        """Products with the content's fine structure, and squares."""
        fine = self._fine(block.current.mT[block.within(block.first, block.last)])
        wanted = torch.from_numpy(self._wanted.read(block.first, block.last).T).to(self._device)
        return (fine * wanted).sum(), fine.square().sum()

    def loss(self, sums: Sums) -> Tensor:
        """0 (all kept) to 2."""
        products, squares = sums
        value: Tensor = 1.0 - products / (squares.clamp_min(1e-18).sqrt() * self._norm)
        return value
