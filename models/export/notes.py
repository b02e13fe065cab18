"""Style transfer that keeps the notes, in wide bands; see models.live.notes, whose equations these are. TorchScript."""

import math

import torch
from torch import Tensor, nn

from ..live import band_map, medians
from ..live import notes as live
from ..live.core_memory import RING
from ..live.prepared_style import WIDE, Layout, spread_shares
from .gram_memory import GramMemory
from .quantiles import RunningQuantiles
from .rounding import follow_mean, follow_products
from .style_bank import StyleBank


class Notes(nn.Module):
    """What is kept of W wide bands, and what sounds in them; C channels, B bins.

    Args:
        layout: of the stylizer
        slots: how many styles there can be
        quiet: the level S0
    """

    wide: Tensor
    spread: Tensor
    means: Tensor
    covariance: Tensor
    powers: Tensor
    maps: Tensor
    map: Tensor
    solved: Tensor
    floors: Tensor
    ring: Tensor
    voiced: Tensor
    attack: Tensor
    levels: Tensor
    wanted: Tensor

    def __init__(self, layout: Layout, *, slots: int, quiet: float) -> None:
        super().__init__()
        weights = torch.from_numpy(layout.wide)
        self.register_buffer("wide", (weights / weights.sum(dim=1, keepdim=True)).mT.float().contiguous())
        self.register_buffer("spread", torch.from_numpy(spread_shares(layout)).float())
        self.register_buffer("means", torch.zeros(2, WIDE))
        self.register_buffer("covariance", torch.zeros(WIDE, WIDE))
        self.register_buffer("powers", torch.zeros(WIDE))
        self.register_buffer("maps", torch.zeros(slots, WIDE, WIDE))
        self.register_buffer("map", torch.zeros(WIDE, WIDE))
        self.register_buffer("solved", torch.zeros(WIDE, WIDE))
        self.register_buffer("floors", torch.zeros(WIDE))
        self.register_buffer("ring", torch.zeros(RING, layout.bins))
        self.register_buffer("voiced", torch.zeros(WIDE))
        self.register_buffer("attack", torch.zeros(WIDE))
        self.register_buffer("levels", torch.zeros(2, WIDE))
        self.register_buffer("wanted", torch.zeros(WIDE))
        self.distribution = RunningQuantiles(WIDE)
        self.memory = GramMemory(layout, bands=WIDE)
        self.every = max(1, layout.n_fft // 4 // layout.hop)
        self.frames = RING
        self.bands = WIDE
        self.quiet = quiet
        self.silent = live.SILENT_DB
        self.faintest = live._FAINTEST
        self.rise, self.border = live._RISE_DB, live._BORDER_DB
        self.follow_db = live._FOLLOW_DB * layout.hop / layout.sample_rate
        self.above = medians._ABOVE
        self.grain = live._GRAIN
        self.even = min(1.0, layout.hop / layout.sample_rate / live._EVEN_SECONDS)
        self.sudden = live._SUDDEN
        # The slot whose power is followed, or -1.
        self.voiced_by = -1
        self.tied, self.most_tied = live._TIED, live._MOST_TIED
        self.most_own, self.most_carrier = live._OWN, live._CARRIER
        self.straight, self.coupled = band_map._STRAIGHT, band_map._TIED
        around = torch.arange(layout.bins).unsqueeze(0) + torch.arange(-8, 9, 2).unsqueeze(1)
        self.register_buffer("neighbours", around.clamp(0, layout.bins - 1))

    neighbours: Tensor

    def reset(self, bank: StyleBank) -> None:
        """Forget all sound; the input is expected to be like the style."""
        self.covariance.copy_(bank.wide_lagged[:, : self.bands])
        self.powers.copy_(torch.expm1(bank.wide_mean).square())
        self.memory.reset(bank.wide_lagged)
        self.distribution.forget(bank.wide_quantiles, 1.0)
        self.means[0] = bank.wide_mean
        self.means[1] = bank.wide_mean
        self.map.copy_(torch.eye(self.bands))
        self.maps.copy_(torch.eye(self.bands).expand_as(self.maps))
        self.floors.fill_(self.silent)
        self.ring.zero_()
        self.voiced.zero_()
        self.voiced_by = -1

    def forget(self, bank: StyleBank, lost: float) -> None:
        """Let what is expected take the place of what was learnt, by a part `lost`."""
        self.distribution.forget(bank.wide_quantiles, lost)
        self.memory.forget(bank.wide_lagged, lost)
        follow_mean(self.means[1], bank.wide_mean, lost)

    def solve(self, root: Tensor, power: Tensor) -> None:
        """Solve the map to a style with this root [W, W] and direction of power [W]; see models.live.band_map."""
        content = self.covariance.double()
        extra = 1e-3 * float(content.diagonal().mean()) + 1e-9
        eye = torch.eye(self.bands, dtype=torch.float64)
        root = root + math.sqrt(extra) * eye
        lower = torch.linalg.cholesky(content + extra * eye)
        ours = self.powers.double()
        ours = ours / (ours.square().sum() + 1e-30).sqrt()
        tied = self.straight * lower + self.coupled * torch.outer(power.double(), ours @ lower)
        left, _, right = torch.linalg.svd(root @ tied)
        turned = root @ left @ right
        self.solved.copy_(torch.linalg.solve_triangular(lower, turned, upper=False, left=False).float())

    def follow(self, magnitudes: Tensor, learnt: float, count: int) -> Tensor:
        """Follow the levels of input and output; returns the log-levels [2, W].

        Args:
            magnitudes: Tensor [2, B], in units of S0
            learnt: share by which running statistics move
            count: hops so far
        """
        self.levels.copy_((magnitudes.square() @ self.wide).clamp_min(0.0).sqrt())
        logs = torch.log1p(self.levels)
        follow_mean(self.means, logs, learnt)
        self.ring[(count // self.every) % self.frames] = magnitudes[0]
        decibels = 20.0 * torch.log10(self.levels[0] + self.faintest)
        self.attack.copy_(torch.sigmoid((decibels - self.floors - self.rise) / self.border))
        self.floors.copy_(torch.minimum(decibels, self.floors + self.follow_db))
        if learnt > 0.0:
            inside = logs - self.means
            follow_products(self.covariance, inside[0] * learnt, inside[0], learnt)
            self.powers.mul_(1.0 - learnt).add_(self.levels[0] * learnt * self.levels[0])
            self.memory.follow(inside[1], learnt)
        return logs

    def want(
        self,
        logs: Tensor,
        bank: StyleBank,
        learnt: float,
        even: bool,
        asked: float,
        strength: float,
        iterations: int,
    ) -> None:
        """Write the levels wanted [W] to `wanted`; the arguments are those of the hop."""
        mapped = torch.mv(self.map, logs[0] - self.means[0])
        steps = bank.wide_quantiles[:, 1:] - bank.wide_quantiles[:, :-1]
        moved = self.distribution.match(mapped, bank.wide_quantiles[:, 0], steps)
        if learnt > 0.0 and even:
            self.distribution.follow(mapped, 4.0 * learnt)
        if iterations > 0 and asked > 0.0:
            spread = float(bank.wide_lagged[:, : self.bands].diagonal().sum())
            top = max(float(bank.wide_top[0]), 1e-9)
            change = self.memory.descend(moved, iterations, style=bank.wide_lagged, top=top, spread=spread)
            moved = torch.add(moved, change, alpha=self.grain * asked)
        target = torch.minimum((bank.wide_mean + moved).clamp_min(0.0), bank.wide_largest)
        wanted = torch.expm1(target)
        share = self.spread.sum(dim=1)
        ours = 1e-9 + float(torch.dot(share, self.levels[0].square()))
        theirs = 1e-9 + float(torch.dot(share, wanted.square()))
        louder = min(max((ours / theirs) ** (0.5 * self.tied), 1.0 / self.most_tied), self.most_tied)
        self.wanted.copy_(torch.expm1(torch.lerp(logs[0], torch.log1p(wanted * louder), strength)))

    def place(self, bank: StyleBank) -> Tensor:
        """Return the levels wanted, about the style's mean, interpolated to bins [B]."""
        found: Tensor = torch.mv(self.spread.mT, torch.log1p(self.wanted) - bank.wide_mean)
        return found

    def speak(
        self,
        spectra: Tensor,
        powers: Tensor,
        magnitude: Tensor,
        voices: Tensor,
        slot: int,
        gain: float,
        strength: float,
    ) -> Tensor:
        """Return what own partials and carrier make together [C, B].

        Args:
            spectra, powers: Tensor [C, B], of the input
            magnitude: Tensor [B], in units of S0
            voices: Tensor [2, B], of the carrier, with its tones and without them; or none
            slot: of the carrier
            gain: that the input is reckoned with
            strength: 0 to 1
        """
        channels = spectra.shape[0]
        own = self._gains(self.levels[0], self.wanted, self.most_own)
        unit = gain / self.quiet
        if voices.shape[0] > 0:
            attack = torch.mv(self.spread.mT, self.attack)
            silent = strength * (1.0 - self._tonal(self.ring, magnitude)) * (1.0 - attack).clamp_min(0.0)
            own = own * (1.0 - silent).clamp_min(0.0).sqrt()
            gains = self._gains(self._evened(voices[0], slot), self.wanted, self.most_carrier)
            gains = gains * silent.sqrt() / gain
            if channels > 1:
                part = ((powers @ self.wide) * (unit * unit)).clamp_min(1e-10).sqrt()
                gains = gains * ((part / self.levels[0].clamp_min(1e-5)) @ self.spread)
            else:
                gains = gains.unsqueeze(0)
            return spectra * own + voices[1] * gains
        return spectra * own

    def _evened(self, voice: Tensor, slot: int) -> Tensor:
        """Return the carrier's levels [W] of late; where another clip has begun, those of now."""
        power = ((voice.abs() / self.quiet).square() @ self.wide).clamp_min(0.0)
        follow_mean(self.voiced, power, self.even if self.voiced_by == slot else 1.0)
        self.voiced_by = slot
        return torch.maximum(self.voiced, power / self.sudden).sqrt()

    def _gains(self, now: Tensor, wanted: Tensor, most: float) -> Tensor:
        ratio = (wanted / now.clamp_min(1e-5)).clamp(1e-6, most)
        return torch.mv(self.spread.mT, ratio.log()).exp()

    def _tonal(self, frames: Tensor, magnitude: Tensor) -> Tensor:
        steady = frames.median(dim=0)[0].square()
        around = (self.above * magnitude[self.neighbours].median(dim=0)[0]).square()
        return steady / (steady + around + 1e-9)
