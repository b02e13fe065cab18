"""Flat memory: what compiled code is told of arrays is true."""

from typing import Annotated, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from gramophone.models.live.memory import table_of


class Pair(NamedTuple):
    row: Annotated[NDArray[np.float32], "n"]
    square: Annotated[NDArray[np.float64], "n n"]


ROW, SQUARE = np.zeros(3, dtype=np.float32), np.zeros((3, 3))


def test_a_table_says_where_arrays_are() -> None:
    table = table_of(Pair(ROW, SQUARE))
    assert table.tolist() == [[ROW.ctypes.data, 3, 1, 1], [SQUARE.ctypes.data, 3, 3, 1]]


@pytest.mark.parametrize(
    "wrong",
    [
        Pair(ROW.astype(np.float64), SQUARE),
        Pair(ROW[:, None], SQUARE),
        Pair(np.zeros(6, dtype=np.float32)[::2], SQUARE),
        Pair(ROW, SQUARE.astype(np.float32)),
    ],
)
def test_an_array_that_is_not_as_declared_is_refused(wrong: Pair) -> None:
    with pytest.raises(TypeError, match=r"row|square"):
        table_of(wrong)
