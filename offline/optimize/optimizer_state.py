"""The state of an optimisation between two steps: in memory for short clips, in files for tracks.

For every frame and bin there are a gain, a turn of phase, and Adam's two moments of each. In files they take two
bytes each: gains and turns in float16, whose step of a thousandth of a neper or radian is far below a step of Adam;
moments in bfloat16, since they span more decades than float16 has. They are read and written block by block. Nothing
is mapped into memory, since mapped pages count as resident.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...media.errors import InputError
from ...media.files import shown
from ...media.spool import Spool

# gain, turn, then mean and square of the slopes of each.
QUANTITIES = 6
_STORED = (torch.float16, torch.float16, torch.bfloat16, torch.bfloat16, torch.bfloat16, torch.bfloat16)


class OptimizerState(Protocol):
    """Gains, turns and moments of blocks of frames, zero at first."""

    def load(self, first: int, last: int) -> Tensor:
        """Those of frames `first` to `last` - 1, float32 [6, frames, bins]; the caller changes them in place."""

    def save(self, first: int, values: Tensor) -> None:
        """Keep what `load` gave for the frames from `first` on."""


class StateInMemory:
    """All of them, float32."""

    def __init__(self, frames: int, bins: int, *, device: torch.device) -> None:
        self._values = torch.zeros(QUANTITIES, frames, bins, device=device)

    def load(self, first: int, last: int) -> Tensor:
        """A view."""
        return self._values[:, first:last]

    def save(self, first: int, values: Tensor) -> None:
        """They have been changed in place."""


class StateOnDisk:
    """In a file, two bytes each, one block of frames after the other: blocks must always begin at the same frames."""

    def __init__(self, path: Path, frames: int, bins: int, *, device: torch.device) -> None:
        self._path, self._bins, self._device = path, bins, device
        with self._open("wb") as file:
            file.truncate(2 * QUANTITIES * frames * bins)

    def load(self, first: int, last: int) -> Tensor:
        """Read, and converted to float32."""
        shape = QUANTITIES, last - first, self._bins
        stored = np.empty(shape, dtype=np.int16)
        with self._open("rb", first) as file:
            view = stored.data.cast("B")
            while view and (count := file.readinto(view)):
                view = view[count:]
        bits = torch.from_numpy(stored).to(self._device)
        values = torch.empty(shape, device=self._device)
        for value, bit, kind in zip(values, bits, _STORED, strict=True):
            value.copy_(bit.view(kind))
        return values

    def save(self, first: int, values: Tensor) -> None:
        """Round to two bytes and write."""
        bits = torch.empty(values.shape, dtype=torch.int16, device=values.device)
        for bit, value, kind in zip(bits, values, _STORED, strict=True):
            bit.view(kind).copy_(value)
        with self._open("r+b", first) as file:
            kept: NDArray[np.int16] = bits.cpu().numpy()
            view = kept.data.cast("B")
            while view:
                view = view[file.write(view) :]

    @contextmanager
    def _open(self, mode: Literal["rb", "r+b", "wb"], first: int = 0) -> Iterator[FileIO]:
        """The file, at a frame; InputError where the disk refuses."""
        try:
            with self._path.open(mode, buffering=0) as file:
                file.seek(2 * QUANTITIES * self._bins * first)
                yield file
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(
                f"{shown(self._path)} cannot be used: {reason}; free some space or choose another folder"
            ) from error


class Samples(Protocol):
    """Samples [channels, n] in memory or on disk; silence outside of the sound."""

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop` - 1."""

    def write(self, start: int, samples: Tensor) -> None:
        """Write from `start` on; what would lie outside of the sound is left out."""


class SamplesInMemory:
    """All of them in one tensor, with silence at both ends, so that reading costs nothing."""

    def __init__(self, channels: int, length: int, margin: int, *, device: torch.device) -> None:
        self._margin, self._length = margin, length
        self._values = torch.zeros(channels, length + 2 * margin, device=device)

    def read(self, start: int, stop: int) -> Tensor:
        """A view."""
        return self._values[:, start + self._margin : stop + self._margin]

    def write(self, start: int, samples: Tensor) -> None:
        """Copy what lies inside."""
        first, last = max(start, 0), min(start + samples.shape[-1], self._length)
        if first < last:
            self.read(first, last).copy_(samples[:, first - start : last - start])


class SamplesOnDisk:
    """A spool's."""

    def __init__(self, spool: Spool, *, device: torch.device) -> None:
        self._spool, self._device = spool, device

    def read(self, start: int, stop: int) -> Tensor:
        """Read, float32."""
        return torch.from_numpy(self._spool.read(start, stop)).to(self._device)

    def write(self, start: int, samples: Tensor) -> None:
        """Write."""
        self._spool.write(start, samples.cpu().numpy())


class Overlapping:
    """Adds runs of samples that overlap, each beginning after the one before, and writes what is complete."""

    def __init__(self, target: Samples) -> None:
        self._target = target
        self._start = 0
        self._open: Tensor | None = None

    def add(self, start: int, samples: Tensor) -> None:
        """Add samples [channels, n] from `start` on; what lies before `start` is complete."""
        if self._open is not None:
            done = start - self._start
            self._target.write(self._start, self._open[:, :done])
            rest = self._open[:, done:]
            if rest.shape[-1] > samples.shape[-1]:
                rest[:, : samples.shape[-1]] += samples
                samples = rest
            else:
                samples[:, : rest.shape[-1]] += rest
        self._start, self._open = start, samples

    def close(self) -> None:
        """Write the rest."""
        if self._open is not None:
            self._target.write(self._start, self._open)
            self._open = None
