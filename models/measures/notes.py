"""Notes kept: whether the partials that a content sounds with, single notes and chords alike, still sound in an output.

A *partial* is a peak of a frame's spectrum (93 ms, 60 Hz to 5 kHz) that stands 12 dB above the median around it, about
where a tone becomes heard in noise; it is found again where the other sound has one, 9 dB high or more, within half a
semitone in the same frame. *Recall* is the share of the content's partials found in the output, *precision* that of the
output's found in the content, louder ones counting more (root of the amplitude), and F their harmonic mean. Noise has
no such peaks (one in some hundred frames), and a texture dense enough to hold any partial has no precision.

**Chance** is measured on the two sounds themselves: C is the mean of F with one of them moved by 1 to 5 semitones up
and down, which leaves register and number of partials, and the tuning, as they are. What is returned is

    notes = (F - C) / (1 - C),

1 where the notes are kept, 0 where the sounds are unrelated, below it where they meet less than by chance.

Measured on 20 real sounds of ten seconds that have notes: between different ones (380 pairs) F is 0.10, C 0.10 and
notes 0.00 (standard deviation 0.08). Of a sound against itself notes are 1, and against an equalised copy at another
level, in noise 40 dB down, 0.997 (the least: 0.97). Moved by a semitone, notes are -0.4 to 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ...dsp.stft import power_mean, stft
from ...media.audiofile import resample

RATE = 44100
N_FFT = 4096
HOP = 1024
LOWEST_HZ, HIGHEST_HZ = 60.0, 5000.0
# Decibels above the median of the bins around: of a partial, and of what is still found again.
PROMINENT_DB = 12.0
FOUND_DB = 9.0
# Half a semitone, in steps of ten cents.
_STEP_CENTS = 10
_NEAR = 5
_SHIFTS = [10 * n for n in (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5)]
_MARGIN = 60
# Partials further below the loudest of their frame, or of the sound, are not heard beside it.
_FRAME_RANGE_DB = 40.0
_SOUND_RANGE_DB = 60.0
# Shares of power in partials: drums and noise 0.00 to 0.17, beats with a bass 0.24, speech and pitched sounds 0.3 to 1.
_TONAL_SHARE = 0.25
_FAINTEST = 1e-13


@dataclass(frozen=True)
class Partials:
    """A sound's partials: one entry each, and where something can be found again.

    Attributes:
        frame, place: array [partials], frame and place in log frequency, in steps of 10 cents
        weight: array [partials], root of the amplitude
        near: array [frames, places], whether a peak is within half a semitone
        share: of the sound's power between 60 Hz and 5 kHz, what lies in partials; the mean over frames weighted by
            amplitude, 0..1
    """

    frame: NDArray[np.intp]
    place: NDArray[np.intp]
    weight: NDArray[np.float64]
    near: NDArray[np.bool_]
    share: float

    @property
    def any_notes(self) -> bool:
        """Whether the sound has notes: a quarter of its power is in partials."""
        return self.share >= _TONAL_SHARE


def notes_kept(content: NDArray[np.float64], output: NDArray[np.float64], sample_rate: int) -> float | None:
    """Notes kept; see the module's text.

    Args:
        content, output: array [channels, samples], aligned in time and of equal length
        sample_rate: Hz, of both

    Returns:
        1 for kept, 0 for unrelated; None where the content has no notes
    """
    ours = partials(content, sample_rate)
    if not ours.any_notes:
        return None
    theirs = partials(output, sample_rate)
    chance = float(np.mean([_agreement(ours, theirs, shift) for shift in _SHIFTS]))
    return (_agreement(ours, theirs, 0) - chance) / (1.0 - chance)


def partials(samples: NDArray[np.float64], sample_rate: int) -> Partials:
    """The partials of a sound [channels, samples], all channels together."""
    spectrum = stft(torch.from_numpy(resample(samples, sample_rate, RATE)), N_FFT, HOP)
    power = power_mean(spectrum).square().numpy().T
    first, last = (round(f * N_FFT / RATE) for f in (LOWEST_HZ, HIGHEST_HZ))
    level = 10.0 * np.log10(power + _FAINTEST)
    heard = power[:, first : last + 1].sum(axis=1)
    around = _median_around(level, first, last)
    here, below, above = (level[:, first + k : last + 1 + k] for k in (0, -1, 1))
    peaks = (here > below) & (here >= above) & (here - around > FOUND_DB)
    peaks &= here > 10.0 * np.log10(heard.max() + _FAINTEST) - _SOUND_RANGE_DB
    frame, column = np.nonzero(peaks)
    # A parabola through the three bins of a peak.
    left, middle, right = (x[frame, column] for x in (below, here, above))
    offset = 0.5 * (left - right) / np.minimum(left - 2.0 * middle + right, -1e-9)
    hertz = (first + column + np.clip(offset, -0.5, 0.5)) * RATE / N_FFT
    place = np.round(1200.0 / _STEP_CENTS * np.log2(hertz / LOWEST_HZ)).astype(np.intp) + _MARGIN
    places = round(1200.0 / _STEP_CENTS * np.log2(HIGHEST_HZ / LOWEST_HZ)) + 2 * _MARGIN
    near = np.zeros((len(level), places), dtype=bool)
    near[frame, place] = True
    near = maximum_filter1d(near.view(np.uint8), 2 * _NEAR + 1, axis=1).view(bool)

    strong = middle - around[frame, column] > PROMINENT_DB
    frame, column, place, middle = frame[strong], column[strong], place[strong], middle[strong]
    lobes = np.zeros(len(level))
    np.add.at(lobes, frame, sum(power[frame, first + column + k] for k in (-1, 0, 1)))
    amplitude = np.sqrt(heard)
    shares = np.minimum(lobes / np.maximum(heard, _FAINTEST), 1.0)
    share = float((shares * amplitude).sum() / max(float(amplitude.sum()), _FAINTEST))
    loudest = np.full(len(level), -np.inf)
    np.maximum.at(loudest, frame, middle)
    kept = middle > loudest[frame] - _FRAME_RANGE_DB
    return Partials(frame[kept], place[kept], 10.0 ** (middle[kept] / 40.0), near, share)


def _median_around(level: NDArray[np.float64], first: int, last: int) -> NDArray[np.float64]:
    """Median over a fifth of an octave to either side, eight bins at least, [frames, last - first + 1].

    It is taken at places a sixteenth of an octave apart and interpolated: it hardly changes in between.
    """
    centres = np.unique(np.round(np.geomspace(first, last, 100)).astype(int))
    medians = np.stack(
        [
            np.median(level[:, max(c - w, 0) : c + w + 1], axis=1)
            for c, w in ((c, max(8, round(0.15 * c))) for c in centres)
        ]
    )
    bins = np.arange(first, last + 1)
    after = np.clip(np.searchsorted(centres, bins), 1, len(centres) - 1)
    share = ((bins - centres[after - 1]) / (centres[after] - centres[after - 1]))[:, None]
    around: NDArray[np.float64] = ((1.0 - share) * medians[after - 1] + share * medians[after]).T
    return around


def _agreement(content: Partials, output: Partials, shift: int) -> float:
    """F of recall and precision with the content moved by `shift` places, 0..1."""
    recall, precision = _found(content, output, shift), _found(output, content, -shift)
    return 2.0 * recall * precision / max(recall + precision, _FAINTEST)


def _found(wanted: Partials, there: Partials, shift: int) -> float:
    total = float(wanted.weight.sum())
    if total == 0.0:
        return 0.0
    return float((wanted.weight * there.near[wanted.frame, wanted.place + shift]).sum()) / total
