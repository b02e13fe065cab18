"""The limiter in TorchScript and the one that plays: the same samples."""

import warnings

import numpy as np
import pytest
import torch

from gramophone.dsp.live_limiter import limit
from gramophone.models.export.limiter import limit_block, limiter_state

RELEASE = 80e-3 * 48_000


@pytest.mark.parametrize("ceiling", [[0.9], np.linspace(1.0, 0.5, 3000)], ids=["fixed", "moving"])
def test_the_script_does_the_same(ceiling: list[float]) -> None:
    with warnings.catch_warnings():
        # Newer releases point to another way of exporting; what loads the exports still takes this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(limit_block)
    height = np.array(ceiling, dtype=np.float32)
    noise = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)
    for sound in (noise, 0.01 * noise):
        out = np.empty_like(sound)
        reduction, active = limit(sound, height, RELEASE, 0.0, out)
        other, state, worked = scripted(
            torch.from_numpy(sound), limiter_state(), torch.from_numpy(height), RELEASE
        )
        np.testing.assert_allclose(out, other.numpy(), rtol=1e-6, atol=1e-7)
        assert reduction == pytest.approx(float(state))
        assert active == worked
