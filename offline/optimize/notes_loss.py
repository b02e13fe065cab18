"""The content's notes, as a loss: the fine structure of its spectrum."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

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
                fine = self._fine(run.mT)
                end = done + len(fine) - min(done, 1)
                fine = fine[done - end :]
                self._wanted.write(done, fine.mT.cpu().numpy())
                square += float(fine.square().sum(dtype=torch.float64))
                done = end
        self._norm = max(square, 1e-18) ** 0.5

    def renew(self, generator: torch.Generator) -> None:
        """Nothing here is random."""

    def _fine(self, magnitude: Tensor) -> Tensor:
        """Of magnitudes [frames, bins], the logarithms less their local means, [frames, top]."""
        fine: Tensor = _Fine.apply(compress(magnitude[:, : self._top + _AROUND]))  # type: ignore[no-untyped-call]
        return fine

    def sums(self, block: Block) -> Sums:
        """Products with the content's fine structure, and squares."""
        fine = self._fine(block.magnitude[block.within(block.first, block.last)])
        wanted = torch.from_numpy(self._wanted.read(block.first, block.last).T).to(self._device)
        return (fine * wanted).sum(), fine.square().sum()

    def loss(self, sums: Sums) -> Tensor:
        """0 (all kept) to 2."""
        products, squares = sums
        value: Tensor = 1.0 - products / (squares.clamp_min(1e-18).sqrt() * self._norm)
        return value


class _Fine(torch.autograd.Function):
    """Values [frames, top + 8] less their means over the 8 bins to either side, [frames, top]; the ends are repeated.

    Written out with its gradient: PyTorch's mean of neighbours takes ten times as long.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor) -> Tensor:
        """See above."""
        del ctx
        # Beyond the lowest bin there is none to take a mean over.
        lowest = values[:, :1].expand(-1, _AROUND)
        means = _sums(torch.cat([lowest, values], dim=1)).div_(2 * _AROUND + 1)
        return values[:, :-_AROUND] - means

    @staticmethod
    def backward(ctx: FunctionCtx, slope: Tensor) -> Tensor:
        """The transpose."""
        del ctx
        around = _sums(torch.nn.functional.pad(slope, (2 * _AROUND, 2 * _AROUND))).div_(-2 * _AROUND - 1)
        values = around[:, _AROUND:]
        values[:, 0] += around[:, :_AROUND].sum(dim=1)
        values[:, :-_AROUND] += slope
        return values


def _sums(values: Tensor) -> Tensor:
    """Sums of each value [..., n] and the next 2 * _AROUND, [..., n - 2 * _AROUND]."""
    sums, width = values, 1
    while width < 2 * _AROUND:
        sums = sums[:, :-width] + sums[:, width:]
        width *= 2
    return sums[:, :-1] + values[:, 2 * _AROUND :]
