from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsp.audiopieces import write_pieces
from dsp.errors import InputError

RATE = 22050


def pieces() -> Iterator[np.ndarray]:
    generator = np.random.default_rng(0)
    for length in (1000, 1, 5000):
        yield generator.uniform(-0.9, 0.9, (2, length))


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "out.aiff"])
def test_the_file_holds_the_pieces_one_after_the_other(name: str, tmp_path: Path) -> None:
    write_pieces(tmp_path / name, pieces(), RATE, channels=2, length=6001)
    samples, rate = soundfile.read(tmp_path / name)
    assert rate == RATE
    np.testing.assert_allclose(samples.T, np.concatenate(list(pieces()), axis=1), atol=2.0**-22)


def test_what_is_too_large_for_the_header_of_a_wav_file_is_rf64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    write_pieces(path, pieces(), RATE, channels=2, length=2**30)
    assert path.read_bytes()[:4] == b"RF64"
    assert soundfile.info(path).frames == 6001


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from pieces()
        raise KeyboardInterrupt

    (tmp_path / "kept.wav").write_bytes(b"as it was")
    for name, overwrite in (("new.wav", False), ("kept.wav", True)):
        with pytest.raises(KeyboardInterrupt):
            write_pieces(tmp_path / name, broken(), RATE, channels=2, length=6001, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.wav"]
    assert (tmp_path / "kept.wav").read_bytes() == b"as it was"


def test_what_a_format_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="MP3") as caught:
        write_pieces(tmp_path / "out.mp3", pieces(), 96000, channels=2, length=6001)
    assert "\n" not in str(caught.value)
    (tmp_path / "there.wav").touch()
    with pytest.raises(InputError, match="already exists"):
        write_pieces(tmp_path / "there.wav", pieces(), RATE, channels=2, length=6001)
    assert {path.name for path in tmp_path.iterdir()} == {"there.wav"}
