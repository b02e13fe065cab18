"""`transport`: the closed form alone, then phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..transport.settings import ClosedForm
from .recipe import Job, Recipe, RecipeSettings

if TYPE_CHECKING:
    from torch import Tensor

    from ...media.spool import Spool


@dataclass(frozen=True, kw_only=True)
class Transport(ClosedForm, RecipeSettings):
    """Settings of `transport`. Memory does not grow with the track."""

    stages: ClassVar[Mapping[str, float]] = {"transport": 90.0, "level": 10.0}
    takes_local: ClassVar[bool] = True

    def run(self, job: Job, *, recipe: str) -> Spool:  # noqa: ARG002 - nothing here needs the name
        """See `offline.recipes.recipe.RecipeSettings.run`."""
        import torch

        from ...media.audiofile import resample_track
        from ..transport.closed_form import StyleClip
        from ..transport.tracks import reference_track, transport_track

        example = torch.from_numpy(job.style.at(self.sample_rate)).float().to(job.device)
        style = StyleClip.of(example, self.n_fft, self.hop)
        job.journal.begin("transport")
        work = job.work
        sound = work.find("sound")
        if sound is None:
            reference = work.find("content") or work.keep(
                "content",
                reference_track(job.content, job.sample_rate, self.sample_rate, work, loudness=job.loudness),
            )
            sound = transport_track(
                reference,
                style,
                self,
                work,
                local=job.local,
                seed=job.generator.initial_seed(),
                on_step=job.journal.step,
            )
            sound = work.keep("sound", self.finished(sound, reference, style.logs, job))
            for stage in work.stages:
                if stage != "sound":
                    work.drop(stage)
        stylised = resample_track(sound, self.sample_rate, job.sample_rate, work.folder / "stylised.spool")
        # There and back again, it may have become longer by a sample or two.
        return replace(stylised, length=job.content.length)

    def finished(self, sound: Spool, content: Spool, style: Tensor, job: Job) -> Spool:  # noqa: ARG002
        """Return the sound after the closed form: here, unchanged.

        Args:
            sound: of the closed form, at the recipe's rate and the reference level
            content: the content at the same rate and level
            style: Tensor [bins, frames], log-magnitudes
            job: the work
        """
        return sound

    def for_texture(self) -> Mapping[str, object]:
        """See `offline.recipes.recipe.RecipeSettings.for_texture`."""
        return {"notes": 0.0, "energy_coupling": 0.0, "band_coupling": 0.0}


TRANSPORT = Recipe(
    "transport",
    "the closed form alone, then phase: seconds for a track",
    "optimal transport between Gaussians: Knott and Smith 1984; see docs/design.md",
    Transport(),
)
