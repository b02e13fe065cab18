"""Running statistics of an export, fed with what the compiled core is fed with: the same numbers, bit for bit."""

import numpy as np
import torch

from gramophone.models.export.gram_memory import GramMemory
from gramophone.models.export.quantiles import RunningQuantiles
from gramophone.models.export.rounding import blend, follow_mean, follow_products
from gramophone.models.live import gram_memory, hop, quantiles
from gramophone.models.live.prepared_style import QUANTILES
from gramophone.models.live.stylizer import StylizerSettings
from gramophone.models.live.stylizer_settings import stylizer_layout

HOPS = 200
BANDS = 12


def test_covariances_and_means() -> None:
    rng = np.random.default_rng(0)
    theirs = np.eye(BANDS, dtype=np.float32)
    ours, mean = torch.eye(BANDS), torch.zeros(BANDS)
    expected = np.zeros(BANDS, dtype=np.float32)
    for count in range(HOPS):
        z = rng.standard_normal(BANDS, dtype=np.float32)
        part = 1.0 / (20.0 + count)
        hop._follow_covariance(theirs, z, part)
        expected += np.float32(part) * (z - expected)
        follow_products(ours, torch.from_numpy(z) * part, torch.from_numpy(z), part)
        follow_mean(mean, torch.from_numpy(z), part)
    np.testing.assert_array_equal(ours.numpy(), theirs)
    np.testing.assert_array_equal(mean.numpy(), expected)


def test_lagged_covariances() -> None:
    layout = stylizer_layout(48_000, StylizerSettings())
    rng = np.random.default_rng(1)
    lags = np.array(layout.lags)
    theirs = np.zeros((lags.size * BANDS, BANDS), dtype=np.float32)
    past = np.zeros((int(lags.max()) + 1, BANDS), dtype=np.float32)
    ours = GramMemory(layout, bands=BANDS)
    for count in range(HOPS):
        frame = rng.standard_normal(BANDS, dtype=np.float32)
        gram_memory.follow_frame(theirs, past, lags, frame, 1.0 / (20.0 + count))
        ours.follow(torch.from_numpy(frame), 1.0 / (20.0 + count))
    side_by_side = theirs.reshape(lags.size, BANDS, BANDS).transpose(2, 0, 1).reshape(BANDS, -1)
    np.testing.assert_array_equal(ours.gram.numpy(), side_by_side)


def test_quantiles() -> None:
    rng = np.random.default_rng(2)
    expected = np.sort(rng.standard_normal((QUANTILES, BANDS), dtype=np.float32), axis=0)
    other = np.sort(rng.standard_normal((QUANTILES, BANDS), dtype=np.float32), axis=0)
    theirs = np.zeros_like(expected)
    widths = np.zeros((QUANTILES - 1, BANDS), dtype=np.float32)
    ours = RunningQuantiles(BANDS)
    quantiles.forget_quantiles(theirs, widths, expected, 1.0)
    ours.forget(torch.from_numpy(expected).mT, 1.0)
    for count in range(HOPS):
        values = rng.standard_normal(BANDS, dtype=np.float32)
        quantiles.follow_quantiles(values, theirs, widths, 1.0 / (20.0 + count))
        ours.follow(torch.from_numpy(values), 1.0 / (20.0 + count))
    quantiles.forget_quantiles(theirs, widths, other, 0.3)
    ours.forget(torch.from_numpy(other).mT, 0.3)
    np.testing.assert_array_equal(ours.quantiles.numpy(), theirs.T)
    np.testing.assert_array_equal(ours.widths.numpy(), widths.T)


def test_what_is_expected_takes_the_place_of_what_was_learnt() -> None:
    kept, other = torch.tensor([0.1, 3.0, -7.0]), torch.tensor([0.3, 1e-5, 2.0])
    blend(kept, other, 1.0)
    assert torch.equal(kept, other)
