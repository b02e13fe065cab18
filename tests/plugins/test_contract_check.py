from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from gramophone.plugins.contract_check import check_contract
from gramophone.plugins.gain import Gain
from gramophone.plugins.limiter import Limiter
from gramophone.plugins.parameter import ContractError, Parameter
from gramophone.plugins.plugin import Plugin
from gramophone.plugins.stylizer import StylizerPlugin

Block = NDArray[np.float32]
KNOB = Parameter(id="depth", name="Depth", low=0.0, high=1.0, default=0.5)


class Late(Plugin):
    """Delays by three samples and says so: a plugin as it must be, for others here to break."""

    name = "late"
    parameters = (KNOB,)
    neutral: ClassVar[dict[str, float] | None] = {}

    def prepare(self, *, sample_rate: int, block: int, channels: int) -> None:
        del sample_rate, block
        self.past = np.zeros((channels, 3), dtype=np.float32)

    def process(self, block: Block) -> Block:
        line = np.concatenate([self.past, block], axis=1)
        self.past = line[:, -3:].copy()
        return line[:, :-3]

    def reset(self) -> None:
        self.past[:] = 0.0

    @property
    def latency_samples(self) -> int:
        return 3


def test_a_good_plugin_passes() -> None:
    check_contract(Late)
    # What has neutral settings may also be measured by its impulse response.
    check_contract(type("Measured", (Late,), {"name": "measured", "neutral": None}))


def without_base() -> type:
    return type("Bare", (), {"name": "bare", "parameters": (), "neutral": None})


def broken(**members: object) -> Callable[[], type]:
    return lambda: type("Broken", (Late,), {"name": "broken", **members})


def returning(value: object) -> Callable[..., object]:
    return lambda *_args, **_keywords: value


def answers(change: Callable[[Block], object]) -> Callable[[Late, Block], object]:
    return lambda self, block: change(Late.process(self, block))


def late_by(samples: float) -> property:
    return property(lambda _self: samples)


def halves_first_sample(self: Late, block: Block) -> Block:
    out = Late.process(self, block)
    out[:, 0] *= np.float32(0.5)
    return out


def writes_into_input(self: Late, block: Block) -> Block:
    out = Late.process(self, block)
    block *= np.float32(0.5)
    return out


def fails_on_one_sample(self: Late, block: Block) -> Block:
    if block.shape[1] == 1:
        raise IndexError("too short")
    return Late.process(self, block)


def divides_by_level(self: Late, block: Block) -> Block:
    with np.errstate(all="ignore"):
        return Late.process(self, block) / np.float32(block.any())


def grows_late(self: Late) -> int:
    own = vars(self)
    own["asked"] = not own.get("asked", False)
    return 3 if own["asked"] else 4


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (broken(name="No Good"), "name 'No Good' cannot be used"),
        (broken(name=None), "name None cannot be used"),
        (without_base, "subclass of gramophone.plugins.plugin.Plugin"),
        (broken(parameters=[KNOB]), "tuple of Parameter"),
        (broken(parameters=(KNOB, KNOB)), "depth is there twice"),
        (
            broken(
                parameters=(
                    Parameter(id="my_bypass", name="B", low=0.0, high=1.0, default=0.0, curve="toggle"),
                )
            ),
            "what the chain calls its switches",
        ),
        (broken(neutral={"dept": 0.0}), "neutral sets 'dept'"),
        (broken(neutral={"depth": 2.0}), "neutral sets 'depth' to 2.0"),
        (broken(get=returning(0.25)), "stands at 0.25 at first, not at its default"),
        (broken(set=returning(None)), "not at 1"),
        (broken(latency_samples=late_by(-1)), "latency_samples is -1"),
        (broken(latency_samples=late_by(3.0)), "latency_samples is 3.0"),
        (broken(latency_samples=late_by(2)), "not the input 2 samples late"),
        (
            broken(latency_samples=late_by(2), neutral=None),
            "latency_samples is 2, but an impulse comes 3 samples",
        ),
        (broken(latency_samples=property(grows_late)), "latency_samples has changed from 3 to 4"),
        (broken(reset=returning(None)), "after reset the same input gives another output"),
        (broken(process=halves_first_sample), "other block lengths give other samples"),
        (broken(process=writes_into_input), "wrote to the block"),
        (broken(process=divides_by_level), "NaN or infinity"),
        (broken(process=answers(lambda out: out.astype(np.float64))), "returned float64"),
        (broken(process=answers(lambda out: out[:, :-1])), "return the same"),
        (broken(process=returning(None)), "returned NoneType"),
    ],
)
def test_a_broken_plugin_is_refused_with_its_fault(make: Callable[[], type], says: str) -> None:
    with pytest.raises(ContractError, match=says) as caught:
        check_contract(make())
    assert "\n" not in str(caught.value)


def test_exceptions_of_a_plugin_come_through() -> None:
    with pytest.raises(IndexError, match="too short"):
        check_contract(broken(process=fails_on_one_sample)())


@pytest.mark.parametrize("plugin", [Gain, Limiter, StylizerPlugin])
def test_those_that_come_with_gramophone_keep_to_it(plugin: type[Plugin]) -> None:
    check_contract(plugin)
