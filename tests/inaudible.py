"""Sounds with a large inaudible part, and a measure of it."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Samples = NDArray[np.float64]


@dataclass(frozen=True)
class Inaudible:
    """What is added to a sound: an offset, and the amplitudes of a tone below 20 Hz and of one above 20 kHz."""

    offset: float
    rumble: float
    rumble_hz: float
    ultrasound: float
    ultrasound_hz: float

    def with_(self, sound: Samples, rate: int) -> Samples:
        time = np.arange(sound.shape[-1]) / rate
        low = self.offset + self.rumble * np.sin(2 * np.pi * self.rumble_hz * time)
        return sound + low + self.ultrasound * np.sin(2 * np.pi * self.ultrasound_hz * time)


amplitudes = st.sampled_from([0.0, 0.003, 0.05, 0.5])
inaudible = st.builds(
    Inaudible,
    offset=st.sampled_from([-0.5, -0.05, 0.0, 0.05, 0.5]),
    rumble=amplitudes,
    rumble_hz=st.floats(2.0, 16.0),
    ultrasound=amplitudes,
    ultrasound_hz=st.floats(20_500.0, 21_800.0),
)


def struck(seconds: float, rate: int, *, seed: int, lowest: float = 45.0, channels: int = 1) -> Samples:
    """Struck tones from `lowest` Hz on, each with a breath of noise, [channels, samples]; peak 0.1."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    out = np.zeros((channels, time.size))
    for start in np.arange(0.05, seconds, 0.19):
        after = np.maximum(time - start, 0.0)
        # No step at the beginning: it would be a sound below 20 Hz of its own.
        swell = np.minimum(after / 0.03, 1.0) ** 2
        tone = np.sin(2 * np.pi * lowest * 2 ** rng.uniform(0, 5) * after)
        tone = tone + 0.05 * np.diff(rng.standard_normal(time.size), prepend=0.0)
        out += tone * swell * np.exp(-7.0 * after) * rng.uniform(0.2, 1.0, (channels, 1))
    return 0.1 * out / np.abs(out).max()


def outside(sound: Samples, rate: int) -> tuple[float, float, float]:
    """Mean power below 20 Hz, above 20 kHz, and of all.

    Through one Hann window over the whole sound. What its main lobe, two bins to each side, and the flanks of the
    filters reach across is not counted: to 1 s, 18 Hz and below, and from 20.4 kHz on.
    """
    window = np.hanning(sound.shape[-1])
    power = np.abs(np.fft.rfft(sound * window)) ** 2
    power *= 2.0 / (np.sum(window**2) * sound.shape[-1])
    frequency = np.fft.rfftfreq(sound.shape[-1], 1.0 / rate)
    edge = 20.0 - 2.0 * rate / sound.shape[-1]
    low, high = frequency <= edge, frequency >= 20_400.0
    return float(power[:, low].sum()), float(power[:, high].sum()), float(power.sum())


def assert_no_more_than(content: Samples, output: Samples, rate: int, *, share: float = 1e-5) -> None:
    """An output has outside of what is heard no more than its content, but for a `share` (-50 dB) of its own power."""
    (low, high, _), (own_low, own_high, total) = outside(content, rate), outside(output, rate)
    assert own_low <= low + share * total
    assert own_high <= high + share * total
