"""Switching among styles and capturing one, through a real JACK server: nothing clicks, and the taps tell the truth."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gramophone.models.style import Style
from gramophone.realtime.host import Host
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings

RATE = 48_000
PATIENCE = 60.0


def coloured(seed: int) -> Style:
    rng = np.random.default_rng(seed)
    noise = np.convolve(
        rng.standard_normal(RATE + 255), rng.standard_normal(256) * np.hanning(256), mode="valid"
    )
    return Style.from_audio(0.01 * noise[None], RATE, name=f"noise {seed}")


def playing() -> NDArray[np.float64]:
    at = np.arange(3 * RATE) / RATE
    tones = sum(np.sin(2 * np.pi * 220.0 * n * at) / n**2 for n in (1, 2, 3))
    return np.asarray(0.2 * tones * (1.2 + np.sin(2 * np.pi * 2.0 * at)) / 2.2)[None]


def steepest(heard: NDArray[np.float32]) -> NDArray[np.float64]:
    """The largest second difference in each tenth of a second."""
    rough = np.abs(np.diff(heard.astype(float), 2)).max(axis=0)
    return np.asarray(rough[: rough.size // 4800 * 4800].reshape(-1, 4800).max(axis=1))


def is_in(piece: NDArray[np.float32], sound: NDArray[np.float32]) -> bool:
    """Whether a piece is somewhere in a sound, bit by bit to the 24 that were recorded."""
    near = 2.0**-22
    starts = np.flatnonzero(np.abs(sound[: sound.size - piece.size + 1] - piece[0]) <= near)
    return any(np.all(np.abs(sound[start : start + piece.size] - piece) <= near) for start in starts)


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    for seed in range(5):
        coloured(seed).save(tmp_path / f"s{seed}.style")
    return tmp_path


def test_switching_and_capturing_do_not_click_and_the_taps_hold_what_jack_got(
    jack: Any, styles: Path
) -> None:
    jack.play(playing())
    # With time to spare: whether the machine is quick enough is for benchmarks/desk.py to say.
    settings = EngineSettings(
        device=DeviceSettings(),
        styles=(styles / "s0.style",),
        channels=1,
        latency=0.2,
        parameters={"adapt": 2.0},
    )
    with Host(settings) as host:
        jack.connect("player:out_0", "gramophone:in_0")
        host.styles.folder(styles)
        host.styles.capture_begin()
        names = [f"s{number}" for number in range(5)]
        # Each for a while: what they are like when nothing is switched, and so that all are ready.
        calm = 0.0
        for name in names:
            host.styles.switch(name)
            assert host.styles.wait(PATIENCE)
            time.sleep(1.0)
            stop = host.taps.output.position
            calm = max(calm, steepest(host.taps.output.read(stop - RATE // 2, stop)).max())
        began = host.taps.output.position
        for number in range(10):
            host.styles.switch(names[3 * number % 5])
            time.sleep(0.3)
        assert host.styles.wait(PATIENCE)
        busy = host.taps.output.read(began, host.taps.output.position)
        seen = host.snapshot()
        if not seen.deadlines_missed and not seen.ring_empty:
            # Noise has outliers of its own; a click of a tenth of full scale would be ten times as steep.
            assert steepest(busy).max() < 2.0 * calm
        assert np.abs(busy).max() > 0.01
        path = host.styles.capture_end("room")
        assert host.styles.wait(PATIENCE)
        assert [slot.name for slot in host.styles.slots if slot.weight] == ["room"]
        began = host.taps.output.position
        recorded = jack.record("gramophone:out_0", seconds=1)[0]
        tapped = host.taps.output.read(began, host.taps.output.position)[0]
        # A server on a busy machine leaves out cycles of its clients: what lies between them is looked for in pieces.
        found = [is_in(piece, tapped) for piece in recorded[:RATE].reshape(-1, 2400)]
        assert np.mean(found) > 0.5
        assert np.abs(recorded).max() > 0.01
        missed = sum(change.value for change in host.changes() if change.id == "missed")
        assert missed == host.snapshot().deadlines_missed
        assert host.snapshot().faults == 0
    assert path.exists()
