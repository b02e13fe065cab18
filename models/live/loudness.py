"""How loud input and output have been of late, and the gains that follow.

Loudness is K-weighted, from the power spectra of frames, all channels together. All functions work on the numbers of a
core (models.live.core_memory.NUMBERS): here are kept `gain`, which brings the input to the reference loudness,
`makeup`, which brings the output from there to what the input really has, `level`, the input's running power, `heard`,
the seconds of input that were not silent, and `turned_down`, by how much the frame before was held.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled
from ...dsp.level import REFERENCE_LUFS, S0, k_weights
from .noise_gate import follow_level, loudest, reset_gate, taught
from .prepared_style import Layout
from .spectra import weighed

# Frames this far below the running level are a pause. They hardly change it.
_PAUSE_DB = -30.0
# The wet signal's loudness is moved towards the input's by at most 12 dB up, but a long way down: after a single
# loud accident the input's running level is too high for a while, and what the style makes of it would be, too.
_MOST_MAKEUP = 4.0
_LEAST_MAKEUP = 0.003
_REFERENCE = 10.0 ** ((REFERENCE_LUFS + 0.691) / 10.0)


def loudness_weights(layout: Layout, channels: int) -> NDArray[np.float32]:
    """Return the weights [B] that make loudness of the power of all channels, added up."""
    window = layout.pair.analysis
    # White noise of variance v has Σ_bins |X|² = v 2 n Σw² / (Σw)²: so much loudness is in a frame.
    share = float(window.sum()) ** 2 / (2.0 * layout.n_fft * float(np.square(window).sum()) * channels)
    return (k_weights(layout.n_fft, layout.sample_rate) * share).astype(np.float32)


def reset_loudness(now: Any) -> None:
    """Forget all that was heard."""
    now["level"], now["heard"], now["gain"], now["makeup"], now["turned_down"] = 0.0, 0.0, 1.0, 1.0, 1.0
    now["power_in"] = now["power_out"] = _REFERENCE
    reset_gate(now)


@compiled
def listen(
    now: Any, hop_seconds: float, power: NDArray[np.float32], weights: NDArray[np.float32], rate: float
) -> float:
    """Follow the input's loudness; returns how much can be learnt from this frame: 0 in a pause, up to 1.

    Args:
        now: the core's numbers
        hop_seconds: since the frame before
        power: array [B], of the newest frame, all channels together
        weights: array [B], see `loudness_weights`
        rate: by how much what is learnt moves in a hop; 0 holds it
    """
    loud = weighed(power, weights) + 1e-20
    decibels = 10.0 * math.log10(loud)
    running = 10.0 * math.log10(now.level) if now.level > 0.0 else decibels
    relative = decibels - running
    follow_level(now, hop_seconds, decibels, running)
    if rate > 0.0 and now.sounds != 0.0:
        # The relative gate of BS.1770 keeps rests from counting as quiet playing; but a player who stays that
        # quiet is followed in the end. At first everything counts, and what was first is soon forgotten (the mean's
        # memory is a third of what has been heard), since it may have been a plug going in; later a peak counts for
        # no more than 10 dB above the level.
        now.heard += hop_seconds
        early = now.heard < 5.0
        weight = 0.5 if early else (0.1 if relative > _PAUSE_DB else 0.02)
        if relative > -10.0:
            weight = 1.0
        step = min(1.0, max(rate, 3.0 * hop_seconds / now.heard)) * weight
        heard = loud if early else min(loud, 10.0 * now.level)
        now.level += step * (heard - now.level)
    now.gain = math.sqrt(_REFERENCE / now.level) if now.level > 0.0 else 1.0
    return float(taught(now) * now.turned_down)


@compiled
def hold(
    now: Any, squares: NDArray[np.float32], weights: NDArray[np.float32], channels: int, strength: float
) -> float:
    """Return by how much a frame is to be turned down, so that it stays as soft as the input.

    Args:
        now: the core's numbers
        squares: array [B], of its magnitudes in units of S0, relative to the running level
        weights: array [B]
        channels: how many have the magnitudes
        strength: as far as that is asked for, the gate shuts
    """
    loud = weighed(squares, weights) * (S0 * S0 * channels) * now.makeup ** (2.0 * strength)
    most = _REFERENCE * 10.0 ** (0.1 * loudest(now))
    now.turned_down = math.sqrt(most / loud) if loud > most else 1.0
    return float(now.turned_down * (1.0 - strength * (1.0 - now.opened)))


@compiled
def balance(
    now: Any, power: NDArray[np.float32], weights: NDArray[np.float32], learnt: float, most: float
) -> None:
    """Learn by how much the output is to be raised to be as loud as the input.

    Args:
        now: the core's numbers
        power: array [2, B], of the newest frames of input and output, all channels together
        weights: array [B]
        learnt, most: share by which what is learnt moves; of a frame that came out too loud, the second one. What
            was held down counts for less, lest it be made up for
    """
    loud_in = weighed(power[0], weights) * now.gain * now.gain
    loud_out = weighed(power[1], weights)
    part = most if loud_out > loud_in else learnt
    now.power_in += part * (loud_in - now.power_in)
    now.power_out += part * (loud_out - now.power_out)
    ratio = (now.power_in + 1e-6 * _REFERENCE) / (now.power_out + 1e-6 * _REFERENCE)
    now.makeup = min(_MOST_MAKEUP, max(_LEAST_MAKEUP, math.sqrt(ratio)))
