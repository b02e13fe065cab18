"""Makes takes for tests: by the live chain itself, without an engine."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from gramophone.models.style import load_style
from gramophone.plugins.live_chain import CHAIN_VERSION, LIVE_PARAMETERS, live_chain
from gramophone.plugins.mute import SECONDS, Gate
from gramophone.takes.automation import Event, Move, StyleChange
from gramophone.takes.header import Header
from gramophone.takes.reader import Take, open_take
from gramophone.takes.style_copies import keep_style
from gramophone.takes.writer import TakeWriter

RATE = 48_000


def noisy_tune(seconds: float, *, channels: int = 2, seed: int = 0) -> np.ndarray:
    """Plucked tones over a little noise, float32 [channels, samples], not exact in 24 bits."""
    rng = np.random.default_rng(seed)
    out = 0.002 * rng.standard_normal((channels, round(seconds * RATE)))
    for start in np.arange(0.0, seconds, 0.2):
        time = np.arange(round(0.5 * RATE)) / RATE
        tone = 0.2 * np.exp(-6.0 * time) * np.sin(2 * np.pi * rng.choice([220, 277, 330, 440]) * time)
        at = round(start * RATE)
        piece = out[:, at : at + tone.size]
        piece += tone[: piece.shape[1]] * rng.uniform(0.5, 1.0, (channels, 1))
    return out.astype(np.float32)


def style_file(folder: Path, name: str, *, seed: int, seconds: float = 1.5, low: bool = False) -> Path:
    """A sound file of filtered noise in bursts, to be a style."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(round(seconds * RATE))
    if low:
        noise = np.convolve(noise, np.ones(40) / 12.0, mode="same")
    bursts = np.abs(np.sin(2 * np.pi * (3 + seed) * np.arange(noise.size) / RATE))
    path = folder / f"{name}.wav"
    soundfile.write(path, 0.1 * noise * bursts, RATE, subtype="FLOAT")
    return path


def random_moves(count: int, frames: int, *, seed: int) -> list[Event]:
    """Moves of all parameters of the chain and of the mute, at any frames; switches are mostly off."""
    from gramophone.takes.reader import PARAMETERS

    rng = np.random.default_rng(seed)
    moves: list[Event] = []
    for frame in np.sort(rng.integers(0, frames, count)):
        parameter = PARAMETERS[rng.integers(len(PARAMETERS))]
        value = parameter.from_unit(float(rng.random()))
        if parameter.curve == "toggle":
            value = float(rng.random() < 0.3)
        moves.append(Move(int(frame), parameter.id, value))
    return moves


def make_take(
    folder: Path,
    dry: np.ndarray,
    styles: Sequence[Path],
    *,
    events: Sequence[Event] = (),
    seed: int = 0,
    **header: object,
) -> Take:
    """Play through the live chain in blocks of any length, as an engine does, and write a take of it."""
    values = {parameter.id: parameter.default for parameter in LIVE_PARAMETERS} | {"mute": 0.0}
    chain = live_chain([load_style(path) for path in styles])
    chain.prepare(sample_rate=RATE, block=1024, channels=dry.shape[0])
    writer = TakeWriter(
        folder,
        Header(
            sample_rate=RATE,
            channels=dry.shape[0],
            hop=chain.hop or 0,
            algorithmic=chain.latency_samples,
            values=values,
            chain=CHAIN_VERSION,
            **header,  # type: ignore[arg-type]
        ),
    )
    kept = tuple(keep_style(path, folder) for path in styles)
    writer.header = type(writer.header)(**{**vars(writer.header), "styles": kept})
    rng = np.random.default_rng(seed)
    gate = Gate(round(SECONDS * RATE), opened=True)
    position, skip, waiting = 0, chain.latency_samples, list(events)
    while position < dry.shape[1]:
        while waiting and waiting[0].frame <= position:
            event = waiting.pop(0)
            writer.event(event)
            assert not isinstance(event, StyleChange)
            if isinstance(event, Move) and event.id == "mute":
                gate.set(opened=not event.value, at=position)
            elif isinstance(event, Move):
                chain.set(event.id, event.value)
        stop = min(position + int(rng.choice([1, 17, 64, 128, 256, 300])), dry.shape[1])
        if waiting:
            stop = min(stop, waiting[0].frame)
        wet = gate.apply(position, chain.process(dry[:, position:stop]))
        writer.dry(dry[:, position:stop])
        writer.wet(wet[:, max(0, skip - position) :])
        position = stop
    writer.close()
    assert not writer.failure
    return open_take(folder)
