from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import gramophone.models.live.stylizer
from gramophone.media.errors import InputError
from gramophone.models.live.stylizer import StylizerSettings
from gramophone.models.style import Style
from gramophone.plugins.chain import Chain
from gramophone.plugins.knobs import MAX_STYLES, STYLIZER
from gramophone.plugins.live_chain import LIVE_PARAMETERS, live_chain
from gramophone.plugins.stylizer import StylizerPlugin
from tests.plugins.playing import late, play, prepared

Block = NDArray[np.float32]


def clip(seed: int) -> Style:
    """One second of noise under a slow wave: a style of its own for each seed."""
    rng = np.random.default_rng(seed)
    wave = 0.2 + np.sin(2.0 * np.pi * (3.0 + seed) * np.arange(44_100) / 44_100) ** 2
    coloured = np.convolve(rng.standard_normal(44_100), rng.standard_normal(8 + 4 * seed), mode="same")
    return Style.from_audio(0.05 * wave * coloured, 44_100, name=f"clip {seed}")


@pytest.fixture(scope="module")
def styles() -> list[Style]:
    return [clip(seed) for seed in range(2)]


def chain_at(
    styles: Sequence[Style],
    values: Mapping[str, float] | None = None,
    *,
    rate: int = 48_000,
    block: int = 128,
    channels: int = 1,
) -> Chain:
    chain = live_chain(styles, StylizerSettings())
    return prepared(chain, values, rate=rate, block=block, channels=channels)


def chord(seconds: float, *, rate: int = 48_000, channels: int = 1) -> Block:
    time = np.arange(round(seconds * rate)) / rate
    notes = sum(np.sin(2.0 * np.pi * frequency * time) for frequency in (110.0, 277.0, 330.0, 880.0))
    return np.repeat(0.15 * np.asarray(notes)[np.newaxis], channels, axis=0).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("lengths", [(1, 100, 7), (128,)])
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_at_strength_0_it_is_the_input_late_by_the_latency_bit_for_bit(
    styles: list[Style], rate: int, lengths: tuple[int, ...], channels: int
) -> None:
    chain = chain_at(styles, {"strength": 0.0}, rate=rate, channels=channels)
    # Up to full scale: the limiter at the end of the chain has nothing to do either.
    sound = np.random.default_rng(0).uniform(-1.0, 1.0, (channels, rate // 10)).astype(np.float32)
    np.testing.assert_array_equal(play(chain, sound, lengths), late(sound, chain.latency_samples))
    assert not chain.limiter_active


@pytest.mark.parametrize("switch", ["bypass", "stylizer_bypass"])
def test_bypassed_it_is_the_input_as_late_bit_for_bit(styles: list[Style], switch: str) -> None:
    chain = chain_at(styles, {switch: 1.0}, channels=2)
    sound = chord(0.2, channels=2)
    np.testing.assert_array_equal(play(chain, sound), late(sound, chain.latency_samples))


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_any_partition_gives_the_same_samples_while_knobs_are_turned(styles: list[Style], rate: int) -> None:
    sound = chord(0.5, rate=rate, channels=2)
    turns = [
        (rate // 10, "strength", 0.4),
        (rate // 8, "style_2", 0.0),
        (rate // 7, "mix", 0.7),
        (rate // 5, "stylizer_bypass", 1.0),
        (rate // 4, "stylizer_bypass", 0.0),
        (rate // 3, "notes", 0.0),
    ]
    whole = play(chain_at(styles, rate=rate, block=2048, channels=2), sound, [2048], turns)
    for lengths in ((1, 33, 300), (128,), (511,)):
        parts = play(chain_at(styles, rate=rate, block=2048, channels=2), sound, lengths, turns)
        np.testing.assert_allclose(parts, whole, rtol=0.0, atol=1e-4)


@pytest.mark.parametrize(
    "identity", ["strength", "mix", "notes", "style_2", "gate", "bypass", "stylizer_bypass", "gain"]
)
def test_turning_a_knob_makes_no_click(styles: list[Style], identity: str) -> None:
    parameter = next(parameter for parameter in LIVE_PARAMETERS if parameter.id == identity)
    low, high = (-20.0, 0.0) if identity == "gain" else (parameter.low, parameter.high)
    rate, sound = 48_000, chord(2.0)
    steady = 0.0
    for value in (low, high):
        still = chain_at(styles, {identity: value})
        play(still, sound)
        # The same seconds as below, with what has been learnt by then.
        steady = max(steady, float(np.abs(np.diff(play(still, sound))).max()))
    chain = chain_at(styles, {identity: low})
    play(chain, sound)
    # There and back in steps of a controller, then in one jump each way.
    places = [*np.linspace(0.0, 1.0, 32), *np.linspace(1.0, 0.0, 32)]
    turns = [(256 * step, identity, low + (high - low) * place) for step, place in enumerate(places)]
    turns += [(24_000, identity, high), (48_000, identity, low), (72_000, identity, high)]
    out = play(chain, sound, turns=turns)
    # A fade over 10 ms adds its slope to the sound's own.
    assert float(np.abs(np.diff(out)).max()) <= 1.5 * steady + 1.0 / (0.010 * rate)


def test_it_does_something_and_holds_its_ceiling(styles: list[Style]) -> None:
    chain = chain_at(styles)
    sound = chord(1.0)
    out = play(chain, sound)
    changed = np.sqrt(np.mean((out - late(sound, chain.latency_samples))[:, 24_000:] ** 2))
    assert changed > 0.1 * np.sqrt(np.mean(sound**2))
    assert np.abs(out).max() <= 10.0 ** (-1.0 / 20.0)
    assert chain.hop is not None
    assert chain.hop > 0


def test_reset_forgets_what_it_learnt(styles: list[Style]) -> None:
    chain = chain_at(styles, {"strength": 0.8})
    first = play(chain, chord(0.4))
    chain.reset()
    np.testing.assert_array_equal(play(chain, chord(0.4)), first)


def test_knobs_are_the_listed_ones_whatever_is_loaded(styles: list[Style]) -> None:
    for loaded in (styles[:1], styles):
        chain = live_chain(loaded)
        assert chain.parameters == LIVE_PARAMETERS
        assert {p.id: chain.get(p.id) for p in chain.parameters} == {p.id: p.default for p in LIVE_PARAMETERS}
        chain.prepare(sample_rate=48_000, block=64, channels=1)
        for parameter in LIVE_PARAMETERS:
            for value in (parameter.low, parameter.high, parameter.default):
                chain.set(parameter.id, value)
                assert np.isfinite(chain.process(chord(0.001))).all()


def test_weights_of_styles_that_are_not_loaded_change_nothing(styles: list[Style]) -> None:
    sound = chord(0.3)
    one = play(chain_at(styles[:1]), sound)
    two = play(chain_at(styles[:1], {"style_2": 0.0, "style_3": 0.3, "style_4": 0.0}), sound)
    np.testing.assert_array_equal(two, one)


def test_none_or_too_many_styles_are_refused(styles: list[Style]) -> None:
    assert gramophone.models.live.stylizer.MAX_STYLES == MAX_STYLES
    for count in (0, MAX_STYLES + 1):
        with pytest.raises(InputError, match=f"{count} styles .* give 1 to 4"):
            StylizerPlugin([styles[0]] * count)


def test_it_must_be_prepared_first(styles: list[Style]) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        StylizerPlugin(styles).process(chord(0.001))


def test_the_order_of_weights_is_that_of_the_styles() -> None:
    weights = [parameter.id for parameter in STYLIZER if parameter.id.startswith("style_")]
    assert weights == [f"style_{place}" for place in range(1, MAX_STYLES + 1)]
