"""`gatys2016`: VGG-19 on the spectrogram as an image, content and style, from noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..work.settings import setting
from .published_recipe import RANDOM_WEIGHTS, WEIGHTS, Published
from .recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Gatys(Published):
    """Settings of `gatys2016`."""

    weights: str = setting("", WEIGHTS)
    pooling: Literal["average", "max"] = setting(
        "average", "between the blocks; the paper's, or that of the trained network", choices="average max"
    )
    normalise: bool = setting(True, "whether every filter is scaled to a mean activation of 1")
    layer_weights: tuple[float, ...] = setting(
        (0.2, 0.2, 0.2, 0.2, 0.2),
        "w_l of conv1_1, conv2_1, conv3_1, conv4_1, conv5_1, separated by commas, or one for all",
        low=0.0,
        high=1e6,
    )
    content_weight: float = setting(
        1e-3, "α where β is 1, on conv4_2; the paper has 1e-3 and 1e-4", low=0.0, high=1e6
    )
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )

    def optimised(
        self,
        content: Tensor,
        style: Tensor,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> Tensor:
        """See `offline.recipes.published_recipe.Published.optimised`."""
        from ..published.gatys import optimise_gatys

        return optimise_gatys(
            content,
            style,
            weights=self.weights,
            pooling=self.pooling,
            normalise=self.normalise,
            layer_weights=self.layer_weights,
            content_weight=self.content_weight,
            start=self.start,
            steps=self.steps,
            generator=generator,
            on_step=on_step,
        )

    def memory(self, samples: int, style_samples: int) -> float:
        """See `offline.recipes.published_recipe.Published.memory`."""
        return self.vgg_memory(samples, style_samples)

    def fault(self) -> str:
        """See `offline.work.settings.Settings.fault`."""
        count = len(self.layer_weights)
        if count not in (1, 5):
            return f"layer_weights has {count} numbers; give one for all layers, or five"
        return super().fault()

    def cautions(self) -> list[str]:
        """See `offline.recipes.recipe.RecipeSettings.cautions`."""
        return [] if self.weights else [RANDOM_WEIGHTS]


GATYS2016 = Recipe(
    "gatys2016",
    "VGG-19 on the spectrogram as an image: five style layers and a content layer, from noise",
    "Gatys, Ecker and Bethge 2016, Image style transfer using convolutional neural networks",
    Gatys(),
)
