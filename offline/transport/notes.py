"""The closed form that keeps the content's notes, over a whole track: its own partials under the style's envelope.

Bin by bin, the style's statistics are the style's notes, and the content's own are lost. Here the statistics are those
of 40 bands, each at least four bins wide, that do not name notes. A track goes through in one pass:

1. the closed form of `offline.transport.closed_form` gives each frame the levels that its bands shall have;
2. *own partials*: the content's bins times the gains that bring its bands to these levels, interpolated in between;
3. *carrier*: a place of the style's clip whose bands resemble the wanted ones plays along at these levels, without
   its tones, which would be wrong notes; it plays on until another place is so much nearer that a jump pays;
4. *who speaks*, bin by bin: near 1, and the own partials sound, where the content is steady over 80 ms and stands
   above its neighbours, and where a band rises by more than 5 dB, an attack; near 0, and the carrier sounds, elsewhere.
   Tones, attacks and noise are told apart by medians over time and frequency (Fitzgerald 2010; as fuzzy masks:
   Fierro and Välimäki 2022);
5. band levels are set once more on the sum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...dsp.frames import power
from ...dsp.stft import expand
from ...models.bands import wide_bands

BANDS = 40
# How much nearer another place of the clip must be before the carrier jumps, in total variances of its bands.
_JUMP = 1.5
# Frames before and after one that its median over time takes, and bins around one, every other of them.
_AROUND_FRAMES = 3
_AROUND_BINS = 8
# A bin is a partial where it stands this far above its neighbours, as a ratio of magnitudes.
_ABOVE = 1.4
# An attack: a rise of a band over the quietest of so many frames before, dB, and how sharp that border is.
_RISE_DB, _BORDER_DB = 5.0, 1.5
_BEFORE = 2
# The largest gains of the own partials, of the carrier, and of both together.
_OWN, _CARRIER, _BOTH = 100.0, 1000.0, 4.0
_FAINTEST = 1e-7
#: how far the level of a frame, in decibels, goes from what the map asks for towards the content's
TIED = 0.25
# The largest change by that, as a factor.
_MOST_TIED = 30.0

#: frames on either side that a frame's masks depend on
CONTEXT = max(_AROUND_FRAMES, _BEFORE + 1)


class Bands:
    """Levels of wide bands, and gains between them.

    Args:
        bins: of a spectrum
        highest: Hz, of the last bin
        device: where everything is computed
    """

    def __init__(self, bins: int, *, highest: float, device: torch.device) -> None:
        weights = wide_bands(bins, BANDS, highest=highest).to(device)
        self.count = len(weights)
        self._mean = (weights / weights.sum(dim=1, keepdim=True)).mT.contiguous()
        self._spread = weights / weights.sum(dim=0).clamp_min(1e-9)
        self.weights = self._spread.sum(dim=1)

    def levels(self, powers: Tensor) -> Tensor:
        """Root mean squares [frames, bands] of the bands of powers [frames, bins]."""
        return (powers @ self._mean).clamp_min_(0.0).sqrt_()

    def powers(self, levels: Tensor) -> Tensor:
        """Power [frames] of frames with these band levels, the sum over bins as near as bands tell it."""
        return levels.square() @ self.weights

    def spread(self, values: Tensor) -> Tensor:
        """Values [frames, bands] interpolated to bins."""
        return values @ self._spread

    def gains(self, now: Tensor, wanted: Tensor, most: float) -> Tensor:
        """Gains [frames, bins] that bring bands from levels `now` to `wanted`, geometrically in between."""
        ratio = (wanted / now.clamp_min(_FAINTEST)).clamp_(1e-6, most)
        return self.spread(ratio.log_()).exp_()


def tonal_mask(magnitude: Tensor) -> Tensor:
    """0..1: where a magnitude [frames, bins] is steady over time and stands above its neighbours."""
    steady = _median(magnitude, _AROUND_FRAMES, 1, dim=0).square_()
    around = _median(magnitude, _AROUND_BINS, 2, dim=1).mul_(_ABOVE).square_()
    return steady / around.add_(steady).add_(1e-14)


def without_tones(clip: Tensor) -> Tensor:
    """A clip [places, bins], complex, less its tones: as a carrier it would play wrong notes with them."""
    return clip * (1.0 - tonal_mask(clip.abs()))


def attacks(levels: Tensor) -> Tensor:
    """0..1: where the levels [frames, bands] rise, and one frame on."""
    decibels = 20.0 * (levels + 1e-6).log10()
    padded = torch.cat([decibels[:1].expand(_BEFORE, -1), decibels])
    quietest = torch.stack([padded[k : k + len(levels)] for k in range(_BEFORE)]).amin(dim=0)
    rising = torch.sigmoid((decibels - quietest - _RISE_DB) / _BORDER_DB)
    return torch.maximum(rising, torch.cat([rising[:1], rising[:-1]]))


def _median(values: Tensor, reach: int, every: int, *, dim: int) -> Tensor:
    """Running median over `reach` places to either side, every so many of them; ends are repeated."""
    size = values.shape[dim]
    index = torch.arange(-reach, size + reach, device=values.device).clamp_(0, size - 1)
    padded = values.index_select(dim, index)
    parts = [padded.narrow(dim, shift, size) for shift in range(0, 2 * reach + 1, every)]
    # Half a selection sort, of whole arrays at a time: several times as fast as sorting each place.
    middle = len(parts) // 2
    for i in range(middle + 1):
        for j in range(i + 1, len(parts)):
            parts[i], parts[j] = torch.minimum(parts[i], parts[j]), torch.maximum(parts[i], parts[j])
    return parts[middle].clone()


class Carrier:
    """Where in the style's clip the carrier stands, frame by frame.

    Args:
        levels: array [places, bands], the clip's bands, log-magnitudes
    """

    def __init__(self, levels: NDArray[np.float64]) -> None:
        self._mean = levels.mean(axis=0)
        self._places = levels - self._mean
        self._norms = (self._places**2).sum(axis=1)
        self._jump = _JUMP * float(self._places.var(axis=0).sum())
        self._at = -1

    def follow(self, wanted: NDArray[np.float64]) -> NDArray[np.intp]:
        """Places [frames] for the next frames [frames, bands], log-magnitudes."""
        distances = self._norms - 2.0 * (wanted - self._mean) @ self._places.T
        nearest = distances.argmin(axis=1)
        least = distances.min(axis=1)
        last = len(self._places) - 1
        chosen = np.empty(len(wanted), dtype=np.intp)
        for i in range(len(wanted)):
            on = min(self._at + 1, last)
            if on == last or least[i] < distances[i, on] - self._jump:
                on = int(nearest[i])
            self._at = chosen[i] = on
        return chosen


@dataclass(frozen=True)
class NotesPass:
    """What gives a track's frames the band levels wanted.

    Attributes:
        bands: of its spectra
        clip: Tensor [places, bins], complex, the style's without its tones, see `without_tones`
        levels: Tensor [places, bands], log-magnitudes of the clip's bands
        tied: 0 to 1, how far the level of a frame goes from the level wanted to the content's, in decibels
    """

    bands: Bands
    clip: Tensor
    levels: Tensor
    tied: float

    def spoken(self, spectrum: Tensor, wanted: Tensor, places: Tensor) -> Tensor:
        """What a content's spectrum [channels, frames, bins] becomes; wrong in `CONTEXT` frames at either end.

        Args:
            spectrum: of consecutive frames
            wanted: Tensor [frames, bands], root mean squares
            places: Tensor [frames], where in the clip the carrier stands
        """
        powers = power(spectrum)
        mean = powers.mean(dim=0)
        levels = self.bands.levels(mean)
        if self.tied:
            louder = (self.bands.powers(levels) + 1e-12) / (self.bands.powers(wanted) + 1e-12)
            wanted = wanted * (louder ** (0.5 * self.tied)).clamp_(1.0 / _MOST_TIED, _MOST_TIED)[:, None]

        attacking = self.bands.spread(attacks(levels))
        speaking = 1.0 - (1.0 - tonal_mask(mean.sqrt())) * (1.0 - attacking)
        own = self.bands.gains(levels, wanted, _OWN) * speaking.sqrt()
        carrier = self.clip[places]
        gain = self.bands.gains(expand(self.levels[places]), wanted, _CARRIER)
        gain *= (1.0 - speaking).clamp_min_(0.0).sqrt_()
        out = torch.empty_like(spectrum)
        for one, ours, before in zip(out, spectrum, powers, strict=True):
            # The carrier stands where the content does in the stereo image, band by band.
            side = self.bands.spread(self.bands.levels(before) / levels.clamp_min(_FAINTEST))
            torch.add(ours * own, carrier * (gain * side), out=one)
        total = self.bands.levels(power(out).mean(dim=0))
        return out.mul_(self.bands.gains(total, wanted, _BOTH))
