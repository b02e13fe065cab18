"""A style: a short clip, and what was computed from it; and its file, which holds data only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..dsp.audible import audible
from ..dsp.level import at_reference, loudness
from ..dsp.torch_state import own_errors
from ..media import arguments
from ..media.audiofile import Audio, encode_flac, is_silent, read_audio, read_audio_bytes, resample
from ..media.errors import InputError, noted
from ..media.files import replacing, shown
from ..media.inputs import parse_json, read_bytes
from ..media.limits import MAX_CHANNELS, check_sound
from .mel_bands import band_basis
from .style_statistics import BANDS, HOP, N_FFT, RATE, StyleStatistics, style_statistics

FORMAT = "gramophone-style"
VERSION = 2
MAX_SECONDS = 30.0
_LAYOUT = {"sample_rate": RATE, "n_fft": N_FFT, "hop": HOP, "bands": BANDS}
_STATISTICS = ("mean", "band_covariance", "rest")
# Thirty seconds of sixteen channels at 96 kHz, hardly compressed: no style is larger.
_MAX_BYTES = 192 * 2**20
_MAX_HEADER = 2**16
#: Letters of name, author and licence.
MAX_TEXT = 1000
# Samples of 64-bit floats may be anything; what is larger than this is no sound.
_MAX_GAIN = 2.0**64
# FLAC holds no more; further channels are in further arrays, which older readers do without.
_FLAC_CHANNELS = 8


@dataclass(frozen=True)
class Corpus:
    """What a style of many files was made of: how many, and seconds of sound in them."""

    files: int
    seconds: float


@dataclass(frozen=True)
class Clip:
    """The sound of a style, which is all that playing live needs.

    Attributes:
        name: how it is called
        samples: array [channels, samples] at its own level, at most 30 s
        sample_rate: Hz
    """

    name: str
    samples: NDArray[np.float64]
    sample_rate: int

    def at(self, sample_rate: int) -> NDArray[np.float64]:
        """The clip [channels, samples] at another rate and at the reference level (see dsp.level)."""
        return clip_at(self.samples, self.sample_rate, arguments.rate(sample_rate), name=self.name)


@dataclass(frozen=True)
class Style(Clip):
    """A style, ready to be played.

    Attributes:
        loudness: LUFS, of what can be heard of the clip
        bands: statistics of the clip, or of the whole corpus, at the reference level, 44.1 kHz, window 2048, hop 512,
            in 96 mel-like bands
        source_hash: SHA-256 of the clip's samples as they came, hexadecimal; of a corpus, of all its files
        author, licence: optional, as given
        corpus: of a style of many files, whose clip is made of stretches that together have their statistics; see
            `models.corpus`
    """

    loudness: float
    bands: StyleStatistics
    source_hash: str
    author: str = ""
    licence: str = ""
    corpus: Corpus | None = None

    @classmethod
    @own_errors()
    def from_audio(
        cls, samples: ArrayLike, sample_rate: int, *, name: str, author: str = "", licence: str = ""
    ) -> Style:
        """Make a style of a clip [channels, samples] or [samples]; of a longer one, of its first 30 s.

        Raises:
            InputError: The clip is shorter than one frame (46 ms), silent, not finite, or of other rates or channels
                than `media.limits.check_sound` allows.
        """
        name, author, licence = (
            arguments.text(value, role)
            for role, value in (("name", name), ("author", author), ("licence", licence))
        )
        sample_rate = arguments.rate(sample_rate)
        samples = _checked(samples, sample_rate, name=name)
        level = loudness(_heard(samples, sample_rate, name=name), sample_rate)
        if not np.isfinite(level):
            raise InputError(f"{name} is silent: it has no style to take")
        source = hashlib.sha256(np.ascontiguousarray(samples.T, dtype="<f4").tobytes()).hexdigest()
        bands = _bands(samples, sample_rate)
        return cls(name, samples, sample_rate, level, bands, source, author, licence)

    def info(self) -> dict[str, str]:
        """What is worth showing, as text."""
        channels, count = self.samples.shape
        return {
            "name": self.name,
            "author": self.author or "-",
            "licence": self.licence or "-",
            "made of": self._origin(),
            "length": f"{count / self.sample_rate:.2f} s",
            "channels": str(channels),
            "sample rate": f"{self.sample_rate} Hz",
            "loudness": f"{self.loudness:.1f} LUFS",
            "layout": f"{RATE} Hz, window {N_FFT}, hop {HOP}, {self.bands.covariance.shape[0]} bands",
            "source": f"sha256 {self.source_hash}",
            "format": f"{FORMAT} {self._version}",
        }

    @property
    def _version(self) -> int:
        """Of its file: one of a single clip can be read by every version of the program."""
        return 1 if self.corpus is None else VERSION

    def _origin(self) -> str:
        if self.corpus is None:
            return "one clip"
        minutes, seconds = divmod(round(self.corpus.seconds), 60)
        files = "1 file" if self.corpus.files == 1 else f"{self.corpus.files} files"
        return f"{files}, {minutes} min {seconds} s"

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write a `.style` file; see docs/style-file.md. The clip is kept with 24 bits."""
        data = self.encode()
        with replacing(arguments.file(path, "path"), overwrite=overwrite) as beside:
            beside.write_bytes(data)

    @own_errors()
    def encode(self) -> bytes:
        """Return what a `.style` file of this style holds; `decode_style` reads it.

        Raises:
            InputError: Name, author or licence are longer than `MAX_TEXT`.
        """
        for what, text in (("name", self.name), ("author", self.author), ("licence", self.licence)):
            if len(text) > MAX_TEXT:
                raise InputError(f"the {what} {text[:20]}... is too long; give up to {MAX_TEXT} letters")
        parts, gain = _encode_clip(self.samples, self.sample_rate)
        clips = {_part(number): np.frombuffer(data, dtype=np.uint8) for number, data in enumerate(parts)}
        description = {
            "version": self._version,
            "name": self.name,
            "author": self.author,
            "licence": self.licence,
            "source_sha256": self.source_hash,
            "loudness_lufs": self.loudness,
            "clip_gain": gain,
            "layout": _LAYOUT,
        }
        if self.corpus is not None:
            description["corpus"] = dataclasses.asdict(self.corpus)
        tensors = {
            **clips,
            **dict(zip(_STATISTICS, (self.bands.mean, self.bands.covariance, self.bands.rest), strict=True)),
        }
        # One entry, since the library keeps several in no fixed order: the same clip shall give the same bytes.
        metadata = {FORMAT: json.dumps(description, sort_keys=True)}
        encoded: bytes = save({key: np.ascontiguousarray(value) for key, value in tensors.items()}, metadata)
        return encoded


def _checked(samples: ArrayLike, sample_rate: int, *, name: str) -> NDArray[np.float64]:
    """Return the first 30 s of a clip [channels, samples]; InputError as for `Style.from_audio`, but for silence."""
    samples = arguments.sound(samples, name)
    check_sound(name, channels=samples.shape[0], sample_rate=sample_rate)
    samples = samples[:, : int(MAX_SECONDS * sample_rate)]
    if samples.shape[-1] * RATE < N_FFT * sample_rate:
        raise InputError(
            f"{name} is shorter than one frame ({samples.shape[-1] / sample_rate * 1000:.0f} ms; at least "
            f"{N_FFT / RATE * 1000:.0f} ms are needed): use a longer clip as the style"
        )
    return samples


def clip_at(
    samples: NDArray[np.float64], own_rate: int, sample_rate: int, *, name: str = "the clip"
) -> NDArray[np.float64]:
    """Return what can be heard of a clip [channels, samples], at another rate and at the reference level.

    Its offset, and what lies below 20 Hz and above 20 kHz, stay behind: see dsp.audible and dsp.level.

    Raises:
        InputError: Nothing of it can be heard; the message calls it `name`.
    """
    heard = _heard(resample(samples, own_rate, sample_rate), sample_rate, name=name)
    clip = at_reference(heard, sample_rate)
    if clip is heard:
        raise InputError(f"{name} is silent: it has no style to take")
    return clip


def _heard(samples: NDArray[np.float64], sample_rate: int, *, name: str) -> NDArray[np.float64]:
    """Return what can be heard of a clip; InputError, which calls it `name`, where that is nothing."""
    heard = audible(samples, sample_rate)
    if is_silent(heard):
        raise InputError(f"{name} is silent between 20 Hz and 20 kHz: it has no style to take")
    return heard


def _part(number: int) -> str:
    """Return the name of the array that holds the channels from 8 * `number` on."""
    return "clip_flac" if number == 0 else f"clip_flac_{number + 1}"


def _encode_clip(samples: NDArray[np.float64], sample_rate: int) -> tuple[list[bytes], float]:
    """Return a clip as FLAC, up to eight channels in each, and the gain by which what they hold is to be multiplied."""
    # Samples beyond full scale (float files) would be cut by FLAC: the clip is stored lower, the gain noted.
    gain = max(1.0, float(np.abs(samples).max()) * (1.0 + 2.0**-20))
    starts = range(0, samples.shape[0], _FLAC_CHANNELS)
    return [encode_flac(samples[at : at + _FLAC_CHANNELS] / gain, sample_rate) for at in starts], gain


def _decode_clip(parts: Sequence[bytes], *, name: str) -> Audio:
    """Return the clip, still without its gain; InputError where it cannot be read."""
    found = [read_audio_bytes(data, name=name, seconds=MAX_SECONDS) for data in parts]
    return dataclasses.replace(found[0], samples=np.concatenate([part.samples for part in found]))


def kept_clip(samples: NDArray[np.float64], sample_rate: int, *, name: str) -> NDArray[np.float64]:
    """Return a clip [channels, samples] as it will be in a file: what sounds now, sounds the same when it is loaded.

    Raises:
        InputError: It is silent or not finite.
    """
    if not np.isfinite(samples).all() or is_silent(samples):
        raise InputError(f"{name} is silent: it has no style to take")
    parts, gain = _encode_clip(samples, sample_rate)
    with noted():
        kept: NDArray[np.float64] = _decode_clip(parts, name=name).samples * gain
    return kept


def _bands(samples: NDArray[np.float64], sample_rate: int) -> StyleStatistics:
    basis = band_basis(N_FFT // 2 + 1, BANDS, highest=RATE / 2)
    return style_statistics(clip_at(samples, sample_rate, RATE), basis, n_fft=N_FFT, hop=HOP)


def _corpus(described: Mapping[str, object] | None) -> Corpus | None:
    """Return what a file says of its corpus; ValueError or TypeError where that cannot be."""
    if described is None:
        return None
    found = Corpus(int(str(described["files"])), float(str(described["seconds"])))
    if found.files < 1 or not 0.0 <= found.seconds < np.inf:
        raise ValueError
    return found


@own_errors()
def load_style(path: str | os.PathLike[str]) -> Style:
    """Load a style from a `.style` file, or make one of a sound file.

    Raises:
        InputError: No such file, neither a style nor a sound, truncated, from a newer version, too short or silent.
            An InputWarning tells of a sound file that is longer than a style takes, or than it says.
    """
    path = arguments.file(path, "path")
    if path.suffix.lower() != ".style":
        audio = read_audio(path, seconds=MAX_SECONDS)
        # Errors name the clip's path.
        style = Style.from_audio(audio.samples, audio.sample_rate, name=shown(path))
        return dataclasses.replace(style, name=path.stem)
    return decode_style(read_bytes(path, most=_MAX_BYTES, what="style file"), name=shown(path))


@own_errors()
def load_clip(path: str | os.PathLike[str]) -> Clip:
    """Load what plays live of a `.style` file or a sound file; as `load_style`, but nothing is computed of a sound.

    Raises:
        InputError: As for `load_style`; for a silent sound not before it is asked for at a rate.
    """
    path = arguments.file(path, "path")
    if path.suffix.lower() == ".style":
        return load_style(path)
    audio = read_audio(path, seconds=MAX_SECONDS)
    name = shown(path)
    return Clip(name, _checked(audio.samples, audio.sample_rate, name=name), audio.sample_rate)


def decode_style(data: bytes, *, name: str) -> Style:
    """Return what the bytes of a `.style` file hold; InputError, which calls it `name`, if it is no style."""
    foreign = InputError(f"{name} is not a Gramophone style, or is damaged: make it again from its clip")
    try:
        # Eight bytes of length, then the header as JSON: the safetensors format.
        length = int.from_bytes(data[:8], "little")
        if length > _MAX_HEADER:
            raise foreign
        header = parse_json(data[8 : 8 + length])
        tensors = load(data)
        described = parse_json(header["__metadata__"][FORMAT])
        if described["version"] > VERSION:
            raise InputError(
                f"{name} was made by a newer Gramophone (style format {described['version']}; this one "
                f"reads up to {VERSION}): update, or make it again from its clip"
            )
        further = sum(key.startswith(_part(1)[:-1]) for key in tensors)
        if further >= MAX_CHANNELS // _FLAC_CHANNELS:
            raise foreign
        parts = [tensors[_part(number)].tobytes() for number in range(1 + further)]
        clip = _decode_clip(parts, name=f"the clip in {name}")
        samples, gain = clip.samples, float(described["clip_gain"])
        level = float(described["loudness_lufs"])
        if not np.isfinite(level) or not 0.0 < gain <= _MAX_GAIN:
            raise foreign
        samples *= gain
        texts = [str(described[key]) for key in ("name", "source_sha256", "author", "licence")]
        title, source, author, licence = texts
        if is_silent(samples) or max(map(len, texts)) > MAX_TEXT:
            raise foreign
        corpus = _corpus(described.get("corpus"))
        if described["layout"] == _LAYOUT:
            bands = StyleStatistics(*(tensors[key].astype(np.float64) for key in _STATISTICS))
            bins, count = N_FFT // 2 + 1, bands.covariance.shape[0]
            fits = (bands.mean.shape, bands.covariance.shape, bands.rest.shape) == (
                (bins,),
                (count, count),
                (bins,),
            )
            if not fits or not all(np.isfinite(tensors[key]).all() for key in _STATISTICS):
                raise foreign
        else:
            bands = _bands(samples, clip.sample_rate)
        return Style(
            name=title or name,
            samples=samples,
            sample_rate=clip.sample_rate,
            loudness=level,
            bands=bands,
            source_hash=source,
            author=author,
            licence=licence,
            corpus=corpus,
        )
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise foreign from None
