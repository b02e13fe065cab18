"""States from before the core was compiled: the sound goes on from them, nearly as it went on then.

`first_state.npz` was written by the last version that computed with PyTorch: the state of the stylizer that is made
here, in the middle of a hop, and what it played from there on. Windows are others since, and with them the phases, so
magnitudes are compared: of one that has just begun they are 1.5 dB away.
"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from gramophone.models.live.stylizer import Stylizer
from gramophone.models.style import Style

RATE = 8000
FILE = np.load(Path(__file__).with_name("first_state.npz"))
HEARD = FILE["heard"]
STATE = {name.removeprefix("state/"): FILE[name] for name in FILE.files if name.startswith("state/")}


def struck(seconds: float, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros(time.size)
    for start in np.arange(0.05, seconds, 0.19):
        after = np.maximum(time - start, 0.0)
        tone = np.sin(2 * np.pi * 110 * 2 ** rng.uniform(0, 4) * after)
        out += tone * np.minimum(after / 0.03, 1.0) ** 2 * np.exp(-7 * after)
    return 0.1 * out[None] / np.abs(out).max()


@pytest.fixture
def made() -> Stylizer:
    styles = [Style.from_audio(struck(1.0, seed), RATE, name="clip") for seed in (1, 2)]
    return Stylizer(styles, sample_rate=RATE, channels=1)


def magnitudes(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    frames = np.lib.stride_tricks.sliding_window_view(sound[0], 512)[::64] * np.hanning(512)
    found: NDArray[np.float64] = np.abs(np.fft.rfft(frames, axis=1))
    return found


def away(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    there = magnitudes(theirs)
    return 20.0 * float(np.log10(np.linalg.norm(magnitudes(ours) - there) / np.linalg.norm(there)))


def test_the_sound_goes_on(made: Stylizer) -> None:
    made.restore(STATE)
    assert away(made.feed(struck(1.0, 3).astype(np.float32)), HEARD) < -12.0


def test_from_before_the_high_pass_and_the_gate(made: Stylizer) -> None:
    made.set("gate", 3.0)
    older = {name: array for name, array in STATE.items() if name != "rumble"}
    # Their last knob, and what it remembers.
    older["numbers"] = np.delete(older["numbers"], 10)
    older["core"] = older["core"][:9]
    made.restore(older)
    assert away(made.feed(struck(1.0, 3).astype(np.float32)), HEARD) < -12.0


def test_what_is_none_is_refused_and_changes_nothing(made: Stylizer) -> None:
    before = made.state()["core"]
    for name, array in (
        ("whole", STATE["whole"] + 1000),
        ("core", STATE["core"][:5]),
        ("frames", STATE["frames"][:, 1:]),
        ("numbers", STATE["numbers"][:4]),
        ("gram", STATE["gram"][:7]),
    ):
        with pytest.raises((ValueError, KeyError, StopIteration)):
            made.restore(STATE | {name: array})
        np.testing.assert_array_equal(made.state()["core"], before)
