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
from models.live_style import Layout, LiveStyle, quantile_levels

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
    styles : as many as can be mixed
    layout : theirs
    channels : of the input
    carrier : 0 keeps the input's phase, 1 takes the style's, 2 noise's
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
    places: Tensor
    places_norm: Tensor
    starts: Tensor
    owners: Tensor
    bias: Tensor
    clip: Tensor
    weights: Tensor
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
    each_mean: Tensor
    each_rest: Tensor
    each_largest: Tensor
    each_quantiles: Tensor
    each_root: Tensor
    each_lagged: Tensor
    style_mean: Tensor
    style_rest: Tensor
    style_largest: Tensor
    style_quantiles: Tensor
    style_lagged: Tensor
    style_steps: Tensor
    silent_hop: Tensor
    newest: Tensor

    def __init__(self, styles: list[LiveStyle], layout: Layout, *, channels: int, carrier: int) -> None:
        super().__init__()
        n_fft, bins, bands = layout.n_fft, layout.bins, layout.basis.shape[1]
        self.hop = layout.hop
        self.n_fft = n_fft
        self.channels = channels
        self.bands = bands
        self.length = layout.pair.length
        self.carrier = carrier
        self.styles = len(styles)
        self.hop_seconds = layout.hop / layout.sample_rate
        self.release = _RELEASE_SECONDS * layout.sample_rate
        self.solve_every = max(2, round(0.17 / self.hop_seconds))
        self.lags = list(layout.lags)
        window = layout.pair.analysis
        scale = 2.0 / float(window.sum())
        self._constants(layout, window, scale)
        self._styles(styles)
        self._state(channels, n_fft, bins, bands)
        # How much of the wet signal was in the hop before; whoever resets decides where it stands.
        self.wet = 0.0
        self.mix_styles(torch.ones(self.styles))
        self.reset()

    def _constants(self, layout: Layout, window: Tensor, scale: float) -> None:
        n_fft = layout.n_fft
        self.register_buffer("analysis", (window * scale).float())
        self.register_buffer("synthesis", (layout.pair.synthesis / scale).float())
        self.register_buffer("basis", layout.basis.contiguous())
        self.register_buffer("envelope", layout.envelope.contiguous())
        self.register_buffer("envelope_t", layout.envelope.mT.contiguous())
        # White noise of variance v has Σ_bins |X|² = v 2 n Σw² / (Σw)²: so much loudness is in a frame.
        share = float(window.sum()) ** 2 / (2.0 * n_fft * float(window.square().sum()))
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

    def _styles(self, styles: list[LiveStyle]) -> None:
        for name in ("mean", "rest", "largest", "quantiles", "root", "lagged"):
            self.register_buffer(f"each_{name}", torch.stack([getattr(style, name) for style in styles]))
        # The mixture in use, of the same shapes without the first dimension.
        for name in ("mean", "rest", "largest", "quantiles", "lagged"):
            self.register_buffer(f"style_{name}", torch.zeros_like(getattr(self, f"each_{name}")[0]))
        self.register_buffer("style_steps", torch.zeros_like(self.style_quantiles[:, 1:]))
        places, starts, owners, clips = [], [], [], []
        offset = 0
        for number, style in enumerate(styles):
            places.append(style.places)
            starts.append(offset + torch.arange(style.places.shape[0]) * style.stride)
            owners.append(torch.full((style.places.shape[0],), number))
            clips.append(style.clip)
            offset += style.clip.shape[0]
        self.register_buffer("places", torch.cat(places))
        self.register_buffer("places_norm", torch.cat(places).square().sum(dim=-1))
        self.register_buffer("starts", torch.cat(starts))
        self.register_buffer("owners", torch.cat(owners))
        self.register_buffer("bias", torch.zeros(self.places.shape[0]))
        noise = torch.randn(2**17, generator=torch.Generator().manual_seed(0))
        self.register_buffer("clip", noise if self.carrier == 2 else torch.cat(clips))
        self.strides = [style.stride for style in styles]
        firsts = [0]
        for style in styles:
            firsts.append(firsts[-1] + style.places.shape[0])
        self.firsts = firsts
        self.register_buffer("weights", torch.zeros(len(styles)))

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
        self.register_buffer("maps", torch.zeros(self.styles, bands, bands))
        self.register_buffer("map", torch.zeros(bands, bands))
        self.register_buffer("rest_gain", torch.ones(bins))
        self.register_buffer("offset", torch.zeros(bins))
        self.register_buffer("quantiles", torch.zeros(bins, self.levels.shape[0]))
        self.register_buffer("widths", torch.zeros(bins, self.levels.shape[0] - 1))
        self.register_buffer("limiter", limiter_state())
        self.register_buffer("lag_rows", torch.tensor(self.lags))

    @torch.jit.export
    def reset(self) -> None:
        """Forget all sound. The input is expected to be like the style until it has been heard."""
        self.frames.zero_()
        self.newest.zero_()
        self.sum.zero_()
        self.covariance.copy_(self.style_lagged[:, : self.bands])
        self.variance.copy_(self.style_rest.square())
        self.gram.copy_(self.style_lagged)
        self.means[0] = self.style_mean
        self.means[1] = self.style_mean
        self.past.zero_()
        self.map.copy_(torch.eye(self.bands))
        self.maps.copy_(torch.eye(self.bands).expand(self.styles, self.bands, self.bands))
        self.rest_gain.fill_(1.0)
        self.offset.zero_()
        self.quantiles.copy_(self.style_quantiles)
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
        self.place = self.firsts[0]
        self.turn = 0

    @torch.jit.export
    def mix_styles(self, weights: Tensor) -> None:
        """Make the mixture of styles in use that of `weights` [s], which need not add up to 1."""
        total = float(weights.sum())
        if total <= 0.0:
            weights = torch.ones_like(weights)
            total = float(weights.shape[0])
        self.weights.copy_(weights / total)
        share = self.weights
        self.style_mean.copy_(torch.tensordot(share, self.each_mean, dims=1))
        self.style_rest.copy_(torch.tensordot(share, self.each_rest, dims=1))
        # The output may pass the style's largest values by a little, so that their mean can be met.
        self.style_largest.copy_(torch.tensordot(share, self.each_largest, dims=1) + 0.5)
        self.style_quantiles.copy_(torch.tensordot(share, self.each_quantiles, dims=1))
        self.style_lagged.copy_(torch.tensordot(share, self.each_lagged, dims=1))
        self.style_steps.copy_(self.style_quantiles[:, 1:] - self.style_quantiles[:, :-1])
        self.map.copy_(torch.tensordot(share, self.maps, dims=1))
        covariance = self.style_lagged[:, : self.bands]
        self.spread = float(covariance.diagonal().sum())
        self.top = float(torch.linalg.eigvalsh((covariance + covariance.mT) / 2)[-1]) + 1e-9
        # A style with a small share is chosen only where its frames fit that much better.
        scarcity = -torch.log(share.clamp_min(1e-9)) * (0.3 * self.spread)
        scarcity = torch.where(share > 1e-4, scarcity, torch.full_like(scarcity, 1e9))
        self.bias.copy_(scarcity[self.owners])

    def _narrow(self) -> None:
        widths = (self.quantiles[:, 1:] - self.quantiles[:, :-1]).clamp_min(1e-4)
        self.widths.copy_(widths.reciprocal())

    def _solve(self, number: int) -> None:
        """Solve the map to one of the styles from the running covariance; the formula is in the module's text."""
        root = self.each_root[number]
        content = self.covariance.double()
        extra = 1e-3 * float(content.diagonal().mean()) + 1e-9
        eye = torch.eye(self.bands, dtype=torch.float64)
        root = root + math.sqrt(extra) * eye
        inner = root @ (content + extra * eye) @ root
        values, vectors = torch.linalg.eigh((inner + inner.mT) / 2)
        # R C R holds products of variances; what is below the product of what was added is rounding.
        half = root @ vectors * values.clamp_min(extra * extra).rsqrt().sqrt()
        self.maps[number] = (half @ half.mT).float()
        self.map.copy_(torch.tensordot(self.weights, self.maps, dims=1))

    def _listen(self, power: Tensor, rate: float) -> float:
        """Follow the input's loudness; returns 0 where this frame is silence, up to 1 where it sounds in full.

        Parameters
        ----------
        power : Tensor [B], of the newest frame
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
        matched = self.style_quantiles[:, 0] + (inside * self.style_steps).sum(dim=1)
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
        difference = self.gram - self.style_lagged
        now = difference[:, : self.bands]
        earlier = self.past[self.lag_rows[1:] - 1].reshape(-1)
        fixed = torch.mv(difference[:, self.bands :], earlier)
        z = target
        for _ in range(iterations):
            gradient = torch.addmv(fixed, now, z, beta=1.0 / self.top, alpha=2.0 / self.top)
            # z - ½ (gradient + ½ (z - z̃))
            z = torch.add(torch.lerp(z, target, 0.25), gradient, alpha=-0.5)
        change = z - target
        bound = 0.7 * (float(target.norm()) + 0.3 * math.sqrt(self.spread))
        size = float(change.norm())
        return change * (bound / size) if size > bound else change

    def _choose(self, wanted: Tensor) -> Tensor:
        """Phase [B], as complex numbers of magnitude 1, from the carrier.

        The style's clip plays on from where it is, unless another place resembles the wanted band vector [b] so much
        better that a jump pays: then the grain comes from there. Overlap-add makes each jump a crossfade.
        """
        if self.carrier == 2:
            self.place = (self.place + self.hop) % (self.clip.shape[0] - self.n_fft)
            start = self.place
        else:
            scores = torch.addmv(self.places_norm + self.bias, self.places, wanted, alpha=-2.0)
            best = int(scores.argmin())
            # `turn` is how many samples past the place's own start we are.
            here = self.place
            style = int(self.owners[here])
            self.turn += self.hop
            while self.turn >= self.strides[style]:
                self.turn -= self.strides[style]
                here += 1
            over = here >= self.firsts[style + 1]
            if over or float(scores[best]) < float(scores[here]) - 1.5 * self.spread:
                here = best
                self.turn = 0
            self.place = here
            start = int(self.starts[here]) + self.turn
            start = min(start, self.clip.shape[0] - self.n_fft)
        spectrum = torch.fft.rfft(self.clip[start : start + self.n_fft] * self.analysis)
        power = torch.view_as_real(spectrum).square().sum(dim=-1)
        unit: Tensor = spectrum * power.clamp_min(1e-18).rsqrt()
        return unit

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
        powers = torch.view_as_real(spectra).square().sum(dim=-1)
        power = powers.view(2, channels, -1).mean(dim=1)
        sounding = self._listen(power[0], rate)
        # Magnitudes in units of the level S0, as log-magnitudes take them.
        unit = 1.0 / (self.quiet * self.quiet)
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
            self.gram.addr_(z_out, past[self.lag_rows].reshape(-1), beta=1.0 - learnt, alpha=learnt)
            self._balance(power[0], power[1], learnt)

        if self.count % self.solve_every == 0 and learnt > 0.0:
            turn = (self.count // self.solve_every) % self.styles
            self._solve(turn)
            torch.div(self.style_rest, self.variance.sqrt() + 1e-6, out=self.rest_gain)
            self.rest_gain.clamp_(max=10.0)
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
            self.offset.add_(self.style_mean - levels[1], alpha=learnt * asked)
            if asked < 1.0:
                self.offset.mul_(1.0 - learnt * (1.0 - asked))
            self.offset.clamp_(-3.0, 3.0)
        target = torch.minimum((self.style_mean + moved).clamp_min_(0.0), self.style_largest)

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
            scaled = spectra * kept + self._choose(wanted) * image
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
