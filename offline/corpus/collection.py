"""A corpus: what its files have given so far, kept on disk so that interrupted work goes on, and the style of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ...dsp.audible import audible
from ...media import addresses
from ...media.audiofile import resample
from ...media.decoding import open_sound
from ...media.errors import InputError
from ...media.files import replacing
from ...media.inputs import parse_json, read_bytes
from ...models.corpus import MOST_STRETCHES, Survey
from ...models.style import MAX_SECONDS, Corpus, Style
from ...models.style_statistics import HOP, RATE
from .survey import Surveyed

_FORMAT = "gramophone-corpus"
_VERSION = 1
# Sums and stretches take 60 MB; the rest is names.
_MOST_BYTES = 512 * 2**20
_WORDS = ("name", "place", "key", "why", "sha256")
# Where stretches meet they are faded into each other, samples.
_FADE = 1024
# What filters need before and after a stretch, s.
_AROUND = 1

Doubles = np.ndarray[Any, np.dtype[np.float64]]


class Collection:
    """The files of a corpus that have been surveyed.

    Attributes:
        files: by key
        survey: of all that are used
    """

    def __init__(self) -> None:
        self.files: dict[str, Surveyed] = {}
        self.survey = Survey.empty()
        self._sounds: dict[str, Surveyed] = {}

    def add(self, found: Surveyed) -> Surveyed:
        """Add a file; return what became of it, since it may be the same sound as another one."""
        if not found.why and (other := self._sounds.get(found.sha256)) is not None:
            found = dataclasses.replace(found, why=f"it is the same sound as {other.name}")
        if not found.why and found.survey is not None:
            self._sounds[found.sha256] = found
            self.survey += found.survey
        self.files[found.key] = found = dataclasses.replace(found, survey=None)
        return found

    @property
    def used(self) -> list[Surveyed]:
        """The files that are not left out."""
        return list(self._sounds.values())

    def save(self, path: Path) -> None:
        """Write it down, so that `load` finds it again; what could not be used is tried again then."""
        files = [dataclasses.asdict(one) for one in self.files.values() if one.sha256]
        arrays = {f.name: np.asarray(getattr(self.survey, f.name)) for f in dataclasses.fields(Survey)}
        text = json.dumps({"version": _VERSION, "files": files})
        with replacing(path, overwrite=True) as beside:
            beside.write_bytes(save(arrays, {_FORMAT: text}))

    @classmethod
    def load(cls, path: Path) -> Collection:
        """Read what was saved; InputError where it is damaged, or of another version."""
        foreign = InputError(f"{path} cannot be used to go on: it is damaged, or of another version")
        try:
            data = read_bytes(path, most=_MOST_BYTES, what="unfinished style")
            length = int.from_bytes(data[:8], "little")
            found = parse_json(parse_json(data[8 : 8 + length])["__metadata__"][_FORMAT])
            if found["version"] != _VERSION:
                raise foreign
            arrays, empty = load(data), Survey.empty()
            count = len(arrays["starts"])
            if count > MOST_STRETCHES or set(arrays) != set(vars(empty)):
                raise foreign
            for name, fresh in vars(empty).items():
                like = np.asarray(fresh)
                shape = (count, *like.shape[1:]) if name in _OF_STRETCHES else like.shape
                if arrays[name].shape != shape or arrays[name].dtype != like.dtype:
                    raise foreign
            back = cls()
            for one in found["files"]:
                name, place, key, why, sha256 = (str(one[word]) for word in _WORDS)
                notes = tuple(str(note) for note in one["notes"])
                gain, seconds, rests = (float(one[number]) for number in ("gain", "seconds", "rests"))
                file = Surveyed(name, place, key, why, notes, sha256, gain, seconds, rests)
                back.files[file.key] = file
                if not file.why:
                    back._sounds[file.sha256] = file
            back.survey = Survey(frames=float(arrays.pop("frames")), **arrays)
        except (SafetensorError, KeyError, TypeError, ValueError):
            raise foreign from None
        return back

    def style(
        self,
        *,
        name: str,
        author: str = "",
        licence: str = "",
        show: Callable[[str, float, float | None], None] = lambda *_: None,
    ) -> Style:
        """Return the style of all files that are used.

        Args:
            name, author, licence: of the style
            show: told how far this has come

        Raises:
            InputError: No file is used, or one that is needed cannot be read any more.
        """
        if not self._sounds:
            raise InputError("none of the files can be used: a style needs sound that can be heard")
        show("choosing what is typical", 0.0, None)
        clip = self._clip(self._runs(self.survey.chosen(int(MAX_SECONDS * RATE) // HOP)), show)
        style = Style.from_audio(clip, RATE, name=name, author=author, licence=licence)
        seconds = sum(one.seconds for one in self.used)
        return dataclasses.replace(
            style,
            bands=self.survey.statistics(),
            source_hash=hashlib.sha256("".join(sorted(self._sounds)).encode()).hexdigest(),
            corpus=Corpus(len(self._sounds), round(seconds, 3)),
        )

    def _runs(self, chosen: Sequence[int]) -> list[tuple[str, int, int]]:
        """File, first frame and end of the stretches, in order; those that follow each other as one."""
        survey, runs = self.survey, list[tuple[str, int, int]]()
        stretches = sorted(
            (survey.files[i].tobytes().hex(), int(survey.starts[i]), int(survey.lengths[i])) for i in chosen
        )
        for file, start, length in stretches:
            if runs and runs[-1][0] == file and runs[-1][2] == start:
                runs[-1] = (file, runs[-1][1], start + length)
            else:
                runs.append((file, start, start + length))
        return runs

    def _clip(
        self, runs: Sequence[tuple[str, int, int]], show: Callable[[str, float, float | None], None]
    ) -> Doubles:
        """The stretches one after the other, faded into each other, [channels, samples]."""
        parts: list[Doubles] = []
        for number, (sha256, start, stop) in enumerate(runs):
            show("taking what is typical", number, len(runs))
            file = self._sounds[sha256]
            parts.append(file.gain * _excerpt(file, start * HOP - _FADE // 2, stop * HOP + _FADE // 2))
        channels = max(len(part) for part in parts)
        out = np.zeros((channels, sum(part.shape[1] - _FADE for part in parts) + _FADE))
        rise = np.sin(0.5 * np.pi * (np.arange(_FADE) + 0.5) / _FADE)
        place = 0
        for part in parts:
            part[:, :_FADE] *= rise
            part[:, -_FADE:] *= rise[::-1]
            # Fewer channels are repeated: all have one magnitude anyway.
            out[:, place : place + part.shape[1]] += part[np.arange(channels) % len(part)]
            place += part.shape[1] - _FADE
        return out[:, _FADE // 2 : -_FADE // 2]


_OF_STRETCHES = frozenset({"files", "starts", "lengths", "described"})


def _excerpt(file: Surveyed, start: int, stop: int) -> Doubles:
    """Samples [channels, stop - start] of what can be heard of a file, at the layout's rate."""
    first = max(0, start // RATE - _AROUND)
    with (
        addresses.local_copy(file.place) as path,
        addresses.called(path, file.name),
        open_sound(path) as reader,
    ):
        if first:
            reader.seek(first * reader.sample_rate)
        seconds = stop // RATE + 1 + _AROUND - first
        own = reader.read(seconds * reader.sample_rate).T
        found = audible(resample(np.ascontiguousarray(own), reader.sample_rate, RATE), RATE)
    offset = start - first * RATE
    before, inside = (
        max(0, -offset),
        found[:, max(0, offset) : max(0, offset) + stop - start - max(0, -offset)],
    )
    out = np.zeros((len(found), stop - start))
    out[:, before : before + inside.shape[1]] = inside
    return out
