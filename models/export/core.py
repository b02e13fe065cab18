"""One hop of the streaming stylizer as a module of fixed-size buffers, which TorchScript compiles.

The form of the core that other hosts can load, and a second writing of the same equations, which tests compare the one
that plays with (models.live.hop). B bins, b bands, C channels, s styles. In each hop:

1. *Analysis.* The newest frame of the input and that of the output so far, one transform for all channels. Levels
   are relative to the input's own running loudness, so that nothing depends on how high the input is turned up.
2. *Statistics.* Running mean and covariance of the input in bands; running mean and lagged covariances, that is the
   Gram matrix of linear features over time, of the output.
3. *Map.* The optimal transport between the two Gaussians, in bands, solved again from the running statistics
   every 0.17 s; one gain a bin for what lies outside the bands; each bin's values moved to the style's quantiles.
4. *Iterations.* K gradient steps on the output's Gram matrix against the style's, with respect to this frame only.
5. *Phase.* The input's, the style's own, or noise's: see `StylizerSettings` in models.live.stylizer.
6. *Notes*: as far as the knob `notes` asks for, the same in wide bands takes its place: see models.live.notes.
7. *Synthesis*, overlap-add, a limiter, and the mix with the input delayed by as much.

For the map, with R = C_s^{1/2} known beforehand, the transport of one Gaussian to another (Peyré and Cuturi 2019,
remark 2.31, with content and style exchanged and inverted) takes a single eigen-decomposition:

    A = R (R C_c R)^{-1/2} R.

For several styles A is the weighted mean of their maps: their barycentre along generalised geodesics from the
content (Ambrosio, Gigli and Savaré 2008, section 9.2).

A map is taken up some hops after the statistics that it is solved from, as where it is solved aside.

Of this module's parts, each with what it keeps, `loudness` follows levels and keeps pauses soft, `distribution` moves
values to quantiles, `memory` is the Gram matrix and its descent, `voice` the phase, `bank` the styles, `notes` the wide
bands, and `output` the synthesis.
"""

import math

import torch
from torch import Tensor, nn

from ...dsp.stft import S0
from ..live.prepared_style import WIDE, Layout, PreparedStyle
from .carrier import Carrier
from .gram_memory import GramMemory
from .loudness import RunningLoudness
from .notes import Notes
from .quantiles import RunningQuantiles
from .rounding import follow_mean, follow_products
from .style_bank import StyleBank
from .synthesis import Synthesis


class StylizerCore(nn.Module):
    """See the module's text; `reset` starts afresh.

    Args:
        layout: of the styles
        channels: of the input
        carrier: whose phase is taken, see `Carrier`
        slots: how many styles can be mixed; they are empty until `fill`
        places, samples: the most that a slot can hold
    """

    analysis: Tensor
    basis: Tensor
    frames: Tensor
    means: Tensor
    scales: Tensor
    covariance: Tensor
    variance: Tensor
    maps: Tensor
    map: Tensor
    solved: Tensor
    rest_gain: Tensor
    offset: Tensor
    newest: Tensor

    def __init__(
        self, layout: Layout, *, channels: int, carrier: int, slots: int, places: int, samples: int
    ) -> None:
        super().__init__()
        n_fft, bins, bands = layout.n_fft, layout.bins, layout.bands
        self.hop = layout.hop
        self.n_fft = n_fft
        self.channels = channels
        self.bands = bands
        self.length = layout.pair.length
        self.carrier = carrier
        self.slots = slots
        self.hop_seconds = layout.hop / layout.sample_rate
        self.solve_every = max(2, round(0.17 / self.hop_seconds))
        self.solve_hops = max(1, min(round(0.064 / self.hop_seconds), self.solve_every - 1))
        self.solve_soon = max(1, min(round(0.01 / self.hop_seconds), self.solve_every - 1))
        self.quiet = S0
        window = torch.from_numpy(layout.pair.analysis)
        self.register_buffer("analysis", (window * (2.0 / float(window.sum()))).float())
        self.register_buffer("basis", torch.from_numpy(layout.basis).float())
        self.bank = StyleBank(layout, slots=slots)
        self.voice = Carrier(
            layout, kind=carrier, slots=slots, places=places, samples=samples, window=self.analysis.clone()
        )
        self.loudness = RunningLoudness(layout, channels=channels)
        self.distribution = RunningQuantiles(bins)
        self.memory = GramMemory(layout, bands=bands)
        self.notes = Notes(layout, slots=slots, quiet=S0)
        self.output = Synthesis(layout, channels=channels)
        self._state(channels, n_fft, bins, bands)
        # Slots whose map was solved before they were heard, or never; and whether there may be such that are heard.
        self.stale = [0] * slots
        # The slot whose map is taken up at hop `taken_at`; -1 where none is.
        self.solving = -1
        self.taken_at = 0
        self.known = [0.0] * slots
        self.common = 1.0
        self.turn = 0
        self.mix_styles(torch.ones(slots))
        self.reset()

    def _state(self, channels: int, n_fft: int, bins: int, bands: int) -> None:
        self.register_buffer("frames", torch.zeros(2 * channels, n_fft))
        self.register_buffer("newest", torch.zeros(channels, self.hop))
        self.register_buffer("means", torch.zeros(2, bins))
        self.register_buffer("scales", torch.ones(2, 1))
        self.register_buffer("covariance", torch.zeros(bands, bands))
        self.register_buffer("variance", torch.zeros(bins))
        self.register_buffer("maps", torch.zeros(self.slots, bands, bands))
        self.register_buffer("map", torch.zeros(bands, bands))
        self.register_buffer("solved", torch.zeros(bands, bands))
        self.register_buffer("rest_gain", torch.ones(bins))
        self.register_buffer("offset", torch.zeros(bins))

    @torch.jit.export
    def reset(self) -> None:
        """Forget all sound. The input is expected to be like the style until it has been heard."""
        self.frames.zero_()
        self.newest.zero_()
        self.loudness.reset()
        self.output.reset()
        self.covariance.copy_(self.bank.lagged[:, : self.bands])
        self.variance.copy_(self.bank.rest.square())
        self.memory.reset(self.bank.lagged)
        self.distribution.forget(self.bank.quantiles, 1.0)
        self.means[0] = self.bank.mean
        self.means[1] = self.bank.mean
        self.map.copy_(torch.eye(self.bands))
        self.maps.copy_(torch.eye(self.bands).expand(self.slots, self.bands, self.bands))
        self.rest_gain.fill_(1.0)
        self.offset.zero_()
        self.notes.reset(self.bank)
        self.count = 0
        self.seconds = 0.5
        self.turn = self.bank.next_used(self.slots - 1)
        self.voice.reset(self.turn)
        # The first map is solved at the first hop of all, when nothing is known yet.
        self.turn = self.slots - 1
        self.solving = -1
        for slot in range(self.slots):
            self.stale[slot] = 0
        self._know(1.0)

    @torch.jit.export
    def mix_styles(self, weights: Tensor) -> None:
        """Make the mixture of styles in use that of `weights` [slots], which need not add up to 1."""
        bank = self.bank
        for slot in range(self.slots):
            # Without a share its map was not kept up; it is solved again when the slot is heard.
            if bank.shares[slot] <= 0.0:
                self.stale[slot] = 1
        bank.mix(weights)
        bank.mix_maps(self.maps, self.map)
        bank.mix_maps(self.notes.maps, self.notes.map)
        self._weigh_rest()
        self._forget_others()

    def _forget_others(self) -> None:
        """Forget of what was learnt as much as it belongs to styles that have lost their share.

        What the output lacks, and how it is distributed, was learnt with other styles. As much of it as their shares
        and the present ones do not have in common makes way for what is expected of the present mixture, as in the
        beginning; of a style that takes over alone, all.
        """
        bank = self.bank
        common = 0.0
        for slot in range(self.slots):
            common += min(self.known[slot], bank.shares[slot])
        if common < self.common - 1e-6:
            lost = 1.0 - common / self.common
            self.offset.mul_(1.0 - lost)
            self.distribution.forget(bank.quantiles, lost)
            self.memory.forget(bank.lagged, lost)
            follow_mean(self.means[1], bank.mean, lost)
            self.notes.forget(bank, lost)
        self.common = common
        if common < 1e-3:
            self._know(1.0)

    def _know(self, step: float) -> None:
        """Take note that what is learnt belongs to the present shares, by a part `step` more than before."""
        self.common = 0.0
        for slot in range(self.slots):
            share = self.bank.shares[slot]
            self.known[slot] += step * (share - self.known[slot])
            self.common += min(self.known[slot], share)

    @torch.jit.export
    def open_slot(self, slot: int, top: float, count: int, stride: int, length: int) -> None:
        """Say that a slot has been written; the arguments are those of `StyleBank.open` and `Carrier.open`."""
        self.bank.open(slot, top)
        self.voice.open(slot, count, stride, length)
        self.stale[slot] = 1

    def _weigh_rest(self) -> None:
        torch.div(self.bank.rest, self.variance.sqrt() + 1e-6, out=self.rest_gain)
        self.rest_gain.clamp_(max=10.0)

    def _due(self, learnt: float) -> int:
        """Return the slot whose map is to be solved in this hop; -1 if none is."""
        for slot in range(self.slots):
            # One at a time, whatever comes in at once.
            if self.stale[slot] == 1 and self.bank.shares[slot] > 0.0:
                return slot
        if self.count % self.solve_every == 0 and learnt > 0.0:
            self.turn = self.bank.next_used(self.turn)
            return self.turn
        return -1

    def _tend_map(self, learnt: float) -> None:
        """Take up a map that has been solved, or solve one for later."""
        if self.solving >= 0:
            if self.count == self.taken_at:
                self.maps[self.solving] = self.solved
                self.notes.maps[self.solving] = self.notes.solved
                self.stale[self.solving] = 0
                self.solving = -1
                self.bank.mix_maps(self.maps, self.map)
                self.bank.mix_maps(self.notes.maps, self.notes.map)
                self._know(min(1.0, learnt * self.solve_every))
                self._weigh_rest()
            return
        due = self._due(learnt)
        if due >= 0:
            self.taken_at = self.count + (self.solve_soon if self.stale[due] == 1 else self.solve_hops)
            self._solve(due)
            self.notes.solve(self.bank.each_wide_root[due], self.bank.each_wide_power[due])
            self.solving = due

    def _solve(self, slot: int) -> None:
        """Solve the map to the style in a slot from the running covariance; the formula is in the module's text."""
        root = self.bank.each_root[slot]
        content = self.covariance.double()
        extra = 1e-3 * float(content.diagonal().mean()) + 1e-9
        eye = torch.eye(self.bands, dtype=torch.float64)
        root = root + math.sqrt(extra) * eye
        inner = root @ (content + extra * eye) @ root
        values, vectors = torch.linalg.eigh((inner + inner.mT) / 2)
        # R C R holds products of variances; what is below the product of what was added is rounding.
        half = root @ vectors * values.clamp_min(extra * extra).rsqrt().sqrt()
        self.solved.copy_((half @ half.mT).float())

    def forward(
        self,
        block: Tensor,
        strength: float,
        mix: float,
        notes: float,
        rate: float,
        iterations: int,
        gate: float,
    ) -> Tensor:
        """One hop.

        Args:
            block: Tensor [C, hop] float32, finite
            strength, mix, notes: 0 to 1; strength and mix are ramped from those of the hop before
            rate: share by which running statistics move in a hop of full length; 0 holds all that is learnt
            iterations: gradient steps
            gate: how far above the room's noise sound must stand to pass, dB; 0 is no gate

        Returns:
            Tensor [C, hop], the input's samples from `length` - `hop` samples before this block on, stylized
        """
        hop, n_fft, channels = self.hop, self.n_fft, self.channels
        # Few, large operations: where there is a choice, a scalar goes in as an operation's own factor, since
        # multiplying by one apart costs as much as five operations.
        newest = torch.cat([block, self.newest])
        self.frames.copy_(torch.cat([self.frames[:, hop:], newest], dim=1))
        dry = self.frames[:channels, n_fft - self.length : n_fft - self.length + hop].clone()

        spectra = torch.fft.rfft(self.frames * self.analysis)
        powers = torch.real(spectra * spectra.conj())
        # Of all channels together; what their number divides by is in the factors that follow.
        power = powers.view(2, channels, -1).sum(dim=1)
        sounding = self.loudness.listen(power[0], rate, gate)
        # Magnitudes in units of the level S0, as log-magnitudes take them.
        unit = 1.0 / (self.quiet * self.quiet * channels)
        self.scales[0, 0] = self.loudness.gain * self.loudness.gain * unit
        self.scales[1, 0] = unit
        magnitudes = (power * self.scales).clamp_min_(1e-10).sqrt_()
        levels = torch.log1p(magnitudes)

        # In the beginning each hop counts as much as all before it; the style stands for the first half second.
        learnt, most = 0.0, 0.0
        if rate > 0.0 and sounding > 0.0:
            self.seconds += self.hop_seconds
            most = max(rate, self.hop_seconds / self.seconds)
            learnt = most * sounding
            follow_mean(self.means, levels, learnt)
        deviations = levels - self.means
        inside = deviations @ self.basis
        z_in, z_out = inside[0], inside[1]
        if learnt > 0.0:
            follow_products(self.covariance, z_in * learnt, z_in, learnt)
            self.memory.follow(z_out, learnt)
            soon = min(1.0, max(rate, 3.0 * self.hop_seconds / (self.seconds - 0.4)))
            self.loudness.balance(power[0], power[1], soon * sounding, soon)
        logs = self.notes.follow(magnitudes, learnt, self.count)

        self._tend_map(learnt)
        self.count += 1

        both = torch.stack([z_in, torch.mv(self.map, z_in)]) @ self.basis.mT
        rest = deviations[0] - both[0]
        if learnt > 0.0:
            follow_mean(self.variance, rest.square(), learnt)
        mapped = torch.addcmul(both[1], rest, self.rest_gain)
        moved = self.distribution.match(mapped, self.bank.quantiles[:, 0], self.bank.steps)
        if learnt > 0.0 and self.count % 2 == 0:
            self.distribution.follow(mapped, 4.0 * learnt)
        # How far the whole style is asked for: only as far can the output be expected to have its statistics.
        asked = strength * (1.0 - notes)
        moved = torch.add(moved, self.offset, alpha=asked)
        wanted = moved @ self.basis
        if iterations > 0 and asked > 0.0:
            bank = self.bank
            change = self.memory.descend(
                wanted, iterations, style=bank.lagged, top=bank.top, spread=bank.spread
            )
            moved = torch.addmv(moved, self.basis, change, alpha=asked)
        if learnt > 0.0:
            # What the output's mean lacks of the style's is added until nothing is missing.
            self.offset.add_((self.bank.mean - levels[1]) * (learnt * asked))
            if asked < 1.0:
                self.offset.mul_(1.0 - learnt * (1.0 - asked))
            self.offset.clamp_(-3.0, 3.0)
        target = torch.minimum((self.bank.mean + moved).clamp_min_(0.0), self.bank.largest)
        even = self.count % 2 == 0
        self.notes.want(logs, self.bank, learnt, even, strength * notes, strength, iterations)
        if notes > 0.0:
            wanted = torch.lerp(wanted, self.notes.place(self.bank) @ self.basis, notes)

        step = target - levels[0]
        wished = torch.expm1(torch.add(levels[0], step, alpha=strength).clamp_min_(0.0))
        voices = torch.zeros([0, wished.shape[0]], dtype=torch.complex64)
        if self.carrier != 0:
            voices = self.voice.choose(wanted, self.bank.shares, self.bank.spread)
        ours, powers = spectra[:channels], powers[:channels]
        gain = self.loudness.gain
        spoken = ours
        squares = wished.square()
        if notes > 0.0:
            spoken = self.notes.speak(
                ours, powers, magnitudes[0], voices, slot=self.voice.slot, gain=gain, strength=strength
            )
            loud = torch.real(spoken * spoken.conj()).sum(dim=0) * (gain * gain * unit)
            loud[self.output.audible :] = 0.0
            squares = torch.lerp(squares, loud, notes)
        else:
            self.notes.voiced_by = -1
        held = self.loudness.hold(squares, strength)
        played = spoken * (math.sqrt(notes) * held)
        if notes < 1.0:
            phased = self._phased(ours, powers, magnitudes[0], wished * held, voices, asked)
            played = phased if notes == 0.0 else played + phased * math.sqrt(1.0 - notes)
        # The input's level, without which all of this is reckoned, comes back here.
        self.newest = self.output.overlap_add(played, self.loudness.gain)
        level = self.loudness.makeup**strength / self.loudness.gain
        return self.output.emit(self.newest, dry, level=level, strength=strength, mix=mix)

    def _phased(
        self,
        spectra: Tensor,
        powers: Tensor,
        magnitude: Tensor,
        wished: Tensor,
        voices: Tensor,
        asked: float,
    ) -> Tensor:
        """Give the wished magnitudes [B] a phase; returns spectra [C, B].

        The input's own bins are raised by no more than `most`, which falls from 60 dB to -20 dB as more of the style
        is asked for; the carrier brings what is missing, in the input's stereo image.
        """
        gain = wished / magnitude
        if self.carrier == 0:
            return spectra * gain.clamp_max_(1000.0)
        most = 10.0 ** ((60.0 - 80.0 * asked) / 20.0)
        kept = gain.clamp_max_(most)
        own = kept * magnitude
        missing = torch.addcmul(wished.square(), own, own, value=-1.0)
        # Relative to what all channels have together, so that the input's own unit and level are in it.
        # Where the input has nothing at all, the channels share alike.
        floor = 1e-10 * (self.quiet / self.loudness.gain) ** 2
        image = powers.clamp_min(floor).sqrt_() * (missing.clamp_min_(0.0).sqrt_() / magnitude)
        phase = voices[0] * torch.real(voices[0] * voices[0].conj()).clamp_min(1e-18).rsqrt()
        return spectra * kept + phase * image


def fill(core: StylizerCore, slot: int, style: PreparedStyle) -> None:
    """Write a style to a slot of a core that is not compiled yet; whoever calls this mixes and resets."""
    bank, voice = core.bank, core.voice
    bands = core.bands
    # The lagged covariances stand side by side here, and the earlier frame's bands are their columns.
    lagged = torch.from_numpy(style.lagged.reshape(-1, bands, bands)).mT
    wide_lagged = torch.from_numpy(style.wide_lagged.reshape(-1, WIDE, WIDE)).mT
    for name, value in (
        ("mean", torch.from_numpy(style.mean)),
        ("rest", torch.from_numpy(style.rest)),
        ("largest", torch.from_numpy(style.largest)),
        ("quantiles", torch.from_numpy(style.quantiles).mT),
        ("root", torch.from_numpy(style.root)),
        ("lagged", torch.cat(list(lagged), dim=1)),
        ("wide_mean", torch.from_numpy(style.wide_mean)),
        ("wide_largest", torch.from_numpy(style.wide_largest)),
        ("wide_quantiles", torch.from_numpy(style.wide_quantiles).mT),
        ("wide_root", torch.from_numpy(style.wide_root)),
        ("wide_lagged", torch.cat(list(wide_lagged), dim=1)),
        ("wide_top", torch.from_numpy(style.wide_top)),
        ("wide_power", torch.from_numpy(style.wide_power)),
    ):
        getattr(bank, f"each_{name}")[slot] = value
    count, length = style.places.shape[1], style.clip.shape[0]
    if voice.stored:
        places = torch.from_numpy(style.axes @ style.places).mT
        rows = slice(slot * voice.room, slot * voice.room + count)
        voice.places[rows] = places
        voice.norms[rows] = places.square().sum(dim=-1)
        voice.clip[slot, :length] = torch.from_numpy(style.clip)
        voice.toneless[slot, :length] = torch.from_numpy(style.toneless)
    core.open_slot(slot, style.top, count, style.stride, length)
