"""Sound on disk: what is written is read, from any place and in any pieces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gramophone.media.errors import InputError
from gramophone.media.spool import Spool


def test_a_new_spool_is_silent(tmp_path: Path) -> None:
    spool = Spool.create(tmp_path / "a", channels=3, length=100)
    assert spool.read(0, 100).shape == (3, 100)
    assert not spool.read(-10, 200).any()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_written_pieces_are_read_back_in_other_pieces(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    length = data.draw(st.integers(0, 300))
    spool = Spool.create(tmp_path_factory.mktemp("spool") / "a", channels=2, length=length)
    # Silence around what is there, as far as any piece reaches.
    margin = 50
    expected = np.zeros((2, length + 2 * margin), dtype=np.float32)
    for value in range(1, 4):
        start = data.draw(st.integers(-margin, length))
        piece = np.full((2, data.draw(st.integers(0, margin))), float(value))
        piece[1] *= -1
        spool.write(start, piece)
        expected[:, margin + start : margin + start + piece.shape[1]] = piece
        expected[:, :margin] = expected[:, margin + length :] = 0.0
    start = data.draw(st.integers(-margin, length + margin))
    stop = data.draw(st.integers(start, length + margin))
    np.testing.assert_array_equal(spool.read(start, stop), expected[:, margin + start : margin + stop])


def test_an_opened_spool_is_the_one_that_was_written(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    Spool.create(tmp_path / "a", channels=2, length=1000).write(0, samples)
    again = Spool.open(tmp_path / "a")
    assert (again.channels, again.length) == (2, 1000)
    np.testing.assert_array_equal(again.read(0, 1000), samples)


@pytest.mark.parametrize("damage", ["missing", "foreign", "cut"])
def test_what_is_no_spool_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a"
    if damage == "foreign":
        path.write_bytes(b"RIFF" * 100)
    elif damage == "cut":
        Spool.create(path, channels=1, length=100)
        path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(InputError, match="a") as error:
        Spool.open(path)
    assert "\n" not in str(error.value)
