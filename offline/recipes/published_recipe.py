"""What the published recipes share: mono at their own rate, an optimised spectrogram, a phase from noise.

They are here for comparison, and hold the whole track in memory, as their authors' programs do.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..work.settings import setting
from .recipe import Job, RecipeSettings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ...media.spool import Spool

WEIGHTS = "file of VGG-19's weights in torchvision's layout (state dict or .safetensors); none: random ones"
RANDOM_WEIGHTS = (
    "VGG-19 has random weights, which know nothing of pictures; "
    "for the published ones give a torchvision file with --set weights=FILE"
)

FLOAT = 4
# Numbers that SciPy's L-BFGS keeps for each unknown: ten pairs of steps and slopes in float64, and its workspace.
_LBFGS = 50
# Features that VGG-19 keeps of each pixel for the way back, and what its largest layer needs besides.
_VGG = 290 + 3 * 64


@dataclass(frozen=True, kw_only=True)
class Published(RecipeSettings):
    """Settings of all published recipes."""

    stages: ClassVar[Mapping[str, float]] = {"analysis": 1.0, "spectrogram": 90.0, "phase": 8.0, "level": 1.0}

    sample_rate: int = setting(22050, "rate at which everything is computed, Hz", low=8000, high=192000)
    phase_iterations: int = setting(500, "Griffin-Lim iterations, from random phase", low=0, high=10000)
    steps: int = setting(500, "L-BFGS steps", low=0, high=100000)

    @abstractmethod
    def optimised(
        self,
        content: Tensor,
        style: Tensor,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> Tensor:
        """The recipe's own part.

        Args:
            content, style: Tensor [bins, frames of each], log-magnitudes
            generator: of all that is random
            on_step: called with the number of steps done and the loss

        Returns:
            Tensor [bins, frames of the content], log-magnitudes
        """

    @abstractmethod
    def memory(self, samples: int, style_samples: int) -> float:
        """Estimate the peak memory of a track, bytes.

        Args:
            samples, style_samples: of the content and of the style, at the recipe's rate
        """

    def frames(self, *samples: int) -> tuple[int, ...]:
        """Frames of sounds of so many samples."""
        return tuple(n // self.hop + 1 for n in samples)

    @property
    def bins(self) -> int:
        """Bins of a frame."""
        return self.n_fft // 2 + 1

    def unknowns_memory(self, samples: int) -> float:
        """Bytes that L-BFGS keeps for a spectrogram."""
        return 8.0 * _LBFGS * self.bins * self.frames(samples)[0]

    def vgg_memory(self, samples: int, style_samples: int) -> float:
        """Bytes that VGG-19 takes on both spectrograms, L-BFGS included."""
        pixels = self.bins * sum(self.frames(samples, style_samples))
        return FLOAT * _VGG * pixels + self.unknowns_memory(samples)

    def run(self, job: Job, *, recipe: str) -> Spool:
        """See `offline.recipes.recipe.RecipeSettings.run`; all channels come out alike."""
        from ...media.spool import Held, Spool
        from ..published.mono_track import all_channels, one_channel
        from ..work.memory import available_memory, check_memory

        job.journal.begin("analysis")
        content, style, rate = job.content, job.style, self.sample_rate
        seconds = content.length / job.sample_rate
        needed = self.memory(*(int(n * rate) for n in (seconds, style.samples.shape[-1] / style.sample_rate)))
        check_memory(needed, available_memory(job.device), recipe=recipe, seconds=seconds)
        ours = one_channel(content, job.sample_rate, rate)
        theirs = one_channel(Held(style.samples), style.sample_rate, rate)
        samples = self.stylised(ours.to(job.device), theirs.to(job.device), job)
        out = Spool.create(
            job.work.folder / "stylised.spool", channels=content.channels, length=content.length
        )
        whole = {"channels": content.channels, "length": content.length}
        out.write(0, all_channels(samples, rate, job.sample_rate, **whole))
        return out

    def stylised(self, content: Tensor, style: Tensor, job: Job) -> Tensor:
        """The stylised sound, Tensor [samples], of two sounds, Tensor [1, samples of each], at the recipe's rate."""
        from ...dsp.stft import log_spectrogram
        from ..published.mono_track import rebuilt

        journal, iterations = job.journal, self.phase_iterations
        journal.begin("spectrogram")
        target = self.optimised(
            *(log_spectrogram(sound, self.n_fft, self.hop) for sound in (content, style)),
            generator=job.generator,
            on_step=lambda step, loss: journal.step(step, self.steps, loss),
        )
        journal.begin("phase")
        return rebuilt(
            target,
            n_fft=self.n_fft,
            hop=self.hop,
            length=content.shape[-1],
            iterations=iterations,
            generator=job.generator,
            on_step=lambda step: journal.step(step, iterations),
        )
