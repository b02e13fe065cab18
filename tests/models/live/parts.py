"""The parts of the compiled core, each by itself: their numbers under the names that they have there."""

from typing import Any

import numpy as np

from gramophone.models.live.core_memory import NUMBERS


class Numbers:
    """A core's numbers, as attributes."""

    def __init__(self) -> None:
        object.__setattr__(self, "record", np.zeros(1, dtype=NUMBERS))

    def __getattr__(self, name: str) -> Any:
        return self.record[name][0].item()

    def __setattr__(self, name: str, value: float) -> None:
        self.record[name] = value

    @property
    def now(self) -> Any:
        """As compiled functions take them."""
        return self.record[0]
