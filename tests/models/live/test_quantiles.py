"""Where tracked quantiles settle, and what moving values from one distribution to another keeps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from gramophone.models.live.prepared_style import quantile_levels
from gramophone.models.live.quantiles import follow_quantiles, forget_quantiles, match

LEVELS = quantile_levels()
COUNT = LEVELS.size
Floats = NDArray[np.float32]
BINS = 200
VALUES = st.floats(-20.0, 20.0, width=32)
# Quantiles are in order; distances below those that count are as good as none.
STEPS = st.lists(st.sampled_from([0.0, 0.01, 0.3, 2.0, 7.0]), min_size=COUNT - 1, max_size=COUNT - 1)


class RunningQuantiles:
    """Quantiles [q, B] of so many bins, and what is kept with them."""

    def __init__(self, bins: int) -> None:
        self.quantiles = np.zeros((COUNT, bins), dtype=np.float32)
        self.widths = np.zeros((COUNT - 1, bins), dtype=np.float32)

    def forget(self, expected: NDArray[np.floating], lost: float) -> None:
        whole = np.ascontiguousarray(np.broadcast_to(expected, self.quantiles.shape), dtype=np.float32)
        forget_quantiles(self.quantiles, self.widths, whole, lost)

    def follow(self, values: NDArray[np.floating], rate: float) -> None:
        follow_quantiles(np.asarray(values, dtype=np.float32), self.quantiles, self.widths, rate)

    def match(self, values: NDArray[np.floating], style: Floats) -> Floats:
        """Move values to where they would be in a style's distribution [q, 1]."""
        steps = np.repeat(np.diff(style, axis=0), values.size, axis=1)
        lowest, out = np.repeat(style[0], values.size), np.empty(values.size, dtype=np.float32)
        match(np.asarray(values, dtype=np.float32), self.quantiles, self.widths, lowest, steps, out)
        return out


def quantiles(first: float, steps: list[float]) -> Floats:
    return np.cumsum([first, *steps]).astype(np.float32)[:, None]


@pytest.mark.parametrize(
    "distribution",
    [stats.norm(), stats.norm(3.0, 0.5), stats.uniform(-4.0, 2.0), stats.expon(1.0, 2.0), stats.laplace()],
    ids=["normal", "narrow", "uniform", "exponential", "laplace"],
)
def test_they_settle_where_their_share_of_the_values_lies_below(distribution: object) -> None:
    running = RunningQuantiles(BINS)
    # Expected of a style that is nothing like what comes in.
    running.forget(np.linspace(-2.0, 9.0, COUNT)[:, None], 1.0)
    values = distribution.rvs((3000, BINS), random_state=np.random.default_rng(0))  # type: ignore[attr-defined]
    for number, row in enumerate(values):
        running.follow(row, 0.05 if number < 1000 else 0.01)
    # One bin is off by its own noise; all of them together are not.
    below = distribution.cdf(running.quantiles)  # type: ignore[attr-defined]
    np.testing.assert_allclose(below.mean(axis=1), LEVELS, atol=0.01)
    assert below.std(axis=1).max() < 0.05


@given(
    first=VALUES,
    steps=STEPS,
    values=st.lists(VALUES, min_size=1, max_size=60),
    rate=st.floats(0.0, 1.0),
)
def test_whatever_comes_they_stay_in_order_and_move_towards_it(
    first: float, steps: list[float], values: list[float], rate: float
) -> None:
    running = RunningQuantiles(1)
    running.forget(quantiles(first, steps), 1.0)
    for value in values:
        before = running.quantiles.copy()
        running.follow(np.array([value]), rate)
        assert (np.diff(running.quantiles, axis=0) >= 0.0).all()
        # Those below the value rise, those above it fall; order may keep one back, but turns none round.
        assert (running.quantiles >= before)[before <= value].all()
        assert running.quantiles[0, 0] <= before[0, 0] or before[0, 0] <= value


def test_at_rate_0_they_hold() -> None:
    running = RunningQuantiles(1)
    running.forget(quantiles(0.0, [1.0] * (COUNT - 1)), 1.0)
    running.follow(np.array([99.0]), 0.0)
    np.testing.assert_array_equal(running.quantiles, quantiles(0.0, [1.0] * (COUNT - 1)))


@given(
    own=st.tuples(VALUES, STEPS),
    other=st.tuples(VALUES, STEPS),
    values=st.lists(VALUES, min_size=2, max_size=40),
)
def test_what_is_moved_keeps_its_order_and_stays_among_the_styles_quantiles(
    own: tuple[float, list[float]], other: tuple[float, list[float]], values: list[float]
) -> None:
    style = quantiles(*other)
    count = len(values)
    running = RunningQuantiles(count)
    running.forget(quantiles(*own), 1.0)
    moved = running.match(np.array(sorted(values)), style)
    assert (np.diff(moved) >= -1e-4).all()
    assert (moved >= style[0, 0] - 1e-4).all()
    assert (moved <= style[-1, 0] + 1e-4).all()


@given(own=st.tuples(VALUES, STEPS), other=st.tuples(VALUES, STEPS))
def test_each_quantile_becomes_the_styles(
    own: tuple[float, list[float]], other: tuple[float, list[float]]
) -> None:
    style = quantiles(*other)
    mine = quantiles(own[0], [max(step, 0.01) for step in own[1]])
    running = RunningQuantiles(COUNT)
    running.forget(mine, 1.0)
    moved = running.match(mine[:, 0], style)
    # A distance of 0.01 at 20 has three digits left.
    np.testing.assert_allclose(moved, style[:, 0], atol=0.02, rtol=0.0)
    # Half way between two of them is half way between the style's.
    between = running.match(mine[:, 0] + 0.5 * np.append(np.diff(mine[:, 0]), 0.0), style)
    np.testing.assert_allclose(between[:-1], (style[1:, 0] + style[:-1, 0]) / 2, atol=0.02, rtol=0.0)


@given(lost=st.floats(0.0, 1.0), own=st.tuples(VALUES, STEPS), expected=st.tuples(VALUES, STEPS))
def test_as_much_is_forgotten_as_is_lost(
    lost: float, own: tuple[float, list[float]], expected: tuple[float, list[float]]
) -> None:
    running = RunningQuantiles(1)
    running.forget(quantiles(*own), 1.0)
    np.testing.assert_array_equal(running.quantiles, quantiles(*own))
    running.forget(quantiles(*expected), lost)
    mixed = (1.0 - lost) * quantiles(*own) + lost * quantiles(*expected)
    np.testing.assert_allclose(running.quantiles, mixed, atol=1e-4, rtol=1e-5)
    # What is matched from now on is what is left.
    assert running.match(mixed[-1] + 1.0, np.arange(COUNT, dtype=np.float32)[:, None]) == COUNT - 1
