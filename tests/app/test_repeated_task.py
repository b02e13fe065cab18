import pytest

from gramophone.app import console
from gramophone.app.live import controls as live_controls
from gramophone.app.live import display as live_display
from gramophone.app.live.session import play
from gramophone.app.repeated_task import Task
from gramophone.media.errors import InputError
from gramophone.realtime.link.engine_settings import EngineSettings, VirtualSettings

ERRORS = [
    InputError("the disk is full"),
    UnicodeEncodeError("utf-8", "\udce9", 0, 1, "no"),
    OSError(28, "full"),
    KeyError(1),
]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(console, "fault", lines.append)
    return lines


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("gramophone.app.repeated_task.time.monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_task_that_fails_is_told_once_and_tried_again(
    error: Exception, told: list[str], clock: list[float]
) -> None:
    tries = []
    broken = True

    def job(number: int) -> int:
        tries.append(clock[0])
        if broken:
            raise error
        return number

    task = Task("writing", job)
    for _ in range(2000):
        assert task(7) is None
        clock[0] += 0.1
    assert len(told) == 1
    assert "writing" in told[0]
    # Less and less often, and never given up.
    assert 5 < len(tries) < 15
    broken = False
    clock[0] += 100.0
    assert task(7) == 7
    broken = True
    task(7)
    assert len(told) == 2


@pytest.mark.slow
def test_a_session_plays_to_its_end_whatever_fails_beside_it(
    folder, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")

    for owner, name in (
        (live_controls.LiveControls, "news"),
        (live_controls.LiveControls, "remember"),
        (live_display.StatusDisplay, "update"),
    ):
        monkeypatch.setattr(owner, name, fail)
    device = VirtualSettings(input=folder / "content.wav", output=folder / "out.wav")
    play(
        EngineSettings(device=device, styles=(folder / "style.wav",), channels=2),
        live_controls.ControlOptions(port="none"),
        stats=None,
        overwrite=False,
    )
    assert (folder / "out.wav").stat().st_size > 1.5 * 16000 * 2 * 4
    assert len(told) >= 3


def test_an_interruption_is_no_fault(told: list[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Task("waiting", interrupted)()
    assert not told
