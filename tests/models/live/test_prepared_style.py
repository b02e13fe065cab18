"""What the streaming stylizer knows of a style."""

import numpy as np

from gramophone.models.live.prepared_style import WIDE, live_clip, make_layout

RATE = 8000
LAYOUT = make_layout(RATE)


def test_in_wide_bands_the_pauses_of_a_style_count_for_nothing() -> None:
    rng = np.random.default_rng(0)
    count = 4 * RATE
    swell = 1.0 + 0.5 * np.sin(2.0 * np.pi * 3.0 * np.arange(count) / RATE)
    sound = 0.1 * (swell * rng.standard_normal(count))[None]
    pause = 1e-4 * rng.standard_normal((1, 2 * count))
    whole, alone = live_clip(np.concatenate([sound, pause], axis=1), LAYOUT), live_clip(sound, LAYOUT)
    np.testing.assert_allclose(whole.wide_mean, alone.wide_mean, rtol=0.01)
    np.testing.assert_allclose(whole.wide_quantiles[1:-1], alone.wide_quantiles[1:-1], atol=0.05)
    np.testing.assert_allclose(whole.wide_power, alone.wide_power, rtol=0.05)
    for made in (whole, alone):
        np.testing.assert_allclose(made.wide_root @ made.wide_root, made.wide_lagged[:WIDE], atol=1e-4)
    assert abs(np.trace(whole.wide_lagged[:WIDE]) / np.trace(alone.wide_lagged[:WIDE]) - 1.0) < 0.1
    # The bins, which are for the style's notes, know of them.
    assert whole.mean.mean() < 0.5 * alone.mean.mean()
