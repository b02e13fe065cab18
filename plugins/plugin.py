"""What a plugin is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .parameter import Parameter
from .state import State, numbers

if TYPE_CHECKING:
    from ..models.live.slots import StyleSlots


class Plugin(ABC):
    """One effect in a chain.

    First `prepare`, then `process` again and again, all in one thread; `set` comes in the same thread between two
    blocks. A plugin promises the following, and `plugins.contract_check.check_contract` checks it
    in a test of its own:

    - the output does not depend on the length of the blocks, up to the one prepared for;
    - finite input gives finite output, and the input block is not written to;
    - the latency is known after `prepare`, and constant;
    - after `reset` the same input gives the same output again;
    - no knob clicks: a new value is a target that the plugin moves to over some milliseconds.

    `process` must not block, wait, or take more and more memory.
    """

    #: Its name in files and in the names of knobs, ``[a-z][a-z0-9_]*``.
    name: ClassVar[str]
    #: Its knobs. They may be turned before `prepare` too, and survive it and `reset`.
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    #: Values with which a sound of moderate level (up to half of full scale) passes unchanged, delayed by exactly
    #: `latency_samples`; other knobs have their defaults. None if there are no such values.
    neutral: ClassVar[Mapping[str, float] | None] = None

    def __init__(self) -> None:
        self._targets = {parameter.id: parameter.default for parameter in self.parameters}
        self._known = {parameter.id: parameter for parameter in self.parameters}

    @classmethod
    def example(cls) -> Self:
        """Make a small instance to check the contract on. To override where the constructor needs arguments."""
        return cls()

    @abstractmethod
    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        """Get ready to play, silent, every knob at its target.

        Args:
            sample_rate: Hz
            block: the largest number of samples that `process` will be given
            channels: how many, at least 1
        """

    @abstractmethod
    def process(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take [channels, n] samples, full scale ±1, 1 <= n <= block, and return as many.

        The result is valid until the next call, since the plugin may use its memory again. It may be `block` itself.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget all sound; knobs keep their targets and jump to them."""

    def state(self) -> State:
        """Return copies of its whole state, including targets of knobs; after `prepare`, between two blocks.

        The arrays have the same names, shapes and types each time, and together at most a megabyte. Override this if
        there is more state than knobs. After `restore`, the same input with the same changes of knobs then gives the
        same output, bit for bit.
        """
        return {"targets": numbers(*self._targets.values())}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from a state of the same plugin, prepared in the same way.

        Raises:
            KeyError, ValueError: it is the state of something else
        """
        targets = state["targets"].tolist()
        if len(targets) > len(self._targets):
            raise ValueError("there were other knobs")
        # Knobs that a later version has added at the end of the list keep their values.
        for id, value in zip(tuple(self._targets), targets, strict=False):
            self.set(id, value)

    @property
    def style_slots(self) -> StyleSlots | None:
        """Slots whose styles can be replaced while playing; None where there are none. After `prepare`."""
        return None

    @property
    def latency_samples(self) -> int:
        """The delay of the output in samples; after `prepare`, and constant until the next one."""
        return 0

    @property
    def hop(self) -> int | None:
        """Samples from one burst of work to the next; None if the work is even. After `prepare`."""
        return None

    @property
    def limiter_active(self) -> bool:
        """Whether a limiter held the level down in the last block."""
        return False

    def set(self, id: str, value: float) -> None:
        """Give a knob a new target, clamped to its range.

        Raises:
            KeyError: if there is no such knob
        """
        self._targets[id] = self._known[id].clamp(value)

    def get(self, id: str) -> float:
        """Return a knob's target; KeyError if there is no such knob."""
        return self._targets[id]
