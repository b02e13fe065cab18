"""The state of a chain: a chain that continues from it sounds like one that never stopped."""

import multiprocessing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gramophone.media.errors import InputError
from gramophone.models.live.stylizer_settings import StylizerSettings
from gramophone.models.style import Style
from gramophone.plugins.chain import Chain
from gramophone.plugins.contract_check import check_contract
from gramophone.plugins.gain import Gain
from gramophone.plugins.limiter import Limiter
from gramophone.plugins.live_chain import LIVE_PARAMETERS, live_chain
from gramophone.plugins.parameter import ContractError
from gramophone.plugins.plugin import Plugin
from gramophone.realtime.link.chain_state import StateBox, StateWriter
from gramophone.realtime.link.engine_settings import MAX_CHANNELS, RATES

RATE, BLOCK, COUNT = 48_000, 512, 9000
MOVABLE = [parameter for parameter in LIVE_PARAMETERS if parameter.id != "adapt"]


def made(channels: int = 2) -> Chain:
    rng = np.random.default_rng(0)
    clips = 0.1 * np.cumsum(rng.standard_normal((2, 1, RATE)), axis=-1)
    clips -= clips.mean(axis=-1, keepdims=True)
    chain = live_chain([Style.from_audio(clip, RATE, name="clip") for clip in 0.05 * clips])
    chain.prepare(sample_rate=RATE, block=BLOCK, channels=channels)
    return chain


FIRST, SECOND = made(), made()
SOUND = (0.8 * np.random.default_rng(1).standard_normal((2, COUNT))).astype(np.float32)
moves = st.lists(
    st.tuples(st.integers(0, COUNT - 1), st.sampled_from(MOVABLE), st.floats(0.0, 1.0)), max_size=12
)


def play(
    chain: Chain, start: int, stop: int, turned: list[tuple[int, str, float]], size: int
) -> NDArray[np.float32]:
    heard = []
    while start < stop:
        for frame, knob, value in turned:
            if frame == start:
                chain.set(knob, value)
        ends = [frame for frame, _, _ in turned if frame > start]
        end = min([stop, start + size, *ends])
        heard.append(chain.process(SOUND[:, start:end]).copy())
        start = end
    return np.concatenate(heard, axis=1)


@settings(max_examples=12)
@given(
    turned=moves,
    split=st.integers(1, COUNT - 1),
    sizes=st.tuples(st.integers(1, BLOCK), st.integers(60, BLOCK)),
)
def test_from_a_state_in_the_middle_everything_goes_on_bit_for_bit(turned, split, sizes):
    changes = sorted((frame, knob.id, knob.from_unit(value)) for frame, knob, value in turned)
    # Two changes of one knob at one frame: the last one counts, as it does in the engine.
    for chain in (FIRST, SECOND):
        for parameter in LIVE_PARAMETERS:
            chain.set(parameter.id, parameter.default)
        chain.reset()
    play(FIRST, 0, split, changes, sizes[0])
    state = FIRST.state()
    kept = {name: array.copy() for name, array in state.items()}
    assert sum(array.nbytes for array in state.values()) < 2e6
    whole = play(FIRST, split, COUNT, changes, sizes[0])
    for name, array in state.items():
        np.testing.assert_array_equal(array, kept[name])
    # Wherever the other one has been, and in whatever blocks it goes on.
    play(SECOND, 0, 1000, [], BLOCK)
    SECOND.restore(state)
    assert [SECOND.get(parameter.id) for parameter in LIVE_PARAMETERS] == [
        state_at(changes, parameter, split) for parameter in LIVE_PARAMETERS
    ]
    np.testing.assert_array_equal(play(SECOND, split, COUNT, changes, sizes[1]), whole)


def state_at(changes, parameter, frame):
    value = parameter.default
    for at, knob, new in changes:
        if knob == parameter.id and at < frame:
            value = parameter.clamp(new)
    return value


def test_the_state_of_another_chain_is_refused():
    state = FIRST.state()
    other = Chain([Gain(), Limiter()])
    other.prepare(sample_rate=RATE, block=BLOCK, channels=2)
    mono = made(channels=1)
    for chain, wrong in ((other, state), (FIRST, other.state()), (mono, state), (FIRST, {})):
        with pytest.raises(InputError, match="not one of this chain"):
            chain.restore(wrong)


def test_a_knob_that_came_later_stays_where_it_stands():
    for chain in (FIRST, SECOND):
        for parameter in LIVE_PARAMETERS:
            chain.set(parameter.id, parameter.default)
    FIRST.set("gate", 11.0)
    FIRST.set("style_2", 0.3)
    FIRST.reset()
    state = FIRST.state()
    # The gate is the stylizer's last one.
    state["stylizer/targets"] = state["stylizer/targets"][:-1]
    SECOND.restore(state)
    assert (SECOND.get("style_2"), SECOND.get("gate")) == (0.3, 6.0)


def test_a_plugin_that_forgets_something_breaks_its_contract():
    class Forgetful(Plugin):
        name = "forgetful"

        def prepare(self, *, sample_rate, block, channels):  # noqa: ARG002
            self.channels = channels
            self.reset()

        def reset(self):
            self.last = np.zeros((self.channels, 1), dtype=np.float32)

        def process(self, block):
            both = np.concatenate([self.last, block], axis=1)
            self.last = both[:, -1:]
            return (both[:, 1:] + 0.5 * both[:, :-1]).astype(np.float32)

        def state(self):
            return super().state()

    with pytest.raises(ContractError, match="state must hold all"):
        check_contract(Forgetful)


def test_the_largest_state_of_the_live_chain_fits_where_a_recorder_gets_it_from() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 44_100))
    chain = live_chain([Style.from_audio(noise, 44_100, name="noise")], StylizerSettings(window="full"))
    chain.prepare(sample_rate=RATES[1], block=1024, channels=MAX_CHANNELS)
    StateWriter(StateBox.new(multiprocessing.get_context("spawn")), chain.state())
