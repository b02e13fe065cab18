"""Chains that do something simple or something bad, for the engine's tests. Sent to the engine process by name."""

import functools
import os
import time

import numpy as np

from gramophone.plugins.parameter import Parameter
from gramophone.realtime.link.engine_settings import EngineSettings

LEVEL = Parameter(id="level", name="Level", low=0.0, high=1.0, default=1.0)
TROUBLE = Parameter(id="trouble", name="Trouble", low=0.0, high=1.0, default=0.0, curve="toggle")
PARAMETERS = (LEVEL, TROUBLE)


class Delay:
    """Delays by `latency` samples and scales by "level" (ramped over 10 ms) and `colour`, so that wet is not dry."""

    parameters: tuple[Parameter, ...] = PARAMETERS

    def __init__(self, latency=512, hop=None, colour=1.0):
        self.latency_samples = latency
        self.hop = hop
        self.colour = colour
        self.values = {parameter.id: parameter.default for parameter in PARAMETERS}

    def prepare(self, *, sample_rate, block, channels):  # noqa: ARG002
        self.rate, self.channels = sample_rate, channels
        self.reset()

    def reset(self):
        self.line = np.zeros((self.channels, self.latency_samples), dtype=np.float32)
        self.level = self.values["level"]
        self.position = 0

    def set(self, id, value):
        self.values[id] = value

    def get(self, id):
        return self.values[id]

    def process(self, block):
        self.position += block.shape[1]
        sound = np.concatenate([self.line, block], axis=1)
        self.line = sound[:, block.shape[1] :]
        steps = np.arange(1, block.shape[1] + 1) / (0.01 * self.rate)
        way = self.values["level"] - self.level
        level = self.level + np.sign(way) * np.minimum(abs(way), steps)
        self.level = float(level[-1])
        return (sound[:, : block.shape[1]] * level * self.colour).astype(np.float32)


class Slow(Delay):
    """Sleeps once in `every` samples, for `seconds` up to half as long again: so it wakes at any time of a block."""

    def __init__(self, every, seconds, **options):
        super().__init__(**options)
        self.every, self.seconds = every, seconds
        self.share = 0.0

    def process(self, block):
        before = self.position
        out = super().process(block)
        if before // self.every != self.position // self.every:
            self.share = (self.share + 0.618) % 1.0
            time.sleep(self.seconds * (1.0 + 0.5 * self.share))
        return out


class Bad(Delay):
    """While "trouble" is on, raises, hangs, ends its process or gives NaN; as it comes on, stalls."""

    def __init__(self, kind, **options):
        super().__init__(**options)
        self.kind = kind

    def process(self, block):
        out = super().process(block)
        if self.values["trouble"]:
            if self.kind == "raise":
                raise RuntimeError("out of ideas")
            if self.kind == "hang":
                time.sleep(3600.0)
            if self.kind == "exit":
                os._exit(7)
            if self.kind == "stall":
                self.values["trouble"] = 0.0
                time.sleep(1.5)
                return out
            out[:, ::7] = np.nan
        return out


def _delay(_settings: EngineSettings, **options):
    return Delay(**options)


def delay(**options):
    return functools.partial(_delay, **options)


def _slow(_settings: EngineSettings, **options):
    return Slow(**options)


def slow(**options):
    return functools.partial(_slow, **options)


def _bad(_settings: EngineSettings, **options):
    return Bad(**options)


def bad(**options):
    return functools.partial(_bad, **options)


def _broken(_settings: EngineSettings):
    raise RuntimeError("no chain today")


def broken():
    return _broken


def _gone(_settings: EngineSettings):
    os._exit(7)


def gone():
    return _gone
