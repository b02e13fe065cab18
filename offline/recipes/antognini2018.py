"""`antognini2018`: random layers of many widths, rhythm and diversity, from noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..work.settings import setting
from .published_recipe import FLOAT, Published
from .recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Antognini(Published):
    """Settings of `antognini2018`."""

    sample_rate: int = setting(16000, "rate at which everything is computed, Hz", low=8000, high=192000)
    n_fft: int = setting(512, "STFT window, samples", low=64, high=16384)
    hop: int = setting(64, "STFT hop, samples", low=16, high=8192)
    kernels: tuple[int, ...] = setting(
        (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048),
        "frames that each network sees, separated by commas; none longer than half a sound takes part",
        low=1,
        high=4096,
    )
    filters: int = setting(512, "filters of each network", low=1, high=8192)
    autocorrelation_weight: float = setting(
        1.0, "weight of the rhythm: autocorrelation of each feature over time", low=0.0, high=1e6
    )
    shortest_lag: float = setting(0.2, "shortest lag of the autocorrelation, s", low=0.0, high=60.0)
    longest_lag: float = setting(2.0, "longest lag of the autocorrelation, s", low=0.0, high=60.0)
    diversity_weight: float = setting(
        1e-3, "weight of the penalty on a copy of the style, however shifted", low=0.0, high=1e6
    )
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    steps: int = setting(2000, "L-BFGS steps", low=0, high=100000)

    def optimised(
        self,
        content: Tensor,
        style: Tensor,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> Tensor:
        """See `offline.recipes.published_recipe.Published.optimised`."""
        from ..published.antognini import optimise_texture_networks

        rate = self.sample_rate / self.hop
        return optimise_texture_networks(
            content,
            style,
            kernels=self.kernels,
            filters=self.filters,
            lags=range(round(self.shortest_lag * rate), round(self.longest_lag * rate) + 1),
            autocorrelation_weight=self.autocorrelation_weight,
            diversity_weight=self.diversity_weight,
            start=self.start,
            steps=self.steps,
            generator=generator,
            on_step=on_step,
        )

    def memory(self, samples: int, style_samples: int) -> float:
        """See `offline.recipes.published_recipe.Published.memory`."""
        from ..published.antognini import usable_kernels

        frames, theirs = self.frames(samples, style_samples)
        kernels = usable_kernels(self.kernels, min(frames, theirs))
        # Spectra of the filters, complex and twice as long, and once more those of the layer at work; features of the
        # style, and of one layer at a time with all that its slope needs.
        weights = 2 * FLOAT * self.filters * self.bins * (sum(kernels) + max(kernels))
        features = FLOAT * self.filters * (theirs * len(kernels) + 20 * frames)
        return weights + features + self.unknowns_memory(samples)

    def fault(self) -> str:
        """See `offline.work.settings.Settings.fault`."""
        if self.shortest_lag > self.longest_lag:
            return (
                f"shortest_lag={self.shortest_lag:g} is longer than longest_lag={self.longest_lag:g}; "
                "give a range of lags"
            )
        return super().fault()

    def for_texture(self) -> Mapping[str, object]:
        """See `offline.recipes.recipe.RecipeSettings.for_texture`."""
        return {"start": "noise"}


ANTOGNINI2018 = Recipe(
    "antognini2018",
    "texture from noise: random layers of many widths, with terms for rhythm and diversity",
    "Antognini, Hoffman and Weiss 2018, Synthesizing diverse, high-quality audio textures",
    Antognini(),
)
