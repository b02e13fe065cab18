"""Content kept: how much of what happens in the content still happens in the output.

Measured apart from the style distance, as correlations between content and output over time:

- **onset**: envelopes of spectral flux on a mel scale, the attacks;
- **energy**: envelopes of RMS level;
- **mel**: log-mel spectrograms with each band's mean over time removed, that is, after the best fixed equaliser;
- **notes**, where the content has any: its partials found again, less chance (`models.measures.notes`).

1 means kept, 0 means unrelated. The overall figure is the mean of those that there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.stft import S0, stft
from ...media.audiofile import resample
from .notes import notes_kept

RATE = 44100
N_FFT = 2048
HOP = 512
MEL_BANDS = 64


@dataclass(frozen=True)
class ContentKept:
    """Correlations -1..1 (onset, energy, mel) and notes, up to 1 and 0 by chance; None where the content has none."""

    onset: float
    energy: float
    mel: float
    notes: float | None

    @property
    def overall(self) -> float:
        """Mean of onset, energy and mel, and of notes where the content has any."""
        parts = [self.onset, self.energy, self.mel, *([] if self.notes is None else [self.notes])]
        return sum(parts) / len(parts)


def content_kept(content: NDArray[np.float64], output: NDArray[np.float64], sample_rate: int) -> ContentKept:
    """Compare an output with its content.

    Args:
        content, output: array [channels, samples] or [samples], aligned in time; the longer one is cut
        sample_rate: Hz, of both
    """
    content, output = np.atleast_2d(content), np.atleast_2d(output)
    length = min(content.shape[-1], output.shape[-1])
    mels = [_mel(x[:, :length], sample_rate) for x in (content, output)]
    onsets = [np.maximum(np.diff(mel, axis=-1), 0.0).mean(axis=0) for mel in mels]
    energies = [_rms(x[:, :length], round(HOP * sample_rate / RATE)) for x in (content, output)]
    centred = [mel - mel.mean(axis=-1, keepdims=True) for mel in mels]
    return ContentKept(
        onset=_correlation(*onsets),
        energy=_correlation(*energies),
        mel=_correlation(*centred),
        notes=notes_kept(content[:, :length], output[:, :length], sample_rate),
    )


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's; 0 where one of the two does not vary."""
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / scale if scale > 1e-12 else 0.0


def _rms(samples: NDArray[np.float64], hop: int) -> NDArray[np.float64]:
    """RMS level of stretches of four hops, one hop apart, all channels together."""
    power = np.concatenate([[0.0], np.cumsum((samples**2).mean(axis=0))])
    edges = np.arange(0, max(samples.shape[-1] - 4 * hop, 1), hop)
    ends = np.minimum(edges + 4 * hop, power.size - 1)
    level: NDArray[np.float64] = np.sqrt(np.maximum(power[ends] - power[edges], 0.0) / (4 * hop))
    return level


def _mel(samples: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Log-mel spectrogram [bands, frames] of the mean power of all channels, at a common peak level."""
    samples = resample(samples, sample_rate, RATE)
    samples = samples / max(float(np.abs(samples).max()), 1e-9)
    spectrum = stft(torch.from_numpy(samples).float(), N_FFT, HOP)
    power = spectrum.abs().square().mean(dim=0)
    return torch.log1p((_mel_filters() @ power).sqrt() / S0).double().numpy()


@lru_cache(maxsize=1)
def _mel_filters() -> torch.Tensor:
    """Triangles [bands, bins] on the mel scale 2595 log10(1 + f / 700) (O'Shaughnessy 1987), 40 Hz to 16 kHz."""
    lowest, highest = (2595.0 * np.log10(1.0 + f / 700.0) for f in (40.0, 16000.0))
    edges = 700.0 * (10.0 ** (np.linspace(lowest, highest, MEL_BANDS + 2) / 2595.0) - 1.0)
    bins = np.arange(N_FFT // 2 + 1) * RATE / N_FFT
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return torch.from_numpy(np.maximum(0.0, np.minimum(rising, falling))).float()
