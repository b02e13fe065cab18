"""A stream through the core, in blocks of any length, with knobs: the module that is exported. TorchScript.

It does what `models.live.stylizer` does around the compiled core. Knobs are plain numbers, which the next hop takes up:
a host may set them from any thread, and in whatever mode of PyTorch it likes, while another thread plays.
"""

import math

import torch
from torch import Tensor, nn

from ..live.core_memory import DEFAULTS, RAMPED
from .core import StylizerCore
from .resampler import Reader, delay, reach

# 80 dB over full scale, as in a chain: no sound is as loud.
_LOUDEST = 1e4
# As in models.live: knobs move from end to end in this time, and at a soundcheck all counts alike.
_RAMP_SECONDS = 0.03
_SOUNDCHECK_RATE = 1e-6
# Rates of a host, Hz.
_SLOWEST, _FASTEST = 8_000, 384_000


class Stream(nn.Module):
    """One rate's stream through its core; the output is `latency` samples late.

    Args:
        core: filled
        sample_rate: Hz
        latency: samples
        iterations: gradient steps in a hop
    """

    input: Tensor
    output: Tensor

    def __init__(self, core: StylizerCore, *, sample_rate: int, latency: int, iterations: int) -> None:
        super().__init__()
        self.core = core
        self.sample_rate = sample_rate
        self.latency = latency
        self.iterations = iterations
        self.hop = core.hop
        self.hop_seconds = core.hop_seconds
        self.ramp = core.hop_seconds / _RAMP_SECONDS
        self.soundcheck_rate = _SOUNDCHECK_RATE
        self.ramped = list(RAMPED)
        #: strength, mix, and the one that says what of the input stays
        self.strength, self.mix, self.kept = RAMPED
        self.styles = [f"style_{slot + 1}" for slot in range(core.slots)]
        self.register_buffer("input", torch.zeros(core.channels, core.hop))
        self.register_buffer("output", torch.zeros(core.channels, core.hop))
        self.now = dict(DEFAULTS)
        self.weights = [1.0] * core.slots
        self.filling = 0
        self.held = False
        self.faults = 0

    def reset(self, knobs: dict[str, float]) -> None:
        """Forget all sound and all that was learnt; knobs stand where they were set."""
        for name in self.ramped:
            self.now[name] = knobs[name]
        for slot, name in enumerate(self.styles):
            self.weights[slot] = knobs[name]
        self.core.mix_styles(torch.tensor(self.weights, dtype=torch.float64))
        self.core.reset()
        self.core.output.wet = knobs["mix"] * min(1.0, knobs["strength"] * 20.0)
        self.input.zero_()
        self.output.zero_()
        self.filling = 0
        self.held = False

    def feed(self, block: Tensor, knobs: dict[str, float]) -> Tensor:
        """Take and give [C, n] samples, any number of them."""
        done, count = 0, block.shape[1]
        if count == 0:
            return block
        parts: list[Tensor] = []
        while done < count:
            # Of the hop computed last, all but the first sample go out while the next one fills.
            take = min(count - done, self.hop - self.filling)
            self.input[:, self.filling : self.filling + take].copy_(block[:, done : done + take])
            complete = self.filling + take == self.hop
            ready = take - 1 if complete else take
            parts.append(self.output[:, self.filling + 1 : self.filling + 1 + ready].clone())
            self.filling += take
            if complete:
                self._hop(knobs)
                self.filling = 0
                parts.append(self.output[:, :1].clone())
            done += take
        return torch.cat(parts, dim=1)

    def _hop(self, knobs: dict[str, float]) -> None:
        rate = self._turn(knobs)
        now = self.now
        out = self.core(
            self.input,
            now[self.strength],
            now[self.mix],
            now[self.kept],
            rate,
            self.iterations,
            knobs["gate"],
        )
        if bool(torch.isfinite(out).all()):
            self.output.copy_(out)
        else:
            # Cannot happen with sound that is finite; if it does, it must not stay.
            self.faults += 1
            self.core.reset()
            self.output.zero_()

    def _turn(self, knobs: dict[str, float]) -> float:
        """Move knobs and weights towards where they were set; returns the share by which statistics move."""
        for name in self.ramped:
            self.now[name] = self._nearer(self.now[name], knobs[name])
        moved = False
        for slot, name in enumerate(self.styles):
            if self.weights[slot] != knobs[name]:
                self.weights[slot] = self._nearer(self.weights[slot], knobs[name])
                moved = True
        if moved:
            self.core.mix_styles(torch.tensor(self.weights, dtype=torch.float64))
        checking = knobs["soundcheck"] != 0.0
        if checking != (self.now["soundcheck"] != 0.0):
            self.held = not checking
            self.core.loudness.gate.measuring = checking
            if checking:
                self.core.seconds = 0.5
                self.core.loudness.heard = 0.0
                self.core.loudness.gate.forget_room()
        elif self.now["freeze"] != 0.0 and knobs["freeze"] == 0.0:
            self.held = False
        self.now["soundcheck"] = knobs["soundcheck"]
        self.now["freeze"] = knobs["freeze"]
        if checking:
            return self.soundcheck_rate
        if self.held or knobs["freeze"] != 0.0:
            return 0.0
        return min(1.0, self.hop_seconds / max(knobs["adapt"], 0.1))

    def _nearer(self, value: float, wanted: float) -> float:
        if abs(wanted - value) <= self.ramp:
            return wanted
        return value + self.ramp if wanted > value else value - self.ramp


class ExportedStylizer(nn.Module):
    """The bare module: a stylizer for each of some rates, one of which plays.

    Sound at any other rate goes to one of these and back.

    Args:
        streams: one for each rate, all of the same channels and styles
        ranges: of each knob: lowest and highest value
        about: what is told of it, JSON
    """

    def __init__(self, streams: list[Stream], *, ranges: dict[str, tuple[float, float]], about: str) -> None:
        super().__init__()
        self.streams = nn.ModuleList(streams)
        self.channels = streams[0].core.channels
        self.rates = [stream.sample_rate for stream in streams]
        self.names = [name for name in DEFAULTS if name in ranges]
        self.lowest = {name: ranges[name][0] for name in self.names}
        self.highest = {name: ranges[name][1] for name in self.names}
        self.knobs = dict(DEFAULTS)
        self.text = about
        self.loudest = _LOUDEST
        self.slowest, self.fastest = _SLOWEST, _FASTEST
        self.into = Reader()
        self.back = Reader()
        self.playing = 0
        self.host = self.rates[0]
        self.fresh = False

    def forward(self, block: Tensor) -> Tensor:
        """Take and give sound.

        Args:
            block: Tensor [channels, samples] float32, any number of samples, at the rate that was set. Where its
                channels are not the module's, the module takes their mean, and its first comes back in each.

        Returns:
            Tensor of the same shape, `latency_samples` late. Finite whatever comes in.
        """
        sound = block.float()
        if sound.shape[0] != self.channels:
            sound = sound.mean(dim=0, keepdim=True).expand(self.channels, sound.shape[1])
        sound = torch.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0).clamp(-self.loudest, self.loudest)
        out = sound
        for number, stream in enumerate(self.streams):
            if number == self.playing:
                resampled = self.host != self.rates[number]
                if not self.fresh:
                    stream.reset(self.knobs)  # type: ignore[operator]
                    if resampled:
                        self._begin(self.rates[number], stream.latency)  # type: ignore[arg-type]
                    self.fresh = True
                if resampled:
                    self.into.write(sound)
                    inside = self.into.read(self.into.ready())
                    self.back.write(stream.feed(inside, self.knobs))  # type: ignore[operator]
                    out = self.back.read(sound.shape[1])
                else:
                    out = stream.feed(sound, self.knobs)  # type: ignore[operator]
        return out if block.shape[0] == self.channels else out[:1].expand(block.shape[0], out.shape[1])

    def _begin(self, rate: int, latency: int) -> None:
        """Make ready the way from the host's rate to `rate` and back."""
        host, there = self.host, reach(self.host, rate)
        late = delay(host, rate, latency)
        self.into.prepare(host, rate)
        self.into.restart(self.channels, 0, -there)
        self.back.prepare(rate, host)
        # What comes in at sample 0 is `there` samples late inside, and `latency` more of those inside.
        self.back.restart(self.channels, (there - late) * self.back.step, latency)

    @torch.jit.export
    def set(self, name: str, value: float) -> bool:
        """Turn a knob; heard from the next hop on, ramped, within its range.

        Returns:
            False where there is no such knob, or `value` is no number; nothing happens then.
        """
        if name not in self.lowest or math.isnan(value):
            return False
        self.knobs[name] = min(max(value, self.lowest[name]), self.highest[name])
        return True

    @torch.jit.export
    def get(self, name: str) -> float:
        """Return where a knob stands; 0 where there is none of this name."""
        return self.knobs[name] if name in self.lowest else 0.0

    @torch.jit.export
    def knob_names(self) -> list[str]:
        """Return the names of the knobs."""
        return self.names

    @torch.jit.export
    def set_sample_rate(self, sample_rate: int) -> bool:
        """Say at which rate sound comes, Hz, 8000 to 384000; starts afresh where that changes anything.

        At a rate that the file does not have, the next higher one plays (or its highest), and sound is resampled.

        Returns:
            False where the file does not play at such a rate; nothing happens then.
        """
        if sample_rate < self.slowest or sample_rate > self.fastest:
            return False
        best = 0
        for number, rate in enumerate(self.rates):
            other = self.rates[best]
            if other < sample_rate:
                if rate > other:
                    best = number
            elif rate >= sample_rate and rate < other:
                best = number
        if best != self.playing or sample_rate != self.host:
            self.playing = best
            self.host = sample_rate
            self.fresh = False
        return True

    @torch.jit.export
    def sample_rate(self) -> int:
        """Return the rate at which sound comes, Hz."""
        return self.host

    @torch.jit.export
    def is_resampling(self) -> bool:
        """Return whether the file lacks this rate."""
        return self.host != self.rates[self.playing]

    @torch.jit.export
    def sample_rates(self) -> list[int]:
        """Return the rates at which nothing is resampled, Hz."""
        return self.rates

    @torch.jit.export
    def latency_samples(self) -> int:
        """Return by how many samples the output is late."""
        latency = 0
        for number, stream in enumerate(self.streams):
            if number == self.playing:
                latency = stream.latency  # type: ignore[assignment]
        rate = self.rates[self.playing]
        return latency if rate == self.host else delay(self.host, rate, latency)

    @torch.jit.export
    def reset(self) -> None:
        """Forget all sound and all that was learnt, before the next block; knobs stay."""
        self.fresh = False

    @torch.jit.export
    def about(self) -> str:
        """Return name, authors, licences and more of the styles, as JSON."""
        return self.text
