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
    """The input of a recipe.

    Attributes:
        content: [channels, samples] on disk, neither silent nor too short
        sample_rate: Hz, of the content
        loudness: returns the content's loudness, LUFS, measured at the first call
        style: the style
        work: folder for unfinished work; its finished stages are reused
        generator: of all randomness, on the CPU
        device: for the computation
        local: length of the windows for the content's statistics, s; None is the whole track
        journal: is notified of each stage and step
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
    """The settings of a recipe, and its computation.

    Attributes:
        stages: names of the stages, with their share of the whole time
        takes_local: whether its statistics can be taken in windows
    """

    stages: ClassVar[Mapping[str, float]]
    takes_local: ClassVar[bool] = False

    def run(self, job: Job, *, recipe: str) -> Spool:
        """Compute the stylised sound: of the content's rate, length and channels, at any level.

        Args:
            job: the input
            recipe: name of the recipe, for messages

        Raises:
            InputError: There is no room for it, or a file that a setting names cannot be used.
        """
        raise NotImplementedError

    def for_texture(self) -> Mapping[str, object] | None:
        """Return settings that keep nothing of a content; None if the recipe needs a content."""
        return None

    def cautions(self) -> list[str]:
        """What a user should know before these settings are run, a line each."""
        return []


@dataclass(frozen=True)
class Recipe:
    """A recipe with its settings.

    Attributes:
        name: on the command line
        summary: one line
        paper: its source
        values: the settings; their class has the computation
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
        """Return this recipe for texture from noise: it keeps nothing of a content, and does not start from it.

        Raises:
            InputError: The recipe needs a content.
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
