"""Two synthetic clips: plucked strings, and bubbling water.

The demo and the tests need sounds that everyone has and nobody owns. The same seed gives the same samples on the same
machine.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

Samples = NDArray[np.float64]

SAMPLE_RATE = 44100
SECONDS = 8.0
_PEAK = 0.7

# Four bars of 4/4 at 120 beats a minute, one chord each: Am7, Fmaj7, C, G (bass note first; MIDI numbers).
_BEAT = 0.5
_CHORDS = ((45, 60, 64, 67), (41, 57, 60, 64), (48, 55, 64, 67), (43, 59, 62, 67))
# (beat, MIDI note, velocity) of the tune; it pushes ahead of the bar now and then, so that there is a
# rhythm to keep.
_TUNE = (
    (0.0, 76, 1.0), (0.75, 74, 0.7), (1.5, 72, 0.8), (2.0, 74, 0.7), (2.5, 76, 0.9), (3.5, 79, 1.0),
    (4.5, 77, 0.8), (5.0, 76, 0.7), (5.5, 72, 0.8), (6.5, 69, 0.9), (7.5, 72, 0.9),
    (8.0, 79, 1.0), (8.75, 76, 0.7), (9.5, 79, 0.8), (10.0, 81, 0.9), (10.5, 79, 0.8), (11.5, 76, 1.0),
    (12.5, 74, 0.8), (13.0, 71, 0.7), (13.5, 74, 0.9), (14.0, 76, 1.0),
)  # fmt: skip


def plucked_strings(sample_rate: int = SAMPLE_RATE, *, seed: int = 0) -> Samples:
    """Return the demo's content: a plucked tune over bass, chords and a soft tap, 8 s.

    Args:
        sample_rate: Hz, 8000 or more.
        seed: of the strings' excitation, of the timing and of the touch.

    Returns:
        samples [2, 8 * sample_rate], peak 0.7
    """
    rng = np.random.default_rng(seed)
    out = np.zeros((2, round(SECONDS * sample_rate)))

    def play(beat: float, note: int, velocity: float, pan: float, ring: float) -> None:
        at = max(0.0, beat * _BEAT + rng.normal(0.0, 0.004))
        touch = velocity * rng.uniform(0.9, 1.1)
        _mix(out, _pluck(note, touch, ring, sample_rate, rng), round(at * sample_rate), pan)

    for bar, (bass, *chord) in enumerate(_CHORDS):
        for beat in (0.0, 2.0, 3.5):
            play(4 * bar + beat, bass, 0.9, 0.0, 1.2)
        for beat in (1.0, 2.5):
            for string, note in enumerate(chord):
                play(4 * bar + beat + 0.03 * string, note, 0.45, -0.5, 0.9)
        for beat in (1.0, 3.0):
            at = round((4 * bar + beat) * _BEAT * sample_rate)
            _mix(out, _tap(sample_rate, rng), at, 0.15)
    for beat, note, velocity in _TUNE:
        play(beat, note, 0.9 * velocity, 0.4, 1.6)
    return _finished(out, sample_rate)


def bubbling_water(sample_rate: int = SAMPLE_RATE, *, seed: int = 1) -> Samples:
    """Return the demo's style: a brook of some hundred bubbles a second over a quiet hiss, 8 s.

    A bubble of radius r metres rings at 3 / r Hz and dies away at 0.13 / r + 0.0072 r^(-3/2) per second
    (Minnaert 1933; van den Doel 2005); its pitch rises as it nears the surface.

    Args:
        sample_rate: Hz, 8000 or more.
        seed: of when, where, how large and how loud the bubbles are.

    Returns:
        samples [2, 8 * sample_rate], peak 0.7
    """
    rng = np.random.default_rng(seed)
    length = round(SECONDS * sample_rate)
    out = np.zeros((2, length))
    # Small bubbles are many and quiet, large ones few and loud.
    radii = np.exp(rng.uniform(np.log(0.8e-3), np.log(9e-3), round(110 * SECONDS)))
    for radius in radii:
        damping = 0.13 / radius + 0.0072 * radius**-1.5
        seconds = np.arange(round(min(0.4, 7.0 / damping) * sample_rate)) / sample_rate
        rise = rng.uniform(0.0, 0.25)
        pitch = 3.0 / radius * (1.0 + rise * damping * np.minimum(seconds, 3.0 / damping))
        phase = 2.0 * np.pi * np.cumsum(pitch) / sample_rate
        # Above 0.4 of the rate a tone would fold back; such bubbles are heard by nobody anyway.
        audible = pitch < 0.4 * sample_rate
        attack = 1.0 - np.exp(-seconds / 3e-4)
        level = (radius / 9e-3) ** 0.3 * rng.lognormal(-0.5, 0.6)
        bubble = level * attack * np.exp(-damping * seconds) * np.sin(phase) * audible
        _mix(out, bubble, int(rng.integers(length)), rng.uniform(-0.9, 0.9))
    hiss = sosfilt(
        butter(2, [600.0, 0.4 * sample_rate], "band", fs=sample_rate, output="sos"), _noise(rng, out)
    )
    return _finished(out + 0.012 * hiss, sample_rate)


def _pluck(note: int, velocity: float, ring: float, sample_rate: int, rng: np.random.Generator) -> Samples:
    """One string (Karplus and Strong 1983): a burst of noise in a loop of one period with a low-pass in it.

    `ring` is the time in seconds in which the string falls by 60 dB.
    """
    frequency = 440.0 * 2.0 ** ((note - 69) / 12.0)
    period = sample_rate / frequency
    # The averager delays by half a sample; linear interpolation gives what is left of the period after
    # whole samples.
    whole, part = divmod(period - 0.5, 1.0)
    delay = int(whole)
    loop = 10.0 ** (-3.0 / (frequency * ring)) * np.convolve((0.5, 0.5), (1.0 - part, part))
    excitation = np.zeros(round(1.4 * ring * sample_rate))
    burst = rng.uniform(-1.0, 1.0, delay)
    # A string plucked at a fifth of its length lacks every fifth partial; a finger is soft, a soft touch
    # softer.
    burst = burst - np.roll(burst, delay // 5)
    softness = np.exp(-2.0 * np.pi * 1800.0 * velocity / sample_rate)
    for _ in range(2):
        burst = lfilter([1.0 - softness], [1.0, -softness], burst)
    # What is constant would go round the loop for long and be heard by nobody.
    burst = burst - burst.mean()
    excitation[:delay] = burst / np.sqrt(np.mean(burst**2))
    feedback = np.concatenate(([1.0], np.zeros(delay - 1), -loop))
    string: Samples = lfilter([1.0], feedback, excitation)
    fade = round(0.05 * sample_rate)
    string[-fade:] *= np.linspace(1.0, 0.0, fade)
    return 0.3 * velocity * string


def _tap(sample_rate: int, rng: np.random.Generator) -> Samples:
    """A finger on the wood: 60 ms of low noise."""
    seconds = np.arange(round(0.06 * sample_rate)) / sample_rate
    noise = rng.normal(size=seconds.size) * np.exp(-seconds / 0.012)
    tap: Samples = sosfilt(butter(2, [150.0, 1800.0], "band", fs=sample_rate, output="sos"), noise)
    return tap


def _noise(rng: np.random.Generator, like: Samples) -> Samples:
    return rng.normal(size=like.shape)


def _mix(out: Samples, sound: Samples, start: int, pan: float) -> None:
    """Add a mono sound to a stereo track in place; pan -1 is left, 1 right, at equal power."""
    angle = (pan + 1.0) * np.pi / 4.0
    part = sound[: out.shape[1] - start]
    out[0, start : start + part.size] += np.cos(angle) * part
    out[1, start : start + part.size] += np.sin(angle) * part


def _finished(samples: Samples, sample_rate: int) -> Samples:
    """Fade both ends, so that a clip can loop without a click, and set the peak."""
    fade = round(0.02 * sample_rate)
    ramp = np.linspace(0.0, 1.0, fade)
    samples[:, -fade:] *= ramp[::-1]
    samples *= _PEAK / np.max(np.abs(samples))
    return samples
