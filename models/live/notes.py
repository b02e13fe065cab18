"""Style transfer that keeps the notes: what `offline.transport.notes` does to a track, one hop after the other.

Everything here is in W wide bands, none of which names a note. In each hop:

1. running statistics of the levels of input and output in these bands, as `models.live.hop` has them in narrow ones;
2. *levels wanted*: the map that ties the style's loudness to the input's (models.live.band_map), the style's quantiles,
   and steps towards the style's lagged covariances, which are its grain;
3. *own partials*: the input's bins under gains that bring its bands to these levels, smooth over frequency;
4. *carrier*: the frame of the clip that plays along, brought to these levels by its power of late, without its tones;
5. *who speaks*: the input where it is steady and stands above its neighbours, and where a band rises at once; elsewhere
   the carrier.

What the output's bands then lack, hop by hop or on average, is not made up for: where the style is loud and the input
has little, it would be noise and the remains of partials that are raised, over the notes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled, inlined
from ...dsp.level import S0
from .bands import Basis, add_bands, into_bands
from .carrier import INPUT
from .core_memory import Kept, Made, Work
from .elementwise import exp_less_1, log_of_1_and
from .gram_memory import descend, follow_frame
from .medians import tonal_mask
from .quantiles import follow_quantiles, match

_f4 = np.float32
Floats = NDArray[np.float32]

#: Where the floor under a band begins, dB re S0: the softest that counts at all.
SILENT_DB = -66.0
_FAINTEST = 5e-4
# A band attacks where it stands this far above its floor, dB, and how sharp that border is. The floor follows down at
# once, and up by so many dB a second.
_RISE_DB, _BORDER_DB, _FOLLOW_DB = 4.0, 1.5, 400.0
# How far the steps towards the style's grain are gone: the rest would be bought with the input's own movement.
_GRAIN = 0.5
# How far the level of a frame, in decibels, goes from what the style asks for towards the input's; and the largest
# change, as a factor.
_TIED = 0.25
_MOST_TIED = 30.0
# The carrier is brought to the levels wanted not frame by frame, but by its power over so many seconds, so that its own
# movement is heard. What comes suddenly is let pass at most four times as strong.
_EVEN_SECONDS, _SUDDEN = 0.08, 4.0
# The largest gains of the own partials, and of the carrier.
_OWN, _CARRIER = 100.0, 1000.0


@inlined
def follow_bands(kept: Kept, made: Made, work: Work, learnt: float) -> None:
    """Follow the levels of input and output in wide bands: means, covariances, and powers; and the input's ring."""
    part, rest = _f4(learnt), _f4(1.0 - learnt)
    for side in range(2):
        _levels_of(work.magnitudes[side], made.wide, work.edges, work.wide_levels[side])
        log_of_1_and(work.wide_levels[side], work.wide_logs[side])
        means, logs, inside = kept.wide_means[side], work.wide_logs[side], work.wide_inside[side]
        for band in range(means.size):
            means[band] += part * (logs[band] - means[band])
            inside[band] = logs[band] - means[band]
    every = max(1, kept.frames.shape[1] // 4 // kept.input.shape[1])
    kept.ring[kept.now[0].count // every % kept.ring.shape[0]] = work.magnitudes[0]
    _attacks(work.wide_levels[0], kept.floors, _FOLLOW_DB * made.plan[0].hop_seconds, work.attack)
    if learnt > 0.0:
        bands = kept.floors.size
        z, levels = work.wide_inside[0], work.wide_levels[0]
        for i in range(bands):
            row, value = kept.wide_covariance[i], part * z[i]
            for j in range(bands):
                row[j] = rest * row[j] + value * z[j]
        powers = kept.wide_covariance[bands]
        for band in range(bands):
            powers[band] = rest * powers[band] + part * levels[band] * levels[band]
        follow_frame(kept.wide_gram, kept.wide_past, made.lags, work.wide_inside[1], learnt)


@compiled
def _levels_of(magnitudes: Floats, wide: Basis, squares: Floats, out: Floats) -> None:
    """Write the root mean squares [W] of magnitudes [B]; `squares` [B] is room."""
    for k in range(magnitudes.size):
        squares[k] = magnitudes[k] * magnitudes[k]
    into_bands(squares, wide, out)
    for band in range(out.size):
        out[band] = np.sqrt(out[band])


@inlined
def want_levels(kept: Kept, made: Made, work: Work, asked: float) -> None:
    """Write the levels wanted of the bands, in units of S0, to `asked_for`; `asked` is how far they are asked for."""
    now = kept.now[0]
    learnt = now.learnt
    z, mapped, moved, change = work.wide_inside[0], work.wide_mapped, work.wide_moved, work.wide_change
    bands = z.size
    for i in range(bands):
        row, value = kept.wide_map[i], _f4(0.0)
        for j in range(bands):
            value += row[j] * z[j]
        mapped[i] = value
    match(
        mapped,
        kept.wide_quantiles,
        kept.wide_widths,
        kept.style_wide_quantiles[0],
        kept.style_wide_steps,
        moved,
    )
    if learnt > 0.0 and now.count % 2 == 0:
        follow_quantiles(mapped, kept.wide_quantiles, kept.wide_widths, 4.0 * learnt)
    if now.iterations > 0 and asked > 0.0:
        spread = 0.0
        for band in range(bands):
            spread += kept.style_wide_lagged[band, band]
        descend(
            change,
            moved,
            kept.wide_gram,
            kept.style_wide_lagged,
            kept.wide_past,
            made.lags,
            work.wide_gradient,
            now.iterations,
            max(kept.style_wide_top[0], 1e-9),
            spread,
        )
        for band in range(bands):
            moved[band] += _f4(_GRAIN * asked) * change[band]
    for band in range(bands):
        target = max(kept.style_wide_mean[band] + moved[band], _f4(0.0))
        moved[band] = min(target, kept.style_wide_largest[band])
    _tie(moved, work.wide_levels[0], made, work, float(now.strength))


@compiled
def _tie(target: Floats, levels: Floats, made: Made, work: Work, strength: float) -> None:
    """Bring the whole frame's level towards the input's, and go `strength` of the way there, in log-magnitudes."""
    wanted, ratio, logs = work.asked_for, work.ratio, work.wide_logs[0]
    exp_less_1(target, wanted)
    ours = theirs = 1e-9
    for band in range(wanted.size):
        # What a band adds to the sum over bins, as near as bands tell it.
        weight = made.share[band]
        ours += weight * levels[band] * levels[band]
        theirs += weight * wanted[band] * wanted[band]
    louder = _f4(min(max((ours / theirs) ** (0.5 * _TIED), 1.0 / _MOST_TIED), _MOST_TIED))
    for band in range(wanted.size):
        wanted[band] *= louder
    log_of_1_and(wanted, ratio)
    for band in range(wanted.size):
        ratio[band] = logs[band] + _f4(strength) * (ratio[band] - logs[band])
    exp_less_1(ratio, wanted)


@inlined
def want_place(kept: Kept, made: Made, work: Work, notes: float) -> None:
    """Go over, by `notes`, from the band vector that the carrier's place should resemble to that of wide bands."""
    bins = work.edges
    logs, deviations = work.wide_change, work.wide_mapped
    log_of_1_and(work.asked_for, logs)
    for band in range(logs.size):
        deviations[band] = logs[band] - kept.style_wide_mean[band]
    bins[:] = _f4(0.0)
    add_bands(deviations, made.spread, 1.0, bins)
    into_bands(bins, made.basis, work.gradient)
    part = _f4(notes)
    for band in range(work.wanted.size):
        work.wanted[band] += part * (work.gradient[band] - work.wanted[band])


@inlined
def speak(kept: Kept, made: Made, work: Work) -> None:
    """Write what own partials and carrier make together to `spoken`, and its squares, in units of S0, to `squares`."""
    now, plan = kept.now[0], made.plan[0]
    channels, magnitudes = kept.input.shape[0], work.magnitudes[0]
    levels, wanted = work.wide_levels[0], work.asked_for
    speaking, own, carried = work.speaking, work.own_gain, work.carried_gain
    _gains(levels, wanted, _OWN, made.spread, work.ratio, own)
    theirs = work.toneless[0].view(np.float32)
    if plan.carrier == INPUT:
        carried[:] = _f4(0.0)
    else:
        tonal_mask(kept.ring, magnitudes, work.medians, work.edges, speaking)
        work.side[:] = _f4(0.0)
        add_bands(work.attack, made.spread, 1.0, work.side)
        strength = _f4(now.strength)
        for k in range(speaking.size):
            silent = strength * (_f4(1.0) - speaking[k]) * (_f4(1.0) - work.side[k])
            speaking[k] = max(silent, _f4(0.0))
            own[k] *= np.sqrt(_f4(1.0) - speaking[k])
        # The clip is at the reference level, as the input is with its gain. What its tones leave is not made up for.
        voice, tones = work.step, work.phase[0].view(np.float32)
        for k in range(voice.size):
            re, im = tones[2 * k], tones[2 * k + 1]
            voice[k] = np.sqrt(re * re + im * im) * _f4(1.0 / S0)
        _levels_of(voice, made.wide, work.edges, work.wide_levels[2])
        _even_out(work.wide_levels[2], kept, plan.hop_seconds)
        _gains(work.wide_levels[2], wanted, _CARRIER, made.spread, work.ratio, carried)
        for k in range(carried.size):
            carried[k] *= np.sqrt(speaking[k]) * _f4(1.0 / now.gain)
    squares = work.squares
    squares[:] = _f4(0.0)
    factor = _f4(now.gain * now.gain / (S0 * S0 * channels))
    for channel in range(channels):
        out = work.spoken[channel].view(np.float32)
        ours = work.spectra[channel].view(np.float32)
        _stand(kept, made, work, channel)
        for k in range(plan.audible):
            h = carried[k] * work.side[k]
            re, im = (
                own[k] * ours[2 * k] + h * theirs[2 * k],
                own[k] * ours[2 * k + 1] + h * theirs[2 * k + 1],
            )
            out[2 * k], out[2 * k + 1] = re, im
            squares[k] += (re * re + im * im) * factor
        out[2 * plan.audible :] = _f4(0.0)


@inlined
def _even_out(levels: Floats, kept: Kept, hop_seconds: float) -> None:
    """Replace the carrier's levels [W] by those of late; where another clip has begun, there are none yet."""
    now = kept.now[0]
    part = _f4(min(1.0, hop_seconds / _EVEN_SECONDS) if now.voiced_by == now.slot else 1.0)
    now.voiced_by = now.slot
    for band in range(levels.size):
        power = levels[band] * levels[band]
        kept.voiced[band] += part * (power - kept.voiced[band])
        levels[band] = np.sqrt(max(kept.voiced[band], power * _f4(1.0 / _SUDDEN)))


@inlined
def _stand(kept: Kept, made: Made, work: Work, channel: int) -> None:
    """Write the part that a channel has of the input's level, interpolated between bands, to `side`."""
    side = work.side
    if kept.input.shape[0] == 1:
        side[:] = _f4(1.0)
    else:
        now = kept.now[0]
        into_bands(work.powers[channel], made.wide, work.attack)
        factor = now.gain * now.gain / (S0 * S0)
        for band in range(work.attack.size):
            power = max(work.attack[band] * factor, 1e-10)
            work.attack[band] = math.sqrt(power) / max(work.wide_levels[0, band], 1e-5)
        side[:] = _f4(0.0)
        add_bands(work.attack, made.spread, 1.0, side)


@compiled
def _attacks(levels: Floats, floors: Floats, follow: float, out: Floats) -> None:
    """Write, for each band, how much of it is an attack, 0 to 1; `floors` [W] follow its level, dB."""
    for band in range(levels.size):
        decibels = 20.0 * math.log10(levels[band] + _FAINTEST)
        out[band] = 1.0 / (1.0 + math.exp((_RISE_DB - decibels + floors[band]) / _BORDER_DB))
        floors[band] = min(decibels, floors[band] + follow)


@compiled
def _gains(now: Floats, wanted: Floats, most: float, spread: Basis, ratio: Floats, out: Floats) -> None:
    """Write gains [B] that bring bands from levels `now` [W] to `wanted`, geometrically in between."""
    for band in range(now.size):
        ratio[band] = math.log(min(max(wanted[band] / max(now[band], 1e-5), 1e-6), most))
    # From 1e-6 on, and so without a sign, as the exponential has it.
    for band in range(now.size):
        ratio[band] += _f4(14.0)
    out[:] = _f4(0.0)
    add_bands(ratio, spread, 1.0, out)
    exp_less_1(out, out)
    for k in range(out.size):
        out[k] = (out[k] + _f4(1.0)) * _f4(8.315287191035679e-07)
