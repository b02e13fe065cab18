from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.media.errors import InputError
from gramophone.plugins.bypass import FADE_SECONDS
from gramophone.plugins.chain import Chain
from gramophone.plugins.gain import Gain
from gramophone.plugins.limiter import Limiter
from gramophone.plugins.parameter import Parameter
from gramophone.plugins.plugin import Plugin
from tests.plugins.playing import late, play, prepared

Block = NDArray[np.float32]
repeatable = settings(derandomize=True, deadline=None, max_examples=40, database=None)


class Inverter(Plugin):
    """Turns the sound over and delays it: nothing that is bypassed differs more from its input."""

    name = "inverter"
    parameters = (Parameter(id="late", name="Late", low=0, high=999, default=100, curve="integer"),)
    neutral: ClassVar[None] = None

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        del sample_rate, block
        self.past = np.zeros((channels, int(self.get("late"))), dtype=np.float32)

    def process(self, block: Block) -> Block:
        line = np.concatenate([self.past, -block], axis=1)
        self.past = line[:, block.shape[1] :]
        return line[:, : block.shape[1]]

    def reset(self) -> None:
        self.past[:] = 0.0

    @property
    def latency_samples(self) -> int:
        return int(self.get("late"))

    @property
    def hop(self) -> int:
        return 64


class Breaking(Inverter):
    """Gives NaN, for ever, once it hears a sample of exactly 0.75."""

    name = "breaking"

    def process(self, block: Block) -> Block:
        if (block == 0.75).any():
            self.past = np.full_like(self.past, np.nan)
        return super().process(block)


def sine(
    count: int, *, rate: int = 48_000, channels: int = 1, frequency: float = 220.0, level: float = 0.5
) -> Block:
    time = np.arange(count) / rate
    phase = np.arange(channels)[:, np.newaxis]
    return (level * np.sin(2.0 * np.pi * frequency * time + phase)).astype(np.float32)


def noise(seed: int, channels: int, count: int, level: float = 0.9) -> Block:
    return np.random.default_rng(seed).uniform(-level, level, (channels, count)).astype(np.float32)


def roughness(sound: Block) -> float:
    """Return the largest second difference: a step or a corner sticks out of that of a sine."""
    return float(np.abs(np.diff(sound.astype(np.float64), n=2, axis=1)).max())


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("block", [1, 37, 128])
@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_reported_latency_is_where_an_impulse_comes_out(rate: int, block: int, channels: int) -> None:
    chain = prepared(
        Chain([Inverter(), Gain(), Inverter()]),
        {"inverter2_late": 33},
        rate=rate,
        block=block,
        channels=channels,
    )
    assert chain.latency_samples == 133
    impulse = np.zeros((channels, 300), dtype=np.float32)
    impulse[:, 7] = 1.0
    for _ in ("processed", "bypassed", "one bypassed"):
        out = play(chain, impulse, [block])
        assert np.abs(out).argmax(axis=1).tolist() == [140] * channels
        assert np.count_nonzero(out) == channels
        chain.set("bypass", 1.0 - chain.get("bypass"))
        chain.set("inverter_bypass", 1.0)
        chain.reset()


@repeatable
@given(
    rate=st.sampled_from([8_000, 44_100, 48_000, 96_000]),
    channels=st.integers(1, 4),
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    turns=st.lists(
        st.tuples(
            st.integers(0, 2999),
            st.sampled_from(
                [
                    "gain",
                    "gain2_gain",
                    "ceiling",
                    "release",
                    "bypass",
                    "inverter_bypass",
                    "gain_bypass",
                    "limiter_bypass",
                ]
            ),
            st.floats(0.0, 1.0),
        ),
        max_size=8,
        unique_by=lambda turn: turn[:2],
    ),
)
def test_any_partition_gives_the_same_samples_whatever_is_turned(
    rate: int, channels: int, lengths: list[int], turns: list[tuple[int, str, float]]
) -> None:
    sound = noise(0, channels, 3000)
    made = [
        prepared(Chain([Gain(), Inverter(), Gain(), Limiter()]), rate=rate, block=3000, channels=channels)
        for _ in range(2)
    ]
    known = {parameter.id: parameter for parameter in made[0].parameters}
    turned = [(at, identity, known[identity].from_unit(position)) for at, identity, position in turns]
    whole = play(made[0], sound, [3000], turned)
    parts = play(made[1], sound, lengths, turned)
    np.testing.assert_allclose(parts, whole, rtol=0.0, atol=2e-6)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("lengths", [(1, 128, 5), (64,), (128,)])
@pytest.mark.parametrize("switch", ["bypass", "inverter_bypass"])
@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000])
def test_bypass_is_the_late_input_bit_for_bit_once_the_fade_is_over(
    rate: int, switch: str, lengths: tuple[int, ...], channels: int
) -> None:
    sound = noise(1, channels, rate // 10)
    fade = round(FADE_SECONDS * rate)
    at, back = rate // 40, rate // 20
    chain = prepared(Chain([Inverter()]), rate=rate, channels=channels)
    out = play(chain, sound, lengths, [(at, switch, 1.0), (back, switch, 0.0)])
    dry = late(sound, 100)
    np.testing.assert_array_equal(out[:, :at], -dry[:, :at])
    np.testing.assert_array_equal(out[:, at + fade : back], dry[:, at + fade : back])
    np.testing.assert_array_equal(out[:, back + fade :], -dry[:, back + fade :])


@repeatable
@given(
    rate=st.sampled_from([16_000, 44_100, 96_000]),
    turns=st.lists(
        st.tuples(st.integers(0, 200), st.sampled_from(["bypass", "inverter_bypass"]), st.booleans()),
        max_size=12,
    ),
)
def test_no_switching_however_quick_makes_a_click(rate: int, turns: list[tuple[int, str, bool]]) -> None:
    sound = sine(rate // 5, rate=rate, channels=2)
    chain = prepared(Chain([Inverter()]), rate=rate, channels=2)
    play(chain, sine(1000, rate=rate, channels=2))
    out = play(
        chain,
        sound,
        turns=[(place * rate // 1000, switch, float(on)) for place, switch, on in turns],
    )
    # From one sign to the other and back in fades of 10 ms: two of them may multiply, and beat with the sine.
    slope = np.pi / (FADE_SECONDS * rate)
    own = 2.0 * np.pi * 220.0 / rate
    assert roughness(out[:, 200:]) <= 0.5 * (own + 2.0 * slope) ** 2 * 1.1


def test_a_bypassed_plugin_goes_on_hearing() -> None:
    sound = noise(2, 1, 4000)
    chain = prepared(Chain([Inverter()]), {"inverter_bypass": 1.0})
    out = play(chain, sound, turns=[(2000, "inverter_bypass", 0.0)])
    np.testing.assert_array_equal(out[:, 2480:], -late(sound, 100)[:, 2480:])


def test_bypass_set_before_the_start_needs_no_fade() -> None:
    sound = noise(3, 2, 1000)
    for switch in ("bypass", "inverter_bypass"):
        chain = prepared(Chain([Inverter()]), {switch: 1.0}, channels=2)
        np.testing.assert_array_equal(play(chain, sound), late(sound, 100))


def test_alike_signals_keep_their_level_through_the_fade() -> None:
    sound = sine(4800)
    out = play(prepared(Chain([Gain()])), sound, turns=[(1000, "gain_bypass", 1.0), (3000, "bypass", 1.0)])
    np.testing.assert_allclose(out, sound, atol=1e-7)


def test_reset_forgets_all_sound_and_keeps_the_knobs() -> None:
    sound = noise(4, 2, 2000)
    chain = prepared(Chain([Gain(), Inverter(), Limiter()]), {"gain": 6.0}, channels=2)
    first = play(chain, sound)
    play(chain, sound[:, :777], turns=[(100, "bypass", 1.0), (300, "bypass", 0.0)])
    chain.reset()
    np.testing.assert_array_equal(play(chain, sound), first)
    assert chain.get("gain") == 6.0


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 3e38])
def test_what_comes_out_is_finite_whatever_comes_in(poison: float) -> None:
    sound = sine(6000, channels=2)
    sound[0, 1000:1100] = poison
    chain = prepared(Chain([Gain(), Inverter(), Limiter()]), {"gain": 12.0}, channels=2)
    given = sound.copy()
    out = play(chain, sound, turns=[(1050, "bypass", 1.0)])
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(sound, given)
    np.testing.assert_array_equal(out[:, 2000:], late(sound, 100)[:, 2000:])


@pytest.mark.parametrize("lengths", [(128,), (16,)])
def test_a_plugin_that_gives_nan_stands_aside_without_a_click_and_comes_back(
    lengths: tuple[int, ...],
) -> None:
    sound = sine(9600)
    sound[0, 3000] = 0.75
    chain = prepared(Chain([Breaking()]))
    out = play(chain, sound, lengths)
    assert chain.faults == 1
    assert np.isfinite(out).all()
    dry = late(sound, 100)
    np.testing.assert_array_equal(out[:, :2900], -dry[:, :2900])
    np.testing.assert_array_equal(out[:, 4000:], -dry[:, 4000:])
    # Over from the inverted sound within 1.5 ms: no step as large as the one that it bridges.
    fault = np.r_[2900:3099, 3103:4000]
    assert np.abs(np.diff(out[0]))[fault].max() < 0.1


@repeatable
@given(
    st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 0.75, 1.0]), min_size=2, max_size=60),
    st.integers(1, 100),
    st.sampled_from([(1,), (16,), (128,)]),
)
def test_a_plugin_that_gives_nan_is_no_louder_than_its_sound_or_what_stands_in(
    values: list[float], length: int, lengths: tuple[int, ...]
) -> None:
    # Wet and dry are both within full scale, and often at its opposite ends.
    sound = np.repeat(np.array(values, dtype=np.float32), length)[None]
    assert np.abs(play(prepared(Chain([Breaking()])), sound, lengths)).max() <= 1.0


def test_ids_lead_to_their_plugins_and_back() -> None:
    gains = [Gain(), Gain()]
    chain = Chain([*gains, Limiter()], defaults={"ceiling": -3.0, "gain2_gain": -6.0})
    assert {parameter.id: chain.get(parameter.id) for parameter in chain.parameters} == {
        parameter.id: parameter.default for parameter in chain.parameters
    }
    assert chain.get("ceiling") == -3.0
    chain.set("gain2_gain", 99.0)
    assert [gain.get("gain") for gain in gains] == [0.0, 12.0]
    with pytest.raises(KeyError):
        chain.set("volume", 0.0)
    with pytest.raises(InputError, match="no parameter 'volume'"):
        Chain([Gain()], defaults={"volume": 0.0})


def test_hop_is_the_longest_and_none_without_one() -> None:
    assert prepared(Chain([Gain()])).hop is None
    assert prepared(Chain([Gain(), Inverter()])).hop == 64


def test_an_empty_chain_passes_all_and_a_longer_block_is_refused() -> None:
    chain = prepared(Chain([]), channels=2, block=64)
    sound = noise(5, 2, 64)
    np.testing.assert_array_equal(chain.process(sound), sound)
    assert chain.latency_samples == 0
    with pytest.raises(ValueError, match="up to 64 samples, given 65"):
        chain.process(noise(5, 2, 65))


def test_prepared_anew_it_plays_at_another_rate_and_width() -> None:
    chain = prepared(Chain([Gain(), Inverter(), Limiter()]), rate=96_000, block=64, channels=1)
    play(chain, noise(6, 1, 500), [64])
    chain.prepare(sample_rate=8_000, block=512, channels=3)
    sound = noise(6, 3, 2000, level=0.8)
    np.testing.assert_array_equal(play(chain, sound, [512]), -late(sound, 100))
