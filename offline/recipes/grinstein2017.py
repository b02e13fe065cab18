"""`grinstein2017`: from the content, style loss only, with one of three networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..work.settings import setting
from .fixed_network import FixedNetwork
from .published_recipe import FLOAT, RANDOM_WEIGHTS, WEIGHTS, Published
from .recipe import Job, Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Grinstein(Published):
    """Settings of `grinstein2017`."""

    network: Literal["shallow", "vgg19", "texture"] = setting(
        "shallow",
        "one random layer, VGG-19, or the auditory texture model on the sound itself",
        choices="shallow vgg19 texture",
    )
    filters: int = setting(4096, "filters of the random layer (network=shallow)", low=1, high=65536)
    kernel: int = setting(11, "frames that each of them sees (network=shallow)", low=1, high=255)
    weights: str = setting("", f"{WEIGHTS} (network=vgg19)")
    steps: int = setting(300, "L-BFGS steps", low=0, high=100000)

    def optimised(
        self,
        content: Tensor,
        style: Tensor,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> Tensor:
        """See `offline.recipes.published_recipe.Published.optimised`."""
        from ..published.grinstein import optimise_shallow, optimise_vgg

        if self.network == "vgg19":
            return optimise_vgg(
                content, style, weights=self.weights, steps=self.steps, generator=generator, on_step=on_step
            )
        return optimise_shallow(
            content,
            style,
            filters=self.filters,
            kernel=self.kernel,
            steps=self.steps,
            generator=generator,
            on_step=on_step,
        )

    def stylised(self, content: Tensor, style: Tensor, job: Job) -> Tensor:
        """See `offline.recipes.published_recipe.Published.stylised`."""
        if self.network != "texture":
            return super().stylised(content, style, job)
        from ..published.grinstein import optimise_texture

        # The texture model takes the sound itself: there is no phase to find.
        job.journal.begin("spectrogram")
        samples = optimise_texture(
            content,
            style,
            sample_rate=self.sample_rate,
            n_fft=self.n_fft,
            hop=self.hop,
            steps=self.steps,
            on_step=lambda step, loss: job.journal.step(step, self.steps, loss),
        )
        job.journal.begin("phase")
        return samples[0]

    def memory(self, samples: int, style_samples: int) -> float:
        """See `offline.recipes.published_recipe.Published.memory`."""
        if self.network == "vgg19":
            return self.vgg_memory(samples, style_samples)
        if self.network == "texture":
            # Some thirty bands, complex, in blocks, and their history.
            return FLOAT * 200 * (samples + style_samples) + 8 * 50 * samples
        shallow = FixedNetwork(n_fft=self.n_fft, hop=self.hop, filters=self.filters, kernel=self.kernel)
        return shallow.memory(samples, style_samples)

    def cautions(self) -> list[str]:
        """See `offline.recipes.recipe.RecipeSettings.cautions`."""
        return [RANDOM_WEIGHTS] if self.network == "vgg19" and not self.weights else []


GRINSTEIN2017 = Recipe(
    "grinstein2017",
    "from the content, style loss only: a shallow random network, VGG-19 or the auditory texture model",
    "Grinstein, Duong, Ozerov and Pérez 2017, Audio style transfer",
    Grinstein(),
)
