"""What a core keeps from hop to hop, what it is made with, and where it works: three pieces of memory with names.

B bins, b bands, C channels, S slots, q quantiles, L lags. All of it is in one flat block each: a state is a copy of the
first.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.audible import HIGHEST_HZ, highpass_sections
from ...dsp.compiled import inlined
from .bands import Basis, packed_basis
from .memory import (
    Bytes,
    Fields,
    block,
    complex_2d,
    doubles,
    doubles_3d,
    floats,
    floats_2d,
    floats_3d,
    size,
    views,
    whole_numbers,
)
from .prepared_style import QUANTILES, WIDE, Layout, spread_shares, wide_basis

_f4 = np.float32
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

# The map is solved again so often, and taken up so long after the statistics were: much longer than it takes, and
# sooner where a style comes in, whose map is not known.
_SOLVE_SECONDS = 0.17
_TAKEN_SECONDS = 0.064
_SOON_SECONDS = 0.01
_RAMP_SECONDS = 0.03

#: Knobs that move from end to end in `_RAMP_SECONDS`, so that none is heard as a step.
RAMPED = ("strength", "mix", "notes")
MAX_STYLES = 4
#: The most gradient steps in a hop.
MAX_ITERATIONS = 32
#: Frames of the input, spread over 80 ms, that tell what is steady.
RING = 7
#: Places of a clip that the carrier compares before it looks whether any of them can be the nearest.
SEARCHED_AT_ONCE = 128
#: Where the knobs stand in the beginning; what each does, `models.live.stylizer.Stylizer.set` says.
DEFAULTS = {
    "strength": 1.0,
    "mix": 1.0,
    "notes": 1.0,
    "adapt": 8.0,
    "freeze": 0.0,
    "soundcheck": 0.0,
    **{f"style_{number + 1}": 1.0 for number in range(MAX_STYLES)},
    "gate": 6.0,
}

#: The numbers that are kept, by their owners.
NUMBERS = np.dtype(
    [
        # Knobs as they were set, and where those that are ramped have got.
        *((name if name not in RAMPED else f"{name}_set", "f8") for name in DEFAULTS),
        *((name, "f8") for name in RAMPED),
        # The stream: whether all that was learnt is held, gradient steps in a hop, samples of the hop that fills.
        ("held", "i8"),
        ("iterations", "i8"),
        ("filling", "i8"),
        # Loudness, see models.live.loudness.
        ("level", "f8"),
        ("heard", "f8"),
        ("gain", "f8"),
        ("makeup", "f8"),
        ("power_in", "f8"),
        ("power_out", "f8"),
        ("turned_down", "f8"),
        # Pauses and the gate, see models.live.noise_gate.
        ("envelope", "f8"),
        ("relative", "f8"),
        ("sounds", "f8"),
        ("opened", "f8"),
        ("room", "f8"),
        ("calm", "f8"),
        ("lowest", "f8"),
        # Learning: seconds that were learnt from, hops, and what is learnt in this one.
        ("seconds", "f8"),
        ("count", "i8"),
        ("learnt", "f8"),
        # The map: the slot that was solved last; that whose map is being solved, or -1, and the hop that takes it up.
        ("turn", "i8"),
        ("solving", "i8"),
        ("taken_at", "i8"),
        # The mixture: trace and largest eigenvalue of its covariance; as much as what is learnt has in common with it.
        ("spread", "f8"),
        ("top", "f8"),
        ("common", "f8"),
        # The carrier, see models.live.carrier.
        ("slot", "i8"),
        ("place", "i8"),
        ("past_place", "i8"),
        # The output, see models.live.synthesis.
        ("wet", "f8"),
        ("emitted", "f8"),
        ("reduction", "f8"),
        ("limited", "i8"),
    ]
)


class Kept(NamedTuple):
    """What is kept from hop to hop.

    Attributes:
        now: record [1], see `NUMBERS`
        input, output: arrays [C, hop]: the hop that fills, and the one that goes out meanwhile
        filled, weights, shares: arrays [S]: which slots have a style; weights as far as they have moved; their shares
        known, stale: arrays [S]: to which shares belongs what is learnt; whose map was not kept up
        frames: array [2 C, n_fft], the newest frames of input and output
        newest: array [C, hop], of the output
        means: array [2, B], of the levels of input and output
        covariance: array [b, b], of the input; `snapshot` is what the next map is solved from
        variance: array [B], of what lies outside the bands
        maps: array [S, b, b]; `map` is their mean
        rest_gain, offset: arrays [B]
        quantiles, widths: see models.live.quantiles
        gram, past: see models.live.gram_memory
        sum: array [C, length], overlap-add
        rumble: array [C, sections, 2], of the high-pass
        style_...: the mixture in use, see models.live.style_bank; `style_steps` are differences of quantiles
        wide_...: the same in W wide bands, see models.live.notes; `wide_covariance` has the mean powers as its last row
        floors: array [W], what a band must stand above to be an attack, dB
        ring: array [frames, B], the input's magnitudes of late
    """

    now: NDArray[np.void]
    input: Floats
    output: Floats
    filled: NDArray[np.int64]
    weights: Doubles
    shares: Doubles
    known: Doubles
    stale: NDArray[np.int64]
    frames: Floats
    newest: Floats
    means: Floats
    covariance: Floats
    snapshot: Floats
    variance: Floats
    maps: Floats
    map: Floats
    rest_gain: Floats
    offset: Floats
    quantiles: Floats
    widths: Floats
    gram: Floats
    past: Floats
    sum: Floats
    rumble: Doubles
    style_mean: Floats
    style_rest: Floats
    style_largest: Floats
    style_quantiles: Floats
    style_steps: Floats
    style_lagged: Floats
    wide_means: Floats
    wide_covariance: Floats
    wide_snapshot: Floats
    wide_maps: Floats
    wide_map: Floats
    wide_quantiles: Floats
    wide_widths: Floats
    wide_gram: Floats
    wide_past: Floats
    floors: Floats
    ring: Floats
    style_wide_mean: Floats
    style_wide_largest: Floats
    style_wide_quantiles: Floats
    style_wide_steps: Floats
    style_wide_lagged: Floats
    style_wide_top: Floats


class Made(NamedTuple):
    """What a core is made with.

    Attributes:
        plan: record [1]
        analysis: array [n_fft], in the house's level convention
        synthesis: array [length], the end of the window
        basis, wide, spread: see models.live.bands; `wide` takes means of powers, `spread` interpolates between bands
        share: array [W], what the power of each wide band adds to the sum over bins
        lags: array [L], hops
        weights: array [B], K-weighting
        sections: array [sections, 6], high-pass
        axes: array [1], of transforms
        noise: array [1, samples], or [1, 1]
    """

    plan: NDArray[np.void]
    analysis: Floats
    synthesis: Floats
    basis: Basis
    wide: Basis
    spread: Basis
    share: Floats
    lags: NDArray[np.int64]
    weights: Floats
    sections: Doubles
    axes: NDArray[np.int64]
    noise: Floats


class Work(NamedTuple):
    """Room for what a hop computes; only `solved` and `wide_solved`, the maps taken up next, outlive the hop."""

    solved: Floats
    windowed: Floats
    spectra: NDArray[np.complex64]
    powers: Floats
    power: Floats
    magnitudes: Floats
    levels: Floats
    deviations: Floats
    inside: Floats
    moved_bands: Floats
    wanted: Floats
    change: Floats
    gradient: Floats
    own: Floats
    mapped: Floats
    moved: Floats
    step: Floats
    wished: Floats
    squares: Floats
    sought: Floats
    distances: Floats
    voice: Floats
    phase: NDArray[np.complex64]
    played: NDArray[np.complex64]
    back: Floats
    wet: Floats
    dry: Floats
    ceiling: Floats
    wide_solved: Floats
    wide_levels: Floats
    wide_logs: Floats
    wide_inside: Floats
    wide_mapped: Floats
    wide_moved: Floats
    wide_change: Floats
    wide_gradient: Floats
    asked_for: Floats
    ratio: Floats
    attack: Floats
    medians: Floats
    edges: Floats
    speaking: Floats
    own_gain: Floats
    carried_gain: Floats
    side: Floats
    toneless: NDArray[np.complex64]
    spoken: NDArray[np.complex64]


def kept_fields(layout: Layout, *, channels: int, slots: int) -> Fields:
    """Return the views of what is kept."""
    bins, bands, rows = layout.bins, layout.bands, len(layout.lags) * layout.bands
    per_slot = (slots,)
    return {
        "now": (NUMBERS, (1,)),
        "input": (_f4, (channels, layout.hop)),
        "output": (_f4, (channels, layout.hop)),
        "filled": (np.int64, per_slot),
        "weights": (np.float64, per_slot),
        "shares": (np.float64, per_slot),
        "known": (np.float64, per_slot),
        "stale": (np.int64, per_slot),
        "frames": (_f4, (2 * channels, layout.n_fft)),
        "newest": (_f4, (channels, layout.hop)),
        "means": (_f4, (2, bins)),
        "covariance": (_f4, (bands, bands)),
        "snapshot": (_f4, (bands, bands)),
        "variance": (_f4, (bins,)),
        "maps": (_f4, (slots, bands, bands)),
        "map": (_f4, (bands, bands)),
        "rest_gain": (_f4, (bins,)),
        "offset": (_f4, (bins,)),
        "quantiles": (_f4, (QUANTILES, bins)),
        "widths": (_f4, (QUANTILES - 1, bins)),
        "gram": (_f4, (rows, bands)),
        "past": (_f4, (max(layout.lags) + 1, bands)),
        "sum": (_f4, (channels, layout.pair.length)),
        "rumble": (np.float64, (channels, highpass_sections(layout.sample_rate).shape[0], 2)),
        "style_mean": (_f4, (bins,)),
        "style_rest": (_f4, (bins,)),
        "style_largest": (_f4, (bins,)),
        "style_quantiles": (_f4, (QUANTILES, bins)),
        "style_steps": (_f4, (QUANTILES - 1, bins)),
        "style_lagged": (_f4, (rows, bands)),
        "wide_means": (_f4, (2, WIDE)),
        "wide_covariance": (_f4, (WIDE + 1, WIDE)),
        "wide_snapshot": (_f4, (WIDE + 1, WIDE)),
        "wide_maps": (_f4, (slots, WIDE, WIDE)),
        "wide_map": (_f4, (WIDE, WIDE)),
        "wide_quantiles": (_f4, (QUANTILES, WIDE)),
        "wide_widths": (_f4, (QUANTILES - 1, WIDE)),
        "wide_gram": (_f4, (len(layout.lags) * WIDE, WIDE)),
        "wide_past": (_f4, (max(layout.lags) + 1, WIDE)),
        "floors": (_f4, (WIDE,)),
        "ring": (_f4, (RING, bins)),
        "style_wide_mean": (_f4, (WIDE,)),
        "style_wide_largest": (_f4, (WIDE,)),
        "style_wide_quantiles": (_f4, (QUANTILES, WIDE)),
        "style_wide_steps": (_f4, (QUANTILES - 1, WIDE)),
        "style_wide_lagged": (_f4, (len(layout.lags) * WIDE, WIDE)),
        "style_wide_top": (_f4, (1,)),
    }


def work_fields(layout: Layout, *, channels: int) -> Fields:
    """Return the views of the room to work in."""
    bins, bands, n_fft = layout.bins, layout.bands, layout.n_fft
    return {
        "solved": (_f4, (bands, bands)),
        "windowed": (_f4, (2 * channels, n_fft)),
        "spectra": (np.complex64, (2 * channels, bins)),
        "powers": (_f4, (2 * channels, bins)),
        "power": (_f4, (2, bins)),
        "magnitudes": (_f4, (2, bins)),
        "levels": (_f4, (2, bins)),
        "deviations": (_f4, (2, bins)),
        "inside": (_f4, (2, bands)),
        "moved_bands": (_f4, (bands,)),
        "wanted": (_f4, (bands,)),
        "change": (_f4, (bands,)),
        "gradient": (_f4, (bands,)),
        "own": (_f4, (bins,)),
        "mapped": (_f4, (bins,)),
        "moved": (_f4, (bins,)),
        "step": (_f4, (bins,)),
        "wished": (_f4, (bins,)),
        "squares": (_f4, (bins,)),
        "sought": (_f4, (bands,)),
        "distances": (_f4, (SEARCHED_AT_ONCE,)),
        "voice": (_f4, (1, n_fft)),
        "phase": (np.complex64, (1, bins)),
        "played": (np.complex64, (channels, bins)),
        "back": (_f4, (channels, n_fft)),
        "wet": (_f4, (channels, layout.hop)),
        "dry": (_f4, (channels, layout.hop)),
        "ceiling": (_f4, (1,)),
        "wide_solved": (_f4, (WIDE, WIDE)),
        "wide_levels": (_f4, (3, WIDE)),
        "wide_logs": (_f4, (2, WIDE)),
        "wide_inside": (_f4, (2, WIDE)),
        "wide_mapped": (_f4, (WIDE,)),
        "wide_moved": (_f4, (WIDE,)),
        "wide_change": (_f4, (WIDE,)),
        "wide_gradient": (_f4, (WIDE,)),
        "asked_for": (_f4, (WIDE,)),
        "ratio": (_f4, (WIDE,)),
        "attack": (_f4, (WIDE,)),
        "medians": (_f4, (9, bins)),
        "edges": (_f4, (bins,)),
        "speaking": (_f4, (bins,)),
        "own_gain": (_f4, (bins,)),
        "carried_gain": (_f4, (bins,)),
        "side": (_f4, (bins,)),
        "toneless": (np.complex64, (1, bins)),
        "spoken": (np.complex64, (channels, bins)),
    }


@inlined
def open_kept(now: NDArray[np.void], memory: Bytes, place: NDArray[np.int64]) -> Kept:
    """Return the views of what is kept, in the order of `kept_fields`."""
    return Kept(
        now=now,
        input=floats_2d(memory, place[1]),
        output=floats_2d(memory, place[2]),
        filled=whole_numbers(memory, place[3]),
        weights=doubles(memory, place[4]),
        shares=doubles(memory, place[5]),
        known=doubles(memory, place[6]),
        stale=whole_numbers(memory, place[7]),
        frames=floats_2d(memory, place[8]),
        newest=floats_2d(memory, place[9]),
        means=floats_2d(memory, place[10]),
        covariance=floats_2d(memory, place[11]),
        snapshot=floats_2d(memory, place[12]),
        variance=floats(memory, place[13]),
        maps=floats_3d(memory, place[14]),
        map=floats_2d(memory, place[15]),
        rest_gain=floats(memory, place[16]),
        offset=floats(memory, place[17]),
        quantiles=floats_2d(memory, place[18]),
        widths=floats_2d(memory, place[19]),
        gram=floats_2d(memory, place[20]),
        past=floats_2d(memory, place[21]),
        sum=floats_2d(memory, place[22]),
        rumble=doubles_3d(memory, place[23]),
        style_mean=floats(memory, place[24]),
        style_rest=floats(memory, place[25]),
        style_largest=floats(memory, place[26]),
        style_quantiles=floats_2d(memory, place[27]),
        style_steps=floats_2d(memory, place[28]),
        style_lagged=floats_2d(memory, place[29]),
        wide_means=floats_2d(memory, place[30]),
        wide_covariance=floats_2d(memory, place[31]),
        wide_snapshot=floats_2d(memory, place[32]),
        wide_maps=floats_3d(memory, place[33]),
        wide_map=floats_2d(memory, place[34]),
        wide_quantiles=floats_2d(memory, place[35]),
        wide_widths=floats_2d(memory, place[36]),
        wide_gram=floats_2d(memory, place[37]),
        wide_past=floats_2d(memory, place[38]),
        floors=floats(memory, place[39]),
        ring=floats_2d(memory, place[40]),
        style_wide_mean=floats(memory, place[41]),
        style_wide_largest=floats(memory, place[42]),
        style_wide_quantiles=floats_2d(memory, place[43]),
        style_wide_steps=floats_2d(memory, place[44]),
        style_wide_lagged=floats_2d(memory, place[45]),
        style_wide_top=floats(memory, place[46]),
    )


@inlined
def open_work(memory: Bytes, place: NDArray[np.int64]) -> Work:
    """Return the views of the room to work in, in the order of `work_fields`."""
    return Work(
        solved=floats_2d(memory, place[0]),
        windowed=floats_2d(memory, place[1]),
        spectra=complex_2d(memory, place[2]),
        powers=floats_2d(memory, place[3]),
        power=floats_2d(memory, place[4]),
        magnitudes=floats_2d(memory, place[5]),
        levels=floats_2d(memory, place[6]),
        deviations=floats_2d(memory, place[7]),
        inside=floats_2d(memory, place[8]),
        moved_bands=floats(memory, place[9]),
        wanted=floats(memory, place[10]),
        change=floats(memory, place[11]),
        gradient=floats(memory, place[12]),
        own=floats(memory, place[13]),
        mapped=floats(memory, place[14]),
        moved=floats(memory, place[15]),
        step=floats(memory, place[16]),
        wished=floats(memory, place[17]),
        squares=floats(memory, place[18]),
        sought=floats(memory, place[19]),
        distances=floats(memory, place[20]),
        voice=floats_2d(memory, place[21]),
        phase=complex_2d(memory, place[22]),
        played=complex_2d(memory, place[23]),
        back=floats_2d(memory, place[24]),
        wet=floats_2d(memory, place[25]),
        dry=floats_2d(memory, place[26]),
        ceiling=floats(memory, place[27]),
        wide_solved=floats_2d(memory, place[28]),
        wide_levels=floats_2d(memory, place[29]),
        wide_logs=floats_2d(memory, place[30]),
        wide_inside=floats_2d(memory, place[31]),
        wide_mapped=floats(memory, place[32]),
        wide_moved=floats(memory, place[33]),
        wide_change=floats(memory, place[34]),
        wide_gradient=floats(memory, place[35]),
        asked_for=floats(memory, place[36]),
        ratio=floats(memory, place[37]),
        attack=floats(memory, place[38]),
        medians=floats_2d(memory, place[39]),
        edges=floats(memory, place[40]),
        speaking=floats(memory, place[41]),
        own_gain=floats(memory, place[42]),
        carried_gain=floats(memory, place[43]),
        side=floats(memory, place[44]),
        toneless=complex_2d(memory, place[45]),
        spoken=complex_2d(memory, place[46]),
    )


#: What does not change, in numbers.
PLAN = np.dtype(
    [
        ("hop_seconds", "f8"),
        ("solve_every", "i8"),
        ("solve_hops", "i8"),
        ("solve_soon", "i8"),
        ("ramp_step", "f8"),
        ("carrier", "i8"),
        ("audible", "i8"),
        ("release", "f8"),
    ]
)
_RELEASE_SECONDS = 0.08


def made_of(layout: Layout, *, weights: Floats, noise: Floats, carrier: int) -> Made:
    """Return what a core is made with; `weights` are of models.live.loudness, `carrier` and `noise` of the carrier."""
    plan = np.zeros(1, dtype=PLAN)
    seconds = layout.hop / layout.sample_rate
    plan["hop_seconds"] = seconds
    plan["solve_every"] = max(2, round(_SOLVE_SECONDS / seconds))
    for name, later in (("solve_hops", _TAKEN_SECONDS), ("solve_soon", _SOON_SECONDS)):
        plan[name] = max(1, min(round(later / seconds), int(plan["solve_every"][0]) - 1))
    plan["ramp_step"] = seconds / _RAMP_SECONDS
    plan["carrier"] = carrier
    plan["audible"] = min(layout.bins, math.ceil(HIGHEST_HZ / layout.sample_rate * layout.n_fft))
    plan["release"] = _RELEASE_SECONDS * layout.sample_rate
    scale = 2.0 / float(layout.pair.analysis.sum())
    return Made(
        plan,
        (layout.pair.analysis * scale).astype(_f4),
        (layout.pair.synthesis[layout.n_fft - layout.pair.length :] / scale).astype(_f4),
        packed_basis(layout.basis),
        wide_basis(layout),
        packed_basis(spread_shares(layout).T),
        spread_shares(layout).sum(axis=1).astype(_f4),
        np.array(layout.lags, dtype=np.int64),
        weights,
        highpass_sections(layout.sample_rate),
        np.ones(1, dtype=np.int64),
        noise,
    )


def fingerprint(fields: Fields) -> int:
    """Return a number that two blocks share only if they hold the same."""
    return zlib.crc32(
        repr([(name, str(np.dtype(kind)), shape) for name, (kind, shape) in fields.items()]).encode()
    )


def new_memory(fields: Fields) -> tuple[Bytes, dict[str, NDArray[Any]]]:
    """Return a block of zeros, and its views."""
    memory = block(fields)
    assert memory.size == size(fields)
    return memory, views(fields, memory)
