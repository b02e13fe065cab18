"""Whose phase the result is carried on: that of places in the styles' clips, or of noise. TorchScript.

A clip plays on from where it is, unless another place, in whichever style, resembles what is wanted so much better
that a jump pays: then the grain comes from there. Overlap-add makes each jump a crossfade.
"""

import math

import torch
from torch import Tensor, nn

from ..live.carrier import NOISE, STYLE, noise_clip
from ..live.prepared_style import Layout


class Carrier(nn.Module):
    """Clips in slots of fixed size, and the place from which the phase is taken.

    Args:
        layout: of the stylizer
        kind: INPUT, STYLE or NOISE
        slots: how many styles there can be
        places, samples: the most that a slot can hold
        window: Tensor [n_fft], of the analysis
    """

    analysis: Tensor
    places: Tensor
    norms: Tensor
    clip: Tensor
    toneless: Tensor

    def __init__(
        self, layout: Layout, *, kind: int, slots: int, places: int, samples: int, window: Tensor
    ) -> None:
        super().__init__()
        self.noise = kind == NOISE
        #: whether slots hold clips and places
        self.stored = kind == STYLE
        self.hop = layout.hop
        self.n_fft = layout.n_fft
        self.slots = slots
        self.worth = 1.5
        self.scarcity = 0.3
        self.least = 1e-4
        self.register_buffer("analysis", window)
        bands = layout.bands
        if not self.stored:
            places, samples = 1, 1
        self.register_buffer("places", torch.zeros(slots * places, bands))
        self.register_buffer("norms", torch.zeros(slots * places))
        clip = torch.from_numpy(noise_clip()) if kind == NOISE else torch.zeros(slots, samples)
        self.register_buffer("clip", clip)
        # Noise has no tones.
        self.register_buffer("toneless", clip if kind == NOISE else torch.zeros(slots, samples))
        # Of all slots, one after the other: a slot's are cut out in one operation.
        self.room = places
        self.counts = [0] * slots
        self.strides = [self.hop] * slots
        self.lengths = [0] * slots
        self.slot = 0
        self.place = 0
        self.turn = 0
        self.nearest = 32

    @torch.jit.export
    def open(self, slot: int, count: int, stride: int, length: int) -> None:
        """Say what has been written to a slot: `count` places `stride` samples apart, in a clip of `length` samples."""
        self.counts[slot] = count
        self.strides[slot] = stride
        self.lengths[slot] = length

    def reset(self, slot: int) -> None:
        """Go to the beginning of a clip."""
        self.slot = slot
        self.place = 0
        self.turn = 0

    def choose(self, wanted: Tensor, shares: list[float], spread: float) -> Tensor:
        """Return the spectra [2, B] of the next frame, with its tones and without them.

        Args:
            wanted: Tensor [b], band vector that a place should resemble
            shares: of the slots; only those that have one are searched
            spread: variance of the styles' band vectors
        """
        slot, start = 0, 0
        if self.noise:
            self.place = (self.place + self.hop) % (self.clip.shape[1] - self.n_fft)
            start = self.place
        else:
            self._move(wanted, shares, spread)
            slot = self.slot
            start = self.place * self.strides[slot] + self.turn
            start = max(0, min(start, self.lengths[slot] - self.n_fft))
        end = start + self.n_fft
        both = torch.stack([self.clip[slot, start:end], self.toneless[slot, start:end]])
        found: Tensor = torch.fft.rfft(both * self.analysis)
        return found

    def _move(self, wanted: Tensor, shares: list[float], spread: float) -> None:
        """Play on, or jump."""
        # `turn` is how many samples past the place's own start we are.
        here = self.place
        stride = self.strides[self.slot]
        self.turn += self.hop
        while self.turn >= stride:
            self.turn -= stride
            here += 1
        stay = 1e30
        best_score = 1e30
        best_slot, best = self.slot, 0
        for slot in range(self.slots):
            share = shares[slot]
            count = self.counts[slot]
            if share > self.least and count > 0:
                # ‖p - w‖² without ‖w‖², to its rounding; among the nearest it is then taken from the differences. A
                # clip that repeats itself has places that are all but the same.
                places = self.places.narrow(0, slot * self.room, count)
                norms = self.norms.narrow(0, slot * self.room, count)
                rough = torch.addmv(norms, places, wanted, alpha=-2.0)
                near = torch.topk(rough, min(self.nearest, count), largest=False, sorted=False)[1]
                exact = (places[near].double() - wanted).square().sum(dim=1)
                found = int(near[exact <= exact.min()].min())
                scarce = -math.log(share) * self.scarcity * spread
                score = float(exact.min()) + scarce
                if score < best_score:
                    best_score, best_slot, best = score, slot, found
                if slot == self.slot and here < count:
                    stay = float((places[here].double() - wanted).square().sum()) + scarce
        again = best_slot == self.slot and 0 <= (here - best) * stride <= self.n_fft
        again = again and here < self.counts[self.slot]
        if best_score < stay - self.worth * spread and not again:
            self.slot = best_slot
            here = best
            self.turn = 0
        self.place = here
