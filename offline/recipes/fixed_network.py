"""Settings of the recipes that draw one random network and optimise against it for many steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..work.settings import setting
from .published_recipe import FLOAT, Published

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class FixedNetwork(Published):
    """Settings of `ulyanov2016`; `dipani2018` has other values."""

    filters: int = setting(4096, "filters of the random network", low=1, high=65536)
    kernel: int = setting(11, "frames that each filter sees", low=1, high=255)
    padding: int = setting(0, "frames of silence added at both ends", low=0, high=255)
    init: Literal["ulyanov2016", "torch", "unit"] = setting(
        "ulyanov2016", "how the filters are drawn", choices="ulyanov2016 torch unit"
    )
    relu: bool = setting(True, "whether negative features are set to zero")
    loss: Literal["sum", "mean"] = setting(
        "sum",
        "sum of squares with a content term, or mean square of the style term alone",
        choices="sum mean",
    )
    content_weight: float = setting(1e-2, "weight of the content term (loss=sum)", low=0.0, high=1e6)
    style_weight: float = setting(2500.0, "weight on the Gram matrices (loss=mean)", low=0.0, high=1e9)
    start: Literal["noise", "content"] = setting(
        "noise", "where the optimisation begins", choices="noise content"
    )
    optimizer: Literal["lbfgs", "adam"] = setting("lbfgs", "optimiser", choices="lbfgs adam")
    learning_rate: float = setting(0.03, "step size (optimizer=adam)", low=1e-6, high=10.0)
    clamp: bool = setting(False, "cut log-magnitudes to 0..1 before each step (optimizer=adam)")
    steps: int = setting(300, "optimiser steps", low=0, high=100000)

    def optimised(
        self,
        content: Tensor,
        style: Tensor,
        *,
        generator: torch.Generator,
        on_step: Callable[[int, float], None],
    ) -> Tensor:
        """See `offline.recipes.published_recipe.Published.optimised`."""
        from ..published.fixed_network import Network, optimise_fixed

        return optimise_fixed(
            content,
            style,
            network=Network(
                filters=self.filters, kernel=self.kernel, padding=self.padding, init=self.init, relu=self.relu
            ),
            loss=self.loss,
            content_weight=self.content_weight,
            style_weight=self.style_weight,
            start=self.start,
            learning_rate=self.learning_rate if self.optimizer == "adam" else None,
            clamp=self.clamp,
            steps=self.steps,
            generator=generator,
            on_step=on_step,
        )

    def memory(self, samples: int, style_samples: int) -> float:
        """See `offline.recipes.published_recipe.Published.memory`."""
        frames = sum(self.frames(samples, style_samples))
        weights = 2 * FLOAT * self.filters * self.bins * self.kernel
        grams = 6 * FLOAT * min(self.filters, frames) ** 2
        return weights + grams + 6 * FLOAT * self.filters * frames + self.unknowns_memory(samples)
