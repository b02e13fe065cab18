"""Late chains, in simulated time: while a block is computed, the device moves on by as many blocks as the test says."""

import multiprocessing

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.dsp.dry_path import stand_in, take_in
from gramophone.plugins.knobs import GAIN, LIMITER
from gramophone.realtime.audio.virtual_stream import VirtualStream
from gramophone.realtime.engine.engine import Engine
from gramophone.realtime.link.engine_settings import MUTE, DeviceSettings, EngineSettings, VirtualSettings
from gramophone.realtime.link.shared_memory import Link
from gramophone.realtime.link.trace_board import TraceBoard
from gramophone.takes.wavfile import seal
from tests.realtime import trial_chains
from tests.sounds import steepest

RATE = 48_000
IDS = (*(parameter.id for parameter in trial_chains.PARAMETERS), MUTE.id)
CONTEXT = multiprocessing.get_context("spawn")


class Late(trial_chains.Delay):
    """Takes as long as the device needs for some blocks, whenever it has played so many samples.

    Gives nothing above `ceiling`.
    """

    def __init__(self, stalls, *, ceiling=np.inf, **options):
        super().__init__(**options)
        self.stalls = dict(stalls)
        self.ceiling = ceiling
        self.stream: VirtualStream | None = None

    def process(self, block):
        assert self.stream is not None
        out = np.clip(super().process(block), -self.ceiling, self.ceiling)
        for place in [place for place in self.stalls if place < self.position]:
            for _ in range(self.stalls.pop(place)):
                if not self.stream.finished:
                    self.stream._move()
        return out


def compiled():
    """For how many kinds of arrays each function was compiled so far; other tests have kinds of their own."""
    return [len(vars(one)["overloads"]) for one in (take_in, stand_in)]


def play(folder, sound, chain, *, period=128, latency="low", meddle=lambda _stream: None):
    """Return what is heard [channels, samples] and the counters; `sound` is [channels, samples].

    `meddle` gets the stream before it plays.
    """
    soundfile.write(folder / "in.wav", sound.T, RATE, subtype="FLOAT")
    (folder / "out.wav").write_bytes(b"")
    device = VirtualSettings(
        input=folder / "in.wav", output=folder / "out.wav", as_fast_as_possible=True, overwrite=True
    )
    chosen = EngineSettings(device=device, channels=sound.shape[0], blocksize=period, latency=latency)
    link = Link.new(CONTEXT, CONTEXT.RawArray("d", len(IDS)), TraceBoard.new(CONTEXT, chosen))
    link.parameters[IDS.index("level")] = 1.0
    chain.prepare(sample_rate=RATE, block=1024, channels=sound.shape[0])
    stream = VirtualStream(chosen)
    chain.stream = stream
    meddle(stream)
    before = compiled()
    Engine(chain, stream, link, IDS, chosen).run(lambda: None)
    # Another kind of array would have another function compiled while sound waits.
    assert compiled() == [max(1, count) for count in before]
    stream.close()
    seal(folder / "out.wav")
    heard, rate = soundfile.read(folder / "out.wav", dtype="float32", always_2d=True)
    assert rate == RATE
    return heard.T, link


def sine(seconds, *, frequency=440.0, level=0.5):
    return (level * np.sin(2 * np.pi * frequency / RATE * np.arange(round(seconds * RATE))))[None].astype(
        np.float32
    )


def delayed(sound, link):
    latency = link.status.algorithmic + link.status.buffer
    return np.pad(sound, ((0, 0), (latency, 0)))


# What the sine itself has, and what a crossfade of 5 ms and a join of 3 ms add where wet is dry at -0.5: fades of
# raised cosines over 240 and 144 samples.
STEEPEST = 0.5 * 2 * np.pi * 440 / RATE + 0.75 * np.pi / 2 / 144 + 0.75 * np.pi / 2 / 240


@pytest.mark.parametrize("period", [1, 64, 100, 512, 1500])
@pytest.mark.parametrize("algorithmic", [0, 1, 333, 2048])
def test_latency_is_exact_and_the_tail_is_flushed(tmp_path, period, algorithmic):
    sound = np.zeros((2, 5000), dtype=np.float32)
    sound[0, [0, 1000, 4999]] = 0.5
    sound[1, 77] = -1.0
    heard, link = play(tmp_path, sound, trial_chains.Delay(latency=algorithmic), period=period)
    assert link.status.algorithmic == algorithmic
    assert link.status.buffer % period == 0
    assert link.status.buffer >= period
    np.testing.assert_array_equal(heard, delayed(sound, link))


@pytest.mark.parametrize("latency", [0.0, "low", "high", 0.05])
def test_buffer_latency_is_what_was_asked_for_in_whole_blocks(tmp_path, latency):
    _, link = play(tmp_path, sine(0.05), trial_chains.Delay(), period=128, latency=latency)
    seconds = EngineSettings(device=DeviceSettings(), latency=latency).latency_seconds()
    assert link.status.buffer == max(1, int(np.ceil(seconds * RATE / 128))) * 128


@pytest.mark.parametrize("algorithmic", [512, 2048])
def test_a_short_stall_is_heard_as_the_delayed_dry_sound(tmp_path, algorithmic):
    sound = sine(1.0)
    chain = Late({20_000: 5}, latency=algorithmic, colour=0.6)
    heard, link = play(tmp_path, sound, chain)
    dry = delayed(sound, link)
    # Five blocks of 128 are missing; two of them were in hand.
    assert np.isclose(heard, dry, atol=1e-6).sum() - np.isclose(dry, 0.0, atol=1e-6).sum() > 128
    near = np.abs(heard - 0.6 * dry) > 1e-6
    assert 128 < near.sum() < 5 * 128 + 240 + 144
    assert steepest(heard) < STEEPEST
    assert (link.status.deadlines_missed, link.status.ring_empty) == (1, 0)


@pytest.mark.parametrize("blocks", [20, 200, 505, 511, 513, 700])
def test_a_long_stall_is_silence_and_the_sound_returns_at_the_same_latency(tmp_path, blocks):
    sound = sine(4.0)
    heard, link = play(tmp_path, sound, Late({20_000: blocks}, latency=512, colour=0.6))
    dry = delayed(sound, link)
    assert heard.shape == dry.shape
    # Silence for no longer than the stall, wet again soon after, nowhere a step.
    assert 0 < (heard[:, 20_000:] == 0.0).sum() < blocks * 128 + 1200
    back = 20_000 + blocks * 128 + 4800
    np.testing.assert_allclose(heard[:, back:], 0.6 * dry[:, back:], atol=1e-6)
    assert steepest(heard) < STEEPEST
    assert (link.status.deadlines_missed, link.status.ring_empty) == (1, 1)


@settings(max_examples=60, deadline=None)
@given(
    stalls=st.dictionaries(
        st.integers(0, 45_000), st.sampled_from([1, 2, 3, 4, 5, 7, 9, 20, 45, 530]), max_size=8
    ),
    algorithmic=st.sampled_from([0, 100, 512, 2048]),
    period=st.sampled_from([64, 100, 128, 1024]),
    latency=st.sampled_from([0.0, "low", "high"]),
    colour=st.sampled_from([1.0, 0.6, -0.5]),
)
def test_no_stall_makes_a_click_or_moves_the_sound(
    tmp_path_factory, stalls, algorithmic, period, latency, colour
):
    sound = sine(1.0)
    heard, link = play(
        tmp_path_factory.mktemp("stalls"),
        sound,
        Late(stalls, latency=algorithmic, colour=colour),
        period=period,
        latency=latency,
    )
    assert heard.shape == delayed(sound, link).shape
    assert steepest(heard) < STEEPEST
    if not stalls:
        np.testing.assert_allclose(heard, colour * delayed(sound, link), atol=1e-6)


STALLS = st.dictionaries(st.integers(0, 17_000), st.sampled_from([1, 2, 3, 4, 5, 7, 9, 45]), max_size=8)
# A corner in every 64 samples: up to three times full scale, and steep.
CORNERS = st.lists(st.floats(-3.0, 3.0, width=32), min_size=2, max_size=40)


def bent(corners):
    """A sound [1, 20_000] through these values, over and over."""
    values = np.resize(np.array(corners, dtype=np.float32), 20_000 // 64 + 1)
    return np.interp(np.arange(20_000) / 64, np.arange(values.size), values)[None].astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    corners=CORNERS,
    stalls=STALLS,
    algorithmic=st.sampled_from([0, 100, 512, 2048]),
    period=st.sampled_from([64, 100, 128, 1024]),
    latency=st.sampled_from([0.0, "low", "high"]),
    colour=st.sampled_from([1.0, 0.0, -0.5, -100.0]),
    ceiling=st.sampled_from([0.25, 1.0]),
)
def test_what_is_heard_is_never_above_the_ceiling_and_the_dry_sound(
    tmp_path_factory, corners, stalls, algorithmic, period, latency, colour, ceiling
):
    sound = bent(corners)
    heard, link = play(
        tmp_path_factory.mktemp("loud"),
        sound,
        Late(stalls, latency=algorithmic, colour=colour, ceiling=ceiling),
        period=period,
        latency=latency,
    )
    dry = delayed(sound, link)
    most = np.abs(dry)
    if link.status.ring_empty:
        # What fades out there is the last 5 ms of the dry sound, backwards; it may still be held in a join.
        most = np.lib.stride_tricks.sliding_window_view(np.pad(most, ((0, 0), (960, 0))), 961, axis=1).max(-1)
    assert (np.abs(heard) <= np.maximum(most, ceiling) + 1e-6).all()
    # No step but the sounds' own, and the slopes of a join, a crossfade, and a fade out of silence.
    span = max(np.abs(sound).max(), ceiling) + ceiling
    own = max(1.0, abs(colour)) * steepest(dry)
    assert steepest(heard) <= min(own, 2.0 * ceiling + steepest(dry)) + span * np.pi / 2 * (1 / 144 + 2 / 240)


def device_first(stream, blocks):
    """Have the device take a block between the engine's last look and its writing, wherever that is near enough.

    It did when the engine is behind: for all others, the buffer of "high" is long enough.
    """
    row_0, free = stream.output.row_0, stream.output.free
    left = iter(blocks)

    def late_write(start):
        if start < stream.input.position + stream.period and next(left, False):
            stream._move()
        return row_0(start)

    def late_free(played):
        if next(left, False):
            stream._move()
        free(played)

    stream.output.row_0, stream.output.free = late_write, late_free


@settings(max_examples=30, deadline=None)
@given(
    stalls=STALLS, blocks=st.lists(st.booleans(), max_size=400), algorithmic=st.sampled_from([100, 512, 2048])
)
def test_the_device_may_take_a_block_at_any_moment(tmp_path_factory, stalls, blocks, algorithmic):
    sound = sine(0.4)
    chain = Late(stalls, latency=algorithmic, colour=-0.5)
    options = {"latency": "high", "meddle": lambda stream: device_first(stream, blocks)}
    heard, link = play(tmp_path_factory.mktemp("taken"), sound, chain, **options)
    assert steepest(heard) < STEEPEST
    # The taps hold what it has taken, too.
    np.testing.assert_array_equal(link.board.taps.output.read(0, heard.shape[1]), heard)


def test_where_wet_is_dry_a_late_chain_cannot_be_heard(tmp_path):
    sound = sine(1.0)
    heard, link = play(tmp_path, sound, Late({9000: 4, 20_000: 3, 30_000: 5}, latency=512))
    np.testing.assert_allclose(heard, delayed(sound, link), atol=1e-6)
    assert link.status.deadlines_missed == 3


@pytest.mark.parametrize("kind", ["raise", "nan"])
def test_a_plugin_that_fails_leaves_the_dry_sound(tmp_path, kind):
    sound = sine(1.0)

    class Now(trial_chains.Bad):
        def process(self, block):
            start, self.count = getattr(self, "count", 0), getattr(self, "count", 0) + block.shape[1]
            self.values["trouble"] = float(20_000 <= start < 24_000)
            return super().process(block)

    heard, link = play(tmp_path, sound, Now(kind, latency=512, colour=0.6))
    dry = delayed(sound, link)
    buffer = link.status.buffer
    middle = slice(20_000 + buffer + 300, 24_000 + buffer)
    np.testing.assert_allclose(heard[:, middle], dry[:, middle], atol=1e-6)
    np.testing.assert_allclose(heard[:, :20_000], 0.6 * dry[:, :20_000], atol=1e-6)
    np.testing.assert_allclose(heard[:, 26_000:], 0.6 * dry[:, 26_000:], atol=1e-6)
    assert steepest(heard) < STEEPEST
    assert 4000 // 128 <= link.status.faults <= 4000 // 128 + 1
    assert link.status.deadlines_missed == 0
    assert bool(link.last_report().get("notes")) == (kind == "raise")


def test_input_that_is_no_number_becomes_silence_and_is_counted(tmp_path):
    sound = sine(0.5)
    sound[0, 5000:5010] = np.nan
    sound[0, 6000] = np.inf
    heard, link = play(tmp_path, sound, trial_chains.Delay())
    np.testing.assert_array_equal(heard, delayed(np.where(np.isfinite(sound), sound, 0.0), link))
    assert link.status.non_finite == 11


class Pedal(trial_chains.Bad):
    """Fails always, and has a gain like the one of the live chain."""

    parameters = (*trial_chains.PARAMETERS, *GAIN, *LIMITER)

    def __init__(self, decibels, ceiling=0.0, turns=()):
        super().__init__("raise", latency=512)
        self.values |= {"gain": decibels, "ceiling": ceiling, "trouble": 1.0}
        self.turns = iter(turns)

    def process(self, block):
        self.values["gain"] = next(self.turns, self.values["gain"])
        return super().process(block)


@pytest.mark.parametrize(("decibels", "factor"), [(0.0, 1.0), (-20.0, 0.1), (-60.0, 0.0), (6.0, 10**0.3)])
def test_what_stands_in_is_as_loud_as_the_gain_says(tmp_path, decibels, factor):
    # With the volume pedal down, a plugin that fails must not be heard at full level.
    sound = sine(0.5)
    heard, link = play(tmp_path, sound, Pedal(decibels))
    np.testing.assert_allclose(heard[:, 2000:], delayed(factor * sound, link)[:, 2000:], atol=0.02 * factor)
    assert np.abs(heard).max() <= 1.0


@settings(max_examples=30, deadline=None)
@given(
    corners=CORNERS,
    ceiling=st.floats(-12.0, 0.0),
    turns=st.lists(st.sampled_from([-60.0, -6.0, -0.01, 0.0, 0.01, 12.0]), min_size=1, max_size=160),
)
def test_the_gain_lifts_nothing_that_stands_in_above_the_ceiling(tmp_path_factory, corners, ceiling, turns):
    sound = bent(corners)
    heard, link = play(tmp_path_factory.mktemp("lifted"), sound, Pedal(turns[0], ceiling, turns))
    dry = delayed(sound, link)
    assert (np.abs(heard) <= np.maximum(np.abs(dry), 10 ** (ceiling / 20)) + 1e-6).all()
    # The gain takes 20 ms, and moves nothing by more than 12 dB of it in a sample.
    assert steepest(heard) <= 4.0 * steepest(dry) + 4.0 * np.abs(dry).max() / 960
