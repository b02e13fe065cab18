"""Taps and the log of changes: a reader gets what was written, or an error that it has been overwritten."""

import multiprocessing

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.realtime.host import Host
from gramophone.realtime.link.changes import LAYOUT, Change, ChangeKind, ChangeLog, ChangeReader
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings, VirtualSettings
from gramophone.realtime.link.taps import OverwrittenError, Tap
from tests.realtime import trial_chains

CONTEXT = multiprocessing.get_context("spawn")
RATE = 48_000
GRANTED = [event.name.lower() for event in LAYOUT]


def counted(start, stop, channels=2):
    """Samples that tell their own frame."""
    return np.arange(start, stop, dtype=np.float32) + 1e5 * np.arange(channels, dtype=np.float32)[:, None]


@settings(max_examples=100)
@given(
    steps=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), min_size=1, max_size=40),
    asked=st.tuples(st.integers(0, 6000), st.integers(0, 6000)),
)
def test_a_tap_gives_what_was_written_or_says_that_it_is_gone(steps, asked):
    # 40 s at 20 Hz, and 2.5 s that may be being overwritten.
    tap = Tap.new(CONTEXT, 2, 20)
    whole = np.zeros((2, 0), dtype=np.float32)
    for count, gap in steps:
        position = tap.position
        stop = position
        # No more at a time than the margin.
        for at in range(position, position + count, 50):
            stop = tap.write(at, counted(at, min(at + 50, position + count)))
            tap.publish(stop, 1.0)
        whole = np.concatenate([whole, counted(position, stop)], axis=1)
        if stop:
            tap.begin(stop + gap, 20)
            whole = np.concatenate([whole, np.zeros((2, gap), dtype=np.float32)], axis=1)
    assert tap.position == whole.shape[1]
    start, stop = sorted(asked)
    if stop > tap.position:
        with pytest.raises(ValueError, match="not there"):
            tap.read(start, stop)
    elif start < tap.oldest and start < stop:
        assert tap.oldest <= max(0, tap.position - 800)
        with pytest.raises(OverwrittenError) as error:
            tap.read(start, stop)
        assert error.value.oldest == tap.oldest
    else:
        np.testing.assert_array_equal(tap.read(start, stop), whole[:, start:stop])


def test_readers_of_the_log_have_places_of_their_own_and_know_what_they_missed():
    log = ChangeLog.new(CONTEXT)
    early = ChangeReader(log, ["gain", "mix"])
    log.add(10, 1, 0.25)
    log.add(20, ChangeKind.SLOT - 2, 7.0)
    late = ChangeReader(log, ["gain", "mix"])
    log.add(30, ChangeKind.BEGIN, 0.0)
    assert early.read() == [Change(10, "mix", 0.25), Change(20, "slot_3", 7.0), Change(30, "begin", 0.0)]
    assert late.read() == [Change(30, "begin", 0.0)]
    assert early.read() == []
    for frame in range(70_000):
        log.add(frame, 0, float(frame))
    seen = early.read()
    assert early.lost == 70_000 - len(seen) > 0
    assert [change.frame for change in seen] == list(range(early.lost, 70_000))
    assert ChangeReader(log, ["gain"], start=log.position - 1).read() == [Change(69_999, "gain", 69_999.0)]


def play(folder, sound, **options):
    soundfile.write(folder / "in.wav", sound.T, RATE, subtype="FLOAT")
    device = VirtualSettings(input=folder / "in.wav", output=folder / "out.wav", as_fast_as_possible=True)
    chosen = EngineSettings(device=device, **options)
    return Host(
        chosen, build_chain=trial_chains.delay(latency=333, colour=0.5), parameters=trial_chains.PARAMETERS
    )


@pytest.mark.slow
def test_the_taps_hold_what_came_in_and_what_was_heard_frame_by_frame(tmp_path):
    sound = (0.1 * np.random.default_rng(0).standard_normal((3, 2 * RATE))).astype(np.float32)
    with play(tmp_path, sound, channels=2, capture_channels=(3,)) as host:
        assert host.wait(60.0)
    heard = soundfile.read(tmp_path / "out.wav", dtype="float32")[0].T
    taps = host.taps
    assert taps.input.sample_rate == RATE
    assert (taps.input.channels, taps.output.channels, taps.channels) == (3, 2, 2)
    np.testing.assert_array_equal(taps.input.read(0, sound.shape[1]), sound)
    np.testing.assert_array_equal(taps.output.read(0, heard.shape[1]), heard)
    assert [change.id for change in host.changes()] == [*GRANTED, "begin", "level", "trouble", "mute"]


def test_captured_channels_that_are_not_there_are_refused(tmp_path):
    sound = np.zeros((2, 100), dtype=np.float32)
    with pytest.raises(InputError, match="--capture-channels"):
        play(tmp_path, sound, channels=2, capture_channels=(3,)).start()
    for wrong in ((), (0,), tuple(range(1, 20))):
        with pytest.raises(InputError, match="counted from 1"):
            EngineSettings(device=DeviceSettings(), capture_channels=wrong)
