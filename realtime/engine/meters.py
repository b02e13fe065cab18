"""Levels, load and times as the engine measures them, written to shared memory."""

from __future__ import annotations

import time

import numpy as np

from ...dsp.dry_path import follow_peaks
from ..audio.rings import Frames
from ..link.histogram import bin_of
from ..link.shared_memory import Link

# Peak meters fall back by 20 dB in a second.
_FALL = 0.1
_LOAD_SECONDS = 1.0


class Meters:
    """What a display shows of the sound and of the work.

    Args:
        link: where to write
        sample_rate: Hz
        channels: of the sound
        hop: samples of input over which the work is summed for the times
    """

    def __init__(self, link: Link, *, sample_rate: int, channels: int, hop: int) -> None:
        self._status = status = link.status
        self._sample_rate = sample_rate
        self._input, self._output = (
            np.frombuffer(memoryview(peaks), dtype=np.float64)[:channels]
            for peaks in (status.input_peaks, status.output_peaks)
        )
        self._histogram = status.histogram
        self._fall = (0, 1.0)
        self._hop = hop
        self._hop_work = 0.0
        self._hop_samples = 0
        self._load_work = 0.0
        self._load_samples = 0

    def sound(self, block: Frames, heard: Frames) -> None:
        """Take in a block [channels, n] of input, and what is heard of it [channels, up to n]."""
        count, fall = self._fall
        if block.shape[1] != count:
            fall = _FALL ** (block.shape[1] / self._sample_rate)
            self._fall = (block.shape[1], fall)
        follow_peaks(self._input, block, self._output, np.ascontiguousarray(heard), fall)

    def limiter(self, samples: int) -> None:
        """Note that a limiter worked in the last `samples`."""
        self._status.limiter_at = time.monotonic()
        self._status.limited += samples / self._sample_rate

    def chain(self, seconds: float, samples: int) -> None:
        """Take in the time that the chain took for `samples`; several blocks may make up a hop."""
        self._hop_work += seconds
        self._hop_samples += samples
        hops = self._hop_samples // self._hop
        if hops:
            each = self._hop_work / hops
            self._histogram[bin_of(each)] += hops
            self._status.slowest_hop = max(self._status.slowest_hop, each)
            self._hop_work = 0.0
            self._hop_samples -= hops * self._hop

    def work(self, seconds: float, samples: int) -> None:
        """Take in the time that everything took for `samples`."""
        self._status.work += seconds
        self._load_work += seconds
        self._load_samples += samples
        if self._load_samples >= _LOAD_SECONDS * self._sample_rate:
            self._status.load = self._load_work * self._sample_rate / self._load_samples
            self._load_work = 0.0
            self._load_samples = 0
