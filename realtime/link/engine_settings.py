"""The engine's settings: plain data, passed to the engine process, without torch and numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...media.errors import InputError
from ...media.limits import MAX_CHANNELS as MAX_CHANNELS
from ...media.limits import RATES as RATES
from ...plugins.effects import Effect
from ...plugins.knobs import MUTE as MUTE

# Shortest time that the sound waits in the output ring, seconds, so that the engine has time to compute it.
LATENCIES: Mapping[str, float] = {"low": 0.004, "high": 0.012}
LONGEST_LATENCY = 1.0
MAX_CAPTURE_CHANNELS = 8
# Default blocks of the virtual device, like a sound card at a low setting.
VIRTUAL_BLOCKSIZE = 128
MAX_BLOCKSIZE = 8192
# A year and a day.
LONGEST = 366 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class DeviceSettings:
    """Hardware, or a sound server, through PortAudio.

    Attributes:
        input, output: number, or name with host API as `"USB Audio, ALSA"` (numbers change from day to day, names
            stay); None is the system's default
    """

    input: str | int | None = None
    output: str | int | None = None


@dataclass(frozen=True, kw_only=True)
class VirtualSettings:
    """Files in place of hardware, through the same engine and rings.

    Attributes:
        input: any sound file
        output: 32-bit float WAV; begins with the input's first sample, not shifted, and has its length plus the
            latency
        as_fast_as_possible: in step with the engine, not at real-time pace, so nothing can be late
        overwrite: whether an existing output may be replaced
        written: where the output is until it is complete; None is at its own place
    """

    input: Path
    output: Path
    as_fast_as_possible: bool = False
    overwrite: bool = False
    written: Path | None = None


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Everything the engine process needs to know when it starts.

    Attributes:
        styles: paths of `.style` files or sound files
        effects: around the stylizer, in the order in which sound passes them
        stylizer: fields of `models.live.stylizer.StylizerSettings` that differ from their defaults
        channels: of the engine, 1 to 16; one input channel feeds all of them
        sample_rate: Hz; None is the device's own, or that of the input file
        blocksize: samples per call of the device; 0 is its own choice (128 for the virtual device). JACK's is the
            server's
        latency: "low" (4 ms), "high" (12 ms), or seconds that the output is kept ahead; rounded up to whole blocks
        input_channels: 1-based channels of the device that feed the engine's; None is the first ones
        capture_channels: 1-based channels of the device that are only captured, not played; None is none
        device: hardware or files
        parameters: initial values by parameter id; all others start at their defaults
        duration: seconds after which the engine ends by itself; None is never (files: their end)
        muted: whether it starts silent (parameter "mute" at 1)
    """

    device: DeviceSettings | VirtualSettings
    styles: tuple[Path, ...] = ()
    stylizer: Mapping[str, object] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    channels: int = 2
    sample_rate: int | None = None
    blocksize: int = 0
    latency: float | str = "low"
    input_channels: tuple[int, ...] | None = None
    capture_channels: tuple[int, ...] | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    duration: float | None = None
    muted: bool = False

    def __post_init__(self) -> None:
        """Raise InputError for errors that show without a device."""
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise InputError(f"channels {self.channels} is out of range; give 1 to {MAX_CHANNELS}")
        low, high = RATES
        if self.sample_rate is not None and not low <= self.sample_rate <= high:
            raise InputError(f"a sample rate of {self.sample_rate} Hz is out of range; give {low} to {high}")
        if not 0 <= self.blocksize <= MAX_BLOCKSIZE:
            raise InputError(f"a block size of {self.blocksize} is out of range; give 0 to {MAX_BLOCKSIZE}")
        self.latency_seconds()
        if self.duration is not None and not 0.0 < self.duration <= LONGEST:
            raise InputError(
                f"a duration of {self.duration:g} s is impossible; give more than 0, and up to {LONGEST:.0f}"
            )
        self._check_input_channels()
        self._check_capture_channels()

    def _check_input_channels(self) -> None:
        if self.input_channels is None:
            return
        count = len(self.input_channels)
        listed = ",".join(map(str, self.input_channels))
        if not count or min(self.input_channels) < 1:
            raise InputError(f"input channels {listed or '(none)'} are impossible; they are counted from 1")
        if count not in (1, self.channels):
            raise InputError(
                f"{count} input channels ({listed}) do not feed {self.channels} channels; "
                f"give one or {self.channels}"
            )

    def _check_capture_channels(self) -> None:
        wanted = self.capture_channels
        if wanted is not None and not (1 <= len(wanted) <= MAX_CAPTURE_CHANNELS and min(wanted) >= 1):
            listed = ",".join(map(str, wanted)) or "(none)"
            raise InputError(
                f"capture channels {listed} are impossible; give 1 to {MAX_CAPTURE_CHANNELS}, counted from 1"
            )

    def latency_seconds(self) -> float:
        """Return how long the output is kept ahead, in seconds, before it is rounded up to whole blocks."""
        if isinstance(self.latency, str):
            try:
                return LATENCIES[self.latency]
            except KeyError:
                raise InputError(f"latency {self.latency!r} is unknown; give low, high or seconds") from None
        if not 0.0 <= self.latency <= LONGEST_LATENCY:
            raise InputError(
                f"a latency of {self.latency:g} s is out of range; give 0 to {LONGEST_LATENCY:g} seconds"
            )
        return self.latency

    @property
    def fast(self) -> bool:
        """Whether the device runs in step with the engine and not at real-time pace."""
        return isinstance(self.device, VirtualSettings) and self.device.as_fast_as_possible
