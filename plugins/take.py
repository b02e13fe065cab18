"""A take: the folder of a recorded performance, and what is needed to play it again.

    take.json          the header: rate, latency, settings, what went wrong; see plugins.take_header
    dry.flac           what came in, 24 bits
    dry-exact.wav      stretches of it that 24 bits do not hold exactly, 32-bit float; only where there are any
    wet.flac           what was heard, 24 bits, moved to be in time with the dry sound
    moves.jsonl        what was turned when; see plugins.automation
    state.safetensors  what the chain remembered at the first frame; only of a take that began in the middle
    styles/            the styles that were played

FLAC has no floats. What sound cards of up to 24 bits give is exact in it; what other programs give is not, and
there the chain's output could not be had again to the last bit. So those stretches are kept as they were. Of the wet
sound the header has the SHA-256 of its 32-bit floats, which tells whether a replay is the same without a second file.

Nothing in a take is ever executed, and nothing in it can lead out of its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from dsp.errors import InputError
from dsp.files import replacing, shown
from plugins.automation import Event, Restart, StyleChange, read_lines
from plugins.knobs import MUTE
from plugins.live import LIVE_PARAMETERS
from plugins.parameter import Parameter
from plugins.take_header import HEADER, Header, Span, is_style_name, read_header

if TYPE_CHECKING:
    from models.style import Style

    Sound = NDArray[np.float32]
    State = Mapping[str, NDArray[Any]]

MOVES, STATE, STYLES = "moves.jsonl", "state.safetensors", "styles"
DRY, EXACT, WET = "dry.flac", "dry-exact.wav", "wet.flac"
#: What a take's moves may move: the chain's knobs, and the mute behind it.
PARAMETERS: tuple[Parameter, ...] = (*LIVE_PARAMETERS, MUTE)
#: Steps of 24 bits in full scale.
STEPS = 2.0**23

_LARGEST = {HEADER: 2**24, MOVES: 2**28, STATE: 2**24}
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Take:
    """A take that has been opened: its header and its events have been read and checked.

    Attributes
    ----------
    folder : where it is
    header : see :class:`Header`
    events : what was turned when
    frames : length of the dry sound; of a take that was cut short, of what there is
    wet_frames : length of the wet sound
    """

    folder: Path
    header: Header
    events: tuple[Event, ...]
    frames: int
    wet_frames: int

    def dry(self, size: int = _BLOCK) -> Iterator[Sound]:
        """Return what came in, [channels, n] with n up to `size`, bit for bit; InputError where it is damaged."""
        exact = _spans(self.header.exact, self._blocks(EXACT, size)) if self.header.exact else iter(())
        ready = next(exact, None)
        start = 0
        for block in self._blocks(DRY, size, self.frames):
            stop = start + block.shape[1]
            while ready is not None and ready[0] < stop:
                at, part = ready
                fits = part[:, : stop - at]
                block[:, at - start : at - start + fits.shape[1]] = fits
                rest = part[:, fits.shape[1] :]
                ready = (stop, rest) if rest.shape[1] else next(exact, None)
            yield block
            start = stop

    def wet(self, size: int = _BLOCK) -> Iterator[Sound]:
        """Return what was heard, [channels, n] with n up to `size`, rounded to 24 bits; raises as `dry`."""
        return self._blocks(WET, size, self.wet_frames)

    def _blocks(self, name: str, size: int, frames: int | None = None) -> Iterator[Sound]:
        path = self.folder / name
        left = frames
        try:
            with soundfile.SoundFile(path) as file:
                if (file.samplerate, file.channels) != (self.header.sample_rate, self.header.channels):
                    raise InputError(f"{shown(path)} does not fit {HEADER}: rate or channels differ")
                while left is None or left > 0:
                    block = file.read(
                        size if left is None else min(size, left), dtype="float32", always_2d=True
                    )
                    if not len(block):
                        break
                    if not np.isfinite(block).all():
                        raise InputError(
                            f"{shown(path)} holds values that are not finite numbers; it is damaged"
                        )
                    left = None if left is None else left - len(block)
                    yield np.ascontiguousarray(block.T)
        except (soundfile.LibsndfileError, OSError) as error:
            raise _damaged(path, error) from None
        if left:
            raise InputError(f"{shown(path)} is {left} frames shorter than {HEADER} says; it is damaged")

    @property
    def restarts(self) -> int:
        """How often the chain forgot what it had heard."""
        return sum(isinstance(event, Restart) for event in self.events)

    def style_files(self) -> tuple[str, ...]:
        """Return the names of all styles that were in a slot at any time, in order of their appearance."""
        later = (event.style for event in self.events if isinstance(event, StyleChange))
        return tuple(dict.fromkeys(name for name in (*self.header.styles, *later) if name))

    def style(self, name: str) -> Style:
        """Load one of the take's styles; InputError if that is not possible."""
        from models.style import load_style

        return load_style(self.folder / name)

    def state(self) -> State | None:
        """Return what the chain remembered at the first frame; None where it had heard nothing.

        Raises
        ------
        InputError
            it is missing or damaged
        """
        if not self.header.resumed:
            return None
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = self.folder / STATE
        data = _read(path)
        try:
            return load(data)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise _damaged(path, error) from None


def interleaved(sound: Sound) -> bytes:
    """Return [channels, n] as the bytes that a take's hash is of: 32-bit floats, little-endian, no negative zeros."""
    return np.ascontiguousarray((sound + np.float32(0.0)).T, dtype="<f4").tobytes()


def write_state(folder: Path, state: State) -> None:
    """Write what the chain remembered; InputError if that is not possible."""
    from safetensors.numpy import save

    with replacing(folder / STATE, overwrite=True) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in state.items()}))


def open_take(folder: Path, *, parameters: Sequence[Parameter] = PARAMETERS) -> Take:
    """Open a take and check all that can be checked without reading its sound.

    Parameters
    ----------
    folder : of the take
    parameters : those that may occur in it

    Raises
    ------
    InputError
        It is no take, is damaged, was made by a newer version, or is of no length.
    """
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{shown(folder)} {reason}; give the folder of a take")
    if not (folder / HEADER).exists():
        raise InputError(f"{shown(folder)} has no {HEADER}: it is not a take; give the folder of one")
    header = read_header(folder / HEADER, _read(folder / HEADER), parameters)
    path = folder / MOVES
    events = read_lines(_read(path), parameters, name=shown(path))
    for event in events:
        if isinstance(event, StyleChange) and event.style and not is_style_name(event.style):
            raise InputError(f"{shown(path)}: {event.style!r} is not a style in the take's folder")
    there = [_length(folder / name, header) for name in (DRY, WET)]
    said = (header.frames, header.wet_frames)
    frames, wet_frames = (has if say is None else say for has, say in zip(there, said, strict=True))
    for name, has, say in zip((DRY, WET), there, said, strict=True):
        if say is not None and has < say:
            raise InputError(
                f"{shown(folder / name)} has {has} frames where {HEADER} says {say}: the take is damaged"
            )
    take = Take(folder, header, events, frames, wet_frames)
    for name in take.style_files():
        if not (folder / name).is_file():
            raise InputError(f"{shown(folder / name)} is missing; put the style back into the take")
    if not frames:
        raise InputError(f"{shown(folder)} holds no sound: nothing was recorded")
    return take


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST[path.name]:
            raise InputError(f"{shown(path)} is far too large; the take is damaged")
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or getattr(error, "error_string", None) or type(error).__name__
    return InputError(
        f"cannot read {shown(path)}: {' '.join(str(reason).split()).rstrip('.')}; is the take whole?"
    )


def _length(path: Path, header: Header) -> int:
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError) as error:
        raise _damaged(path, error) from None
    if (info.samplerate, info.channels) != (header.sample_rate, header.channels):
        raise InputError(f"{shown(path)} does not fit {HEADER}: rate or channels differ")
    return int(info.frames)


def _spans(spans: Sequence[Span], blocks: Iterator[Sound]) -> Iterator[tuple[int, Sound]]:
    """Return blocks one after the other with the frames that they belong to."""
    held: Sound | None = None
    for start, stop in spans:
        while start < stop:
            if held is None or not held.shape[1]:
                held = next(blocks, None)
                if held is None:
                    raise InputError(f"{EXACT} is shorter than {HEADER} says; the take is damaged")
            part, held = held[:, : stop - start], held[:, stop - start :]
            yield start, part
            start += part.shape[1]
