"""Takes on full disks, and takes whose writer was killed."""

import multiprocessing
import os
import resource
import shutil
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.models.style import load_style
from gramophone.takes.automation import Move
from gramophone.takes.header import HEADER, Header, is_style_name
from gramophone.takes.reader import open_take
from gramophone.takes.sound import DRY, EXACT, STEPS, WET, sound_files, to_steps
from gramophone.takes.style_copies import keep_style
from gramophone.takes.writer import TakeWriter
from tests.sounds import joined
from tests.take_maker import RATE, noisy_tune, style_file

HEADER_OF_TWO = Header(sample_rate=RATE, channels=2)


def write(writer: TakeWriter, sound: np.ndarray) -> None:
    for start in range(0, sound.shape[1], 1000):
        writer.dry(sound[:, start : start + 1000])
        writer.event(Move(start, "strength", 0.5))
        writer.wet(sound[:, start : start + 1000])
        if start == 60_000:
            writer.checkpoint()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "take").mkdir()
    (tmp_path / "take" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        TakeWriter(tmp_path / "take", HEADER_OF_TWO)
    with pytest.raises(InputError, match="17 channels"):
        TakeWriter(tmp_path / "other", Header(sample_rate=RATE, channels=17))


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
    dry = joined(take.dry())
    stop = min(take.frames, max((end for _, end in take.header.exact), default=take.frames))
    np.testing.assert_array_equal(dry[:, :stop], sound[:, :stop])
    assert np.abs(dry - sound[:, : take.frames]).max() <= 2.0**-24
    assert np.abs(joined(take.wet()) - sound[:, : take.wet_frames]).max() <= 2.0**-24
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
    assert 96_000 - 2 * 4096 <= take.frames <= 96_000
    assert take.header.frames is None
    np.testing.assert_array_equal(joined(take.dry()), noisy_tune(2.0)[:, : take.frames])
    assert len(take.events) >= 60
    for name in (DRY, WET, EXACT, HEADER):
        assert (take.folder / name).exists()


blocks = st.lists(
    st.tuples(st.integers(1, 9000), st.sampled_from(["exact", "float"]), st.booleans()),
    min_size=1,
    max_size=12,
)


@hypothesis.settings(max_examples=30, deadline=None)
@hypothesis.given(blocks, st.sampled_from([2, 9]), st.data())
def test_wherever_a_take_was_cut_it_is_read_to_its_last_whole_frame(
    written: list[tuple[int, str, bool]], channels: int, data: st.DataObject
) -> None:
    """By the end of the recorder, or of the machine, which also takes away what has not reached the disk."""
    files = st.sampled_from([*sound_files(channels), EXACT])
    lost = data.draw(st.one_of(st.just({}), st.dictionaries(files, st.integers(1, 90_000))))
    rng = np.random.default_rng(0)
    with TemporaryDirectory() as name:
        folder = Path(name) / "take"
        writer = TakeWriter(folder, Header(sample_rate=RATE, channels=channels))
        parts = []
        for frames, kind, checkpoint in written:
            sound = rng.uniform(-0.9, 0.9, (channels, frames)).astype(np.float32)
            if kind == "exact":
                sound = (to_steps(sound) / STEPS).astype(np.float32)
            writer.dry(sound)
            writer.wet(sound)
            parts.append(sound)
            if checkpoint:
                writer.checkpoint()
        sound = np.concatenate(parts, axis=1)
        copy = Path(name) / "copy"
        shutil.copytree(folder, copy)
        for file, count in lost.items():
            if (copy / file).exists():
                size = (copy / file).stat().st_size
                os.truncate(copy / file, max(size - count, min(size, 9000)))
        writer.close()
        assert open_take(folder).frames == sound.shape[1]
        try:
            take = open_take(copy)
        except InputError as error:
            # There is not a single block.
            assert "holds no sound" in str(error)  # noqa: PT017
            assert lost or sound.shape[1] <= 2 * 4096
            return
        assert take.cut_short
        if not lost:
            # The encoder holds a block back.
            assert sound.shape[1] - take.frames <= 2 * 4096
        dry = joined(take.dry())
        assert dry.shape[1] == take.frames <= sound.shape[1]
        heard = joined(take.wet()) if take.wet_frames else np.zeros((channels, 0))
        assert np.abs(heard - sound[:, : heard.shape[1]]).max(initial=0.0) <= 2.0**-24
        assert np.abs(dry - sound[:, : take.frames]).max() <= 2.0**-24
        exact = take.frames if take.rounded_from is None else take.rounded_from
        np.testing.assert_array_equal(dry[:, :exact], sound[:, :exact])
        if not lost:
            assert take.rounded_from is None


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


@given(stem=st.binary(min_size=1, max_size=240).filter(lambda name: not {0, 47} & set(name)).map(os.fsdecode))
@example(stem="\U00020000" * 60)
@example(stem=os.fsdecode(b"caf\xe9"))
def test_a_style_of_any_name_is_kept_under_one_that_a_take_can_have(
    tmp_path_factory: pytest.TempPathFactory, stem: str
) -> None:
    folder = tmp_path_factory.mktemp("take")
    (folder / "styles").mkdir()
    source = folder / f"{stem}.style"
    source.write_bytes(b"style")
    for _ in range(2):
        name = keep_style(source, folder)
        assert is_style_name(name)
        assert (folder / name).read_bytes() == b"style"
        name.encode("utf-8")
