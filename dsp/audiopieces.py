"""A sound file that is written as its samples come, so that its length costs no memory."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import soundfile
from numpy.typing import NDArray

from dsp.errors import InputError
from dsp.files import replacing, shown
from dsp.formats import output_format

# What a 32-bit header can say, less the header; and the most bytes that a sample of our default subtypes takes.
_LARGEST = 2**32 - 2**16
_BYTES = 3


def write_pieces(
    path: str | os.PathLike[str],
    pieces: Iterable[NDArray[np.float64]],
    sample_rate: int,
    *,
    channels: int,
    length: int,
    overwrite: bool = False,
) -> None:
    """Write pieces of a sound one after the other; the file appears when the last one is in it.

    Parameters
    ----------
    path
        Its extension says the format; the subtype is that format's default, see :func:`dsp.formats.output_format`.
    pieces
        Arrays [channels, n], within full scale -1 to 1.
    sample_rate
        Hz.
    channels, length
        Of the whole, the length in samples. A WAV file too large for its header is written as RF64.
    overwrite
        Whether an existing file may be replaced; it stays as it is until the new one is complete.

    Raises
    ------
    InputError
        If the file cannot be written; nothing is left behind.
    """
    kind, subtype = output_format(path)
    if kind == "WAV" and channels * length * _BYTES > _LARGEST:
        kind = "RF64"
    with replacing(path, overwrite=overwrite) as temporary:
        try:
            with soundfile.SoundFile(
                temporary, "w", samplerate=sample_rate, channels=channels, format=kind, subtype=subtype
            ) as sound:
                for piece in pieces:
                    sound.write(np.ascontiguousarray(piece.T))
        except soundfile.LibsndfileError as error:
            reason = " ".join(str(error.error_string).split()).rstrip(".")
            raise InputError(
                f"cannot write {shown(path)} as {kind}: {reason}; free some space, or use .wav or .flac"
            ) from error
