"""Medians by networks of exchanges: right for every pattern of zeros and ones, hence for all numbers."""

import itertools

import numpy as np
import pytest

from gramophone.models.live.medians import middle_of_7, middle_of_9


@pytest.mark.parametrize(("count", "middle"), [(7, middle_of_7), (9, middle_of_9)])
def test_every_pattern(count: int, middle) -> None:
    rows = np.array(list(itertools.product((0.0, 1.0), repeat=count)), dtype=np.float32).T.copy()
    out = np.empty(rows.shape[1], dtype=np.float32)
    middle(rows, out)
    np.testing.assert_array_equal(out, np.median(rows, axis=0))
