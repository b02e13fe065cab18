"""The recorder beside a real engine: what it writes is what came in, was heard and was turned."""

import multiprocessing
import resource
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.realtime.host import Host
from gramophone.realtime.link.changes import LAYOUT, ChangeKind
from gramophone.realtime.link.engine_settings import MUTE, EngineSettings, VirtualSettings
from gramophone.realtime.link.trace_board import TraceBoard
from gramophone.realtime.recorder import Recorder, take_folder
from gramophone.realtime.recording import Recording
from gramophone.takes.automation import Move
from gramophone.takes.header import Header
from gramophone.takes.reader import Take, open_take
from tests.realtime import trial_chains
from tests.sounds import joined
from tests.take_maker import RATE, noisy_tune

LATENCY = 333
CONTEXT = multiprocessing.get_context("spawn")


def settings(folder: Path, sound: np.ndarray, *, fast: bool) -> EngineSettings:
    soundfile.write(folder / "in.wav", sound.T, RATE, subtype="FLOAT")
    device = VirtualSettings(
        input=folder / "in.wav", output=folder / "out.wav", as_fast_as_possible=fast, overwrite=True
    )
    return EngineSettings(device=device, channels=sound.shape[0])


def trial_host(chosen: EngineSettings) -> Host:
    return Host(chosen, build_chain=trial_chains.delay(latency=LATENCY), parameters=trial_chains.PARAMETERS)


def trial_take(folder: Path) -> Take:
    # The chains of these tests have other knobs than the live chain.
    return open_take(folder, parameters=(*trial_chains.PARAMETERS, MUTE))


def test_an_engine_that_runs_ahead_waits_so_that_nothing_is_lost(tmp_path: Path) -> None:
    sound = np.tile(noisy_tune(4.0, channels=1), (1, 12))
    host = trial_host(settings(tmp_path, sound, fast=True))
    recorder = Recorder(host, tmp_path, take=tmp_path / "take", whole=True)
    with host:
        assert recorder.start() == tmp_path / "take"
        assert host.wait(120.0)
        status = recorder.stop()
    assert (status.recording, status.error, status.lost_seconds) == (False, "", 0.0)
    take = trial_take(tmp_path / "take")
    total = LATENCY + take.header.buffer
    # Behind the end of the file silence came in, until all was heard.
    assert take.frames == sound.shape[1] + total
    np.testing.assert_array_equal(joined(take.dry()), np.pad(sound, ((0, 0), (0, total))))
    heard = soundfile.read(tmp_path / "out.wav", dtype="float32", always_2d=True)[0].T[:, total:]
    assert take.wet_frames == sound.shape[1]
    assert np.abs(joined(take.wet()) - np.clip(heard, -1.0, 1.0)).max() <= 2.0**-23
    assert (take.header.algorithmic, take.header.values["mute"]) == (LATENCY, 0.0)


def test_a_take_in_the_middle_and_another_one(tmp_path: Path) -> None:
    sound = noisy_tune(30.0)
    host = trial_host(settings(tmp_path, sound, fast=False))
    recorder = Recorder(host, tmp_path / "takes")
    assert recorder.status.folder is None
    with pytest.raises(InputError, match="does not play"):
        recorder.start()
    with host:
        host.set("level", 0.75)
        folders = []
        for number in range(2):
            folders.append(recorder.start())
            assert recorder.start() == folders[-1]
            while recorder.status.seconds < 0.3:
                assert not host.wait(0.01)
                assert not recorder.status.error
            host.set("level", 0.25 * (1 + number))
            time.sleep(0.1)
            assert not recorder.stop().error
    assert len(set(folders)) == 2
    for number, folder in enumerate(folders):
        take = trial_take(folder)
        assert take.header.values["level"] == 0.75 - 0.5 * number
        assert take.events[:1] == (Move(take.events[0].frame, "level", 0.25 * (1 + number)),)
        assert 0 < take.events[0].frame < take.frames
        # Somewhere in the file is just what is in the take.
        dry = joined(take.dry())
        starts = np.flatnonzero((sound[0] == dry[0, 0]) & (sound[1] == dry[1, 0]))
        assert any(np.array_equal(sound[:, at : at + dry.shape[1]], dry) for at in starts)
        # What is played last is waited for, but not for long: a busy machine may hold up the engine.
        assert 0 <= take.frames - take.wet_frames <= LATENCY + take.header.buffer + RATE // 4


def test_a_full_disk_ends_the_recording_and_not_the_sound(tmp_path: Path) -> None:
    host = trial_host(settings(tmp_path, noisy_tune(30.0), fast=False))
    recorder = Recorder(host, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with host:
        # Of this process alone: the engine has begun, with a limit of its own.
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
        try:
            folder = recorder.start()
            end = time.monotonic() + 60.0
            while not recorder.status.error:
                assert time.monotonic() < end
                time.sleep(0.05)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        played = host.snapshot().seconds
        time.sleep(0.2)
        assert host.snapshot().state == "running"
        assert host.snapshot().seconds > played
        status = recorder.stop()
        assert "grew past" in status.error
        assert not status.recording
    assert trial_take(folder).frames > 0


def recorded(folder: Path, board: TraceBoard) -> Recording:
    """Record what is on the board."""
    recording = Recording(
        folder,
        Header(sample_rate=RATE, channels=2, values={"strength": 0.5}),
        board,
        ids=[parameter.id for parameter in (*LIVE_PARAMETERS, MUTE)],
        sources=(),
        find=lambda _: None,
        start=None,
    )
    recording.stop()
    recording.run()
    assert recording.failure == ""
    return recording


def test_what_was_overwritten_before_it_was_read_is_silence_and_told(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    board = TraceBoard.new(context, EngineSettings(device=VirtualSettings(input=tmp_path, output=tmp_path)))
    sound = np.tile(noisy_tune(5.0), (1, 10))
    board.taps.input.begin(0, RATE)
    board.taps.output.begin(0, RATE)
    board.changes.add(0, -1, 0.0)
    for place, parameter in enumerate((*LIVE_PARAMETERS, MUTE)):
        board.changes.add(0, place, parameter.default)
    for start in range(0, sound.shape[1], 1000):
        for tap in (board.taps.input, board.taps.output):
            tap.publish(tap.write(start, sound[:, start : start + 1000]), 0.0)
    recording = recorded(tmp_path / "take", board)
    take = open_take(tmp_path / "take")
    ((start, stop),) = take.header.gaps
    assert start == 0
    assert recording.lost == stop / RATE
    assert 9 * RATE < stop < 14 * RATE
    dry = joined(take.dry())
    assert dry.shape == sound.shape
    assert not dry[:, :stop].any()
    np.testing.assert_array_equal(dry[:, stop:], sound[:, stop:])


def test_where_a_recording_goes(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "take").mkdir()
    (tmp_path / "take" / "take.json").touch()
    assert take_folder(tmp_path / "new") == (tmp_path, tmp_path / "new")
    assert take_folder(tmp_path) == (tmp_path, None)
    for path, told in (("file", "is a file"), ("take", "a take already"), ("no/where", "does not exist")):
        with pytest.raises(InputError, match=told):
            take_folder(tmp_path / path)
    assert not list(tmp_path.glob(".*"))


layouts = st.tuples(
    st.sampled_from([44_100, 48_000, 96_000]), st.integers(0, 900), st.sampled_from([64, 256]), st.just(0)
)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(st.lists(st.tuples(layouts, st.integers(2000, 6000)), min_size=1, max_size=6))
def test_a_device_that_comes_back_as_another_one_begins_another_take(
    sessions: list[tuple[tuple[int, int, int, int], int]],
) -> None:
    """Each session is an engine process that begins to play with what the device grants it."""
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as name:
        folder = Path(name)
        board = TraceBoard.new(CONTEXT, EngineSettings(device=VirtualSettings(input=folder, output=folder)))
        wanted: list[tuple[tuple[int, int, int, int], np.ndarray]] = []
        position = 0
        for (rate, algorithmic, buffer, device), frames in sessions:
            for tap in (board.taps.input, board.taps.output):
                tap.begin(position, rate)
            for event, number in zip(LAYOUT, (rate, 256, algorithmic, buffer, device), strict=True):
                board.changes.add(position, event, number)
            board.changes.add(position, ChangeKind.BEGIN, 0.0)
            for place, parameter in enumerate((*LIVE_PARAMETERS, MUTE)):
                board.changes.add(position, place, parameter.default)
            sound = rng.uniform(-1.0, 1.0, (2, frames)).astype(np.float32)
            for tap in (board.taps.input, board.taps.output):
                tap.publish(tap.write(position, sound), 0.0)
            position += frames
            layout = (rate, algorithmic, buffer, device)
            if wanted and wanted[-1][0] == layout:
                sound = np.concatenate([wanted.pop()[1], sound], axis=1)
            wanted.append((layout, sound))
        recording = recorded(folder / "take", board)
        assert len(recording.takes) == len(wanted)
        for number, (path, ((rate, algorithmic, buffer, _), sound)) in enumerate(
            zip(recording.takes, wanted, strict=True), start=1
        ):
            take = open_take(path)
            said = take.header
            assert (said.sample_rate, said.algorithmic, said.buffer) == (rate, algorithmic, buffer)
            np.testing.assert_array_equal(joined(take.dry()), sound)
            # What was heard of it, in time with it.
            assert take.wet_frames == max(0, sound.shape[1] - algorithmic - buffer)
            assert ("came back" in said.note) is (number < len(wanted))


def test_an_output_on_a_full_disk_is_named_and_keeps_what_there_is(tmp_path: Path) -> None:
    host = trial_host(settings(tmp_path, noisy_tune(30.0), fast=False))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        with host:
            assert host.wait(60.0)
            last = host.snapshot()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert last.state == "failed"
    assert f"cannot write {tmp_path / 'out.wav'}: the file grew past" in last.notes[-1]
    assert not any("another one goes on" in note for note in last.notes)
    heard = soundfile.info(tmp_path / "out.wav")
    assert heard.frames == (400_000 - 92) // 8
    assert not list(tmp_path.glob(".*"))
