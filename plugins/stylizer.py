"""The stylizer as a plugin: style transfer as one effect among others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ..media.errors import InputError
from ..models.live.slots import StyleSlots
from ..models.live.stylizer import Stylizer, StylizerSettings
from ..models.style import Clip
from .knobs import MAX_STYLES, STYLIZER
from .plugin import Plugin
from .state import State


class StylizerPlugin(Plugin):
    """Plays its input in the style of up to four clips.

    All four weights are always knobs, so a controller's map does not depend on the number of styles.

    Args:
        styles: one to four
        settings: what cannot be changed while playing

    Raises:
        InputError: if there is no style, or more than four
    """

    name = "stylizer"
    parameters = STYLIZER
    neutral: ClassVar[Mapping[str, float] | None] = {"strength": 0.0}

    def __init__(self, styles: Sequence[Clip], settings: StylizerSettings | None = None) -> None:
        super().__init__()
        if not 1 <= len(styles) <= MAX_STYLES:
            raise InputError(f"{len(styles)} styles cannot be played at once; give 1 to {MAX_STYLES}")
        self._styles = tuple(styles)
        self._settings = settings or StylizerSettings()
        self._stylizer: Stylizer | None = None

    @classmethod
    def example(cls) -> Self:
        """Make one that plays in the style of a second of noise."""
        noise = 0.1 * np.random.default_rng(0).standard_normal((1, 44_100))
        return cls([Clip("noise", noise, 44_100)])

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Solve for the styles at this rate; see `Plugin.prepare`. Takes a noticeable part of a second."""
        del block
        self._stylizer = Stylizer(
            self._styles,
            sample_rate=sample_rate,
            channels=channels,
            settings=self._settings,
            slots=MAX_STYLES,
        )
        for parameter in self.parameters:
            self._stylizer.set(parameter.id, self.get(parameter.id))
        self._stylizer.reset()

    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take and return one block; see `Plugin.process`."""
        return self._prepared().feed(block)

    def reset(self) -> None:
        """Forget all sound, also what was learnt from it; see `Plugin.reset`."""
        self._prepared().reset()

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target; see `Plugin.set`."""
        super().set(id, value)
        if self._stylizer is not None:
            self._stylizer.set(id, self.get(id))

    def state(self) -> State:
        """Return what it remembers, but not the styles; see `Plugin.state`."""
        return super().state() | self._prepared().state()

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from there, with the same styles in the same slots; see `Plugin.restore`."""
        super().restore(state)
        self._prepared().restore(state)

    @property
    def style_slots(self) -> StyleSlots:
        """The slots of the styles; see `Plugin.style_slots`."""
        return self._prepared()

    @property
    def latency_samples(self) -> int:
        """By how many samples the output is late; see `Plugin.latency_samples`."""
        return self._prepared().latency_samples

    @property
    def hop(self) -> int | None:
        """Samples from one spectrum to the next; see `Plugin.hop`."""
        return self._prepared().hop

    @property
    def limiter_active(self) -> bool:
        """Whether the styled sound was held under its ceiling in the last hop."""
        return self._stylizer is not None and self._stylizer.limiter_active

    def _prepared(self) -> Stylizer:
        if self._stylizer is None:
            raise RuntimeError("prepare must come first")
        return self._stylizer
