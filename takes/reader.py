"""A take: the folder of a recorded performance, and what is needed to play it again.

    take.json          the header: rate, latency, settings, what went wrong; see takes.header
    dry.flac           the input, 24 bits
    dry-exact.wav      stretches of it that 24 bits do not hold exactly, 32-bit float; only if there are any
    wet.flac           what was heard, 24 bits, shifted to be in time with the dry sound
    moves.jsonl        the changes; see takes.automation
    state.safetensors  the chain's state at the first frame; only if the take began while playing
    styles/            the styles that were played

With more than eight channels, which FLAC does not hold, dry.wav and wet.wav are 32-bit floats. FLAC has no floats:
the sound of sound cards with up to 24 bits is exact in it, that of other programs is not, and a replay would differ.
So stretches that are not exact are also kept as floats. For the wet sound, the header has the SHA-256 of its 32-bit
floats, which shows whether a replay is the same.

Nothing in a take is ever executed, and no name in it can lead out of its folder.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from ..media.files import replacing, shown
from ..media.inputs import read_bytes
from ..plugins.effects import Effect, PlainEffect, to_plain
from ..plugins.knobs import MUTE
from ..plugins.live_chain import LIVE_PARAMETERS, live_parameters
from ..plugins.parameter import Parameter
from .automation import Event, Move, Restart, StyleChange, read_lines
from .header import HEADER, Header, Span, extra_parameters, fit_spans, is_style_name, read_header
from .sound import EXACT, damaged, sound_blocks, sound_files, sound_length

if TYPE_CHECKING:
    from ..models.style import Style

    Sound = NDArray[np.float32]
    State = Mapping[str, NDArray[Any]]

MOVES, STATE, STYLES = "moves.jsonl", "state.safetensors", "styles"
#: What a take's moves may move: the chain's knobs, and the mute behind it.
PARAMETERS: tuple[Parameter, ...] = (*LIVE_PARAMETERS, MUTE)

_LARGEST = {HEADER: 2**24, MOVES: 2**28, STATE: 2**24}
_BLOCK = 1 << 16


@dataclass(frozen=True)
class Take:
    """A take that has been opened: its header and its events have been read and checked.

    Attributes:
        folder: where it is
        header: see `Header`
        events: the changes
        frames: length of the dry sound; of a take that was cut short, of what there is
        wet_frames: length of the wet sound
        rounded_from: first frame of the dry sound that was not exact in 24 bits and has only these, since the take
            was cut short; None where there is none
    """

    folder: Path
    header: Header
    events: tuple[Event, ...]
    frames: int
    wet_frames: int
    rounded_from: int | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Everything that its moves may move."""
        return (*PARAMETERS, *extra_parameters(self.header))

    @property
    def cut_short(self) -> bool:
        """Whether the recorder was killed, or the machine lost power, before the take was closed."""
        return self.header.frames is None

    def dry(self, size: int = _BLOCK) -> Iterator[Sound]:
        """Return the input, [channels, n] with n up to `size`, bit for bit; InputError if it is damaged."""
        header = self.header
        exact: Iterator[tuple[int, Sound]] = iter(())
        if header.exact:
            exact = _spans(header.exact, sound_blocks(self.folder / EXACT, header, size, None))
        ready = next(exact, None)
        start = 0
        path = self.folder / sound_files(header.channels)[0]
        for block in sound_blocks(path, header, size, self.frames):
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
        """Return what was heard, [channels, n] with n up to `size`, with the file's precision; raises as `dry`."""
        path = self.folder / sound_files(self.header.channels)[1]
        return sound_blocks(path, self.header, size, self.wet_frames)

    @property
    def restarts(self) -> int:
        """How often the chain lost its state."""
        return sum(isinstance(event, Restart) for event in self.events)

    def style_files(self) -> tuple[str, ...]:
        """Return the names of all styles that were in a slot at any time, in order of their appearance."""
        later = (event.style for event in self.events if isinstance(event, StyleChange))
        return tuple(dict.fromkeys(name for name in (*self.header.styles, *later) if name))

    def style(self, name: str) -> Style:
        """Load one of the take's styles; InputError if that is not possible."""
        from ..models.style import load_style

        return load_style(self.folder / name)

    def state(self) -> State | None:
        """Return the chain's state at the first frame; None if it was new.

        Raises:
            InputError: it is missing or damaged
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
            raise damaged(path, error) from None


def with_effects(take: Take, effects: Sequence[Effect]) -> Take:
    """Return a take as if it had been played through other effects; moves of those that are gone are left out."""
    plain = tuple(msgspec.convert(to_plain(one), PlainEffect) for one in effects)
    known = {one.id for one in (*live_parameters(effects), MUTE)}
    header = replace(
        take.header,
        effects=plain,
        values={id: value for id, value in take.header.values.items() if id in known},
        # What they remember is that of others.
        resumed=take.header.resumed and not plain and not take.header.effects,
        wet_sha256="",
    )
    events = tuple(event for event in take.events if not isinstance(event, Move) or event.id in known)
    return replace(take, header=header, events=events)


def write_state(folder: Path, state: State) -> None:
    """Write the chain's state; InputError if that is not possible."""
    from safetensors.numpy import save

    with replacing(folder / STATE, overwrite=True) as temporary:
        temporary.write_bytes(save({name: np.ascontiguousarray(array) for name, array in state.items()}))


def open_take(folder: Path, *, parameters: Sequence[Parameter] = PARAMETERS) -> Take:
    """Open a take and check all that can be checked without reading its sound.

    Args:
        folder: of the take
        parameters: those that may occur in it

    Raises:
        InputError: It is no take, is damaged, was made by a newer version, or is of no length.
    """
    if not folder.is_dir():
        reason = "is not a folder" if folder.exists() else "does not exist"
        raise InputError(f"{shown(folder)} {reason}; give the folder of a take")
    if not (folder / HEADER).exists():
        raise InputError(f"{shown(folder)} has no {HEADER}: it is not a take; give the folder of one")
    header = read_header(folder / HEADER, _read(folder / HEADER), parameters)
    path = folder / MOVES
    known = (*parameters, *extra_parameters(header))
    events = read_lines(_read(path), known, name=shown(path))
    for event in events:
        if isinstance(event, StyleChange) and event.style and not is_style_name(event.style):
            raise InputError(f"{shown(path)}: {event.style!r} is not a style in the take's folder")
    names = sound_files(header.channels)
    there = [sound_length(folder / name, header) for name in names]
    said = (header.frames, header.wet_frames)
    frames, wet_frames = (has if say is None else say for has, say in zip(there, said, strict=True))
    for name, has, say in zip(names, there, said, strict=True):
        if say is not None and has < say:
            raise InputError(
                f"{shown(folder / name)} has {has} frames where {HEADER} says {say}: the take is damaged"
            )
    rounded = None
    if header.frames is None and header.exact:
        header, rounded = _fitted(header, sound_length(folder / EXACT, header), frames)
    take = Take(folder, header, events, frames, wet_frames, rounded)
    for name in take.style_files():
        if not (folder / name).is_file():
            raise InputError(f"{shown(folder / name)} is missing; put the style back into the take")
    if not frames:
        raise InputError(f"{shown(folder)} holds no sound: nothing was recorded")
    return take


def _read(path: Path) -> bytes:
    return read_bytes(path, most=_LARGEST[path.name], what="part of a take")


def _fitted(header: Header, count: int, frames: int) -> tuple[Header, int | None]:
    """Have the exact stretches of a take that was cut short be those that there are; return what has been lost, too.

    Each stretch was noted before its first sample was written: what there is beyond the last one belongs to it.
    """
    start, stop = header.exact[-1]
    before = sum(end - begin for begin, end in header.exact[:-1])
    whole = (*header.exact[:-1], (start, max(stop, start + count - before)))
    held = fit_spans(whole, count, frames)
    promised = fit_spans(whole, sum(end - begin for begin, end in whole), frames)
    lost = None if held == promised else (held[-1][1] if held else promised[0][0])
    return replace(header, exact=held), lost


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
