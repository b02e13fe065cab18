"""What a recipe is: a name, its settings, what it needs, and how it runs. Nothing here imports torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ...media.errors import InputError
from ..work.settings import Settings

if TYPE_CHECKING:
    import torch

    from ...media.spool import Spool
    from ...models.style import Style
    from ..work.checkpoint import Checkpoint
    from ..work.progress import ProgressLog


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a recipe is run on.

    Attributes:
        content: [channels, samples] on disk, with something in it to stylise
        sample_rate: Hz, of the content
        loudness: gives the content's loudness, LUFS, when it is first asked for
        style: the style
        work: where all that lies between is kept; stages that are finished there are taken from it
        generator: of all that is random, on the CPU
        device: where to compute
        local: seconds over which the content's statistics are taken; None is the whole track
        journal: is told of each stage and step
    """

    content: Spool
    sample_rate: int
    loudness: Callable[[], float]
    style: Style
    work: Checkpoint
    generator: torch.Generator
    device: torch.device
    local: float | None
    journal: ProgressLog


class RecipeSettings(Settings):
    """The settings of a recipe, and what it does with them.

    Attributes:
        stages: what it goes through, each with the share of the whole time that it takes
        takes_local: whether its statistics can move along with the music
    """

    stages: ClassVar[Mapping[str, float]]
    takes_local: ClassVar[bool] = False

    def run(self, job: Job, *, recipe: str) -> Spool:
        """Compute the stylised sound: of the content's rate, length and channels, at any level.

        Args:
            job: what to work on
            recipe: what the recipe is called in messages

        Raises:
            InputError: There is no room for it, or a file that a setting names cannot be used.
        """
        raise NotImplementedError

    def for_texture(self) -> Mapping[str, object] | None:
        """The settings with which nothing of a content is kept; None where the recipe is nothing without one."""
        return None

    def cautions(self) -> list[str]:
        """What a user should know before these settings are run, a line each."""
        return []


@dataclass(frozen=True)
class Recipe:
    """A named set of settings.

    Attributes:
        name: what the command line calls it
        summary: one line
        paper: where it comes from
        values: the settings; their class says what the recipe does
    """

    name: str
    summary: str
    paper: str
    values: RecipeSettings

    def settings(self) -> dict[str, object]:
        """Every setting and its value."""
        return dataclasses.asdict(self.values)

    def replace(self, settings: Mapping[str, object]) -> Recipe:
        """This recipe with some of its settings replaced; errors as in `offline.recipes.registry.get_recipe`."""
        return dataclasses.replace(self, values=self.values.changed(settings, recipe=self.name))

    def without_content(self) -> Recipe:
        """This recipe for texture from noise: nothing of its content is kept, and nothing begins there.

        Raises:
            InputError: The recipe is nothing without a content.
        """
        changes = self.values.for_texture()
        if changes is None:
            raise InputError(
                f"recipe {self.name} needs a content; for texture use gramophone, transport or antognini2018"
            )
        return self.replace(changes)

    def cautions(self) -> list[str]:
        """What a user should know before these settings are run, a line each."""
        return [f"recipe {self.name}: {line}" for line in self.values.cautions()]

    def describe(self) -> list[tuple[str, object, str]]:
        """Key, value and one line of help, with range or choices, of every setting."""
        return self.values.describe()
