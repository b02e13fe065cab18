import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from gramophone.dsp.level import loudness, true_peak
from gramophone.media.errors import InputError
from gramophone.media.spool import Spool
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.style_distance import StyleMeter
from gramophone.models.style import Style
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.render.baselines import BASELINES
from gramophone.offline.render.render import Progress, render
from gramophone.offline.render.strength import at_strength
from gramophone.offline.work.mixture import HOP, Part, on_the_way

RATE = 44100
RECIPES = ["gramophone", "transport", "ulyanov2016", "dipani2018"]
FEW = {
    "gramophone": {"steps": 12, "filters": 32, "rank": 32},
    "transport": {"phase_iterations": 4},
    "ulyanov2016": {"steps": 2, "filters": 64, "phase_iterations": 3},
    "dipani2018": {"steps": 2, "filters": 64, "phase_iterations": 3},
}


def beats(seconds: float = 1.5, channels: int = 2, rate: int = RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    struck = np.random.default_rng(0).standard_normal(t.size) * np.exp(-14.0 * np.mod(t, 0.25))
    return 0.3 * np.stack([struck * (0.9**c) for c in range(channels)])


def chimes(seconds: float = 2.0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * f * t) for f in (523.0, 659.0, 1318.0, 2637.0))
    return np.repeat((0.1 * tone * np.exp(-3.0 * np.mod(t, 0.5)))[None], channels, axis=0)


STYLE = Style.from_audio(chimes(), RATE, name="chimes")


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("rate", "channels"), [(44100, 2), (48000, 1), (16000, 3)])
def test_rate_channels_and_length_are_the_contents_and_nothing_clips(
    recipe: str, rate: int, channels: int
) -> None:
    content = beats(0.7, channels, rate)
    style = Style.from_audio(chimes(1.0, 32000, 2), 32000, name="chimes")
    done = render(content, rate, style, recipe=recipe, settings=FEW[recipe])
    assert done.samples.shape == content.shape
    assert done.sample_rate == rate
    assert np.isfinite(done.samples).all()
    assert true_peak(done.samples, rate) <= 10 ** (-1 / 20) + 1e-9


@pytest.mark.parametrize("recipe", ["gramophone", "transport"])
def test_loudness_is_the_contents_where_its_peaks_allow(recipe: str) -> None:
    content = 0.2 * beats()
    done = render(content, RATE, STYLE, recipe=recipe, settings=FEW[recipe])
    assert loudness(done.samples, RATE) == pytest.approx(loudness(content, RATE), abs=0.1)


@pytest.mark.parametrize("recipe", RECIPES)
def test_strength_zero_is_the_content_sample_for_sample(recipe: str) -> None:
    content = beats()
    assert np.array_equal(render(content, RATE, STYLE, recipe=recipe, strength=0.0).samples, content)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_gives_the_same_samples(recipe: str) -> None:
    def once(seed: int) -> np.ndarray:
        return render(beats(0.5), RATE, STYLE, recipe=recipe, settings=FEW[recipe], seed=seed).samples

    assert np.array_equal(once(3), once(3))
    assert not np.array_equal(once(3), once(4))


@pytest.mark.parametrize("recipe", ["gramophone", "transport"])
def test_strength_is_monotone_in_style_distance(recipe: str) -> None:
    content = beats()
    full = render(content, RATE, STYLE, recipe=recipe, settings=FEW[recipe]).samples
    meter = StyleMeter(content, STYLE.samples, RATE)
    distances = [meter.distance(at_strength(content, full, RATE, s)) for s in np.linspace(0.0, 1.0, 6)]
    for part in ("raw", "centred"):
        values = [getattr(d, part) for d in distances]
        assert values[0] == pytest.approx(1.0)
        # A hundredth is within what two sets of networks disagree by.
        assert all(later < earlier + 0.01 for earlier, later in itertools.pairwise(values)), (part, values)
        assert values[-1] < 0.5


def test_a_strength_between_is_that_of_the_full_render() -> None:
    # Soft, so that nothing is limited: what is limited before it is mixed is another sound.
    content = 0.3 * beats()
    full = render(content, RATE, STYLE, recipe="transport", settings=FEW["transport"]).samples
    half = render(content, RATE, STYLE, recipe="transport", settings=FEW["transport"], strength=0.5).samples
    np.testing.assert_allclose(half, at_strength(content, full, RATE, 0.5), atol=1e-4)


def test_the_optimiser_goes_further_than_the_closed_form_and_keeps_the_attacks() -> None:
    # A style whose statistics are in the order of its frames, which the closed form does not see.
    content, style = chimes(2.0), Style.from_audio(beats(2.0), RATE, name="beats")
    meter = StyleMeter(content, style.samples, RATE)
    closed = render(content, RATE, style, recipe="transport", settings={"notes": 0.0}).samples
    free, kept = (
        render(content, RATE, style, settings={"notes": 0.0, "steps": 60, "content_weight": weight}).samples
        for weight in (0.0, 0.25)
    )
    first, second = meter.distance(closed), meter.distance(free)
    assert second.centred < 0.8 * first.centred
    assert second.raw + second.centred < 0.85 * (first.raw + first.centred)
    onsets = [content_kept(content, output, RATE).onset for output in (free, kept)]
    assert onsets[1] > max(onsets[0], 0.8)


def test_the_stereo_image_stays() -> None:
    content = beats(1.0, 2)
    done = render(content, RATE, STYLE, recipe="transport").samples
    balance = np.linalg.norm(content[1]) / np.linalg.norm(content[0])
    assert np.linalg.norm(done[1]) / np.linalg.norm(done[0]) == pytest.approx(balance, rel=0.02)
    assert np.corrcoef(done[0], done[1])[0, 1] > 0.99


def test_rests_are_not_filled_with_style() -> None:
    content = beats(2.0)
    content[:, RATE : RATE + RATE // 2] = 0.0
    done = render(content, RATE, STYLE, settings=FEW["gramophone"]).samples
    middle = done[:, RATE + 4096 : RATE + RATE // 2 - 4096]
    assert 20 * np.log10(np.abs(middle).max() + 1e-12) < -60.0


def test_progress_runs_from_nothing_to_all_and_losses_are_kept() -> None:
    seen: list[Progress] = []
    done = render(beats(0.5), RATE, STYLE, settings=FEW["gramophone"], progress=seen.append)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    assert [p.stage for p in seen if p.loss is not None] == ["sound"] * 12
    assert [point.step for point in done.losses] == list(range(1, 13))
    assert set(done.seconds) == {"transport", "sound", "level"}


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (np.zeros((1, RATE)), {}, "silent"),
        (beats(0.02), {}, "shorter than one frame"),
        (np.full((1, RATE), np.inf), {}, "not numbers"),
        (beats(), {"strength": 1.5}, "strength"),
        (beats(), {"strength": float("nan")}, "strength"),
        (beats(), {"device": "abacus"}, "unknown device"),
        (beats(), {"recipe": "soup"}, "unknown recipe"),
        (beats(), {"recipe": "transport", "steps": 3}, "no setting 'steps'"),
    ],
)
def test_bad_input_is_refused(content: np.ndarray, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        render(content, RATE, STYLE, **changes)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_cuda_asked_for_and_absent_is_refused() -> None:
    with pytest.raises(InputError, match="no CUDA device"):
        render(beats(), RATE, STYLE, device="cuda")


def test_a_recipe_with_its_own_settings_is_taken_as_it_is() -> None:
    recipe = get_recipe("transport", {"bands": 64, "phase_iterations": 2})
    assert render(beats(0.5), RATE, STYLE, recipe=recipe).recipe == recipe
    changed = render(beats(0.5), RATE, STYLE, recipe=recipe, settings={"bands": 32}).recipe.settings()
    assert (changed["bands"], changed["phase_iterations"]) == (32, 2)


def test_strength_arrives_at_one_without_a_jump() -> None:
    # Peaks far above the mean: what the limiter may take is used up.
    content, style = chimes(1.5), Style.from_audio(beats(2.0) ** 3, RATE, name="clicks")
    content = content / np.abs(content).max()
    full = render(content, RATE, style, recipe="transport").samples
    levels = [loudness(at_strength(content, 0.1 * full, RATE, s), RATE) for s in (0.999, 1.0)]
    assert levels[0] == pytest.approx(levels[1], abs=0.1)


def test_what_no_style_has_a_share_in_stays_the_content(tmp_path: Path) -> None:
    """The ends of the way, frame by frame: without a share or strength it is the content, with both the style."""
    content, sound = (
        Spool.create(tmp_path / name, channels=2, length=RATE) for name in ("content.spool", "sound.spool")
    )
    content.write(0, 0.3 * beats(1.0))
    sound.write(0, 0.3 * chimes(1.0, channels=2))
    frames = torch.arange(RATE // HOP + 1)[:, None]
    share = (frames >= len(frames) // 2).float()
    for strength, expected in ((0.0, content), (1.0, sound)):
        part = Part(sound, share, 1.0)
        out = on_the_way(content, [part], torch.full((1, 1), strength), tmp_path / f"{strength}.spool")
        first, second = (slice(None, RATE // 2 - 2048), slice(RATE // 2 + 2048, None))
        heard, start, end = (one.read(0, RATE) for one in (out, content, expected))
        np.testing.assert_allclose(heard[:, first], start[:, first], atol=1e-5)
        np.testing.assert_allclose(heard[:, second], end[:, second], atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ("0.0.spool", "1.0.spool", "content.spool", "sound.spool")
    )


@pytest.mark.parametrize("name", list(BASELINES))
def test_baselines_keep_shape_and_are_on_the_way(name: str) -> None:
    content = beats()
    output = BASELINES[name](content, STYLE.samples, RATE)
    assert output.shape == content.shape
    assert np.isfinite(output).all()
    assert StyleMeter(content, STYLE.samples, RATE).distance(output).raw < 1.0
