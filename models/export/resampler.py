"""A stream's passage to another rate and back, for hosts at rates that a file does not have. TorchScript.

Band-limited interpolation with a windowed sinc whose phases lie in a table, between which it goes on linearly (Smith
and Gossett 1984). Positions are whole numbers over the ratio of the rates, so that nothing drifts.
"""

import math

import torch
from torch import Tensor, nn

# Zero crossings on each side, phases in the table, the window's beta, and the filter's edge as a share of the band.
_CROSSINGS = 32
_PHASES = 512
_BETA = 9.0
_EDGE = 0.945


def reach(rate: int, wanted: int, crossings: int = _CROSSINGS) -> int:
    """Return how many samples beyond a position a `Reader` of a stream at `rate` Hz, read at `wanted` Hz, must know."""
    return max(crossings, -((-crossings * rate) // wanted))


def delay(host: int, inside: int, latency: int) -> int:
    """Return how many samples at `host` Hz sound is late that is `latency` samples late at `inside` Hz.

    A sample that is to be read there depends on `reach` more, and on the part of one that has not come yet.
    """
    there, back = reach(host, inside), reach(inside, host)
    return there - (-(latency + back + 1) * host) // inside


class Reader(nn.Module):
    """Reads a stream of samples at evenly spaced positions between them.

    Sample number n of what is read lies at `(n * step + first) / per + whole` of what was written; what lies before
    the first sample written is silence.
    """

    kept: Tensor
    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.zeros(1, 0))
        self.register_buffer("table", torch.zeros(_PHASES + 1, 2))
        self.beta, self.phases, self.edge = _BETA, _PHASES, _EDGE
        self.around = 1
        self.step, self.per, self.first, self.whole = 1, 1, 0, 0
        # The number of the first sample that is kept, and of the next that is read.
        self.start = 0
        self.next = 0

    def prepare(self, rate: int, wanted: int) -> None:
        """Make the table for a stream at `rate` Hz that is read at `wanted` Hz."""
        common = math.gcd(rate, wanted)
        self.step, self.per = rate // common, wanted // common
        share = min(1.0, wanted / rate) * self.edge
        self.around = reach(rate, wanted)
        # Tap k of a position with the fraction f is k + 1 - around - f samples away.
        taps = torch.arange(2 * self.around, dtype=torch.float64) + (1 - self.around)
        away = taps[None] - torch.arange(self.phases + 1, dtype=torch.float64)[:, None] / self.phases
        inside = (1.0 - (away / self.around).square()).clamp_min(0.0).sqrt()
        table = torch.sinc(away * share) * torch.special.i0(self.beta * inside)
        self.table = (table / table.sum(dim=1, keepdim=True)).float()

    def restart(self, channels: int, first: int, whole: int) -> None:
        """Forget what was written, and begin to read at `first / per + whole`."""
        self.first, self.whole = first, whole
        # As much silence as the first position needs before it.
        self.start = min(0, first // self.per + whole + 1 - self.around)
        self.kept = torch.zeros(channels, -self.start)
        self.next = 0

    def write(self, block: Tensor) -> None:
        """Take [C, n] samples."""
        self.kept = torch.cat([self.kept, block], dim=1)

    def ready(self) -> int:
        """Return how many samples can be read."""
        # The position of the last needs `around` samples beyond the one below it.
        last = self.start + self.kept.shape[1] - 1 - self.around - self.whole
        return max(0, ((last + 1) * self.per - 1 - self.first) // self.step + 1 - self.next)

    def read(self, count: int) -> Tensor:
        """Return the next [C, count] samples; `count` is at most `ready`."""
        if count == 0:
            return self.kept[:, :0]
        numbers = torch.arange(self.next, self.next + count) * self.step + self.first
        below = torch.div(numbers, self.per, rounding_mode="floor")
        phase = (numbers - below * self.per).double() / self.per * self.phases
        row = phase.long()
        part = (phase - row).float()[:, None]
        weights = torch.lerp(self.table[row], self.table[row + 1], part)
        begin = below + (self.whole + 1 - self.around - self.start)
        out = (self.kept.unfold(1, 2 * self.around, 1)[:, begin] * weights).sum(dim=2)
        self.next += count
        # What no later position needs goes.
        needed = (self.next * self.step + self.first) // self.per + self.whole + 1 - self.around
        gone = min(max(0, needed - self.start), self.kept.shape[1])
        self.kept = self.kept[:, gone:].clone()
        self.start += gone
        return out
