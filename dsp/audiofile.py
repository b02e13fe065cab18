"""Audio files: what libsndfile reads comes in as float64, and goes out whole or not at all."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedIOBase, BytesIO
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from dsp.errors import InputError
from dsp.files import replacing, shown

Samples = NDArray[np.float64]

# Peak below which a signal counts as silence: -90 dBFS, about one step of 16-bit audio.
SILENCE_PEAK = 10.0 ** (-90.0 / 20.0)

_FORMATS = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aif": ("AIFF", "PCM_24"),
    ".aiff": ("AIFF", "PCM_24"),
}
_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_BYTES_PER_SAMPLE = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_OPUS_RATES = (8000, 12000, 16000, 24000, 48000)

# What each encoder takes, where libsndfile itself takes more: the most channels, ranges of rates, and the
# same in words.
_LIMITS: dict[str, tuple[int, Sequence[Sequence[int]], str]] = {
    "MP3": (2, [_MP3_RATES], f"MP3 takes 1 or 2 channels at {', '.join(map(str, _MP3_RATES))} Hz"),
    "OPUS": (255, [_OPUS_RATES], f"Opus takes up to 255 channels at {', '.join(map(str, _OPUS_RATES))} Hz"),
    "OGG": (255, [range(1, 200_001)], "Ogg Vorbis takes up to 255 channels at 1 to 200000 Hz"),
    # The header of a FLAC frame has 16 bits for the rate, in Hz or in tens of Hz.
    "FLAC": (
        8,
        [range(1, 65_536), range(10, 655_351, 10)],
        "FLAC takes up to 8 channels at 1 to 65535 Hz, or a multiple of 10 up to 655350 Hz",
    ),
}
_NO_LIMITS = (1024, [range(1, 2**31)], "a sound file takes up to 1024 channels at 1 to 2147483647 Hz")

# The sizes in the header of a WAV or AIFF file have 32 bits; a little is kept for the header itself.
_LARGEST_32_BIT = 2**32 - 2**16

# Frames per call of libsndfile. Its Vorbis encoder crashes the program when it is given minutes at once.
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Audio:
    """A decoded file.

    Attributes
    ----------
    samples
        float64 [channels, samples]; full scale is -1 to 1, float files may go beyond.
    sample_rate
        Hz.
    format, subtype
        libsndfile's names, such as "WAV" and "PCM_24".
    """

    samples: Samples
    sample_rate: int
    format: str
    subtype: str


class _Stream:
    """A binary file for libsndfile's callbacks, which must not raise.

    An exception in a callback would be printed and lost, KeyboardInterrupt included. It is kept here
    instead, and 0 returned, which libsndfile takes for a failure; `raise_error` brings it back.
    """

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self.error: BaseException | None = None

    def readinto(self, buffer: memoryview) -> int:
        if self.error is None:
            try:
                return self._file.readinto(buffer)
            except BaseException as error:
                self.error = error
        return 0

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                return self._file.write(data)
            except BaseException as error:
                self.error = error
        return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self.error is None:
            try:
                return self._file.seek(offset, whence)
            except BaseException as error:
                self.error = error
        return 0

    def tell(self) -> int:
        if self.error is None:
            try:
                return self._file.tell()
            except BaseException as error:
                self.error = error
        return 0

    def raise_error(self) -> None:
        if self.error is not None:
            raise self.error


@contextmanager
def _callbacks(file: BufferedIOBase) -> Iterator[_Stream]:
    """Yield a _Stream; its own error takes the place of what libsndfile made of it."""
    stream = _Stream(file)
    try:
        yield stream
    except Exception:
        stream.raise_error()
        raise
    stream.raise_error()


def read_audio(path: str | os.PathLike[str]) -> Audio:
    """Read a sound file of any kind that libsndfile knows, at its own rate.

    Raises
    ------
    InputError
        If the file is missing, a folder, unreadable, not audio, damaged, without samples, or holds values
        that are not finite.
    """
    path = Path(path)
    try:
        # Asked before opening: to open a pipe that nobody writes to would wait forever.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{shown(path)} is a folder; give the name of a sound file")
        if not stat.S_ISREG(mode):
            raise InputError(f"{shown(path)} is not a regular file; save the sound to a file first")
        with path.open("rb") as file:
            return _read(file, shown(path))
    except FileNotFoundError as error:
        raise InputError(f"{shown(path)} does not exist; check the name") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"cannot read {shown(path)}: {reason}; check the file and its permissions"
        ) from error
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"cannot read {shown(path)}: {error}; check the name") from error


def read_audio_bytes(data: bytes, *, name: str) -> Audio:
    """Read a sound file that is in memory; `name` is what messages call it. Raises as `read_audio`."""
    return _read(BytesIO(data), shown(name))


def _read(file: BufferedIOBase, name: str) -> Audio:
    if file.seek(0, os.SEEK_END) == 0:
        raise InputError(f"{name} is empty; give a sound file")
    file.seek(0)
    # In blocks to the end of the data: a damaged header may promise more than any memory holds.
    blocks: list[Samples] = []
    try:
        with _callbacks(file) as stream, soundfile.SoundFile(stream, "r") as sound:
            while True:
                block = sound.read(_BLOCK, dtype="float64", always_2d=True)
                if not len(block):
                    break
                blocks.append(block.T)
            rate, kind, subtype = int(sound.samplerate), str(sound.format), str(sound.subtype)
    except soundfile.LibsndfileError as error:
        if blocks:
            raise InputError(f"{name} is damaged ({_reason(error)}); export it again") from error
        advice = "convert it to WAV, FLAC, OGG or MP3"
        raise InputError(f"{name} is not a readable sound file ({_reason(error)}); {advice}") from error
    if not blocks:
        raise InputError(f"{name} holds no samples; give a sound file with sound in it")
    samples = np.concatenate(blocks, axis=1)
    if not np.isfinite(samples).all():
        raise InputError(
            f"{name} holds values that are not finite numbers (NaN or infinity); export it again"
        )
    return Audio(samples, rate, kind, subtype)


def _reason(error: soundfile.LibsndfileError) -> str:
    return " ".join(str(error.error_string).split()).rstrip(".")


def output_format(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return libsndfile's format and the default subtype for the extension of `path`.

    Raises
    ------
    InputError
        If the extension is none of wav, flac, ogg, mp3, aif, aiff, or this libsndfile lacks the format.
    """
    try:
        kind, subtype = _FORMATS[Path(path).suffix.lower()]
    except KeyError:
        known = ", ".join(_FORMATS)
        raise InputError(f"{shown(path)}: the extension must be one of {known}; rename the output") from None
    if kind not in soundfile.available_formats():
        raise InputError(f"{shown(path)}: this version of libsndfile has no {kind}; use .flac or .wav")
    return kind, subtype


def write_audio(
    path: str | os.PathLike[str],
    samples: Samples,
    sample_rate: int,
    *,
    subtype: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sound file; the extension says which kind.

    Parameters
    ----------
    path
        Ends in wav, flac, ogg, mp3, aif or aiff. A WAV file too large for its 32-bit header is written as
        RF64, which readers of WAV take as well.
    samples
        [channels, samples], full scale -1 to 1. What goes beyond is clipped, except in the subtypes FLOAT
        and DOUBLE, which hold it. Integers are rounded, without dither: samples that came from a file of
        as many bits or fewer are written back exactly.
    sample_rate
        Hz.
    subtype
        libsndfile's name; by default PCM_24 (wav, flac, aiff), VORBIS (ogg) or MPEG_LAYER_III (mp3).
    overwrite
        Whether an existing file may be replaced. Either way it stays as it is until the new one is complete.

    Raises
    ------
    InputError
        If the file cannot be written (also when the disk becomes full on the way; nothing is left behind),
        the format does not take the subtype, rate or channels, or samples are missing or not finite.
    """
    kind, default = output_format(path)
    name = shown(path)
    subtype = default if subtype is None else subtype.upper()
    if not soundfile.check_format(kind, subtype):
        known = ", ".join(soundfile.available_subtypes(kind))
        raise InputError(f"{name}: {kind} has no subtype {subtype}; use one of {known}")
    _check_samples(samples, sample_rate, name)
    _check_limits(kind, subtype, samples.shape[0], sample_rate, name)
    if kind in ("WAV", "AIFF") and samples.size * _BYTES_PER_SAMPLE.get(subtype, 2) > _LARGEST_32_BIT:
        if kind == "AIFF" or not soundfile.check_format("RF64", subtype):
            raise InputError(f"{name}: {kind} with {subtype} holds at most 4 GiB; use .flac or a PCM .wav")
        kind = "RF64"
    with replacing(path, overwrite=overwrite) as temporary, temporary.open("wb") as file:
        _write(file, samples, sample_rate, kind, subtype, name)


def encode_flac(samples: Samples, sample_rate: int) -> bytes:
    """Return `samples` [channels, samples] as a 24-bit FLAC file; clipped and rounded as by `write_audio`.

    Raises
    ------
    InputError
        If there are more than 8 channels, no samples, values that are not finite, or a rate above 655350 Hz.
    """
    _check_samples(samples, sample_rate, "FLAC")
    _check_limits("FLAC", "PCM_24", samples.shape[0], sample_rate, "FLAC")
    file = BytesIO()
    _write(file, samples, sample_rate, "FLAC", "PCM_24", "FLAC")
    return file.getvalue()


def _check_samples(samples: Samples, sample_rate: int, name: str) -> None:
    if samples.ndim != 2:
        raise ValueError(f"samples must be [channels, samples], not of shape {samples.shape}")
    if not samples.size:
        raise InputError(f"{name}: there are no samples to write; give at least one")
    if not np.isfinite(samples).all():
        raise InputError(
            f"{name}: the samples to write are not all finite (NaN or infinity); check the input"
        )
    if sample_rate < 1:
        raise InputError(f"{name}: a sample rate of {sample_rate} Hz is impossible; give a positive one")


def _check_limits(kind: str, subtype: str, channels: int, sample_rate: int, name: str) -> None:
    most, rates, rule = _LIMITS.get("OPUS" if subtype == "OPUS" else kind, _NO_LIMITS)
    if channels > most or not any(sample_rate in some for some in rates):
        way_out = "" if kind in ("WAV", "AIFF") else "; use .wav for others"
        raise InputError(f"{name}: {channels} channels at {sample_rate} Hz do not fit: {rule}{way_out}")


def _write(
    file: BufferedIOBase, samples: Samples, sample_rate: int, kind: str, subtype: str, name: str
) -> None:
    try:
        with (
            _callbacks(file) as stream,
            soundfile.SoundFile(
                stream, "w", samplerate=sample_rate, channels=samples.shape[0], format=kind, subtype=subtype
            ) as sound,
        ):
            for start in range(0, samples.shape[1], _BLOCK):
                sound.write(_quantised(samples[:, start : start + _BLOCK].T, subtype))
                stream.raise_error()
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot write {name} as {kind}: {_reason(error)}; use .wav or .flac") from error


def _quantised(frames: Samples, subtype: str) -> NDArray[np.float64] | NDArray[np.int32]:
    """Return frames [samples, channels] as libsndfile should get them for this subtype."""
    if subtype in ("FLOAT", "DOUBLE"):
        return np.ascontiguousarray(frames, dtype=np.float64)
    bits = _INTEGER_BITS.get(subtype)
    if bits is None:
        return np.ascontiguousarray(np.clip(frames, -1.0, 1.0), dtype=np.float64)
    # libsndfile would multiply by 2^(bits-1) - 1 where it divides by 2^(bits-1) on reading, so that loud
    # samples come back one step lower. Integers pass through unchanged; they sit at the top of its 32 bits.
    half = 2.0 ** (bits - 1)
    integers = np.clip(np.rint(frames * half), -half, half - 1.0).astype(np.int32)
    return np.ascontiguousarray(integers << (32 - bits))


def resample(samples: Samples, from_rate: int, to_rate: int) -> Samples:
    """Return `samples` [channels, samples] at another rate; linear phase, no delay (soxr's VHQ).

    The length becomes ceil(samples · to_rate / from_rate), exactly. At the same rate the array itself is
    returned. Rates are in Hz and positive.
    """
    if from_rate < 1 or to_rate < 1:
        raise ValueError(f"sample rates must be positive, not {from_rate} and {to_rate}")
    if from_rate == to_rate:
        return samples
    channels, count = samples.shape
    length = -(-count * to_rate // from_rate)
    if not samples.size:
        return np.zeros((channels, length))
    # soxr rounds the length. Beyond the end it assumes zeros anyway: some more are given, and cut off.
    extra = 2 + 2 * from_rate // to_rate
    padded = np.concatenate([samples, np.zeros((channels, extra))], axis=1)
    out = soxr.resample(np.ascontiguousarray(padded.T), from_rate, to_rate, quality="VHQ")
    return np.ascontiguousarray(out[:length].T, dtype=np.float64)


def is_silent(samples: Samples) -> bool:
    """Return whether the peak is below -90 dBFS; no samples at all are silent."""
    return not samples.size or float(np.abs(samples).max()) < SILENCE_PEAK
