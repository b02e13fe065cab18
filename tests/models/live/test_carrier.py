"""Where the phase comes from: what is heard next in the clips, as far as a frame's phase tells."""

import math

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.models.live.carrier import NOISE, STYLE, next_noise, next_place, noise_clip, phase_of
from gramophone.models.live.core_memory import Work, sizes_of
from gramophone.models.live.memory import fields_of, new_memory, table_of
from gramophone.models.live.prepared_style import live_clip, make_layout
from gramophone.models.live.style_bank import StoredStyle, new_bank
from tests.models.live.parts import Numbers

LAYOUT = make_layout(8000)
HOP, FRAME, BANDS = LAYOUT.hop, LAYOUT.n_fft, LAYOUT.bands
WINDOW = LAYOUT.pair.analysis.astype(np.float32)
ROOM, SAMPLES = 200, 16_384
Floats = NDArray[np.float32]
WANTED = np.linspace(-1.0, 1.0, BANDS, dtype=np.float32)
AWAY = np.eye(BANDS, dtype=np.float32)[7]
FAR = WANTED + 1000.0 * AWAY


class Carrier(Numbers):
    """What a core keeps of its carrier, with three slots."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        sizes = sizes_of(LAYOUT, channels=1, slots=3, places=ROOM, samples=SAMPLES)
        styles = [StoredStyle(**new_memory(fields_of(StoredStyle, sizes))[1]) for _ in range(3)]
        work = Work(**new_memory(fields_of(Work, sizes))[1])
        clips = [style.clip for style in styles] if kind == STYLE else noise_clip()
        bank = new_bank(3)
        bank.styles[:] = [table_of(style) for style in styles]
        parts = {"kind": kind, "bank": bank, "styles": styles, "work": work, "clip": clips}
        for name, value in parts.items():
            object.__setattr__(self, name, value)
        self.bank.slots["stride"] = HOP

    def reset(self, slot: int) -> None:
        self.slot, self.place, self.past_place = slot, 0, 0

    def choose(self, wanted: Floats, shares: list[float], spread: float) -> NDArray[np.complex64]:
        """Return the phase of the next frame."""
        self.spread = spread
        self.work.wanted[:] = wanted
        if self.kind == NOISE:
            start = next_noise(self.now, HOP, FRAME, self.clip.shape[1])
        else:
            start = next_place(self.now, HOP, FRAME, self.bank, np.array(shares), self.work)
        row = 0 if self.kind == NOISE else self.slot
        spectrum = np.fft.rfft(self.clip[row][start : start + FRAME] * WINDOW).astype(np.complex64)
        phase_of(spectrum)
        return spectrum


def empty(*, kind: int = STYLE) -> Carrier:
    return Carrier(kind)


def put(made: Carrier, slot: int, places: Floats, *, stride: int = HOP, clip: Floats | None = None) -> int:
    """Fill a slot; the clip is noise, as long as its places [P, bands] reach. Returns its length."""
    count = places.shape[0]
    length = (count - 1) * stride + FRAME
    if clip is None:
        clip = np.random.default_rng(slot).standard_normal(length).astype(np.float32)
    # Any axes will do; those of a style order what explains most.
    axes = np.linalg.qr(np.random.default_rng(slot).standard_normal((BANDS, BANDS)))[0].astype(np.float32)
    made.styles[slot].axes[:] = axes
    # Row by row: equal places stay equal.
    made.styles[slot].places[:, :count] = np.stack([row @ axes for row in places]).T
    made.styles[slot].clip[: clip.shape[0]] = clip
    made.bank.slots[slot] = (1, 1.0, count, stride, clip.shape[0])
    made.reset(0)
    return length


def places(*rows: tuple[int, Floats], count: int = 12) -> Floats:
    """Places that resemble nothing, but for those that are given by number."""
    out = np.tile(FAR, (count, 1))
    for number, row in rows:
        out[number] = row
    return out


def comes_from(unit: NDArray[np.complex64], made: Carrier, slot: int, start: int) -> bool:
    spectrum = np.fft.rfft(made.clip[slot][start : start + FRAME] * WINDOW)
    return np.allclose(unit, spectrum / np.abs(spectrum), atol=1e-3)


def test_of_every_bin_only_the_phase_is_given_and_of_silence_nothing() -> None:
    made = empty()
    length = put(made, 0, places())
    np.testing.assert_allclose(np.abs(made.choose(WANTED, [1.0, 0.0, 0.0], 1.0)), 1.0, rtol=1e-5)
    put(made, 0, places(), clip=np.zeros(length, dtype=np.float32))
    assert not made.choose(WANTED, [1.0, 0.0, 0.0], 1.0).any()


@given(
    count=st.integers(1, 12), stride=st.sampled_from([HOP, 3 * HOP, 5 * HOP // 2]), spread=st.floats(0.1, 9.0)
)
def test_it_plays_on_to_the_end_of_the_clip_where_nothing_resembles_more(
    count: int, stride: int, spread: float
) -> None:
    made = empty()
    length = put(made, 0, np.tile(WANTED, (count, 1)), stride=stride)
    for start in range(HOP, count * stride, HOP):
        unit = made.choose(WANTED, [1.0, 0.0, 0.0], spread)
        assert comes_from(unit, made, 0, min(start, length - FRAME))
    assert comes_from(made.choose(WANTED, [1.0, 0.0, 0.0], spread), made, 0, 0)


@given(worse=st.floats(0.0, 4.0), spread=st.floats(0.1, 9.0))
def test_it_jumps_only_to_what_is_better_by_one_and_a_half_variances(worse: float, spread: float) -> None:
    assume(abs(worse - 1.5) > 0.02)
    made = empty()
    put(made, 0, places((1, WANTED + math.sqrt(worse * spread) * AWAY), (6, WANTED)))
    unit = made.choose(WANTED, [1.0, 0.0, 0.0], spread)
    assert comes_from(unit, made, 0, 6 * HOP if worse > 1.5 else HOP)


def test_it_never_goes_back_to_what_is_sounding() -> None:
    made, reach = empty(), FRAME // HOP
    put(made, 0, places((3, WANTED), count=5 * reach))
    heard = []
    for _ in range(4 * reach):
        made.choose(WANTED, [1.0, 0.0, 0.0], 1.0)
        heard.append(made.place)
    # As soon as the frame has passed it, and not hop after hop.
    assert heard[: reach + 1] == [*range(3, reach + 4)]
    assert heard[reach + 1 :][:2] == [3, 4]


@given(worse=st.floats(0.0, 4.0), share=st.floats(0.02, 0.98), spread=st.floats(0.1, 9.0))
def test_a_style_with_a_small_share_has_to_fit_better(worse: float, share: float, spread: float) -> None:
    least = 1.5 + 0.3 * math.log(share / (1.0 - share))
    assume(abs(worse - least) > 0.02)
    made = empty()
    put(made, 0, places((1, WANTED + math.sqrt(worse * spread) * AWAY)))
    put(made, 2, places((4, WANTED)))
    unit = made.choose(WANTED, [share, 0.0, 1.0 - share], spread)
    assert comes_from(unit, made, *((2, 4 * HOP) if worse > least else (0, HOP)))


def test_a_style_without_a_share_is_left_at_once_and_never_chosen() -> None:
    made = empty()
    put(made, 0, places((1, WANTED), (2, WANTED)))
    put(made, 1, places((3, WANTED + AWAY)))
    # The one that has no share would fit, and the one that is not open would, too.
    assert comes_from(made.choose(WANTED, [1.0, 0.0, 0.0], 1.0), made, 0, HOP)
    assert comes_from(made.choose(WANTED, [0.0, 0.5, 0.5], 1.0), made, 1, 3 * HOP)
    for _ in range(30):
        made.choose(WANTED, [0.0, 1.0, 0.0], 1.0)
        assert made.slot == 1


def test_the_larger_its_share_the_more_often_a_style_is_heard() -> None:
    rng = np.random.default_rng(0)
    made = empty()
    for slot in (0, 1):
        put(made, slot, 0.1 * rng.standard_normal((ROOM, BANDS), dtype=np.float32))
    wanted = 0.1 * rng.standard_normal((300, BANDS), dtype=np.float32)
    heard = []
    for share in (0.02, 0.2, 0.5, 0.8, 0.98):
        made.reset(0)
        slots = []
        for row in wanted:
            made.choose(row, [share, 1.0 - share, 0.0], 0.1)
            slots.append(made.slot)
        heard.append(slots.count(0) / len(slots))
    assert heard == sorted(heard)
    assert heard[0] < 0.2
    assert heard[-1] > 0.8


def test_what_is_wanted_is_found_in_the_clip_of_a_style() -> None:
    hum = np.sin(2 * np.pi * 200 * np.arange(6000) / 8000)
    hiss = np.random.default_rng(0).standard_normal(6000)
    style = live_clip(0.1 * np.concatenate([hum, hiss])[None], LAYOUT)
    made = empty()
    whole = (style.axes @ style.places).T
    put(made, 0, whole, stride=style.stride, clip=style.clip)
    spread = float(np.trace(style.lagged[:BANDS]))
    for begin in (6000, 0, 6000, 0):
        made.choose(whole[(begin + 2500) // style.stride], [1.0, 0.0, 0.0], spread)
        assert begin <= made.place * style.stride <= begin + 6000 - FRAME


def test_noise_is_the_same_every_time_whatever_is_wanted_and_never_ends() -> None:
    made, other = empty(kind=NOISE), empty(kind=NOISE)
    units = np.stack([made.choose(WANTED, [1.0, 0.0, 0.0], 1.0) for _ in range(2200)])
    np.testing.assert_allclose(np.abs(units), 1.0, rtol=1e-4)
    # It prefers no phase, and goes on from frame to frame as sound does.
    assert np.abs(units[::8].mean(axis=0)).max() < 0.3
    for hop in (0, 1, 2, 1000):
        assert comes_from(units[hop], made, 0, (hop + 1) * HOP)
    again = np.stack([other.choose(FAR, [0.0, 0.2, 0.8], 9.0) for _ in range(2200)])
    np.testing.assert_array_equal(units, again)
    made.reset(0)
    np.testing.assert_array_equal(made.choose(WANTED, [1.0, 0.0, 0.0], 1.0), units[0])
