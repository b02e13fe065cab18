"""What the engine needs of a stream (an audio back end) and of a chain; new back ends implement `Stream`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...plugins.parameter import Parameter
from .jack_ports import Connections
from .rings import Frames, InputRing, OutputRing


class ChainLike(Protocol):
    """What the engine asks of `plugins.chain.Chain`."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        """Every knob."""
        ...

    @property
    def latency_samples(self) -> int:
        """After `prepare`; it changes only where effects come and go."""
        ...

    @property
    def hop(self) -> int | None:
        """Samples from one burst of work to the next, if there are any."""
        ...

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready."""
        ...

    def process(self, block: Frames) -> Frames:
        """Take and return [channels, n]."""
        ...

    def reset(self) -> None:
        """Forget all sound."""
        ...

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target."""
        ...

    def get(self, id: str) -> float:
        """Return a knob's target."""
        ...


class DeviceLostError(RuntimeError):
    """The device, or the server behind it, has gone away while it was in use."""


class Stream(Protocol):
    """A device that moves frames between the rings.

    Attributes:
        sample_rate: Hz
        period: the largest number of frames that it moves at a time; known after `start`
        device_latency: samples between the rings and the outer world, both ways together
        running_start: whether the sound is already running at the start, so that the first input must be faded in
        notes: messages for the user
        last_connections: the last result of `connections`, or of `start`
    """

    sample_rate: int
    period: int
    device_latency: int
    running_start: bool
    input_name: str
    output_name: str
    notes: list[str]
    last_connections: Connections | None
    input: InputRing
    output: OutputRing

    @property
    def finished(self) -> bool:
        """Whether the last frame has been moved."""
        ...

    @property
    def flowing(self) -> bool:
        """Whether both flows run. The input's ends when its ring is full, the output's when its ring is empty."""
        ...

    @property
    def frames(self) -> int:
        """Frames moved since the beginning, of the files if there are any."""
        ...

    @property
    def xruns(self) -> int:
        """Blocks that were late or lost on the device's side."""
        ...

    def start(self, *, latency: float, algorithmic: int) -> int:
        """Begin both flows with the same frame; return the buffer latency, in samples.

        Args:
            latency: shortest time that the output is kept ahead, seconds
            algorithmic: the chain's latency in samples; a stream that ends also plays the sound that is late by this
        """
        ...

    def connections(self) -> Connections | None:
        """Return the connections to other programs, in systems that have them; else None."""
        ...

    def wait(self) -> None:
        """Wait for input, a few milliseconds at most; raise DeviceLostError if the device is gone."""
        ...

    def realign(self) -> None:
        """Begin both flows anew, from empty rings, with the same frame."""
        ...

    def close(self) -> None:
        """End it and let go of the device."""
        ...


def ring_frames(sample_rate: int) -> int:
    """Return the length of the rings: the power of two that holds at least a second."""
    return 1 << (sample_rate - 1).bit_length()


def whole_blocks(latency: float, *, sample_rate: int, period: int) -> int:
    """Return the smallest number of samples that is `latency` seconds, at least a block, and whole blocks.

    The device takes whole blocks, so anything beyond the last whole one adds delay and gives no more time to compute.
    """
    return max(1, -(-round(latency * sample_rate) // period)) * period
