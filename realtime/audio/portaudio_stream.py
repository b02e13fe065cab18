"""The stream of a sound card or sound server, through PortAudio."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any

from ...media.errors import InputError
from ..link.engine_settings import DeviceSettings, EngineSettings
from .devices import JACK, Device, choose_pair, list_devices, portaudio
from .jack_ports import Connections, JackPorts, own_client
from .rings import POLL, InputRing, OutputRing
from .stream_contract import DeviceLostError, ring_frames, whole_blocks

# After this time without a block, the device is gone.
SILENT_DEVICE = 1.0
_FIRST_BLOCKS = 4
_CHECK_SECONDS = 0.05


class DeviceStream:
    """A sound card or sound server: PortAudio calls rtmixer's C code, which moves frames; no Python runs there."""

    running_start = True
    finished = False

    def __init__(
        self,
        module: ModuleType,
        settings: EngineSettings,
        source: Device,
        sink: Device,
        *,
        connect: Connections | None = None,
    ) -> None:
        import rtmixer

        self.notes: list[str] = []
        self._error: type[Exception] = module.PortAudioError
        self.input_name, self.output_name = source.label, sink.label
        channels = settings.channels
        self._sources = _source_channels(settings, source)
        if sink.outputs < channels:
            raise InputError(
                f"{sink.label} has {sink.outputs} outputs, not {channels}; give --channels {sink.outputs}"
            )
        jack = self._jack = source.host_api == JACK
        self._ports: JackPorts | None = None
        self._connect = connect
        self.last_connections: Connections | None = None
        blocksize = settings.blocksize
        if jack and blocksize:
            self.notes.append("the block size is JACK's own; it is set where its server is started")
            # With a block size of its own, PortAudio would collect JACK's blocks, and be late by as much.
            blocksize = 0
        self.sample_rate = settings.sample_rate or round(sink.sample_rate)
        try:
            self._mixer = rtmixer.MixerAndRecorder(
                device=(source.number, sink.number),
                channels=(max(self._sources), channels),
                samplerate=self.sample_rate,
                blocksize=blocksize,
                latency="high" if settings.latency == "high" else "low",
            )
        except (self._error, ValueError) as error:
            raise InputError(_refusal(error, self.sample_rate, source, sink)) from error
        # PortAudio passes sound on in the same cycle of JACK; the rest of the latency is the server's.
        self.device_latency = 0 if jack else round(sum(self._mixer.latency) * self.sample_rate)
        if jack:
            self.notes.append(
                "latency is from port to port of JACK; `jack_lsp -l` tells that of the sound card"
            )
        self.period = 0
        frames = ring_frames(self.sample_rate)
        self.input = InputRing(frames, len(self._sources))
        self.output = OutputRing(frames, channels)
        self._blocksize = blocksize
        self._before = 0
        self._xruns_before = 0
        self._last = (0, time.monotonic())

    @property
    def flowing(self) -> bool:
        """See `Stream`."""
        actions = self._mixer.actions
        return self._record in actions and self._play in actions

    @property
    def frames(self) -> int:
        """See `Stream`."""
        return self._before + self.input.position

    @property
    def xruns(self) -> int:
        """See `Stream`; what PortAudio's flags say of input and output, whichever is more."""
        stats = self._record.stats
        inputs = int(stats.input_underflows) + int(stats.input_overflows)
        outputs = int(stats.output_underflows) + int(stats.output_overflows)
        return self._xruns_before + max(inputs, outputs)

    def start(self, *, latency: float, algorithmic: int) -> int:
        """See `Stream`; the blocks are observed, since not every system tells them in advance."""
        del algorithmic
        if self._jack:
            self._open_ports()
        before = self.connections() or {}
        # Both are there before the first call, and so begin in it.
        self._begin()
        try:
            self._mixer.start()
        except self._error as error:
            raise InputError(
                f"{self.output_name} does not start ({error.args[0]}); choose another"
            ) from error
        if self._ports is not None and self._connect:
            # PortAudio connects to the device. Of what is there now, only that goes, if it was not so before; what a
            # user has connected since the ports came stays.
            self._ports.restore(
                {port: [*self._connect.get(port, ()), *before.get(port, ())] for port in before}
            )
        next_check = 0.0
        while self._record.stats.blocks < _FIRST_BLOCKS:
            # A user may connect ports as soon as they are there; if the first blocks never come, and the stream has
            # to be opened once more, that shall not be lost.
            if time.monotonic() >= next_check:
                next_check = time.monotonic() + _CHECK_SECONDS
                self.connections()
            time.sleep(POLL)
            self._look()
        self.period = max(self._blocksize, int(self._record.stats.max_blocksize))
        return whole_blocks(latency, sample_rate=self.sample_rate, period=self.period)

    def connections(self) -> Connections | None:
        """See `Stream`; JACK's."""
        if self._ports is not None:
            self.last_connections = self._ports.connections() or self.last_connections
        return self.last_connections

    def wait(self) -> None:
        """See `Stream`."""
        self.input.wait(self.period, self.sample_rate)
        self._look()

    def _look(self) -> None:
        """Raise DeviceLostError if no block has come for a while."""
        now, blocks = time.monotonic(), int(self._record.stats.blocks)
        if blocks != self._last[0]:
            self._last = (blocks, now)
        elif now - self._last[1] > SILENT_DEVICE and self.flowing:
            raise DeviceLostError(f"{self.output_name} has stopped")

    def realign(self) -> None:
        """See `Stream`."""
        self._before += self.input.position
        self._xruns_before = self.xruns
        for _ in range(20):
            self._end()
            self.input.clear()
            self.output.clear()
            self._begin()
            self._until(lambda: self._record.done_frames and self._play.done_frames)
            if self._aligned():
                return
        raise DeviceLostError(f"{self.output_name} cannot be started again")

    def close(self) -> None:
        """See `Stream`."""
        if self._ports is not None:
            self._ports.close()
        with suppress(self._error):
            self._mixer.abort()
        with suppress(self._error):
            self._mixer.close()

    def _open_ports(self) -> None:
        client = own_client()
        if client is None:
            return
        inputs, outputs = self._mixer.channels
        names = [f"in_{place}" for place in range(inputs)] + [f"out_{place}" for place in range(outputs)]
        with suppress(OSError, AttributeError):
            self._ports = JackPorts(client, names)

    def _begin(self) -> None:
        self._record: Any = self._mixer.record_ringbuffer(self.input.buffer, channels=self._sources)
        self._play: Any = self._mixer.play_ringbuffer(self.output.buffer)

    def _end(self) -> None:
        for action in (self._record, self._play):
            if action in self._mixer.actions:
                self._mixer.cancel(action)
        self._until(lambda: not self._mixer.actions)

    def _aligned(self) -> bool:
        """Whether both began in the same call: they may not have, since one is asked for after the other."""
        # Within a call the record action is ahead for a moment; between two calls it is not.
        differences = []
        for _ in range(20):
            played = int(self._play.done_frames)
            differences.append(int(self._record.done_frames) - played)
            time.sleep(POLL)
        return min(differences) == 0

    def _until(self, condition: Any) -> None:
        end = time.monotonic() + SILENT_DEVICE
        while not condition():
            if time.monotonic() > end:
                raise DeviceLostError(f"{self.output_name} has stopped")
            time.sleep(POLL)


@contextmanager
def open_device(
    settings: EngineSettings, wanted: DeviceSettings, *, connect: Connections | None = None
) -> Iterator[DeviceStream]:
    """Open the devices that are asked for, among those that are there now.

    Args:
        settings: of the engine
        wanted: its device
        connect: how JACK's ports are to be connected, if not to the devices

    Raises:
        InputError: PortAudio or the device is missing, or does not take what is asked of it
    """
    with ExitStack() as stack:
        with _quiet():
            module = stack.enter_context(portaudio())
            source, sink = choose_pair(list_devices(), wanted.input, wanted.output)
            stream = DeviceStream(module, settings, source, sink, connect=connect)
        try:
            yield stream
        finally:
            with _quiet():
                stream.close()
                stack.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what C libraries have to say of servers and cards that are not there off the user's display."""
    try:
        kept = os.dup(2)
    except OSError:
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    os.close(nothing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _source_channels(settings: EngineSettings, source: Device) -> tuple[int, ...]:
    """Return which of the device's channels, from 1, feeds each of the engine's, and then which are captured."""
    channels = settings.channels
    wanted = settings.input_channels
    if wanted is None:
        if 1 < source.inputs < channels:
            raise InputError(
                f"{source.label} has {source.inputs} inputs, not {channels}; give --channels or --input-channels"
            )
        wanted = (1,) if source.inputs == 1 else tuple(range(1, channels + 1))
    if max(wanted) > source.inputs:
        raise InputError(
            f"{source.label} has {source.inputs} inputs and no {max(wanted)}; give other --input-channels"
        )
    captured = settings.capture_channels or ()
    if max(captured, default=1) > source.inputs:
        raise InputError(
            f"{source.label} has {source.inputs} inputs and no {max(captured)}; give other --capture-channels"
        )
    return (*(wanted * channels if len(wanted) == 1 else wanted), *captured)


def _refusal(error: Exception, rate: int, source: Device, sink: Device) -> str:
    """Say in one line what PortAudio did not like, and what to do."""
    reason = str(error.args[0]) if error.args else str(error)
    if "sample rate" in reason.lower():
        return f"{sink.label} does not run at {rate} Hz; its own is {sink.sample_rate:g} Hz: leave the rate to it"
    names: Mapping[bool, str] = {True: source.label, False: f"{source.label} with {sink.label}"}
    return f"{names[source == sink]} cannot be used ({reason}); choose others, or another rate or block size"
