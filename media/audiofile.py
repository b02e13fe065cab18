"""Writes audio files, whole or not at all, and resamples."""

from __future__ import annotations

import os
import tempfile
from io import BufferedIOBase, BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from .callbacks import Stream, callbacks
from .decoding import Audio as Audio
from .decoding import Samples, reason
from .decoding import Track as Track
from .decoding import read_audio as read_audio
from .decoding import read_audio_bytes as read_audio_bytes
from .decoding import read_track as read_track
from .decoding import sound_hash as sound_hash
from .errors import InputError
from .files import replacing, shown
from .formats import check_limits, check_subtype
from .formats import output_format as output_format
from .spool import Block, Held, Source, Spool

if TYPE_CHECKING:
    from .tags import Tags

# Peak below which a signal counts as silence: -90 dBFS, about one step of 16-bit audio.
SILENCE_PEAK = 10.0 ** (-90.0 / 20.0)

_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
_BYTES_PER_SAMPLE = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}

# The sizes in the header of a WAV or AIFF file have 32 bits; a little is kept for the header itself.
_LARGEST_32_BIT = 2**32 - 2**16

# Frames per call of libsndfile. Its Vorbis encoder crashes the program when it is given minutes at once.
_BLOCK = 1 << 16


def write_audio(
    path: str | os.PathLike[str],
    samples: Samples | Spool,
    sample_rate: int,
    *,
    subtype: str | None = None,
    format: str | None = None,
    tags: Tags | None = None,
    overwrite: bool = False,
) -> None:
    """Write a sound file; the extension sets the format.

    Args:
        path: Ends in wav, flac, ogg, mp3, aif or aiff. A WAV file too large for its 32-bit header is written as RF64,
            which readers of WAV take as well.
        samples: [channels, samples], or a track on disk, full scale -1 to 1. Larger values are clipped, except in the
            subtypes FLOAT and DOUBLE. Integers are rounded, without dither: samples from a file of as many bits or
            fewer are written back exactly.
        sample_rate: Hz.
        subtype: libsndfile's name; by default PCM_24 (wav, flac, aiff), VORBIS (ogg) or MPEG_LAYER_III (mp3).
        format: As for `output_format`, if the extension does not set it.
        tags: Of another file, to be written into this one, as far as possible. If that fails, the file is written
            without, and `fault` set.
        overwrite: Whether an existing file may be replaced. It stays unchanged until the new one is complete.

    Raises:
        InputError: If the file cannot be written (also when the disk becomes full on the way; nothing is left
            behind), the format does not take the subtype, rate or channels, or samples are missing or not finite.
    """
    kind, default = output_format(path, format=format)
    name = shown(path)
    subtype = default if subtype is None else subtype.upper()
    check_subtype(name, kind, subtype)
    source = _source(samples, sample_rate, name)
    check_limits(kind, subtype, source.channels, sample_rate, name)
    size = source.channels * source.length * _BYTES_PER_SAMPLE.get(subtype, 2)
    if kind in ("WAV", "AIFF") and size > _LARGEST_32_BIT:
        if kind == "AIFF" or not soundfile.check_format("RF64", subtype):
            raise InputError(f"{name}: {kind} with {subtype} holds at most 4 GiB; use .flac or a PCM .wav")
        kind = "RF64"
    with replacing(path, overwrite=overwrite) as temporary:
        with temporary.open("wb") as file:
            _write(file, source, sample_rate, kind, subtype, name)
        if tags is not None:
            from .tags import write_tags

            try:
                write_tags(temporary, tags, kind=kind)
            except Exception as error:
                # Such as a cover too large for the format: the sound is worth more than its tags.
                tags.fault = f"they do not fit ({' '.join(str(error).split()) or type(error).__name__})"
                with temporary.open("wb") as file:
                    _write(file, source, sample_rate, kind, subtype, name)


def check_encodable(
    path: str | os.PathLike[str],
    channels: int,
    sample_rate: int,
    *,
    subtype: str | None = None,
    format: str | None = None,
) -> None:
    """Raise the InputError that `write_audio` would raise for channels, rate, subtype or format; write nothing there.

    Only the encoder itself knows its limits, so it encodes a little sound, in a temporary folder.
    """
    with tempfile.TemporaryDirectory(prefix="gramophone-") as folder:
        probe = Path(folder, Path(path).name)
        try:
            write_audio(probe, np.zeros((channels, 1)), sample_rate, subtype=subtype, format=format)
        except InputError as error:
            raise InputError(str(error).replace(shown(probe), shown(path))) from error


def encode_flac(samples: Samples, sample_rate: int) -> bytes:
    """Return `samples` [channels, samples] as a 24-bit FLAC file; clipped and rounded as by `write_audio`.

    Raises:
        InputError: If there are more than 8 channels, no samples, values that are not finite, or a rate above 655350
            Hz.
    """
    source = _source(samples, sample_rate, "FLAC")
    check_limits("FLAC", "PCM_24", source.channels, sample_rate, "FLAC")
    file = BytesIO()
    _write(file, source, sample_rate, "FLAC", "PCM_24", "FLAC")
    return file.getvalue()


def _source(samples: Samples | Spool, sample_rate: int, name: str) -> Source:
    """What is to be written, looked at before a file is begun; of a track on disk, all but its samples."""
    if isinstance(samples, np.ndarray):
        if samples.ndim != 2:
            raise ValueError(f"samples must be [channels, samples], not of shape {samples.shape}")
        _check_finite(samples, name)
    source = Held(samples) if isinstance(samples, np.ndarray) else samples
    if not source.channels * source.length:
        raise InputError(f"{name}: there are no samples to write; give at least one")
    if sample_rate < 1:
        raise InputError(f"{name}: a sample rate of {sample_rate} Hz is impossible; give a positive one")
    return source


def _check_finite(samples: Block, name: str) -> None:
    if not np.isfinite(samples).all():
        raise InputError(
            f"{name}: the samples to write are not all finite (NaN or infinity); check the input"
        )


def _write(
    file: BufferedIOBase, source: Source, sample_rate: int, kind: str, subtype: str, name: str
) -> None:
    try:
        with (
            callbacks(Stream(file)) as stream,
            soundfile.SoundFile(
                stream, "w", samplerate=sample_rate, channels=source.channels, format=kind, subtype=subtype
            ) as sound,
        ):
            for start in range(0, source.length, _BLOCK):
                block = source.read(start, min(start + _BLOCK, source.length))
                _check_finite(block, name)
                sound.write(_quantised(block.T.astype(np.float64, copy=False), subtype))
                stream.raise_error()
    except soundfile.LibsndfileError as error:
        raise InputError(f"cannot write {name} as {kind}: {reason(error)}; use .wav or .flac") from error


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


def resample_track(source: Spool, from_rate: int, to_rate: int, path: str | os.PathLike[str]) -> Spool:
    """As `resample`, of a track of any length onto a new spool at `path`; the track itself at the same rate."""
    if from_rate == to_rate:
        return source
    length = -(-source.length * to_rate // from_rate)
    out = Spool.create(path, channels=source.channels, length=length)
    stream = soxr.ResampleStream(from_rate, to_rate, source.channels, dtype="float64", quality="VHQ")
    total = source.length + 2 + 2 * from_rate // to_rate
    place = 0
    for start in range(0, total, _BLOCK):
        stop = min(start + _BLOCK, total)
        frames = np.ascontiguousarray(source.read(start, stop).T, dtype=np.float64)
        piece = stream.resample_chunk(frames, last=stop == total)
        out.write(place, piece.T)
        place += len(piece)
    return out


def is_silent(samples: Samples) -> bool:
    """Return whether the peak is below -90 dBFS; an empty sound is silent."""
    return not samples.size or float(np.abs(samples).max()) < SILENCE_PEAK
