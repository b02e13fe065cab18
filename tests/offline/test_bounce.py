"""Bounces: what was heard, sample for sample; and at full quality, with the same moves."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.signal import stft

from gramophone.media.errors import InputError
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import load_style
from gramophone.offline.bounce.bounce import bounce_full, style_shares
from gramophone.offline.bounce.live import bounce_live
from gramophone.offline.bounce.replay import Comparison, live_again, play_again
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.work.progress import Progress
from gramophone.plugins.live_chain import CHAIN_VERSION
from gramophone.takes.automation import Automation, Event, Move, Restart, StyleChange
from gramophone.takes.reader import PARAMETERS, Take, open_take
from tests.sounds import joined
from tests.take_maker import RATE, make_take, noisy_tune, random_moves, style_file

SECONDS = 3.0
QUICK = get_recipe("transport", {"phase_iterations": 2, "rounds": 1})


@pytest.fixture(scope="module")
def styles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("styles")
    return [style_file(folder, "hiss", seed=1), style_file(folder, "rumble", seed=2, low=True)]


@pytest.fixture(scope="module")
def dry() -> np.ndarray:
    return noisy_tune(SECONDS)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory, dry: np.ndarray, styles: list[Path]) -> Take:
    """A take in which everything is turned, often in one block and on one sample."""
    moves = random_moves(300, dry.shape[1], seed=4)
    return make_take(tmp_path_factory.mktemp("take") / "turned", dry, styles, events=moves)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, dry: np.ndarray, styles: list[Path]) -> Take:
    """Two thirds in the first style and then the second one; after that, nothing but the sound itself."""
    third = dry.shape[1] // 3
    moves = [
        Move(0, "style_2", 0.0),
        Move(third, "style_1", 0.0),
        Move(third, "style_2", 1.0),
        Move(2 * third, "strength", 0.0),
    ]
    return make_take(tmp_path_factory.mktemp("take") / "calm", dry, styles, events=moves)


def test_a_live_bounce_is_what_was_heard_to_the_last_bit(turned: Take, tmp_path: Path) -> None:
    told: list[Progress] = []
    bounced = bounce_live(turned, tmp_path, progress=told.append)
    assert bounced.comparison is not None
    assert (bounced.comparison.differing, bounced.comparison.same) == ([], True)
    sound = bounced.sound.read(0, bounced.sound.length)
    assert sound.shape[1] == turned.wet_frames
    assert np.abs(sound - joined(turned.wet())).max() <= 2.0**-24
    assert [step.fraction for step in told] == sorted(step.fraction for step in told)


def test_a_bounce_that_differs_says_where(turned: Take, tmp_path: Path) -> None:
    moves = [event for event in turned.events if isinstance(event, Move)]
    late = next(move for move in moves if move.id == "gain" and move.frame > turned.frames // 2)
    events = tuple(event for event in turned.events if event != late)
    bounced = bounce_live(dataclasses.replace(turned, events=events), tmp_path)
    assert bounced.comparison is not None
    assert not bounced.comparison.same
    assert late.frame - 600 <= bounced.comparison.differing[0][0]


def test_a_take_in_the_middle_goes_on_from_what_was_remembered(
    tmp_path: Path, dry: np.ndarray, styles: list[Path]
) -> None:
    from gramophone.takes.reader import write_state

    first = dry.shape[1] // 3
    moves = random_moves(60, dry.shape[1], seed=7)
    both = make_take(tmp_path / "both", dry, styles, events=moves)
    replay = live_again(both)
    heard = joined(play_again(both, replay, frames=both.wet_frames))
    # The same again, but stopped on the way, and gone on with from a folder.
    replay = live_again(both)
    before = dataclasses.replace(both, frames=first)
    joined(play_again(before, replay, frames=first - replay.chain.latency_samples))
    values = {parameter.id: parameter.default for parameter in PARAMETERS}
    values |= {move.id: move.value for move in moves if isinstance(move, Move) and move.frame < first}
    header = dataclasses.replace(both.header, values=values, resumed=True, wet_sha256="")
    shutil.copytree(both.folder / "styles", tmp_path / "rest" / "styles")
    write_state(tmp_path / "rest", replay.chain.state())
    later = tuple(
        dataclasses.replace(move, frame=move.frame - first) for move in moves if move.frame >= first
    )
    rest = _Rest(tmp_path / "rest", header, later, both.frames - first, both.wet_frames - first)
    rest.sound = dry[:, first:]
    again = joined(play_again(rest, live_again(rest), frames=rest.wet_frames))
    fades = 480  # of the mute, which belongs to no chain
    np.testing.assert_array_equal(again[:, fades:], heard[:, first:][:, fades : again.shape[1]])


def test_a_state_that_only_another_version_understands_is_learnt_anew(tmp_path: Path, calm: Take) -> None:
    from gramophone.takes.reader import write_state

    shutil.copytree(calm.folder / "styles", tmp_path / "styles")
    state = live_again(calm).chain.state()
    core = next(name for name in state if name.endswith("core"))
    write_state(tmp_path, state | {core: state[core][:-8]})
    resumed = dataclasses.replace(
        calm, folder=tmp_path, header=dataclasses.replace(calm.header, resumed=True)
    )
    with pytest.raises(InputError, match="of another version"):
        live_again(resumed)
    older = dataclasses.replace(resumed, header=dataclasses.replace(resumed.header, chain=CHAIN_VERSION - 1))
    fresh = live_again(calm).chain.state()
    again = live_again(older).chain.state()
    assert again.keys() == fresh.keys()
    for name, array in fresh.items():
        np.testing.assert_array_equal(again[name], array)


class _Rest(Take):
    """A take whose dry sound is in memory."""

    sound: np.ndarray

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def dry(self, size: int = 65_536):
        for start in range(0, self.sound.shape[1], size):
            yield self.sound[:, start : start + size]


def test_when_the_chain_forgets_it_is_as_at_the_start(dry: np.ndarray, calm: Take) -> None:
    at = dry.shape[1] // 2
    events: tuple[Event, ...] = (Restart(at, "begin"), *(Move(at, one.id, one.default) for one in PARAMETERS))
    forgetful = dataclasses.replace(calm, events=events)
    heard = joined(play_again(forgetful, live_again(forgetful), frames=calm.wet_frames))
    fresh = _Rest(calm.folder, calm.header, (), dry.shape[1] - at, dry.shape[1] - at)
    fresh.sound = dry[:, at:]
    again = joined(play_again(fresh, live_again(fresh), frames=1000))
    late = live_again(calm).chain.latency_samples
    np.testing.assert_array_equal(heard[:, at : at + 1000], again)
    assert heard[:, at - late :].any()


def test_styles_come_and_go_in_a_replay(calm: Take, styles: list[Path], dry: np.ndarray) -> None:
    """A slot that gets its style later is as good as one that had it from the start, once it has been heard alone."""
    half = dry.shape[1] // 2
    events = (
        Move(0, "style_2", 0.0), StyleChange(4800, 1, ""), StyleChange(9000, 1, "styles/rumble.wav"),
        StyleChange(9000, 3, "styles/hiss.wav"), Move(half, "style_2", 1.0), Move(half, "style_1", 0.0),
        Move(half, "style_4", 0.0),
    )  # fmt: skip
    later = dataclasses.replace(calm, events=events)
    heard = joined(play_again(later, live_again(later), frames=calm.wet_frames))
    assert np.isfinite(heard).all()
    again = joined(play_again(later, live_again(later), frames=calm.wet_frames))
    np.testing.assert_array_equal(heard, again)
    meters = [StyleMeter(dry[:, half:].astype(float), load_style(path).samples, RATE) for path in styles]
    first, second = (
        [meter.distance(part.astype(float)).raw for meter in meters]
        for part in (heard[:, 12_000:half], heard[:, half + 12_000 :])
    )
    assert first[0] < second[0]
    assert second[1] < first[1]


def test_full_quality_follows_strength_and_styles(
    calm: Take, tmp_path: Path, dry: np.ndarray, styles: list[Path]
) -> None:
    told: list[Progress] = []
    bounced = bounce_full(calm, tmp_path, recipe=QUICK, device="cpu", progress=told.append)
    assert bounced.comparison is None
    sound = bounced.sound.read(0, bounced.sound.length)
    assert sound.shape[1] == calm.wet_frames
    third, margin = dry.shape[1] // 3, 4096
    # At strength 0 it is the sound itself.
    end = slice(2 * third + margin, sound.shape[1] - margin)
    np.testing.assert_allclose(sound[:, end], dry[:, end], atol=1e-5)
    for number, path in enumerate(styles):
        part = slice(number * third + margin, (number + 1) * third - margin)
        other = slice((1 - number) * third + margin, (2 - number) * third - margin)
        meter = StyleMeter(dry[:, : 2 * third].astype(float), load_style(path).samples, RATE)
        near, far = (meter.distance(sound[:, cut].astype(float)).raw for cut in (part, other))
        assert near < min(far, 0.8)
    assert told[-1].fraction <= 1.0
    assert [step.fraction for step in told] == sorted(step.fraction for step in told)


@pytest.fixture(scope="module")
def falling(tmp_path_factory: pytest.TempPathFactory, dry: np.ndarray, styles: list[Path]) -> Take:
    """A take in which the knob `notes` goes from 1 to 0.5 and to 0, a third of the time each."""
    third = dry.shape[1] // 3
    moves = [Move(third, "notes", 0.5), Move(2 * third, "notes", 0.0)]
    return make_take(tmp_path_factory.mktemp("take") / "falling", dry, styles[:1], events=moves)


def in_full(take: Take, folder: Path, *, notes: float | None = None) -> np.ndarray:
    folder.mkdir()
    bounced = bounce_full(take, folder, recipe=QUICK, notes=notes, device="cpu")
    return bounced.sound.read(0, bounced.sound.length)


def test_full_quality_follows_notes(falling: Take, tmp_path: Path) -> None:
    sound = in_full(falling, tmp_path / "moved")
    kept, gone = (in_full(falling, tmp_path / f"at {notes:g}", notes=notes) for notes in (1.0, 0.0))
    third, margin = falling.frames // 3, 4096
    first, last = slice(0, third - margin), slice(2 * third + margin, sound.shape[1])
    for part, same, other in ((first, kept, gone), (last, gone, kept)):
        np.testing.assert_array_equal(sound[:, part], same[:, part])
        assert np.abs(sound[:, part] - other[:, part]).max() > 0.1
    middle = slice(third + margin, 2 * third - margin)
    found, one, two = (np.abs(stft(part[:, middle], nperseg=2048)[2]) for part in (sound, kept, gone))
    assert np.linalg.norm(found - 0.5 * (one + two)) < 0.1 * np.linalg.norm(found)
    # Where the knob moves there is no step that neither of the two has.
    for at in (third, 2 * third):
        steepest = [
            np.abs(np.diff(part[:, at - margin : at + margin], n=2)).max() for part in (sound, kept, gone)
        ]
        assert steepest[0] < 1.1 * max(steepest[1:])


def test_notes_that_stand_still_while_a_style_is_heard_are_one_rendering(
    falling: Take, tmp_path: Path
) -> None:
    notes = 0.6
    header = dataclasses.replace(falling.header, values={**falling.header.values, "notes": notes})
    moves = (Move(falling.frames - 9000, "strength", 0.0), Move(falling.frames - 3000, "notes", 0.2))
    take = dataclasses.replace(falling, header=header, events=moves)
    sound = in_full(take, tmp_path / "played")
    assert len(list(tmp_path.glob("played/rendering-*"))) == 1
    np.testing.assert_array_equal(sound, in_full(take, tmp_path / "fixed", notes=notes))


def test_full_quality_keeps_what_the_rest_of_the_chain_does(
    tmp_path: Path, dry: np.ndarray, styles: list[Path]
) -> None:
    events = [Move(0, "gain", -12.0), Move(0, "mix", 0.0), Move(48_000, "mute", 1.0)]
    take = make_take(tmp_path / "take", dry, styles[:1], events=events)
    (tmp_path / "work").mkdir()
    bounced = bounce_full(take, tmp_path / "work", recipe=QUICK, device="cpu")
    sound = bounced.sound.read(0, bounced.sound.length)
    assert not sound[:, 49_000:].any()
    # Its own sound alone, once the knobs have come to rest.
    part = slice(4800, 47_000)
    np.testing.assert_allclose(sound[:, part], dry[:, part] * 10 ** (-12 / 20), atol=1e-6)


def test_a_silent_take_is_told(tmp_path: Path, styles: list[Path]) -> None:
    take = make_take(tmp_path / "take", np.zeros((1, RATE), dtype=np.float32), styles[:1])
    with pytest.raises(InputError, match="silent"):
        bounce_full(take, tmp_path, recipe=QUICK, device="cpu")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_shares_of_styles_add_up(calm: Take, data: st.DataObject) -> None:
    names = st.sampled_from(["", "styles/hiss.wav", "styles/rumble.wav"])
    frame = st.integers(0, calm.frames)
    changes = st.builds(StyleChange, frame=frame, slot=st.integers(0, 3), style=names)
    moves = st.builds(
        Move,
        frame=frame,
        id=st.sampled_from([f"style_{n}" for n in range(1, 5)]),
        value=st.sampled_from([0.0, 0.3, 1.0]),
    )
    events = tuple(sorted(data.draw(st.lists(changes | moves, max_size=12)), key=lambda event: event.frame))
    take = dataclasses.replace(calm, events=events)
    automation = Automation(PARAMETERS, values={}, events=events, sample_rate=RATE)
    frames = np.arange(0, calm.frames, 512)
    shares = style_shares(take, automation, frames)
    total = np.sum(list(shares.values()), axis=0)
    filled = np.zeros(frames.shape, dtype=bool)
    slots = [*calm.header.styles, "", ""]
    for place, at in enumerate(frames):
        for event in events:
            if isinstance(event, StyleChange) and event.frame <= at:
                slots[event.slot] = event.style
        filled[place] = any(slots)
    np.testing.assert_allclose(total, filled.astype(float), atol=1e-9)


def test_a_comparison_knows_a_single_step(turned: Take) -> None:
    for change, same in ((0.0, True), (2.0**-23, False)):
        comparison = Comparison(
            dataclasses.replace(turned, header=dataclasses.replace(turned.header, wet_sha256=""))
        )
        for number, block in enumerate(turned.wet(5000)):
            block[0, 7] += change * (number == 2)
            comparison.feed(block)
        assert comparison.same is same
        assert comparison.differing == ([] if same else [(10_007, 10_008)])


def test_a_take_without_a_style_is_told(calm: Take) -> None:
    bare = dataclasses.replace(calm, header=dataclasses.replace(calm.header, styles=()), events=())
    with pytest.raises(InputError, match="no style"):
        live_again(bare)
    assert open_take(calm.folder).header == calm.header
