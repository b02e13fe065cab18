"""A round of the closed form over a whole track, in memory that does not grow with it.

Each round goes over the track a few times, block by block, with temporary files on disk:

1. The log-magnitudes of all frames are written.
2. For each window of statistics (by default the whole track), sums over its frames give the map. The frames are moved
   and counted, and the counts give the curves to the style's distribution. Then the curves are applied.
3. The phase is rebuilt, on blocks with as many frames around them as the iterations reach.

The result does not depend on the blocks, so there are no seams. It is the same to the bit if the libraries compute a
frame independently of its neighbours. This matters, since the iterations of the phase enlarge any difference some
hundred times, and the next round does so again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ...dsp.frames import Framing, power
from ...dsp.meters import LoudnessMeter
from ...dsp.phase import block_context, griffin_lim_block
from ...dsp.stft import compress, expand
from ...media.spool import Spool
from ..work.block_pool import BlockPool, blocks
from .closed_form import Curves, FrameMap, FrameSums, StyleSide, sounding
from .notes import CONTEXT, Bands, Carrier, NotesPass
from .settings import ClosedForm
from .time_windows import Window

T = TypeVar("T")

# Iterations of the phase in one go over the track. More of them take another go, which begins without momentum: a
# block's context grows with the iterations, and work on context is done twice.
MOST_ITERATIONS = 16

# Statistics of windows of more frames than this, a dozen for each of 1025 bins, are those of every other one. At the
# usual overlap of three quarters, what a frame has is in its neighbours as well: half as many overlap by one half, and
# more than that adds next to nothing to an estimate (Welch 1967).
MANY_FRAMES = 12288


@dataclass(frozen=True)
class TransportRounds:
    """A track at the recipe's rate and the reference level, and the round that works on it.

    Attributes:
        framing: of the track
        settings: the recipe's
        style: the style's side of the closed form
        folder: for temporary files
        device: for the computation
        block_pool: its workers
        size: frames in a block
        on_block: called after each block of each pass
        bands: of which the statistics are taken; None takes them of all bins
    """

    framing: Framing
    settings: ClosedForm
    style: StyleSide
    folder: Path
    device: torch.device
    block_pool: BlockPool
    size: int
    on_block: Callable[[], None]
    bands: Bands | None = None

    def frames_of(self, sound: Spool) -> Spool:
        """Write down log-magnitudes [bins or bands, frames] of a sound [channels, samples]."""
        logs = self._frames("logs", self.framing.bins if self.bands is None else self.bands.count)

        def analyse(first: int, last: int) -> None:
            powers = power(self._spectrum(sound, first, last))
            mean = _power_mean(powers) if self.bands is None else self.bands.levels(powers.mean(dim=0))
            _put(logs, first, compress(mean))

        self._all(analyse, blocks(self.framing.frames, self.size))
        return logs

    def sounding(self, logs: Spool, name: str) -> Spool:
        """Where a content's frames sound, [1, frames], see `offline.transport.closed_form.sounding`."""
        out = Spool.create(self.folder / f"{name}.spool", channels=1, length=self.framing.frames)
        for first, last in blocks(self.framing.frames, self.size):
            levels = expand(self._get(logs, first, last))
            powers = levels.square().sum(dim=-1) if self.bands is None else self.bands.powers(levels)
            out.write(first, sounding(powers).cpu().numpy()[None])
        return out

    def moved(self, logs: Spool, sounds: Spool, stretches: list[Window], *, coupled: bool) -> Spool:
        """The log-magnitudes that the style asks for, from a sound's; those may be overwritten."""
        single = len(stretches) == 1
        between, wanted = logs, logs
        if not single:
            between, wanted = (self._frames(name, logs.channels) for name in ("moved", "wanted"))
        for stretch in stretches:
            self._move(logs, between, wanted, sounds, stretch, coupled=coupled)
        return wanted

    def distributed(self, wanted: Spool, sounds: Spool) -> None:
        """Give each row of log-magnitudes the style's distribution, in place; where nothing sounds does not count."""
        ranges = blocks(self.framing.frames, self.size)
        cells = FrameMap.within(self.style.ordered[:, -1])

        def weights(first: int, last: int) -> Tensor:
            return torch.from_numpy(sounds.read(first, last)[0]).to(self.device)

        def count(first: int, last: int) -> Tensor:
            return cells.count(self._get(wanted, first, last), weights(first, last))

        counts = reduce(add, self._go(count, ranges))
        curves = Curves(cells, counts, self.style, amount=self.settings.distribution)

        def shape(first: int, last: int) -> None:
            shaped = curves(self._get(wanted, first, last)) * weights(first, last)[:, None]
            _put(wanted, first, shaped)

        self._all(shape, ranges)

    def _move(
        self, logs: Spool, between: Spool, wanted: Spool, sounds: Spool, stretch: Window, *, coupled: bool
    ) -> None:
        """Add what one window's map and distribution make of its frames to what is wanted."""
        # Sums depend, in their last digits, on how they are grouped, and phases in the end on the last digits.
        fixed = blocks(stretch.last, first=stretch.first)
        ranges = blocks(stretch.last, self.size, first=stretch.first)

        def weights(first: int, last: int) -> Tensor | None:
            found = stretch.weights(first, last)
            return None if found is None else found.to(self.device)

        every = 2 if stretch.last - stretch.first > MANY_FRAMES else 1

        def counted(first: int) -> slice:
            # Of the frames from `first` on: which they are depends neither on blocks nor on windows.
            return slice(-first % every, None, every)

        def sums(first: int, last: int) -> FrameSums:
            some, shares = counted(first), weights(first, last)
            frames = self._get(logs, first, last)[some]
            return FrameSums.of(frames, None if shares is None else shares[some], self.style.around)

        total = reduce(add, self._go(sums, fixed))
        with self.block_pool.together():
            mapping = self.style.solve(total, coupled=coupled)

        def move(first: int, last: int) -> Tensor:
            frames = mapping.move(self._get(logs, first, last))
            _put(between, first, frames)
            some, shares = counted(first), weights(first, last)
            return mapping.count(frames[some], None if shares is None else shares[some])

        counts = reduce(add, self._go(move, fixed))
        with self.block_pool.together():
            curves = Curves(mapping, counts, self.style, amount=self.settings.distribution)

        def shape(first: int, last: int) -> None:
            share = torch.from_numpy(sounds.read(first, last)[0]).to(self.device)
            part = weights(first, last)
            shaped = (
                curves(self._get(between, first, last)) * (share if part is None else share * part)[:, None]
            )
            if part is not None and stretch.before is not None:
                shaped += self._get(wanted, first, last)
            _put(wanted, first, shaped)

        self._all(shape, ranges)

    def rebuilt(self, sound: Spool, wanted: Spool, iterations: int, name: str) -> tuple[Spool, float]:
        """A sound with the magnitudes wanted, from another one's phase and balance of channels; and its loudness.

        Returns:
            Spool [channels, samples], and LUFS
        """
        left, current = iterations, sound
        while True:
            count = min(left, MOST_ITERATIONS)
            left -= count
            path = self.folder / f"{name}-{left}.spool"
            done, level = self._rebuild(sound, wanted, current, count, path)
            if current is not sound:
                current.path.unlink()
            current = done
            if not left:
                break
        target = self.folder / f"{name}.spool"
        current.path.replace(target)
        return Spool.open(target), level

    def _rebuild(
        self, sound: Spool, wanted: Spool, phases: Spool, iterations: int, path: Path
    ) -> tuple[Spool, float]:
        def rebuild(low: int, high: int) -> Tensor:
            spectrum = self._spectrum(sound, low, high)
            powers = power(spectrum)
            # One gain for all channels keeps the stereo image.
            gain = expand(self._get(wanted, low, high)) / _power_mean(powers)
            magnitude = powers.sqrt_().mul_(gain)
            if phases is not sound:
                spectrum = self._spectrum(phases, low, high)
            return griffin_lim_block(magnitude, spectrum, self.framing, low, iterations=iterations)

        return self._written(path, sound.channels, block_context(self.framing, iterations), rebuild)

    def with_notes(self, sound: Spool, wanted: Spool, notes: NotesPass, path: Path) -> tuple[Spool, float]:
        """A sound with the band levels wanted, its own notes kept; and its loudness, LUFS."""
        carrier = Carrier(notes.levels.double().cpu().numpy())
        places = torch.cat(
            [
                torch.from_numpy(carrier.follow(wanted.read(first, last).T.astype(np.float64)))
                for first, last in blocks(self.framing.frames)
            ]
        ).to(self.device)

        def speak(low: int, high: int) -> Tensor:
            spectrum = self._spectrum(sound, low, high)
            spoken = notes.spoken(spectrum, expand(self._get(wanted, low, high)), places[low:high])
            return self.framing.synthesise(spoken, low)

        return self._written(path, sound.channels, self.framing.reach + CONTEXT, speak)

    def _written(
        self, path: Path, channels: int, around: int, make: Callable[[int, int], Tensor]
    ) -> tuple[Spool, float]:
        """A sound, block by block, and its loudness, LUFS.

        Args:
            path, channels: of the sound
            around: frames on either side of a block that it depends on
            make: gives the samples [channels, n] of the span of frames from the first number to before the second
        """
        framing, frames = self.framing, self.framing.frames
        out = Spool.create(path, channels=channels, length=framing.length)
        meter = LoudnessMeter(channels, self.settings.sample_rate)

        def block(first: int, last: int) -> tuple[int, Tensor]:
            low, high = max(0, first - around), min(frames, last + around)
            # A block answers for the samples from its first frame's centre to the next block's.
            start, stop = first * framing.hop, framing.length if last == frames else last * framing.hop
            offset = framing.span(low, high)[0]
            return start, make(low, high)[:, start - offset : stop - offset].cpu()

        for start, core in self._go(block, blocks(frames, self.size)):
            samples = core.numpy()
            out.write(start, samples)
            meter.feed(samples)
        return out, meter.result()

    def _go(self, work: Callable[[int, int], T], ranges: list[tuple[int, int]]) -> Iterator[T]:
        for found in self.block_pool.in_order(work, ranges):
            self.on_block()
            yield found

    def _all(self, work: Callable[[int, int], None], ranges: list[tuple[int, int]]) -> None:
        for _ in self._go(work, ranges):
            pass

    def _frames(self, name: str, rows: int) -> Spool:
        return Spool.create(self.folder / f"{name}.spool", channels=rows, length=self.framing.frames)

    def _spectrum(self, sound: Spool, first: int, last: int) -> Tensor:
        """STFT [channels, frames, bins] of some frames of a sound."""
        samples = torch.from_numpy(sound.read(*self.framing.span(first, last)))
        return self.framing.analyse(samples.to(self.device))

    def _get(self, spool: Spool, first: int, last: int) -> Tensor:
        """Rows [frames, bins] of a spool of frames, in one piece as they lie on disk."""
        return torch.from_numpy(spool.read(first, last).T).to(self.device)


def _put(spool: Spool, first: int, frames: Tensor) -> None:
    spool.write(first, frames.cpu().numpy().T)


def _power_mean(powers: Tensor) -> Tensor:
    """As `dsp.stft.power_mean`, from squared magnitudes [channels, frames, bins]."""
    return powers.mean(dim=0).add_(1e-16).sqrt_()
