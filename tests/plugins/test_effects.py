"""Effects around the stylizer: they come, go, move and fail while sound passes, without a click."""

import itertools
from typing import ClassVar

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.plugins.chain import Chain
from gramophone.plugins.effects import PlainEffect, to_plain
from gramophone.plugins.found import find_effects
from gramophone.plugins.gain import Gain
from gramophone.plugins.live_chain import LIVE_PARAMETERS, live_parameters
from gramophone.plugins.parameter import Parameter
from gramophone.plugins.plugin import Plugin
from gramophone.plugins.preset import PresetFolder
from gramophone.plugins.slot import EffectSlot
from gramophone.realtime.control.midi_bindings import CcMap
from gramophone.realtime.control.midi_map import MidiMap, read_map

RATE = 48_000
LATE = 480


class Late(Plugin):
    """A plugin that is 480 samples late, and halves its input where its knob says so."""

    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(id="late.half", name="Half", low=0.0, high=1.0, default=0.0, curve="toggle"),
    )

    def __init__(self, name="late", latency=LATE):
        self.name = name  # type: ignore[misc]
        self.latency = latency
        super().__init__()

    def prepare(self, *, sample_rate, block, channels):
        del sample_rate, block
        self.reset_to = np.zeros((channels, self.latency), dtype=np.float32)
        self.reset()

    def reset(self):
        self.past = self.reset_to

    def process(self, block):
        both = np.concatenate([self.past, block], axis=1)
        self.past = both[:, block.shape[1] :]
        return both[:, : block.shape[1]] * np.float32(0.5 if self.get("late.half") else 1.0)

    @property
    def latency_samples(self):
        return self.latency

    def state(self):
        return super().state() | {"past": self.past.copy()}

    def restore(self, state):
        super().restore(state)
        self.past = state["past"]


class Plain(Late):
    """One that is always there."""

    parameters = ()

    def __init__(self):
        super().__init__("plain", 96)

    def get(self, id):
        del id
        return 0.0


def slot(name="late", *, before=False, latency=LATE):
    return EffectSlot(Late(name, latency), key=name, title=name.capitalize(), before=before)


def ready(*plugins, channels=2):
    chain = Chain([*plugins, Gain()])
    chain.prepare(sample_rate=RATE, block=1024, channels=channels)
    return chain


def sine(samples, hertz=220.0, channels=2):
    time = np.arange(samples) / RATE
    return (
        np.stack([np.sin(2 * np.pi * hertz * time + side) for side in range(channels)]).astype(np.float32)
        * 0.5
    )


def play(chain, sound, moves=(), sizes=(256,)):
    """Play a sound in blocks of these sizes, with moves (frame, id, value) at their very frames."""
    out, start = [], 0
    due = sorted(moves, key=lambda move: move[0])
    lengths = itertools.cycle(sizes)
    while start < sound.shape[1]:
        while due and due[0][0] <= start:
            chain.set(*due.pop(0)[1:])
        stop = min(start + next(lengths), sound.shape[1], *(frame for frame, *_ in due[:1]))
        out.append(chain.process(sound[:, start:stop]).copy())
        start = stop
    return np.concatenate(out, axis=1)


def delay_of(heard, sound):
    """By how many samples the end of what is heard is late."""
    part = heard[0, -4096:].astype(float)
    errors = [
        np.abs(part - sound[0, sound.shape[1] - 4096 - lag : sound.shape[1] - lag]).max()
        for lag in range(1200)
    ]
    return int(np.argmin(errors)), min(errors)


@pytest.mark.parametrize("before", [False, True])
def test_the_latency_that_is_reported_is_the_one_that_is_heard_while_an_effect_comes_and_goes(before):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 24_000)).astype(np.float32)
    chain = ready(slot(before=before))
    for wanted in (1.0, 0.0, 1.0):
        heard = play(chain, noise, [(3000, "late_on", wanted)])
        lag, error = delay_of(heard, noise)
        assert error == 0.0
        assert lag == chain.latency_samples == (LATE if wanted else 0)


@pytest.mark.parametrize(
    "moves",
    [
        pytest.param([(5000, "late_on", 0.0), (12_000, "late_on", 1.0)], id="out and in"),
        pytest.param([(5000, "late_bypass", 1.0), (12_000, "late_bypass", 0.0)], id="bypass"),
        pytest.param([(5000, "late_place", 3.0), (12_000, "other_place", 5.0)], id="order"),
        pytest.param([(5000, "late_place", -1.0)], id="to before the stylizer"),
        pytest.param([(5000, "late_dry", 1.0), (12_000, "late_level", -60.0)], id="a branch"),
        pytest.param(
            [(5000, "bypass", 1.0), (9000, "late_on", 0.0), (14_000, "bypass", 0.0)], id="under bypass"
        ),
    ],
)
@pytest.mark.parametrize("hertz", [97.0, 440.0])
def test_a_change_of_the_chain_makes_no_click(moves, hertz):
    sound = sine(24_000, hertz)
    heard = play(ready(slot(), slot("other", latency=96)), sound, moves)
    steps = np.abs(np.diff(heard[:, 2000:], axis=1)).max()
    own = np.abs(np.diff(sound, axis=1)).max()
    # A branch adds up with the sound itself; a fade of 10 ms adds its own slope to that of the sound.
    loudest = np.abs(heard).max() / np.abs(sound).max()
    assert steps <= own * max(1.0, loudest) + 1.0 / (0.010 * RATE)


@pytest.mark.parametrize("before", [False, True])
def test_what_is_added_while_it_plays_is_as_if_it_had_been_there(before):
    sound = sine(24_000)
    there = ready(Plain(), slot(before=before))
    there.set("late_on", 0.0)
    there.reset()
    chain = ready(Plain())
    for one in (there, chain):
        one.set("bypass", 1.0)
    early = [play(one, sound[:, :5000]) for one in (there, chain)]
    late = slot(before=before)
    late.set("late_on", 0.0)
    late.prepare(sample_rate=RATE, block=1024, channels=2)
    chain.add(late)
    # The dry signal has room for the new latency, and has kept what it heard.
    moves = [(100, "late_on", 1.0), (9000, "bypass", 0.0), (14_000, "late_place", 3.0)]
    rest = [play(one, sound[:, 5000:], moves) for one in (there, chain)]
    assert np.array_equal(*early)
    assert np.array_equal(*rest)
    assert chain.latency_samples == there.latency_samples == LATE + 96
    assert {one.id for one in chain.parameters} == {one.id for one in there.parameters}
    there.restore(chain.state())


def test_a_branch_lies_beside_the_delayed_sound():
    sound = np.random.default_rng(0).uniform(-0.4, 0.4, (2, 9000)).astype(np.float32)
    chain = ready(slot())
    for id, value in (("late_dry", 0.5), ("late_level", -60.0), ("late.half", 1.0)):
        chain.set(id, value)
    chain.reset()
    delayed = np.pad(sound, ((0, 0), (LATE, 0)))[:, : sound.shape[1]]
    assert np.array_equal(play(chain, sound), 0.5 * delayed)
    chain.set("late_level", 0.0)
    chain.reset()
    assert np.array_equal(play(chain, sound), delayed)


def test_an_effect_s_knobs_are_knobs_like_all_others(tmp_path):
    effects = find_effects(["gain"], ["limiter", "gain"])
    parameters = live_parameters(effects)
    assert [effect.key for effect in effects] == ["gain2", "limiter2", "gain3"]
    assert parameters[: len(LIVE_PARAMETERS)] == LIVE_PARAMETERS
    folder = PresetFolder(tmp_path, parameters)
    folder.save("wide", {"gain3.gain": -6.0, "gain3_on": 0.0, "limiter2.ceiling": -3.0})
    assert folder.load("wide").values == {"gain3.gain": -6.0, "gain3_on": 0.0, "limiter2.ceiling": -3.0}
    midi = MidiMap(parameters, knobs=CcMap(["none", "20=gain3.gain:-12 dB:0 dB"], parameters))
    midi.save(tmp_path / "map.json")
    again, faults = read_map(tmp_path / "map.json", parameters)
    assert faults == []
    assert again.knobs.receive([0xB0, 20, 127]) == [("gain3.gain", 0.0)]
    assert (
        tuple(PlainEffect.effect(msgspec.convert(to_plain(one), PlainEffect)) for one in effects) == effects
    )


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_heard_does_not_depend_on_the_blocks(data):
    ids = ["late_on", "other_on", "late_place", "other_place", "late_bypass", "other_dry", "late_level"]
    moves = []
    for frame in data.draw(st.lists(st.integers(0, 8000), max_size=8)):
        id = data.draw(st.sampled_from(ids))
        low, high = (-3.0, 3.0) if id.endswith("place") else (0.0, 1.0)
        moves.append((frame, id, float(data.draw(st.sampled_from([low, high])))))
    moves.sort(key=lambda move: move[0])
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 10_000)).astype(np.float32)
    once, again = (
        play(ready(slot(), Gain(), slot("other", latency=96)), sound, moves, sizes)
        for sizes in ((1024,), (1, 300, 64, 17))
    )
    assert np.array_equal(once, again)


def test_a_state_is_enough_to_go_on_from_amid_a_change():
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 8000)).astype(np.float32)
    for at in (100, 300, 600, 4000):
        first, second = (ready(slot(), Gain(), slot("other", latency=96)) for _ in range(2))
        play(first, sound[:, :3000])
        first.set("late_on", 0.0)
        play(first, sound[:, 3000 : 3000 + at])
        second.restore(first.state())
        rest = sound[:, 3000 + at :]
        assert np.array_equal(play(first, rest), play(second, rest))
