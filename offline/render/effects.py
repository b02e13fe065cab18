"""Effects around the stylizer, offline: the same as live, in time with the sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...media.spool import Source, Spool
from ...plugins.effects import Effect
from ...plugins.hosted import make_slot

Block = NDArray[np.float32]

_BLOCK = 1024
#: Full scale is not to be passed, and what sounds between the samples neither.
_CEILING = 10.0 ** (-1.0 / 20.0)


def through_effects(
    sound: Source,
    sample_rate: int,
    effects: Sequence[Effect],
    path: Path,
    *,
    values: Mapping[str, float] | None = None,
    held: bool = False,
) -> Spool:
    """Return what effects make of a sound, as long as it and in time with it.

    Args:
        sound: anything with `read`, `length` and `channels`
        sample_rate: Hz
        effects: in the order in which sound passes them
        path: for the result
        values: of their parameters, by id, where those do not stand at their defaults
        held: whether the result is brought to -1 dBFS where it is louder

    Raises:
        InputError: an effect cannot be loaded, or fails
    """
    slots = [make_slot(effect) for effect in effects]
    for slot in slots:
        slot.prepare(sample_rate=sample_rate, block=_BLOCK, channels=sound.channels)
        for parameter in slot.parameters:
            if parameter.id in (values or {}):
                slot.set(parameter.id, (values or {})[parameter.id])
        slot.reset()
    late = sum(slot.latency_samples for slot in slots)
    out = Spool.create(path, channels=sound.channels, length=sound.length)
    peak = 0.0
    for start in range(0, sound.length + late, _BLOCK):
        stop = min(start + _BLOCK, sound.length + late)
        block: Block = np.zeros((sound.channels, stop - start), dtype=np.float32)
        if start < sound.length:
            part = sound.read(start, min(stop, sound.length))
            block[:, : part.shape[1]] = part
        for slot in slots:
            block = slot.process(block)
        heard = block[:, max(0, late - start) :]
        if heard.shape[1]:
            peak = max(peak, float(np.abs(heard).max()))
            out.write(max(0, start - late), heard)
    if held and peak > _CEILING:
        for start in range(0, out.length, 1 << 16):
            stop = min(start + (1 << 16), out.length)
            out.write(start, out.read(start, stop) * np.float32(_CEILING / peak))
    return out
