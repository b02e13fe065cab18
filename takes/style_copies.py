"""The styles of a take: copied into its folder exactly as they were played."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..media.decoding import open_sound
from ..media.errors import InputError
from ..media.escaping import shortened
from ..media.files import free_path, native, replacing, shown
from .reader import STYLES
from .sound import STEPS

# The part of a sound file that a style uses; see models.style.
_SECONDS = 30.0
# Bytes, so that there is room for a number and a suffix.
_LONGEST_NAME = 200
# A style that was captured plays before its file is there.
_PATIENCE = 5.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Clip:
    """A style that came from no file: its name, its samples [channels, n] and their rate in Hz."""

    name: str
    samples: NDArray[np.float64]
    sample_rate: int


class StyleKeeper:
    """Copies each style once.

    Args:
        folder: of the take
        find: returns the source of a style, by its serial number in the log of changes; None if it is unknown
    """

    def __init__(self, folder: Path, find: Callable[[int], Path | Clip | None]) -> None:
        self._folder = folder
        self._find = find
        self._kept: dict[object, str] = {}
        self._serials: dict[int, str] = {}

    def file(self, source: Path) -> str:
        """Copy a style from a file, unless that has been done; return its name in the take. Raises as `number`."""
        try:
            found = source.stat()
        except OSError as error:
            raise _failure(source, error) from None
        key = (source, found.st_mtime_ns, found.st_size)
        if key not in self._kept:
            self._kept[key] = keep_style(source, self._folder)
        return self._kept[key]

    def number(self, serial: int) -> str:
        """Copy a style by its serial number, unless that has been done; return its name in the take.

        Raises:
            InputError: Its source is unknown, or it cannot be copied.
        """
        if serial not in self._serials:
            source = self._find(serial)
            if source is None:
                raise InputError("a style that was played is not known any more, and is missing in the take")
            if isinstance(source, Path):
                end = time.monotonic() + _PATIENCE
                while not source.exists() and time.monotonic() < end:
                    time.sleep(_POLL_SECONDS)
                self._serials[serial] = self.file(source)
            else:
                self._serials[serial] = self._clip(source)
        return self._serials[serial]

    def _clip(self, clip: Clip) -> str:
        key = hashlib.sha256(clip.samples.tobytes()).hexdigest()
        if key not in self._kept:
            name = _free(self._folder, clip.name, ".wav")
            _write(self._folder / name, clip.samples.T, clip.sample_rate)
            self._kept[key] = name
        return self._kept[key]


def keep_style(source: Path, folder: Path) -> str:
    """Copy a style into the folder of a take; return its name there, relative to the folder.

    A `.style` file is copied unchanged. The clip of a sound file becomes a WAV file, in the first format of 24-bit
    integers, 32-bit and 64-bit floats that holds it exactly. A `.style` file would round it to 24 bits, and change a
    replay.

    Raises:
        InputError: It cannot be read or written.
    """
    try:
        if source.suffix.lower() == ".style":
            name = _free(folder, source.stem, ".style")
            with replacing(folder / name, overwrite=False) as temporary:
                shutil.copyfile(source, temporary)
            return name
        name = _free(folder, source.stem, ".wav")
        with open_sound(source) as sound:
            # Warnings were shown when it was loaded to play.
            _write(folder / name, sound.all(_SECONDS).T, sound.sample_rate)
        return name
    except InputError as error:
        raise InputError(f"cannot copy the style into the take: {error}") from None
    except OSError as error:
        raise _failure(source, error) from None


def _failure(source: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or type(error).__name__
    return InputError(f"cannot copy the style {shown(source)} into the take: {reason}")


def _write(path: Path, clip: NDArray[np.float64], rate: int) -> None:
    """Write [samples, channels] without loss."""
    steps = np.rint(clip * STEPS)
    data: NDArray[Any] = clip
    if np.array_equal(steps / STEPS, clip) and (steps < STEPS).all() and (steps >= -STEPS).all():
        # As integers, since libsndfile scales floats by one step less than full scale.
        data, subtype = steps.astype(np.int32) << 8, "PCM_24"
    else:
        subtype = "FLOAT" if np.array_equal(clip.astype(np.float32), clip) else "DOUBLE"
    with replacing(path, overwrite=False) as temporary:
        soundfile.write(native(temporary), data, rate, subtype=subtype)


def _free(folder: Path, stem: str, suffix: str) -> str:
    """Return a name in the take that is not taken."""
    plain = "".join(letter if letter.isprintable() and letter not in '/\\:*?"<>|' else "_" for letter in stem)
    plain = shortened(plain.strip(" ."), _LONGEST_NAME) or "style"
    return f"{STYLES}/{free_path(folder / STYLES / f'{plain}{suffix}').name}"
