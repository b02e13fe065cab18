"""The rings, and the file that the virtual device writes."""

import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.dsp.dry_path import free_rows
from gramophone.dsp.history import History
from gramophone.realtime.audio import rings
from gramophone.realtime.audio.rings import POLL, InputRing, OutputRing
from gramophone.takes.wavfile import WavWriter, seal


def ramp(start, stop, channels=2):
    return (np.arange(start, stop)[None] + 1000.0 * np.arange(channels)[:, None]).astype(np.float32)


def write(ring, start, block):
    """Write [channels, n] to frames `start` onwards."""
    ring.memory[np.arange(start, start + block.shape[1]) % ring.frames] = block.T
    ring.publish()


def free(ring, played):
    """Do what an engine does with what has been played."""
    free_rows(ring.memory, ring.kept, played, np.zeros((0, 0), dtype=np.float32), 0)
    ring.free(played)


def take(ring, count):
    """Return the next frames [channels, count] of what the device has written."""
    at = ring.position - ring.buffer.read_available
    rows = ring.memory[np.arange(at, at + count) % ring.frames].T
    ring.advance(count)
    return rows


def play(ring, count):
    """Do what a device does: read `count` frames, as far as they are there."""
    out = np.zeros((count, ring.channels), dtype=np.float32)
    assert ring.buffer.readinto(out) == count
    return out.T


@given(st.lists(st.integers(1, 40), max_size=30))
def test_what_is_written_ahead_is_heard_at_its_frame(blocks):
    ring = OutputRing(64, 2)
    position = 0
    for count in blocks:
        free(ring, position)
        write(ring, position + 5, ramp(position + 5, position + 5 + count)[:, : 64 - 5])
        heard = play(ring, min(count, 64))
        expected = ramp(position, position + count)
        expected[:, np.arange(position, position + count) < 5] = 0.0
        np.testing.assert_array_equal(heard, expected)
        position += count
        assert ring.position == position


def test_what_was_never_written_is_silence_also_the_second_time_round():
    ring = OutputRing(64, 1)
    write(ring, 0, np.ones((1, 64), dtype=np.float32))
    assert play(ring, 64).all()
    free(ring, 64)
    assert not play(ring, 64).any()


def test_the_input_ring_tells_the_time_of_the_device():
    ring = InputRing(64, 2)
    for _ in range(10):
        before = ring.position
        assert ring.buffer.write(np.ascontiguousarray(ramp(before, before + 30).T)) == 30
        assert ring.position == before + 30
        np.testing.assert_array_equal(take(ring, 20), ramp(before, before + 20))
        np.testing.assert_array_equal(take(ring, 10), ramp(before + 20, before + 30))


class Device:
    """Writes blocks of 48 frames to a ring, in simulated time, each millisecond and as much later as `late` says."""

    def __init__(self, late):
        self.ring = InputRing(1024, 1)
        self.due = [0.001 * (number + 1) + delay for number, delay in enumerate(late)]
        self.now = 0.0
        self.sleeps = 0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.sleeps += 1
        while self.due and self.due[0] <= self.now:
            self.came = self.due.pop(0)
            self.ring.buffer.write(np.zeros((48, 1), dtype=np.float32))

    def follow(self):
        """Wait for every block; return by how many seconds each was found after it had come."""
        found: list[float] = []
        while self.due:
            self.ring.wait(48, 48_000)
            if count := self.ring.position - 48 * len(found):
                found += [self.now - self.came] * (count // 48)
                self.ring.advance(count)
        return np.array(found)


@given(st.lists(st.floats(0.0, 0.0002), min_size=100, max_size=300))
@settings(max_examples=20)
def test_a_wait_finds_blocks_when_they_come_and_seldom_sleeps_in_vain(late):
    device = Device(late)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rings, "time", device)
        found = device.follow()
    assert found.max() < 2.0 * POLL
    assert device.sleeps < 2.0 * len(late) + 10


@pytest.mark.parametrize("shift", [-0.0005, 0.0005, 0.003])
def test_a_wait_keeps_time_again_after_a_device_was_late(shift):
    device = Device([0.001] * 20 + [0.001 + shift] * 80)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rings, "time", device)
        found = device.follow()
    assert found.max() < 0.001
    assert found[40:].max() < 2.0 * POLL


@pytest.mark.parametrize("delay", [0.0005, 0.0009])
def test_one_late_block_makes_no_other_late(delay):
    late = [0.0001] * 100
    late[50] = delay
    device = Device(late)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rings, "time", device)
        found = device.follow()
    assert found[51:].max() < 2.0 * POLL


@given(st.lists(st.integers(1, 64), min_size=1, max_size=20), st.integers(0, 64))
def test_history_gives_back_what_was_pushed(blocks, back):
    history = History(64, 2)
    for count in blocks:
        history.push(ramp(history.position + 1, history.position + count + 1))
    stop = history.position
    expected = ramp(stop - back + 1, stop + 1)
    expected[:, : max(0, back - stop)] = 0.0
    np.testing.assert_array_equal(history.get(stop - back, stop), expected)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_a_file_can_be_taken_over_by_another_writer(tmp_path, channels):
    path = tmp_path / "out.wav"
    path.write_bytes(b"")
    sound = np.random.default_rng(0).standard_normal((1000, channels)).astype(np.float32)
    first = WavWriter(path, sample_rate=44_100, channels=channels)
    first.write(sound[:300])
    # The first one is not closed: it was killed.
    second = WavWriter(path, sample_rate=44_100, channels=channels, frame=400)
    second.write(sound[400:])
    second.close()
    first.close()
    seal(path)
    heard, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 44_100
    sound[300:400] = 0.0
    np.testing.assert_array_equal(heard, sound)
    assert soundfile.info(path).subtype == "FLOAT"


def test_beyond_four_gigabytes_the_sizes_have_64_bits(tmp_path):
    path = tmp_path / "long.wav"
    path.write_bytes(b"")
    frames = 2**29 + 7
    writer = WavWriter(path, sample_rate=48_000, channels=2, frame=frames - 1)
    # The file has a hole and takes no room on the disk.
    writer.write(np.ones((1, 2), dtype=np.float32))
    writer.close()
    seal(path)
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.frames, info.channels) == ("RF64", "FLOAT", frames, 2)
    with path.open("rb") as file:
        assert struct.unpack("<4sI", file.read(8)) == (b"RF64", 2**32 - 1)


def test_a_frame_that_was_cut_off_does_not_count(tmp_path):
    path = tmp_path / "cut.wav"
    path.write_bytes(b"")
    writer = WavWriter(path, sample_rate=48_000, channels=2)
    writer.write(np.ones((10, 2), dtype=np.float32))
    writer.close()
    with path.open("ab") as file:
        file.write(b"\0\0\0")
    seal(path)
    assert soundfile.info(path).frames == 10
