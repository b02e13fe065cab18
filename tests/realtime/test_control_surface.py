import functools
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gramophone.media.errors import InputError
from gramophone.plugins.live_chain import LIVE_PARAMETERS
from gramophone.plugins.parameter import Parameter
from gramophone.plugins.preset import PresetFolder
from gramophone.realtime.control.control_surface import ControlSurface
from tests.waiting import wait_until


class Knobs:
    def __init__(self) -> None:
        self.parameters: tuple[Parameter, ...] = LIVE_PARAMETERS
        self.values = {one.id: one.default for one in LIVE_PARAMETERS}

    def get(self, id: str) -> float:
        return self.values[id]

    def set(self, id: str, value: float) -> None:
        self.values[id] = value


class Mixture:
    def __init__(self) -> None:
        self.heard = {"rain": 1.0}

    def styles(self) -> dict[str, float]:
        return dict(self.heard)

    def blend(self, styles: Mapping[str, float]) -> None:
        if "gone" in styles:
            raise InputError("there is no style 'gone'")
        self.heard = dict(styles)


@pytest.fixture
def mixture() -> Mixture:
    return Mixture()


@pytest.fixture
def pressed() -> list[bool]:
    return []


@pytest.fixture
def surface(tmp_path: Path, mixture: Mixture, pressed: list[bool]) -> Iterator[ControlSurface]:
    folder = PresetFolder(tmp_path, LIVE_PARAMETERS)
    made = ControlSurface(Knobs(), presets=folder, actions={"capture": pressed.append}, mixture=mixture)
    yield made
    made.close()


def test_switches_turn_over_or_are_held(surface: ControlSurface) -> None:
    for down in (True, False, True, True, False):
        surface.press("freeze", down)
    assert surface.get("freeze") == 1.0
    surface.press("freeze", False, hold=True)
    assert surface.get("freeze") == 0.0
    surface.press("freeze", True, hold=True)
    assert surface.get("freeze") == 1.0


@pytest.mark.parametrize(
    "error", [InputError("no"), OSError(28, "full"), ValueError("\udce9"), KeyError("x")], ids=repr
)
def test_what_fails_is_told_and_what_follows_is_done(surface: ControlSurface, error: Exception) -> None:
    def fail() -> None:
        raise error

    surface.later(fail)
    surface.later(lambda: surface.notify("done"))
    wait_until(lambda: surface.news() and surface.news()[-1][1] == "done")
    assert surface.news()[0][1].startswith("error: ")


def test_a_flood_is_left_out_in_part_and_the_rest_is_done_in_order(surface: ControlSurface) -> None:
    held, done = threading.Event(), list[int]()
    surface.later(lambda: held.wait(10.0))
    for number in range(5000):
        surface.later(functools.partial(done.append, number))
    held.set()
    surface.later(lambda: done.append(-1))
    wait_until(lambda: -1 in done or not surface._jobs.qsize())
    kept = [number for number in done if number >= 0]
    assert kept == sorted(kept)
    assert 0 < len(kept) < 1000
    assert "left out" in surface.news()[-1][1]


def test_panic_does_not_wait_for_anything(surface: ControlSurface) -> None:
    held = threading.Event()
    surface.later(lambda: held.wait(10.0))
    surface.press("panic", True)
    assert surface.get("bypass") == 1.0
    surface.press("panic", False)
    surface.press("panic", True)
    assert surface.get("bypass") == 0.0
    held.set()


def test_triggers_come_in_order_and_only_those_that_are_there(
    surface: ControlSurface, pressed: list[bool]
) -> None:
    for down in (True, False, True, False):
        surface.press("capture", down)
    wait_until(lambda: pressed == [True, False, True, False])
    assert {one.id for one in surface.triggers} == {"panic", "capture"}
    for target in ("record", "strength", "preset:", "nothing"):
        assert not surface.can(target)
        with pytest.raises(InputError):
            surface.press(target, True)


def test_presets_bring_back_knobs_and_styles_by_name(surface: ControlSurface, mixture: Mixture) -> None:
    surface.set("mix", 0.25)
    surface.set("style_1", 0.5)
    surface.store("calm")
    surface.set("mix", 1.0)
    surface.set("style_1", 1.0)
    surface.set("freeze", 1.0)
    mixture.heard = {"bells": 0.5, "rain": 0.5}
    surface.program(0)
    wait_until(lambda: surface.preset == "calm" and surface.get("mix") == 0.25)
    wait_until(lambda: mixture.heard == {"rain": 1.0})
    # The slots are the mixture's; what belongs to the moment is nobody's.
    assert (surface.get("style_1"), surface.get("freeze")) == (1.0, 1.0)


def test_what_goes_wrong_is_told_and_the_next_is_done(
    surface: ControlSurface, pressed: list[bool], mixture: Mixture
) -> None:
    mixture.heard = {"gone": 1.0}
    surface.store("old")
    surface.recall("old")
    surface.recall("nothing")

    def broken() -> None:
        raise RuntimeError("out of order")

    surface.later(broken)
    surface.press("capture", True)
    wait_until(lambda: pressed)
    told = [line for _, line in surface.news()]
    assert sum("error" in line for line in told) == 3
    assert surface.news(len(told)) == []
