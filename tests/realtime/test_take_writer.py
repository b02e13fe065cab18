"""Takes on disks that are full, and takes whose writer was ended."""

import multiprocessing
import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp.errors import InputError
from models.style import load_style
from plugins.automation import Move
from plugins.take import DRY, EXACT, HEADER, WET, open_take
from plugins.take_header import Header
from realtime.take_styles import keep_style
from realtime.take_writer import TakeWriter

sys.path.append(str(Path(__file__).parents[1]))
from takes import RATE, noisy_tune, style_file

HEADER_OF_TWO = Header(sample_rate=RATE, channels=2)


def whole(blocks) -> np.ndarray:
    return np.concatenate(list(blocks), axis=1)


def write(writer: TakeWriter, sound: np.ndarray) -> None:
    for start in range(0, sound.shape[1], 1000):
        writer.dry(sound[:, start : start + 1000])
        writer.event(Move(start, "strength", 0.5))
        writer.wet(sound[:, start : start + 1000])
        if start == 60_000:
            writer.checkpoint()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "take").mkdir()
    with pytest.raises(InputError, match="already exists"):
        TakeWriter(tmp_path / "take", HEADER_OF_TWO)
    with pytest.raises(InputError, match="9 channels"):
        TakeWriter(tmp_path / "other", Header(sample_rate=RATE, channels=9))


@pytest.mark.parametrize("limited", ["flac", "wav", "both"])
def test_a_full_disk_ends_the_take_and_leaves_what_there_is(tmp_path: Path, limited: str) -> None:
    sound = noisy_tune(3.0)
    if limited == "flac":
        sound = np.rint(sound * 2**23).astype(np.float32) / np.float32(2**23)
    writer = TakeWriter(tmp_path / "take", HEADER_OF_TWO)
    most = {"flac": 300_000, "wav": 700_000, "both": 400_000}[limited]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        with pytest.raises(InputError, match="grew past"):
            write(writer, sound)
        writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "grew past" in writer.failure
    take = open_take(tmp_path / "take")
    assert take.header.note == writer.failure
    assert 0 < take.wet_frames <= take.frames < sound.shape[1]
    dry = whole(take.dry())
    stop = min(take.frames, max((end for _, end in take.header.exact), default=take.frames))
    np.testing.assert_array_equal(dry[:, :stop], sound[:, :stop])
    assert np.abs(dry - sound[:, : take.frames]).max() <= 2.0**-24
    assert np.abs(whole(take.wet()) - sound[:, : take.wet_frames]).max() <= 2.0**-24
    assert not list((tmp_path / "take").glob(".*"))


def _write_and_die(folder: Path) -> None:
    writer = TakeWriter(folder, HEADER_OF_TWO)
    write(writer, noisy_tune(2.0))
    os.kill(os.getpid(), signal.SIGKILL)


def test_whoever_ends_the_recorder_what_was_written_can_be_played(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=_write_and_die, args=(tmp_path / "take",))
    process.start()
    process.join(60.0)
    take = open_take(tmp_path / "take")
    assert 50_000 < take.frames <= 61_000
    assert take.header.frames is None
    np.testing.assert_array_equal(whole(take.dry()), noisy_tune(2.0)[:, : take.frames])
    assert len(take.events) >= 60
    for name in (DRY, WET, EXACT, HEADER):
        assert (take.folder / name).exists()


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_style_is_kept_exactly(tmp_path: Path, subtype: str) -> None:
    (tmp_path / "styles").mkdir()
    source = tmp_path / "a: b.wav"
    soundfile.write(source, 0.99 * noisy_tune(1.0).T, RATE, subtype=subtype)
    kept, again = keep_style(source, tmp_path), keep_style(source, tmp_path)
    assert kept == "styles/a_ b.wav"
    assert again == "styles/a_ b-2.wav"
    one, other = load_style(source), load_style(tmp_path / kept)
    assert one.source_hash == other.source_hash
    np.testing.assert_array_equal(one.samples, other.samples)
    one.save(tmp_path / "c.style")
    assert (tmp_path / keep_style(tmp_path / "c.style", tmp_path)).read_bytes() == (
        tmp_path / "c.style"
    ).read_bytes()


def test_a_style_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot copy the style .*gone\.wav"):
        keep_style(tmp_path / "gone.wav", tmp_path)
    with pytest.raises(InputError, match=r"the folder .* does not exist"):
        keep_style(style_file(tmp_path, "there", seed=0), tmp_path / "no folder")
