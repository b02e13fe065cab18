"""One file of a corpus: whether it is fit to be a style, and its statistics."""

from __future__ import annotations

import hashlib
import math
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...dsp.audible import audible_track
from ...dsp.level import REFERENCE_LUFS
from ...dsp.meters import LoudnessMeter
from ...media import addresses
from ...media.audiofile import SILENCE_PEAK, read_track, resample_track
from ...media.errors import InputError, noted
from ...media.spool import Spool
from ...models.corpus import STRETCH_FRAMES, Survey, described
from ...models.style_statistics import HOP, N_FFT, RATE, log_levels
from ..batch.batch import Listener, TaskEvent, this_process

# Two seconds, as many as are surveyed at a time.
_STRETCH = STRETCH_FRAMES * HOP
# A stretch that is so far below the reference level is a rest, and left out. dB
_REST_DB = -47.0
# Samples equal to both neighbours and this near to full scale are clipped; and what share of them is too much.
_CEILING, _TOO_MUCH = 0.98, 0.01
_PIECE = 1 << 18


@dataclass(frozen=True)
class Surveyed:
    """What became of a file.

    Attributes:
        name: what messages call it
        place: file name or address
        key: tells whether the file has changed
        why: it is left out, one line; "" if it is used
        notes: what else is worth saying, one line each
        sha256: of its samples with 16 bits, hexadecimal: of the same sound in another format as well
        gain: that brings it to the reference level
        seconds: of what is used
        rests: seconds of silence, left out
        survey: its statistics; None if it is left out
    """

    name: str
    place: str
    key: str
    why: str = ""
    notes: tuple[str, ...] = ()
    sha256: str = ""
    gain: float = 1.0
    seconds: float = 0.0
    rests: float = 0.0
    survey: Survey | None = None


@dataclass(frozen=True)
class SurveyTask:
    """A file that is to be surveyed; see `Surveyed` for its attributes, and `offline.batch.processes.Work`."""

    name: str
    place: str
    key: str

    @property
    def output(self) -> str:
        """What progress calls it."""
        return self.place

    @property
    def identity(self) -> str:
        """What a cluster calls it."""
        return f"survey-{self.key[:32]}"

    def failed(self, why: str) -> Surveyed:
        """The file is left out."""
        return Surveyed(self.name, self.place, self.key, why)

    def perform(self, listener: Listener | None = None) -> Surveyed:
        """Survey the file; never raises for what is the file's own fault."""

        def tell(fraction: float) -> None:
            if listener is not None:
                listener(TaskEvent(self.output, fraction, this_process()))

        try:
            with (
                noted() as notes,
                addresses.local_copy(self.place) as path,
                addresses.called(path, self.name),
                tempfile.TemporaryDirectory(prefix="gramophone-") as folder,
            ):
                found = self._survey(path, Path(folder), tell)
            return replace(found, notes=tuple(notes))
        except InputError as error:
            return self.failed(str(error))
        except MemoryError:
            return self.failed("not enough memory: survey fewer at a time (--jobs)")

    def _survey(self, path: Path, folder: Path, tell: Callable[[float], None]) -> Surveyed:
        track = read_track(path, folder / "own.spool")
        if track.sound.length * RATE < N_FFT * track.sample_rate:
            return self.failed("it is shorter than one frame (46 ms)")
        sha256, peak, clipped = _looked_through(track.sound, track.sample_rate)
        if peak < SILENCE_PEAK:
            return self.failed("it is silent")
        if clipped > _TOO_MUCH:
            return self.failed(f"it is clipped ({100.0 * clipped:.1f} % of its samples are at full scale)")
        tell(0.2)
        sound = heard(track.sound, track.sample_rate, folder)
        tell(0.4)
        meter = LoudnessMeter(sound.channels, RATE)
        for start in range(0, sound.length, _PIECE):
            meter.feed(sound.read(start, min(start + _PIECE, sound.length)))
        level = meter.result() - 10.0 * math.log10(sound.channels)
        if not math.isfinite(level):
            return self.failed("it is silent between 20 Hz and 20 kHz")
        gain = 10.0 ** ((REFERENCE_LUFS - level) / 20.0)
        survey, rests = Survey.empty(), 0
        for start in range(0, sound.length, _STRETCH):
            stop = min(start + _STRETCH, sound.length)
            # Frames stand around their middles, as in dsp.stft.
            piece = sound.read(start - N_FFT // 2, max(stop, start + 1) + N_FFT // 2 - 1) * np.float32(gain)
            power = float(np.mean(np.square(piece, dtype=np.float64)))
            if 10.0 * math.log10(power + 1e-30) < REFERENCE_LUFS + _REST_DB:
                rests += stop - start
                continue
            whole = sound.length <= _STRETCH
            levels = log_levels(piece, N_FFT, HOP)[:STRETCH_FRAMES]
            survey += described(levels, bytes.fromhex(sha256), start // HOP, whole=whole)
            tell(0.4 + 0.6 * stop / sound.length)
        if not survey.frames:
            return self.failed("it is silent")
        seconds = (sound.length - rests) / RATE
        return Surveyed(self.name, self.place, self.key, "", (), sha256, gain, seconds, rests / RATE, survey)


def heard(sound: Spool, rate: int, folder: Path) -> Spool:
    """What can be heard of a sound, at the layout's rate, on a new spool in place of the old one."""
    moved = resample_track(sound, rate, RATE, folder / "moved.spool")
    if moved is not sound:
        sound.path.unlink()
    out = Spool.create(folder / "heard.spool", channels=moved.channels, length=moved.length)
    audible_track(moved, out, RATE)
    moved.path.unlink()
    return out


def _looked_through(sound: Spool, rate: int) -> tuple[str, float, float]:
    """Hash and peak of a sound, and the share of its samples that are clipped."""
    sums, peak, clipped = hashlib.sha256(f"{rate} {sound.channels}".encode()), 0.0, 0
    for start in range(0, sound.length, _PIECE):
        piece = sound.read(start, min(start + _PIECE, sound.length))
        peak = max(peak, float(np.abs(piece).max()))
        sums.update(np.rint(piece.T * np.float32(32768.0)).astype("<i4").tobytes())
        equal = piece[:, 1:] == piece[:, :-1]
        flat = equal[:, 1:] & equal[:, :-1] & (np.abs(piece[:, 1:-1]) >= _CEILING)
        clipped += int(flat.sum())
    return sums.hexdigest(), peak, clipped / (sound.length * sound.channels)


def identity(place: str | os.PathLike[str]) -> str:
    """What tells whether there is another file at a place than there was, hexadecimal."""
    text = os.fspath(place)
    # Some places cannot say it.
    with suppress(Exception):
        system, inner = addresses.filesystem(text)
        text += str(system.ukey(inner))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
