"""Plugins and chains, made ready and played in blocks."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gramophone.plugins.chain import Chain
from gramophone.plugins.plugin import Plugin

Block = NDArray[np.float32]
Player = TypeVar("Player", bound=Chain | Plugin)


def prepared(
    player: Player,
    values: Mapping[str, float] | None = None,
    *,
    rate: int = 48_000,
    block: int = 128,
    channels: int = 1,
) -> Player:
    """The plugin or chain itself, with these knobs turned, ready to play."""
    for identity, value in (values or {}).items():
        player.set(identity, value)
    player.prepare(sample_rate=rate, block=block, channels=channels)
    return player


def play(
    player: Chain | Plugin,
    sound: Block,
    lengths: Sequence[int] = (128,),
    turns: Sequence[tuple[int, str, float]] = (),
) -> Block:
    """Play in blocks of these lengths, over and over; `turns` are (sample, id, value), and end a block too."""
    out, start, turn = [], 0, 0
    waiting = sorted(turns)
    while start < sound.shape[1]:
        while waiting and waiting[0][0] <= start:
            _, identity, value = waiting.pop(0)
            player.set(identity, value)
        end = start + lengths[turn % len(lengths)]
        if waiting:
            end = min(end, waiting[0][0])
        out.append(player.process(sound[:, start:end]).copy())
        start, turn = end, turn + 1
    return np.concatenate(out, axis=1)


def late(sound: Block, samples: int) -> Block:
    """The sound so many samples later, as long as before."""
    return np.pad(sound, ((0, 0), (samples, 0)))[:, : sound.shape[1]]
