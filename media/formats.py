"""The formats of outputs: their extensions, subtypes and limits."""

import os
from collections.abc import Sequence
from pathlib import Path

import soundfile

from .errors import InputError
from .files import shown

_FORMATS = {
    ".wav": ("WAV", "PCM_24"),
    ".flac": ("FLAC", "PCM_24"),
    ".ogg": ("OGG", "VORBIS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aif": ("AIFF", "PCM_24"),
    ".aiff": ("AIFF", "PCM_24"),
}
# The formats of outputs by extension.
EXTENSIONS = tuple(_FORMATS)
# Subtypes that hold more than the default 24 bits.
_WIDE = frozenset({"PCM_32", "FLOAT", "DOUBLE"})

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


def output_format(path: str | os.PathLike[str], *, format: str | None = None) -> tuple[str, str]:
    """Return libsndfile's format and the default subtype for the extension of `path`.

    Args:
        path: Where the output goes.
        format: An extension without its dot that takes the place of the path's own, which must then be unknown or say
            the same.

    Raises:
        InputError: If the extension is none of wav, flac, ogg, mp3, aif, aiff, or this libsndfile lacks the format.
    """
    own = Path(path).suffix.lower()
    suffix = own if format is None else f".{format.lower().lstrip('.')}"
    known = ", ".join(_FORMATS)
    if suffix not in _FORMATS:
        if format is not None:
            raise InputError(f"format {format} is unknown; use one of {known.replace('.', '')}")
        raise InputError(f"{shown(path)}: the extension must be one of {known}; rename the output")
    kind, subtype = _FORMATS[suffix]
    if own in _FORMATS and _FORMATS[own] != (kind, subtype):
        raise InputError(
            f"{shown(path)} is named {own}, but {kind} is asked for; rename it, or leave out the format"
        )
    if kind not in soundfile.available_formats():
        raise InputError(f"{shown(path)}: this version of libsndfile has no {kind}; use .flac or .wav")
    return kind, subtype


def check_subtype(name: str, kind: str, subtype: str) -> None:
    """Raise InputError, calling the output `name`, if libsndfile's format `kind` has no such subtype."""
    if not soundfile.check_format(kind, subtype):
        known = ", ".join(soundfile.available_subtypes(kind))
        raise InputError(f"{name}: {kind} has no subtype {subtype}; use one of {known}")


def output_subtype(kind: str, subtype: str, *, strength: float, wanted: str | None) -> str | None:
    """Return the subtype to write a result with: the wanted one; None stands for the format's default.

    With strength 0, when the samples are the content's own, its `subtype` is kept if it holds more than the default
    and the format `kind` takes it.
    """
    if wanted is not None or strength > 0.0 or subtype not in _WIDE:
        return wanted
    return subtype if soundfile.check_format(kind, subtype) else None


def check_limits(kind: str, subtype: str, channels: int, sample_rate: int, name: str) -> None:
    """Raise InputError, calling the output `name`, if an encoder does not take so many channels at this rate, Hz."""
    most, rates, rule = _LIMITS.get("OPUS" if subtype == "OPUS" else kind, _NO_LIMITS)
    if channels > most or not any(sample_rate in some for some in rates):
        way_out = "" if kind in ("WAV", "AIFF") else "; use .wav for others"
        raise InputError(f"{name}: {channels} channels at {sample_rate} Hz do not fit: {rule}{way_out}")
