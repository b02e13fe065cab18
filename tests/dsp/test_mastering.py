"""Levels in pieces: whatever the pieces, the same measures and the same limiting; the ceiling holds."""

from pathlib import Path

import numpy as np
import pytest

import gramophone.dsp.mastering
from gramophone.dsp.level import loudness, true_peak
from gramophone.dsp.mastering import TRACK_CEILING_DB, loudness_of, master, measure
from gramophone.dsp.meters import LoudnessMeter
from gramophone.dsp.track_limiter import TrackLimiter
from gramophone.media.spool import Held, Spool

RATE = 44100


def bursts(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise with attacks that pass full scale."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    return rng.standard_normal((2, t.size)) * (0.02 + 0.5 * np.exp(-20.0 * np.mod(t, 0.7)))


@pytest.mark.parametrize("rate", [44100, 11025, 6000])
def test_loudness_does_not_depend_on_the_pieces(rate: int) -> None:
    samples, rng, place = bursts(2.0), np.random.default_rng(1), 0
    meter = LoudnessMeter(2, rate)
    while place < samples.shape[1]:
        stop = place + int(rng.integers(0, 9000))
        meter.feed(samples[:, place:stop])
        place = stop
    assert meter.result() == pytest.approx(loudness(samples, rate), abs=1e-9)


def test_the_limiter_does_not_depend_on_the_pieces() -> None:
    source = Held(bursts(1.5))
    whole = TrackLimiter(source, RATE, ceiling=0.5).piece(0, source.length)
    limiter, rng, pieces, place = TrackLimiter(source, RATE, ceiling=0.5), np.random.default_rng(2), [], 0
    while place < source.length:
        stop = min(place + int(rng.integers(1, 9000)), source.length)
        pieces.append(limiter.piece(place, stop))
        place = stop
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), whole, atol=1e-8)


@pytest.mark.parametrize("target", [-30.0, -14.0, -5.0])
def test_a_track_comes_to_its_loudness_below_the_ceiling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: float
) -> None:
    monkeypatch.setattr(gramophone.dsp.mastering, "PIECE", 10000)
    samples = bursts(2.0)
    source = Spool.gather(tmp_path / "a", [samples])
    out = Spool.create(tmp_path / "b", channels=2, length=source.length)
    reached = master(source, out, RATE, target, level=measure(source, RATE), ceiling_db=TRACK_CEILING_DB)
    heard = out.read(0, out.length).astype(float)
    assert true_peak(heard, RATE) <= 10.0 ** (-1.0 / 20.0)
    assert loudness(heard, RATE) == pytest.approx(reached, abs=0.01)
    assert reached == pytest.approx(target, abs=0.05) or reached < target
    # With the measure of the whole sound at once.
    assert measure(Held(heard), RATE).peak == pytest.approx(true_peak(heard, RATE), rel=1e-12)


def test_what_is_softer_than_the_gate_has_a_loudness() -> None:
    samples = 1e-5 * bursts(1.0)
    assert loudness(samples, RATE) == -np.inf
    wanted = loudness(1e5 * samples, RATE) - 100.0
    assert loudness_of(Held(samples), RATE) == pytest.approx(wanted, abs=1e-6)
