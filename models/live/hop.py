"""One hop of the streaming stylizer: everything between a block of samples in and a block of samples out.

B bins, b bands, C channels, S styles. In each hop:

1. *Analysis.* The newest frame of the input and that of the output so far, one transform for all channels. Levels
   are relative to the input's own running loudness, so that nothing depends on how high the input is turned up.
2. *Statistics.* Running mean and covariance of the input in bands; running mean and lagged covariances, that is the
   Gram matrix of linear features over time, of the output.
3. *Map.* The optimal transport between the two Gaussians, in bands, solved again from the running statistics
   every 0.17 s; one gain a bin for what lies outside the bands; each bin's values moved to the style's quantiles.
4. *Iterations.* K gradient steps on the output's Gram matrix against the style's, with respect to this frame only.
5. *Phase.* The input's, the style's own, or noise's: see `StylizerSettings` in models.live.stylizer.
6. *Notes*: as far as the knob `notes` asks for, the same in wide bands takes its place: see models.live.notes.
7. *Synthesis*, overlap-add, a limiter, and the mix with the input delayed by as much.

For several styles the map is the weighted mean of their maps: their barycentre along generalised geodesics from the
content (Ambrosio, Gigli and Savaré 2008, section 9.2). To solve one takes some milliseconds, which no hop has: the
statistics are set aside in one hop, and the map is taken up some hops later, always the same number, by whomever and
whenever it has been solved meanwhile.

This function and all that it calls are compiled into one. A hop's parts, each in its module: `loudness` follows levels
and `noise_gate` keeps pauses soft, `bands` and `spectra` turn one thing into another, `quantiles` moves values,
`gram_memory` descends, `carrier` has the phase, `style_bank` the styles, `synthesis` the output.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dsp.compiled import compiled, inlined
from ...dsp.level import S0
from .bands import add_bands, into_bands
from .carrier import INPUT, NOISE, next_noise, next_place, phase_of
from .core_memory import Kept, Made, Work
from .elementwise import exp_less_1, log_of_1_and
from .gram_memory import descend, follow_frame
from .loudness import balance, hold, listen
from .memory import Table, opener, rows_of, table_of
from .mixture import mix_styles, take_note, weigh_rest
from .notes import follow_bands, speak, want_levels, want_place
from .quantiles import follow_quantiles, match
from .spectra import power_of, transform, transform_back
from .style_bank import Bank, mix_maps, next_used, style_in
from .synthesis import emit, overlap_add

_f4 = np.float32
Floats = NDArray[np.float32]

# What the map may want of a bin on the input's phase, linear.
_MOST_GAIN = _f4(1000.0)
_LEAST_POWER = _f4(1e-10)
_MOST_OFFSET = _f4(3.0)
# Learning at a soundcheck, where all counts alike.
_SOUNDCHECK_RATE = 1e-6

#: What a hop returns: nothing is to be done; `kept.snapshot` waits to be solved; the next hop
#: takes up `work.solved`.
IDLE, SOLVE, DUE = 0, 1, 2


_open_kept, _open_made, _open_bank, _open_work = opener(Kept), opener(Made), opener(Bank), opener(Work)
_MADE = rows_of(Kept)
_BANK = _MADE + rows_of(Made)
_WORK = _BANK + rows_of(Bank)


def memory_of(kept: Kept, made: Made, bank: Bank, work: Work) -> Table:
    """Return what `hop` is given; whoever has it keeps the arrays alive, and where they are."""
    return table_of(kept, made, bank, work)


@compiled
def hop(memory: Table) -> int:
    """Compute the next hop of output from a full hop of input; see the module's text.

    Args:
        memory: from `memory_of`

    Returns:
        `IDLE`, `SOLVE` or `DUE`: what is to be done about the map before the next hop
    """
    kept, made = _open_kept(memory, 0), _open_made(memory, _MADE)
    bank, work = _open_bank(memory, _BANK), _open_work(memory, _WORK)
    now, plan = kept.now[0], made.plan[0]
    _turn_knobs(kept, plan.ramp_step, bank)
    _take_in(kept, made, work)
    sounding = listen(now, plan.hop_seconds, work.power[0], made.weights, _rate(now, plan.hop_seconds))
    _levels(kept, work)
    _learn(kept, made, work, sounding)
    begun = _tend_map(kept, plan, work)
    now.count += 1
    # How far the whole style is asked for: only as far can the output be expected to have its statistics.
    asked = now.strength * (1.0 - now.notes)
    _move(kept, made, work, asked)
    want_levels(kept, made, work, now.strength * now.notes)
    if now.notes > 0.0:
        want_place(kept, made, work, now.notes)
    if plan.carrier == INPUT:
        # Nothing is missing.
        work.phase[0] = 0.0
    else:
        _carry(kept, made, bank, work)
    _wish(kept, made, work)
    _give_phase(kept, made, work, asked)
    # The input's level, without which all of this is reckoned, comes back here.
    transform_back(work.played, work.back, made.axes)
    overlap_add(work.back, made.synthesis, now.gain, kept.sum, kept.newest)
    level = now.makeup**now.strength / now.gain
    emit(
        now,
        kept.newest,
        work.dry,
        made.sections,
        kept.rumble,
        plan.release,
        level,
        work.wet,
        work.ceiling,
        kept.output,
    )
    if begun and now.count < now.taken_at:
        return SOLVE
    return DUE if now.solving >= 0 and now.count == now.taken_at else IDLE


@inlined
def _turn_knobs(kept: Kept, step: float, bank: Bank) -> None:
    """Move knobs and weights towards where they were set."""
    now = kept.now[0]
    now.strength = _nearer(now.strength, now.strength_set, step)
    now.mix = _nearer(now.mix, now.mix_set, step)
    now.notes = _nearer(now.notes, now.notes_set, step)
    moved = False
    for slot in range(kept.weights.size):
        wanted = weight_set(now, slot) if kept.filled[slot] else 0.0
        if wanted != kept.weights[slot]:
            kept.weights[slot] = _nearer(kept.weights[slot], wanted, step)
            moved = True
    if moved:
        mix_styles(kept, bank)


@compiled
def _nearer(value: float, wanted: float, step: float) -> float:
    # The last bit of a ramp is taken whole, so that a knob at its end is exactly there.
    if abs(wanted - value) <= step:
        return wanted
    return value + step if wanted > value else value - step


@compiled
def weight_set(now: Any, slot: int) -> float:
    """Return where the knob of a slot's weight was set."""
    if slot == 0:
        return float(now.style_1)
    if slot == 1:
        return float(now.style_2)
    return float(now.style_3 if slot == 2 else now.style_4)


@compiled
def _rate(now: Any, hop_seconds: float) -> float:
    """Return the share by which running statistics move in one hop; 0 holds all that is learnt."""
    if now.soundcheck != 0.0:
        return _SOUNDCHECK_RATE
    if now.freeze != 0.0 or now.held != 0:
        return 0.0
    return float(min(1.0, hop_seconds / max(now.adapt, 0.1)))


@inlined
def _take_in(kept: Kept, made: Made, work: Work) -> None:
    """Shift the frames, set the dry hop aside, and transform."""
    channels, size = kept.input.shape
    n_fft = kept.frames.shape[1]
    length = made.synthesis.size
    for row in range(2 * channels):
        frame = kept.frames[row]
        for n in range(n_fft - size):
            frame[n] = frame[n + size]
        frame[n_fft - size :] = kept.input[row] if row < channels else kept.newest[row - channels]
        windowed = work.windowed[row]
        for n in range(n_fft):
            windowed[n] = frame[n] * made.analysis[n]
    for channel in range(channels):
        work.dry[channel] = kept.frames[channel, n_fft - length : n_fft - length + size]
    transform(work.windowed, work.spectra, made.axes)
    for row in range(2 * channels):
        power_of(work.spectra[row], work.powers[row])
    for side in range(2):
        total = work.power[side]
        total[:] = work.powers[side * channels]
        for channel in range(1, channels):
            part = work.powers[side * channels + channel]
            for k in range(total.size):
                total[k] += part[k]


@inlined
def _levels(kept: Kept, work: Work) -> None:
    """Write magnitudes in units of S0, and log-magnitudes, of input and output."""
    now = kept.now[0]
    # Of all channels together: what their number divides by is in the factor.
    unit = 1.0 / (S0 * S0 * kept.input.shape[0])
    for side in range(2):
        factor = _f4(now.gain * now.gain * unit) if side == 0 else _f4(unit)
        power, magnitudes = work.power[side], work.magnitudes[side]
        for k in range(power.size):
            magnitudes[k] = np.sqrt(max(power[k] * factor, _LEAST_POWER))
        log_of_1_and(magnitudes, work.levels[side])


@inlined
def _learn(kept: Kept, made: Made, work: Work, sounding: float) -> None:
    """Follow means, covariances and loudness; write deviations from the means, and these in bands."""
    now, hop_seconds = kept.now[0], made.plan[0].hop_seconds
    rate = _rate(now, hop_seconds)
    learnt = most = 0.0
    if rate > 0.0 and sounding > 0.0:
        # In the beginning each hop counts as much as all before it; the style stands for the first half second.
        now.seconds += hop_seconds
        most = max(rate, hop_seconds / now.seconds)
        learnt = most * sounding
    now.learnt = learnt
    part = _f4(learnt)
    for side in range(2):
        means, levels, deviations = kept.means[side], work.levels[side], work.deviations[side]
        for k in range(means.size):
            means[k] += part * (levels[k] - means[k])
            deviations[k] = levels[k] - means[k]
        into_bands(deviations, made.basis, work.inside[side])
    if learnt > 0.0:
        _follow_covariance(kept.covariance, work.inside[0], learnt)
        follow_frame(kept.gram, kept.past, made.lags, work.inside[1], learnt)
        # How loud it comes out is no matter of the style: of that, only the first tenth of a second is assumed. As the
        # map moves away from the identity, the output gets softer: what was first is soon forgotten.
        soon = min(1.0, max(rate, 3.0 * hop_seconds / (now.seconds - 0.4)))
        balance(now, work.power, made.weights, soon * sounding, soon)
    follow_bands(kept, made, work, learnt)


@compiled
def _follow_covariance(covariance: Floats, z: Floats, learnt: float) -> None:
    part, kept = _f4(learnt), _f4(1.0 - learnt)
    for i in range(z.size):
        row, value = covariance[i], part * z[i]
        for j in range(z.size):
            row[j] = kept * row[j] + value * z[j]


@inlined
def _tend_map(kept: Kept, plan: Any, work: Work) -> bool:
    """Take up a map that has been solved, or set statistics aside for one to be solved; returns whether it did."""
    now = kept.now[0]
    if now.solving >= 0:
        if now.count == now.taken_at:
            kept.maps[now.solving] = work.solved
            kept.wide_maps[now.solving] = work.wide_solved
            kept.stale[now.solving] = 0
            now.solving = -1
            mix_maps(kept)
            take_note(kept, min(1.0, now.learnt * plan.solve_every))
            weigh_rest(kept)
        return False
    slot, hops = -1, plan.solve_soon
    for one in range(kept.stale.size):
        # One at a time, whatever comes in at once.
        if slot < 0 and kept.stale[one] == 1 and kept.shares[one] > 0.0:
            slot = one
    if slot < 0 and now.count % plan.solve_every == 0 and now.learnt > 0.0:
        now.turn = next_used(kept.shares, now.turn)
        slot, hops = now.turn, plan.solve_hops
    if slot < 0:
        return False
    kept.snapshot[:] = kept.covariance
    kept.wide_snapshot[:] = kept.wide_covariance
    now.solving = slot
    now.taken_at = now.count + hops
    return True


@inlined
def _move(kept: Kept, made: Made, work: Work, asked: float) -> None:
    """Move the newest frame's deviations to the style's: map, gains outside the bands, quantiles, descent."""
    now = kept.now[0]
    learnt, part = now.learnt, _f4(now.learnt)
    z = work.inside[0]
    work.moved_bands[:] = _f4(0.0)
    for band in range(z.size):
        # The map is symmetric: a row is a column.
        row, value = kept.map[band], z[band]
        for k in range(z.size):
            work.moved_bands[k] += row[k] * value
    deviations, own, mapped, moved = work.deviations[0], work.own, work.mapped, work.moved
    own[:] = _f4(0.0)
    mapped[:] = _f4(0.0)
    add_bands(z, made.basis, 1.0, own)
    add_bands(work.moved_bands, made.basis, 1.0, mapped)
    for k in range(own.size):
        rest = deviations[k] - own[k]
        kept.variance[k] += part * (rest * rest - kept.variance[k])
        mapped[k] += rest * kept.rest_gain[k]
    match(mapped, kept.quantiles, kept.widths, kept.style_quantiles[0], kept.style_steps, moved)
    if learnt > 0.0 and now.count % 2 == 0:
        follow_quantiles(mapped, kept.quantiles, kept.widths, 4.0 * learnt)
    factor = _f4(asked)
    for k in range(moved.size):
        moved[k] += factor * kept.offset[k]
    into_bands(moved, made.basis, work.wanted)
    if now.iterations > 0 and asked > 0.0:
        descend(
            work.change,
            work.wanted,
            kept.gram,
            kept.style_lagged,
            kept.past,
            made.lags,
            work.gradient,
            now.iterations,
            now.top,
            now.spread,
        )
        add_bands(work.change, made.basis, asked, moved)
    if learnt > 0.0:
        # What the output's mean lacks of the style's is added until nothing is missing.
        gained, lost = _f4(learnt * asked), _f4(1.0 - learnt * (1.0 - asked))
        heard = work.levels[1]
        for k in range(moved.size):
            offset = (kept.offset[k] + gained * (kept.style_mean[k] - heard[k])) * lost
            kept.offset[k] = min(max(offset, -_MOST_OFFSET), _MOST_OFFSET)


@inlined
def _wish(kept: Kept, made: Made, work: Work) -> None:
    """Write the wished magnitudes, in units of S0, strength of the way from the input's levels; and `spoken`.

    Of the two, as far as the knob `notes` asks for each of them; both are held.
    """
    now = kept.now[0]
    levels, step, wished, squares = work.levels[0], work.step, work.wished, work.squares
    notes = _f4(now.notes)
    if now.notes > 0.0:
        speak(kept, made, work)
    else:
        now.voiced_by = -1
    if now.notes < 1.0:
        strength = _f4(now.strength)
        for k in range(step.size):
            target = max(kept.style_mean[k] + work.moved[k], _f4(0.0))
            step[k] = min(target, kept.style_largest[k]) - levels[k]
            step[k] = max(levels[k] + strength * step[k], _f4(0.0))
        exp_less_1(step, wished)
        if now.notes > 0.0:
            for k in range(step.size):
                squares[k] = notes * squares[k] + (_f4(1.0) - notes) * wished[k] * wished[k]
        else:
            for k in range(step.size):
                squares[k] = wished[k] * wished[k]
    held = hold(now, squares, made.weights, kept.input.shape[0], now.strength)
    if held < 1.0:
        factor = _f4(held)
        for k in range(step.size):
            wished[k] *= factor
    if now.notes > 0.0:
        share = np.sqrt(notes) * _f4(held)
        for channel in range(work.spoken.shape[0]):
            parts = work.spoken[channel].view(np.float32)
            for k in range(parts.size):
                parts[k] *= share


@inlined
def _give_phase(kept: Kept, made: Made, work: Work, asked: float) -> None:
    """Give the wished magnitudes a phase, and add what is spoken; above 20 kHz nothing is played.

    The input's own bins are raised by no more than `most`, which falls from 60 dB to -20 dB as more of the style
    is asked for; the carrier brings what is missing, in the input's stereo image.
    """
    now, plan = kept.now[0], made.plan[0]
    if now.notes == 1.0:
        work.played[:] = work.spoken
        return
    magnitude, wished, gain, missing = work.magnitudes[0], work.wished, work.step, work.squares
    channels = kept.input.shape[0]
    most = _MOST_GAIN if plan.carrier == INPUT else _f4(10.0 ** ((60.0 - 80.0 * asked) / 20.0))
    for k in range(gain.size):
        gain[k] = min(wished[k] / magnitude[k], most)
        own = gain[k] * magnitude[k]
        missing[k] = np.sqrt(max(wished[k] * wished[k] - own * own, _f4(0.0))) / magnitude[k]
    if plan.carrier != INPUT:
        phase_of(work.phase[0])
    # Relative to what all channels have together, so that the input's own unit and level are in it.
    # Where the input has nothing at all, the channels share alike.
    floor = _f4(1e-10 * (S0 / now.gain) ** 2)
    theirs = work.phase[0].view(np.float32)
    for channel in range(channels):
        spectrum, played = work.spectra[channel].view(np.float32), work.played[channel].view(np.float32)
        powers = work.powers[channel]
        for k in range(plan.audible):
            image = np.sqrt(max(powers[k], floor)) * missing[k]
            played[2 * k] = spectrum[2 * k] * gain[k] + theirs[2 * k] * image
            played[2 * k + 1] = spectrum[2 * k + 1] * gain[k] + theirs[2 * k + 1] * image
        played[2 * plan.audible :] = _f4(0.0)
        if now.notes > 0.0:
            share, spoken = _f4(math.sqrt(1.0 - now.notes)), work.spoken[channel].view(np.float32)
            for k in range(2 * plan.audible):
                played[k] = share * played[k] + spoken[k]


@inlined
def _carry(kept: Kept, made: Made, bank: Bank, work: Work) -> None:
    """Write the spectrum of the carrier's next frame; with `notes`, also without its tones."""
    now = kept.now[0]
    size, n_fft = kept.input.shape[1], kept.frames.shape[1]
    if made.plan[0].carrier == NOISE:
        # It has no tones.
        start = next_noise(now, size, n_fft, made.noise.shape[1])
        whole = toneless = made.noise[0, start : start + n_fft]
    else:
        start = next_place(now, size, n_fft, bank, kept.shares, work)
        style = style_in(bank, now.slot)
        whole = style.clip[start : start + n_fft]
        toneless = style.toneless[start : start + n_fft]
    _window(whole, made.analysis, work.voice[0])
    transform(work.voice, work.phase, made.axes)
    if now.notes > 0.0:
        _window(toneless, made.analysis, work.voice[0])
        transform(work.voice, work.toneless, made.axes)


@compiled
def _window(samples: Floats, window: Floats, out: Floats) -> None:
    for n in range(out.size):
        out[n] = samples[n] * window[n]
