"""Writes the folder of a take while recording; see `takes.reader` for its files."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from ..media.files import shown
from .automation import Event, to_line
from .flacfile import FlacWriter
from .header import MAX_CHANNELS, Header, Span, fit_spans, write_header
from .reader import MOVES, STYLES
from .sound import EXACT, FLAC_CHANNELS, STEPS, interleaved, sound_files, to_steps
from .wavfile import WavWriter, seal

Sound = NDArray[np.float32]

# Reserved while there is room, so that the header fits even on a full disk.
_RESERVE = ".reserve"
_RESERVE_BYTES = 1 << 18
# Past so many stretches that are not exact in 24 bits, all that follows is kept as floats.
_MOST_SPANS = 256
_MOST_MARKS = 10_000
_REMEDIES = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "the disk quota is used up; free some space",
    errno.EFBIG: "a file grew past the largest size allowed there; choose another disk",
    errno.EEXIST: "it already exists; choose another name",
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.EACCES: "no permission to write there; choose another folder",
}


class _FloatFile:
    """A new WAV file, with the methods of a `FlacWriter`."""

    def __init__(self, path: Path, *, sample_rate: int, channels: int) -> None:
        self._path = path
        path.touch(exist_ok=False)
        self._file = WavWriter(path, sample_rate=sample_rate, channels=channels)

    def write(self, sound: Sound) -> None:
        self._file.write(np.ascontiguousarray(sound.T))

    def checkpoint(self) -> None:
        seal(self._path)

    def close(self) -> int:
        self._file.close()
        return seal(self._path)


class TakeWriter:
    """Writes one take.

    Args:
        folder: empty, if it exists; its parents may be missing too
        header: what is known at the beginning

    Raises:
        InputError: the folder cannot be made, or is not empty; later, in every method but `close`: nothing more can be
            written
    """

    def __init__(self, folder: Path, header: Header) -> None:
        if not 1 <= header.channels <= MAX_CHANNELS:
            raise InputError(f"{header.channels} channels cannot be recorded; a take has 1 to {MAX_CHANNELS}")
        self.folder = folder
        self.header = header
        #: why nothing more is written, in one line; "" while all is well
        self.failure = ""
        #: how long the dry and the wet sound are by now, in samples
        self.frames = self.wet_frames = 0
        self._noted = header
        self._layout = {"sample_rate": header.sample_rate, "channels": header.channels}
        self._exact: _FloatFile | None = None
        self._spans: list[Span] = []
        self._hash = hashlib.sha256()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            (folder / STYLES).mkdir()
            (folder / _RESERVE).write_bytes(bytes(_RESERVE_BYTES))
            kind = FlacWriter if header.channels <= FLAC_CHANNELS else _FloatFile
            dry, wet = (folder / name for name in sound_files(header.channels))
            self._dry, self._wet = kind(dry, **self._layout), kind(wet, **self._layout)
            self._moves = (folder / MOVES).open("xb", buffering=0)
        except OSError as error:
            raise InputError(f"cannot record to {shown(folder)}: {_reason(error)}") from None
        write_header(folder, header)

    def dry(self, sound: Sound) -> None:
        """Append [channels, n] to the input."""
        exact = isinstance(self._dry, _FloatFile) or np.array_equal(to_steps(sound) / STEPS, sound)
        with self._failures_noted():
            self._dry.write(sound)
            if not exact or len(self._spans) >= _MOST_SPANS:
                self._keep(sound)
        self.frames += sound.shape[1]

    def _keep(self, sound: Sound) -> None:
        """Append what 24 bits do not hold to the file that does."""
        if self._exact is None:
            self._exact = _FloatFile(self.folder / EXACT, **self._layout)
        start, stop = self.frames, self.frames + sound.shape[1]
        if self._spans and self._spans[-1][1] == start:
            self._spans[-1] = (self._spans[-1][0], stop)
        else:
            self._spans.append((start, stop))
            # If this process ends, a reader knows where the samples belong that are written next.
            self._describe()
        self._exact.write(sound)

    def wet(self, sound: Sound) -> None:
        """Append [channels, n] to what was heard."""
        with self._failures_noted():
            self._wet.write(sound)
        self.wet_frames += sound.shape[1]
        self._hash.update(interleaved(sound))

    def lose(self, count: int) -> None:
        """Note that the next `count` frames of the dry sound are lost; the caller writes silence for them."""
        gap = (self.frames, self.frames + count)
        self.header = replace(self.header, gaps=(*self.header.gaps, gap)[:_MOST_MARKS])

    def mark(self, kind: Literal["missed", "skipped"], frame: int) -> None:
        """Note that a deadline was "missed", or input "skipped", at a frame."""
        header = self.header
        if kind == "missed" and len(header.missed) < _MOST_MARKS:
            self.header = replace(header, missed=(*header.missed, frame))
        elif kind == "skipped" and len(header.skipped) < _MOST_MARKS:
            self.header = replace(header, skipped=(*header.skipped, frame))

    def event(self, event: Event) -> None:
        """Append a move, or another event."""
        with self._failures_noted():
            line = memoryview(f"{to_line(event)}\n".encode())
            while line:
                line = line[self._moves.write(line) or 0 :]

    def checkpoint(self) -> None:
        """Update the headers, so that the take is readable if this process is killed."""
        with self._failures_noted():
            try:
                self._dry.checkpoint()
                self._wet.checkpoint()
                if self._exact is not None:
                    self._exact.checkpoint()
                self._describe()
            except OSError as error:
                # While others have all files open, nothing is lost: the next one makes up for it.
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise

    def _describe(self) -> None:
        header = replace(self.header, exact=tuple(self._spans))
        if header != self._noted:
            write_header(self.folder, header)
            self._noted = header

    def close(self, *, note: str = "") -> None:
        """End the take; `note` gives the reason of an unplanned end. Raises nothing: see `failure`."""
        with suppress(OSError):
            (self.folder / _RESERVE).unlink()
        held, lengths = 0, [0, 0]
        for place, file in enumerate((self._dry, self._wet)):
            with suppress(InputError), self._failures_noted():
                lengths[place] = file.close()
        with suppress(InputError), self._failures_noted():
            self._moves.close()
            if self._exact is not None:
                held = self._exact.close()
        # The hash is of all that was heard.
        digest = self._hash.hexdigest() if lengths[1] == self.wet_frames else ""
        self.frames, self.wet_frames = lengths
        self._spans = list(fit_spans(self._spans, held, self.frames))
        self.header = replace(
            self.header,
            frames=self.frames,
            wet_frames=self.wet_frames,
            wet_sha256=digest,
            note=note or self.failure,
        )
        with suppress(InputError), self._failures_noted():
            self._describe()

    @contextmanager
    def _failures_noted(self) -> Iterator[None]:
        """Turn an error of the disk into one line; keep it in `failure`, and raise it as InputError."""
        try:
            yield
        except OSError as error:
            message = f"recording to {shown(self.folder)} ended: {_reason(error)}"
            self.failure = self.failure or message
            raise InputError(message) from error
        except InputError as error:
            self.failure = self.failure or str(error)
            raise


def _reason(error: OSError) -> str:
    text = error.strerror or type(error).__name__
    return _REMEDIES.get(error.errno or 0, f"{text[:1].lower()}{text[1:]}")
