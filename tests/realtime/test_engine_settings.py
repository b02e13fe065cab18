"""What the engine refuses before it starts, and how its times become figures."""

import math
import pickle
from pathlib import Path

import pytest

from gramophone.media.errors import InputError
from gramophone.realtime.audio.stream_contract import ring_frames, whole_blocks
from gramophone.realtime.link.engine_settings import DeviceSettings, EngineSettings
from gramophone.realtime.link.histogram import BINS, bin_of, percentile


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels 0"),
        ({"channels": 17}, "channels 17"),
        ({"sample_rate": 4000}, "4000 Hz"),
        ({"blocksize": -1}, "-1"),
        ({"blocksize": 10_000}, "10000"),
        ({"latency": "lower"}, "'lower'.*low, high or seconds"),
        ({"latency": -0.1}, "-0.1 s"),
        ({"latency": math.nan}, "nan s"),
        ({"duration": 0.0}, "0 s"),
        ({"duration": math.inf}, "inf s"),
        ({"input_channels": ()}, "none"),
        ({"input_channels": (0, 1)}, "counted from 1"),
        ({"input_channels": (1, 2, 3)}, "3 input channels"),
    ],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        EngineSettings(device=DeviceSettings(), **options)


def test_settings_cross_to_another_process():
    settings = EngineSettings(
        device=DeviceSettings(input="a, ALSA"),
        styles=(Path("x.style"),),
        stylizer={"hop": 128},
        parameters={"strength": 0.5},
        input_channels=(3,),
    )
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize("period", [1, 64, 100, 441, 4096])
@pytest.mark.parametrize("latency", [0.0, 0.001, 0.004, 0.012, 0.1])
def test_the_buffer_is_the_fewest_whole_blocks(period, latency):
    found = whole_blocks(latency, sample_rate=48_000, period=period)
    assert found % period == 0
    assert found >= max(period, latency * 48_000 - 0.5)
    assert found - period < max(1, latency * 48_000)


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000, 65_536, 192_000])
def test_rings_hold_at_least_a_second(rate):
    frames = ring_frames(rate)
    assert frames & (frames - 1) == 0
    assert rate <= frames < 2 * rate


def test_percentiles_of_a_histogram_are_within_a_bin():
    times = [0.001 * (1 + n / 1000) for n in range(1000)]
    histogram = [0.0] * BINS
    for one in times:
        histogram[bin_of(one)] += 1
    for share in (0.01, 0.5, 0.99, 1.0):
        assert percentile(histogram, share) == pytest.approx(times[round(share * 1000) - 1], rel=0.011)
    assert percentile([0.0] * 10, 0.5) == 0.0
    assert [bin_of(0.0), bin_of(1e-9), bin_of(60.0)] == [0, 0, BINS - 1]
