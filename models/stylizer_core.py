"""One hop of the streaming stylizer: everything between a block of samples in and a block of samples out.

It is a module of fixed-size buffers that TorchScript compiles, so that what plays live can be exported as it is. B
bins, b bands, C channels, s styles. In each hop:

1. *Analysis.* The newest frame of the input and that of the output so far, one transform for all channels. Levels
   are relative to the input's own running loudness, so that nothing depends on how high the input is turned up.
2. *Statistics.* Running mean and covariance of the input in bands; running mean and lagged covariances, that is the
   Gram matrix of linear features over time, of the output.
3. *Map.* The optimal transport between the two Gaussians, in bands, solved again from the running statistics
   every 0.17 s; one gain a bin for what lies outside the bands; each bin's values moved to the style's quantiles.
4. *Iterations.* K gradient steps on the output's Gram matrix against the style's, with respect to this frame only.
5. *Phase.* The input's, the style's own, or noise's: see `StylizerSettings` in models.stylizer.
6. *Synthesis*, overlap-add, a limiter, and the mix with the input delayed by as much.

For the map, with R = C_s^{1/2} known beforehand, the transport of one Gaussian to another (Peyré and Cuturi 2019,
remark 2.31, with content and style exchanged and inverted) takes a single eigen-decomposition:

    A = R (R C_c R)^{-1/2} R.

For several styles A is the weighted mean of their maps: their barycentre along generalised geodesics from the
content (Ambrosio, Gigli and Savaré 2008, section 9.2).
"""

import math

import torch
from torch import Tensor, nn

from dsp.level import REFERENCE_LUFS, k_weights
from dsp.limiter import limit_block, limiter_state
from dsp.stft import S0
from models.carrier import Carrier
from models.live_style import Layout, quantile_levels
from models.style_bank import StyleBank

# Frames below this level, full scale, say nothing; nor do those this far below the input's running level.
_SILENCE_DB = -75.0
_FLOOR_DB = -60.0
_FULL_DB = -45.0
_CEILING = 10.0 ** (-1.0 / 20.0)
_RELEASE_SECONDS = 0.08
# The wet signal's loudness is moved towards the input's by at most 6 dB up, but a long way down: after a single
# loud accident the input's running level is too high for a while, and what the style makes of it would be, too.
_MOST_MAKEUP = 2.0
_LEAST_MAKEUP = 0.003


class StylizerCore(nn.Module):
    """See the module's text. All that is learnt or kept from hop to hop is in buffers; `reset` starts afresh.

    Parameters
    ----------
    layout : of the styles
    channels : of the input
    carrier : whose phase is taken, see :mod:`models.carrier`
    slots : how many styles can be mixed; they are empty at first, see :mod:`models.slots`
    places, samples : the most that a slot can hold
    """

    analysis: Tensor
    synthesis: Tensor
    basis: Tensor
    envelope: Tensor
    envelope_t: Tensor
    loudness_weights: Tensor
    levels: Tensor
    ramp: Tensor
    ceiling: Tensor
    frames: Tensor
    sum: Tensor
    means: Tensor
    scales: Tensor
    covariance: Tensor
    variance: Tensor
    gram: Tensor
    past: Tensor
    maps: Tensor
    map: Tensor
    rest_gain: Tensor
    offset: Tensor
    quantiles: Tensor
    widths: Tensor
    limiter: Tensor
    lag_rows: Tensor
    earlier_rows: Tensor
    silent_hop: Tensor
    newest: Tensor

    def __init__(
        self, layout: Layout, *, channels: int, carrier: int, slots: int, places: int, samples: int
    ) -> None:
        super().__init__()
        n_fft, bins, bands = layout.n_fft, layout.bins, layout.basis.shape[1]
        self.hop = layout.hop
        self.n_fft = n_fft
        self.channels = channels
        self.bands = bands
        self.length = layout.pair.length
        self.carrier = carrier
        self.slots = slots
        self.hop_seconds = layout.hop / layout.sample_rate
        self.release = _RELEASE_SECONDS * layout.sample_rate
        self.solve_every = max(2, round(0.17 / self.hop_seconds))
        self.lags = list(layout.lags)
        window = layout.pair.analysis
        scale = 2.0 / float(window.sum())
        self._constants(layout, window, scale)
        self.bank = StyleBank(layout, slots=slots)
        self.voice = Carrier(
            layout, kind=carrier, slots=slots, places=places, samples=samples, window=self.analysis.clone()
        )
        self._state(channels, n_fft, bins, bands)
        # How much of the wet signal was in the hop before; whoever resets decides where it stands.
        self.wet = 0.0
        # Slots whose map was solved before they were heard, or never; and whether there may be such that are heard.
        self.stale = [0] * slots
        self.pending = False
        self.known = [0.0] * slots
        self.common = 1.0
        self.turn = 0
        self.mix_styles(torch.ones(slots))
        self.reset()

    def _constants(self, layout: Layout, window: Tensor, scale: float) -> None:
        n_fft = layout.n_fft
        self.register_buffer("analysis", (window * scale).float())
        self.register_buffer("synthesis", (layout.pair.synthesis / scale).float())
        self.register_buffer("basis", layout.basis.contiguous())
        self.register_buffer("envelope", layout.envelope.contiguous())
        self.register_buffer("envelope_t", layout.envelope.mT.contiguous())
        # White noise of variance v has Σ_bins |X|² = v 2 n Σw² / (Σw)²: so much loudness is in a frame.
        # The spectra of all channels are added up, and their mean is what counts.
        share = float(window.sum()) ** 2 / (2.0 * n_fft * float(window.square().sum()) * self.channels)
        weights = torch.from_numpy(k_weights(n_fft, layout.sample_rate)) * share
        self.register_buffer("loudness_weights", weights.float())
        # TorchScript sees attributes, not names of the module.
        self.silence = _SILENCE_DB
        self.floor = _FLOOR_DB
        self.full = _FULL_DB
        self.most_makeup = _MOST_MAKEUP
        self.least_makeup = _LEAST_MAKEUP
        self.quiet = S0
        self.reference = 10.0 ** ((REFERENCE_LUFS + 0.691) / 10.0)
        self.register_buffer("levels", quantile_levels())
        self.register_buffer("ramp", torch.arange(1, self.hop + 1, dtype=torch.float32) / self.hop)
        self.register_buffer("ceiling", torch.tensor(_CEILING))

    def _state(self, channels: int, n_fft: int, bins: int, bands: int) -> None:
        longest = max(self.lags) + 1
        self.register_buffer("frames", torch.zeros(2 * channels, n_fft))
        self.register_buffer("newest", torch.zeros(channels, self.hop))
        self.register_buffer("silent_hop", torch.zeros(channels, self.hop))
        self.register_buffer("sum", torch.zeros(channels, n_fft))
        self.register_buffer("means", torch.zeros(2, bins))
        self.register_buffer("scales", torch.ones(2, 1))
        self.register_buffer("covariance", torch.zeros(bands, bands))
        self.register_buffer("variance", torch.zeros(bins))
        self.register_buffer("gram", torch.zeros(bands, bands * len(self.lags)))
        self.register_buffer("past", torch.zeros(longest, bands))
        self.register_buffer("maps", torch.zeros(self.slots, bands, bands))
        self.register_buffer("map", torch.zeros(bands, bands))
        self.register_buffer("rest_gain", torch.ones(bins))
        self.register_buffer("offset", torch.zeros(bins))
        self.register_buffer("quantiles", torch.zeros(bins, self.levels.shape[0]))
        self.register_buffer("widths", torch.zeros(bins, self.levels.shape[0] - 1))
        self.register_buffer("limiter", limiter_state())
        self.register_buffer("lag_rows", torch.tensor(self.lags))
        # Where the same frames are in `past` for the frame that comes next.
        self.register_buffer("earlier_rows", torch.tensor(self.lags[1:]) - 1)

    @torch.jit.export
    def reset(self) -> None:
        """Forget all sound. The input is expected to be like the style until it has been heard."""
        self.frames.zero_()
        self.newest.zero_()
        self.sum.zero_()
        self.covariance.copy_(self.bank.lagged[:, : self.bands])
        self.variance.copy_(self.bank.rest.square())
        self.gram.copy_(self.bank.lagged)
        self.means[0] = self.bank.mean
        self.means[1] = self.bank.mean
        self.past.zero_()
        self.map.copy_(torch.eye(self.bands))
        self.maps.copy_(torch.eye(self.bands).expand(self.slots, self.bands, self.bands))
        self.rest_gain.fill_(1.0)
        self.offset.zero_()
        self.quantiles.copy_(self.bank.quantiles)
        self._narrow()
        self.limiter.zero_()
        self.limited = False
        self.count = 0
        self.level = 0.0
        self.heard = 0.0
        self.seconds = 0.5
        self.gain = 1.0
        self.makeup = 1.0
        self.power_in = self.reference
        self.power_out = self.reference
        self.emitted = 0.0
        self.turn = self.bank.next_used(self.slots - 1)
        self.voice.reset(self.turn)
        # The first map is solved at the first hop of all, when nothing is known yet.
        self.turn = self.slots - 1
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
        self.pending = True
        bank.mix(weights)
        bank.mix_maps(self.maps, self.map)
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
            self.quantiles.lerp_(bank.quantiles, lost)
            self._narrow()
            self.gram.lerp_(bank.lagged, lost)
            self.means[1].lerp_(bank.mean, lost)
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
    def fractions(self) -> list[float]:
        """To which shares belongs what is learnt, and how much they have in common with the present ones."""
        values = [self.common]
        return values + self.known

    @torch.jit.export
    def set_fractions(self, values: list[float]) -> None:
        """Take what :meth:`fractions` gave."""
        self.common = values[0]
        self.known = values[1:]

    @torch.jit.export
    def close_slot(self, slot: int) -> None:
        """Take a style out of the mixture, so that its slot can be written to; see :mod:`models.slots`."""
        self.bank.close(slot)
        self.known[slot] = 0.0

    @torch.jit.export
    def open_slot(self, slot: int, top: float, count: int, stride: int, length: int) -> None:
        """Say that a slot has been written; the arguments are those of `StyleBank.open` and `Carrier.open`."""
        self.bank.open(slot, top)
        self.voice.open(slot, count, stride, length)
        self.stale[slot] = 1

    @torch.jit.export
    def share(self, slot: int) -> float:
        """How much of a slot is in the mixture in use."""
        share: float = self.bank.shares[slot]
        return share

    @torch.jit.export
    def whole_numbers(self) -> list[int]:
        """All that is kept from hop to hop in whole numbers; :meth:`set_whole_numbers` takes it."""
        voice = self.voice
        numbers = [self.count, self.turn, voice.slot, voice.place, voice.turn, int(self.limited)]
        return numbers + self.stale

    @torch.jit.export
    def set_whole_numbers(self, numbers: list[int]) -> None:
        """Take what :meth:`whole_numbers` gave."""
        voice = self.voice
        self.count, self.turn = numbers[0], numbers[1]
        voice.slot, voice.place, voice.turn = numbers[2], numbers[3], numbers[4]
        self.limited = numbers[5] != 0
        self.stale = numbers[6:]
        self.pending = True

    def _weigh_rest(self) -> None:
        torch.div(self.bank.rest, self.variance.sqrt() + 1e-6, out=self.rest_gain)
        self.rest_gain.clamp_(max=10.0)

    def _due(self, learnt: float) -> int:
        """Return the slot whose map is to be solved in this hop; -1 if none is."""
        if self.pending:
            for slot in range(self.slots):
                # One at a time, whatever comes in at once.
                if self.stale[slot] == 1 and self.bank.shares[slot] > 0.0:
                    return slot
            self.pending = False
        if self.count % self.solve_every == 0 and learnt > 0.0:
            self.turn = self.bank.next_used(self.turn)
            return self.turn
        return -1

    def _narrow(self) -> None:
        widths = (self.quantiles[:, 1:] - self.quantiles[:, :-1]).clamp_min(1e-4)
        self.widths.copy_(widths.reciprocal())

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
        self.maps[slot] = (half @ half.mT).float()
        self.stale[slot] = 0
        self.bank.mix_maps(self.maps, self.map)

    def _listen(self, power: Tensor, rate: float) -> float:
        """Follow the input's loudness; returns 0 where this frame is silence, up to 1 where it sounds in full.

        Parameters
        ----------
        power : Tensor [B], of the newest frame, all channels together
        rate : by how much what is learnt moves in a hop; 0 holds it
        """
        loud = float(torch.dot(power, self.loudness_weights)) + 1e-20
        decibels = 10.0 * math.log10(loud)
        if decibels < self.silence:
            return 0.0
        relative = decibels - 10.0 * math.log10(self.level) if self.level > 0.0 else 0.0
        if rate > 0.0:
            # The relative gate of BS.1770 keeps rests from counting as quiet playing; but a player who stays that
            # quiet is followed in the end. At first everything counts, and what was first is soon forgotten (the mean's
            # memory is a third of what has been heard), since it may have been a plug going in; later a peak counts for
            # no more than 10 dB above the level.
            self.heard += self.hop_seconds
            early = self.heard < 5.0
            weight = 0.5 if early else (0.1 if relative > self.floor else 0.02)
            if relative > -10.0:
                weight = 1.0
            step = min(1.0, max(rate, 3.0 * self.hop_seconds / self.heard)) * weight
            heard = loud if early else min(loud, 10.0 * self.level)
            self.level += step * (heard - self.level)
        self.gain = math.sqrt(self.reference / self.level) if self.level > 0.0 else 1.0
        return min(1.0, max(0.0, (relative - self.floor) / (self.full - self.floor))) ** 2

    def _match(self, moved: Tensor, rate: float) -> Tensor:
        """Move each bin's values [B], about the mean, to the style's quantiles, and follow their own.

        The quantiles of what comes in are tracked by stochastic approximation (Robbins and Monro 1951): each moves
        up by its level and down by the rest, so that it settles where that share of the values lies below.
        """
        inside = ((moved.unsqueeze(1) - self.quantiles[:, :-1]) * self.widths).clamp_(0.0, 1.0)
        matched = self.bank.quantiles[:, 0] + (inside * self.bank.steps).sum(dim=1)
        if rate > 0.0 and self.count % 2 == 0:
            last = self.levels.shape[0] - 1
            reach = (self.quantiles[:, last - 1] - self.quantiles[:, 1]).clamp_min(0.05)
            push = self.levels - (moved.unsqueeze(1) < self.quantiles).float()
            self.quantiles.addcmul_(push, reach.unsqueeze(1), value=4.0 * rate)
            self.quantiles.copy_(self.quantiles.cummax(dim=1)[0])
            self._narrow()
        return matched

    def _descend(self, target: Tensor, iterations: int) -> Tensor:
        """K gradient steps on the Gram matrix with respect to this frame's band vector [b]; returns the change.

        With Ḡ the output's running Gram matrix, z_l the output l hops ago and ΔG_l = (Ḡ - G_s)_l, the gradient of
        ½‖ΔG‖² with respect to the current frame z is 2 ΔG_0 z + Σ_l ΔG_l z_l, up to the rate of the running mean; the
        largest eigenvalue of the style's covariance makes the step size free of units. λ ½‖z - z̃‖² holds z near
        what the map asks for. The change is bounded: where the output cannot follow (a bin in which the style is
        always silent) the steps would otherwise grow without end.
        """
        earlier = self.past.index_select(0, self.earlier_rows).view(-1)
        z = target
        for _ in range(iterations):
            # One matrix after the other: their difference would be written, and read again.
            stacked = torch.cat([z + z, earlier])
            gradient = torch.mv(self.gram, stacked)
            gradient = torch.addmv(
                gradient, self.bank.lagged, stacked, beta=1.0 / self.bank.top, alpha=-1.0 / self.bank.top
            )
            # z - ½ (gradient + ½ (z - z̃))
            z = torch.add(torch.lerp(z, target, 0.25), gradient, alpha=-0.5)
        change = z - target
        bound = 0.7 * (float(target.norm()) + 0.3 * math.sqrt(self.bank.spread))
        size = float(change.norm())
        return change * (bound / size) if size > bound else change

    def forward(
        self,
        block: Tensor,
        strength: float,
        mix: float,
        detail: float,
        rate: float,
        iterations: int,
    ) -> Tensor:
        """One hop.

        Parameters
        ----------
        block : Tensor [C, hop] float32, finite
        strength, mix, detail : 0 to 1; strength and mix are ramped from those of the hop before
        rate : share by which running statistics move in a hop of full length; 0 holds all that is learnt
        iterations : gradient steps

        Returns
        -------
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
        sounding = self._listen(power[0], rate)
        # Magnitudes in units of the level S0, as log-magnitudes take them.
        unit = 1.0 / (self.quiet * self.quiet * channels)
        self.scales[0, 0] = self.gain * self.gain * unit
        self.scales[1, 0] = unit
        magnitudes = (power * self.scales).clamp_min_(1e-10).sqrt_()
        levels = torch.log1p(magnitudes)

        # In the beginning each hop counts as much as all before it; the style stands for the first half second.
        learnt = 0.0
        if rate > 0.0 and sounding > 0.0:
            self.seconds += self.hop_seconds
            learnt = max(rate, self.hop_seconds / self.seconds) * sounding
            self.means.lerp_(levels, learnt)
        deviations = levels - self.means
        inside = deviations @ self.basis
        z_in, z_out = inside[0], inside[1]
        if learnt > 0.0:
            self.covariance.addr_(z_in, z_in, beta=1.0 - learnt, alpha=learnt)
            past = torch.cat([z_out.unsqueeze(0), self.past[:-1]])
            self.past.copy_(past)
            self.gram.addr_(z_out, past.index_select(0, self.lag_rows).view(-1), beta=1.0 - learnt, alpha=learnt)
            self._balance(power[0], power[1], learnt)

        due = self._due(learnt)
        if due >= 0:
            self._solve(due)
            self._know(min(1.0, learnt * self.solve_every))
            self._weigh_rest()
        self.count += 1

        both = torch.stack([z_in, torch.mv(self.map, z_in)]) @ self.basis.mT
        rest = deviations[0] - both[0]
        if learnt > 0.0:
            self.variance.lerp_(rest.square(), learnt)
        moved = self._match(torch.addcmul(both[1], rest, self.rest_gain), learnt)
        # How far the whole style is asked for: only as far can the output be expected to have its statistics.
        asked = strength * detail
        moved = torch.add(moved, self.offset, alpha=asked)
        wanted = moved @ self.basis
        if iterations > 0 and asked > 0.0:
            moved = torch.addmv(moved, self.basis, self._descend(wanted, iterations), alpha=asked)
        if learnt > 0.0:
            # What the output's mean lacks of the style's is added until nothing is missing.
            self.offset.add_(self.bank.mean - levels[1], alpha=learnt * asked)
            if asked < 1.0:
                self.offset.mul_(1.0 - learnt * (1.0 - asked))
            self.offset.clamp_(-3.0, 3.0)
        target = torch.minimum((self.bank.mean + moved).clamp_min_(0.0), self.bank.largest)

        step = target - levels[0]
        if detail < 1.0:
            smooth = self.envelope @ torch.mv(self.envelope_t, step)
            step = smooth + (step - smooth) * detail
        wished = torch.expm1(torch.add(levels[0], step, alpha=strength).clamp_min_(0.0))
        if sounding < 1.0:
            wished = wished * (1.0 - strength * (1.0 - sounding))
        self.newest = self._sound(spectra[:channels], powers[:channels], magnitudes[0], wished, wanted, asked)
        return self._emit(self.newest, dry, strength, mix)

    def _sound(
        self,
        spectra: Tensor,
        powers: Tensor,
        magnitude: Tensor,
        wished: Tensor,
        wanted: Tensor,
        asked: float,
    ) -> Tensor:
        """Give the wished magnitudes [B] a phase, go back to samples and overlap-add; returns [C, hop].

        The input's own bins are raised by no more than `most`, which falls from 60 dB to -20 dB as more of the style
        is asked for; the carrier brings what is missing, in the input's stereo image.
        """
        gain = wished / magnitude
        if self.carrier == 0:
            scaled = spectra * gain.clamp_max_(1000.0)
        else:
            most = 10.0 ** ((60.0 - 80.0 * asked) / 20.0)
            kept = gain.clamp_max_(most)
            own = kept * magnitude
            missing = torch.addcmul(wished.square(), own, own, value=-1.0)
            # Relative to what all channels have together, so that the input's own unit and level are in it.
            # Where the input has nothing at all, the channels share alike.
            floor = 1e-10 * (self.quiet / self.gain) ** 2
            image = powers.clamp_min(floor).sqrt_() * (missing.clamp_min_(0.0).sqrt_() / magnitude)
            scaled = spectra * kept + self.voice.choose(wanted, self.bank.shares, self.bank.spread) * image
        # The input's level, without which all of this is reckoned, comes back here.
        self.sum.addcmul_(torch.fft.irfft(scaled, n=self.n_fft), self.synthesis, value=self.gain)
        first = self.n_fft - self.length
        out = self.sum[:, first : first + self.hop].clone()
        self.sum.copy_(torch.cat([self.sum[:, self.hop :], self.silent_hop], dim=1))
        return out

    def _balance(self, power_in: Tensor, power_out: Tensor, learnt: float) -> None:
        """Learn by how much the output is to be raised to be as loud as the input; powers [B] of the newest frames."""
        loud_in = float(torch.dot(power_in, self.loudness_weights)) * self.gain * self.gain
        loud_out = float(torch.dot(power_out, self.loudness_weights))
        self.power_in += learnt * (loud_in - self.power_in)
        self.power_out += learnt * (loud_out - self.power_out)
        ratio = (self.power_in + 1e-6 * self.reference) / (self.power_out + 1e-6 * self.reference)
        self.makeup = min(self.most_makeup, max(self.least_makeup, math.sqrt(ratio)))

    def _emit(self, out: Tensor, dry: Tensor, strength: float, mix: float) -> Tensor:
        """Bring the wet signal to the input's level, limit it, and mix it with the dry one; both [C, hop]."""
        emitted = self.makeup**strength / self.gain
        begin = self.emitted if self.emitted > 0.0 else emitted
        self.emitted = emitted
        # Below a strength of 0.05 the resynthesised sound gives way to the input itself.
        share = mix * min(1.0, strength * 20.0)
        before = self.wet
        self.wet = share
        if before == 0.0 and share == 0.0:
            self.limiter.zero_()
            self.limited = False
            return dry
        wet = out * torch.linspace(begin + (emitted - begin) / self.hop, emitted, self.hop)
        wet, self.limiter, self.limited = limit_block(wet, self.limiter, self.ceiling, self.release)
        if before == 1.0 and share == 1.0:
            return wet
        return dry + (wet - dry) * (before + (share - before) * self.ramp)
