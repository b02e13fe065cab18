"""`gramophone`, the default: the closed form, then the sound itself against fresh random networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..optimize.settings import Optimisation
from ..work.settings import setting
from .recipe import Job, Recipe
from .transport import Transport

if TYPE_CHECKING:
    from torch import Tensor

    from ...media.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Gramophone(Optimisation, Transport):
    """Settings of the default recipe. Memory does not grow with the track."""

    stages: ClassVar[Mapping[str, float]] = {"transport": 8.0, "sound": 91.0, "level": 1.0}

    # The sound itself takes the same way, with more to go by.
    level_steps: int = setting(
        0,
        "with notes above 0, steps that bring the levels of bands nearer to how the style moves",
        low=0,
        high=10000,
    )
    early_iterations: int = setting(
        8,
        "fast Griffin-Lim iterations in all rounds but the last, from the content's phase",
        low=0,
        high=10000,
    )
    phase_iterations: int = setting(8, "the same in the last round", low=0, high=10000)

    def finished(self, sound: Spool, content: Spool, style: Tensor, job: Job) -> Spool:
        """Optimise what the closed form gave."""
        from ...media.spool import Spool
        from ..optimize.optimizer import optimise_sound

        job.journal.begin("sound")
        out = Spool.create(job.work.folder / "out.spool", channels=sound.channels, length=sound.length)
        optimise_sound(
            sound,
            out,
            content,
            style,
            self,
            generator=job.generator,
            on_step=lambda step, loss: job.journal.step(step, self.steps_taken, loss),
            folder=job.work.folder,
        )
        return out

    def for_texture(self) -> Mapping[str, object]:
        """See `offline.recipes.recipe.RecipeSettings.for_texture`."""
        return {**super().for_texture(), "content_weight": 0.0}


GRAMOPHONE = Recipe(
    "gramophone",
    "the default: the closed form, then the sound itself against fresh networks",
    "this project; docs/design.md",
    Gramophone(),
)
