"""What a core keeps from hop to hop, what it is made with, and where it works: three pieces of memory with names.

Each view says its shape, in the names of `sizes_of`: bins, bands, wide bands, channels, slots and so on; `lagged` are
the bands of the frames at all lags, one below the other. What is kept is one flat block: a state is a copy of it.
"""

from __future__ import annotations

import math
import zlib
from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dsp.audible import HIGHEST_HZ, highpass_sections
from .bands import Basis, packed_basis
from .memory import Fields
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
_RELEASE_SECONDS = 0.08

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
        ("voiced_by", "i8"),
        # The output, see models.live.synthesis.
        ("wet", "f8"),
        ("emitted", "f8"),
        ("reduction", "f8"),
        ("limited", "i8"),
    ]
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


class Kept(NamedTuple):
    """What is kept from hop to hop.

    Attributes:
        now: see `NUMBERS`
        input, output: the hop that fills, and the one that goes out meanwhile
        filled, weights, shares: which slots have a style; weights as far as they have moved; their shares
        known, stale: to which shares belongs what is learnt; whose map was not kept up
        frames: the newest frames of input and output
        newest: the last hop of the output
        means: of the levels of input and output
        covariance: of the input; `snapshot` is what the next map is solved from
        variance: of what lies outside the bands
        maps: of each style; `map` is their mean
        rest_gain, offset: gains of what lies outside the bands; what the output's mean lacks of the style's
        quantiles, widths: see models.live.quantiles
        gram, past: see models.live.gram_memory
        sum: overlap-add
        rumble: of the high-pass
        style_...: the mixture in use, see models.live.style_bank; `style_steps` are differences of quantiles
        wide_...: the same in W wide bands, see models.live.notes; `wide_covariance` has the mean powers as its last row
        floors: what a band must stand above to be an attack, dB
        ring: the input's magnitudes of late
        voiced: the carrier's power of late
    """

    now: Annotated[NDArray[np.void], "1", NUMBERS]
    input: Annotated[Floats, "channels hop"]
    output: Annotated[Floats, "channels hop"]
    filled: Annotated[NDArray[np.int64], "slots"]
    weights: Annotated[Doubles, "slots"]
    shares: Annotated[Doubles, "slots"]
    known: Annotated[Doubles, "slots"]
    stale: Annotated[NDArray[np.int64], "slots"]
    frames: Annotated[Floats, "rows n_fft"]
    newest: Annotated[Floats, "channels hop"]
    means: Annotated[Floats, "2 bins"]
    covariance: Annotated[Floats, "bands bands"]
    snapshot: Annotated[Floats, "bands bands"]
    variance: Annotated[Floats, "bins"]
    maps: Annotated[Floats, "slots bands bands"]
    map: Annotated[Floats, "bands bands"]
    rest_gain: Annotated[Floats, "bins"]
    offset: Annotated[Floats, "bins"]
    quantiles: Annotated[Floats, "quantiles bins"]
    widths: Annotated[Floats, "steps bins"]
    gram: Annotated[Floats, "lagged bands"]
    past: Annotated[Floats, "frames bands"]
    sum: Annotated[Floats, "channels length"]
    rumble: Annotated[Doubles, "channels sections 2"]
    style_mean: Annotated[Floats, "bins"]
    style_rest: Annotated[Floats, "bins"]
    style_largest: Annotated[Floats, "bins"]
    style_quantiles: Annotated[Floats, "quantiles bins"]
    style_steps: Annotated[Floats, "steps bins"]
    style_lagged: Annotated[Floats, "lagged bands"]
    wide_means: Annotated[Floats, "2 wide"]
    wide_covariance: Annotated[Floats, "wide_rows wide"]
    wide_snapshot: Annotated[Floats, "wide_rows wide"]
    wide_maps: Annotated[Floats, "slots wide wide"]
    wide_map: Annotated[Floats, "wide wide"]
    wide_quantiles: Annotated[Floats, "quantiles wide"]
    wide_widths: Annotated[Floats, "steps wide"]
    wide_gram: Annotated[Floats, "wide_lagged wide"]
    wide_past: Annotated[Floats, "frames wide"]
    floors: Annotated[Floats, "wide"]
    ring: Annotated[Floats, "ring bins"]
    voiced: Annotated[Floats, "wide"]
    style_wide_mean: Annotated[Floats, "wide"]
    style_wide_largest: Annotated[Floats, "wide"]
    style_wide_quantiles: Annotated[Floats, "quantiles wide"]
    style_wide_steps: Annotated[Floats, "steps wide"]
    style_wide_lagged: Annotated[Floats, "wide_lagged wide"]
    style_wide_top: Annotated[Floats, "1"]


class Made(NamedTuple):
    """What a core is made with.

    Attributes:
        plan: see `PLAN`
        analysis: in the house's level convention
        synthesis: the end of the window
        basis, wide, spread: see models.live.bands; `wide` takes means of powers, `spread` interpolates between bands
        share: what the power of each wide band adds to the sum over bins
        lags: hops
        weights: K-weighting
        sections: high-pass
        axes: of transforms
        noise: one sample where it is not asked for
    """

    plan: Annotated[NDArray[np.void], "1", PLAN]
    analysis: Annotated[Floats, "n_fft"]
    synthesis: Annotated[Floats, "length"]
    basis: Basis
    wide: Basis
    spread: Basis
    share: Annotated[Floats, "wide"]
    lags: Annotated[NDArray[np.int64], "lags"]
    weights: Annotated[Floats, "bins"]
    sections: Annotated[Doubles, "sections 6"]
    axes: Annotated[NDArray[np.int64], "1"]
    noise: Annotated[Floats, "1 samples"]


class Work(NamedTuple):
    """Room for what a hop computes; only `solved` and `wide_solved`, the maps taken up next, outlive the hop."""

    solved: Annotated[Floats, "bands bands"]
    windowed: Annotated[Floats, "rows n_fft"]
    spectra: Annotated[NDArray[np.complex64], "rows bins"]
    powers: Annotated[Floats, "rows bins"]
    power: Annotated[Floats, "2 bins"]
    magnitudes: Annotated[Floats, "2 bins"]
    levels: Annotated[Floats, "2 bins"]
    deviations: Annotated[Floats, "2 bins"]
    inside: Annotated[Floats, "2 bands"]
    moved_bands: Annotated[Floats, "bands"]
    wanted: Annotated[Floats, "bands"]
    change: Annotated[Floats, "bands"]
    gradient: Annotated[Floats, "bands"]
    own: Annotated[Floats, "bins"]
    mapped: Annotated[Floats, "bins"]
    moved: Annotated[Floats, "bins"]
    step: Annotated[Floats, "bins"]
    wished: Annotated[Floats, "bins"]
    squares: Annotated[Floats, "bins"]
    sought: Annotated[Floats, "bands"]
    distances: Annotated[Floats, "searched"]
    voice: Annotated[Floats, "1 n_fft"]
    phase: Annotated[NDArray[np.complex64], "1 bins"]
    played: Annotated[NDArray[np.complex64], "channels bins"]
    back: Annotated[Floats, "channels n_fft"]
    wet: Annotated[Floats, "channels hop"]
    dry: Annotated[Floats, "channels hop"]
    ceiling: Annotated[Floats, "1"]
    wide_solved: Annotated[Floats, "wide wide"]
    wide_levels: Annotated[Floats, "3 wide"]
    wide_logs: Annotated[Floats, "2 wide"]
    wide_inside: Annotated[Floats, "2 wide"]
    wide_mapped: Annotated[Floats, "wide"]
    wide_moved: Annotated[Floats, "wide"]
    wide_change: Annotated[Floats, "wide"]
    wide_gradient: Annotated[Floats, "wide"]
    asked_for: Annotated[Floats, "wide"]
    ratio: Annotated[Floats, "wide"]
    attack: Annotated[Floats, "wide"]
    medians: Annotated[Floats, "9 bins"]
    edges: Annotated[Floats, "bins"]
    speaking: Annotated[Floats, "bins"]
    own_gain: Annotated[Floats, "bins"]
    carried_gain: Annotated[Floats, "bins"]
    side: Annotated[Floats, "bins"]
    toneless: Annotated[NDArray[np.complex64], "1 bins"]
    spoken: Annotated[NDArray[np.complex64], "channels bins"]


def sizes_of(
    layout: Layout, *, channels: int, slots: int = 1, places: int = 1, samples: int = 1
) -> dict[str, int]:
    """Return the sizes in the shapes of views: of what a core keeps, of its room, and of a style."""
    lags = len(layout.lags)
    return {
        "channels": channels,
        "rows": 2 * channels,
        "hop": layout.hop,
        "n_fft": layout.n_fft,
        "length": layout.pair.length,
        "bins": layout.bins,
        "bands": layout.bands,
        "lagged": lags * layout.bands,
        "frames": max(layout.lags) + 1,
        "wide": WIDE,
        "wide_rows": WIDE + 1,
        "wide_lagged": lags * WIDE,
        "quantiles": QUANTILES,
        "steps": QUANTILES - 1,
        "ring": RING,
        "searched": SEARCHED_AT_ONCE,
        "sections": highpass_sections(layout.sample_rate).shape[0],
        "slots": slots,
        "places": places,
        "samples": samples,
    }


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
