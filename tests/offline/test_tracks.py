"""Whole tracks: no seams, bounded work on disk, statistics that move, and work that goes on where it stopped."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gramophone.dsp.frames import Framing
from gramophone.dsp.level import at_reference, loudness
from gramophone.dsp.phase import block_context, griffin_lim, griffin_lim_block
from gramophone.dsp.stft import log_spectrogram, stft
from gramophone.media.audiofile import read_audio, resample, resample_track, write_audio
from gramophone.media.errors import InputError
from gramophone.media.spool import Spool
from gramophone.models.style import Style
from gramophone.offline.recipes.registry import get_recipe
from gramophone.offline.recipes.transport import Transport
from gramophone.offline.render.render_file import FileJob, rendered_file, work_folder
from gramophone.offline.transport import rounds
from gramophone.offline.transport.closed_form import CELLS, Curves, FrameSums, StyleClip, StyleSide
from gramophone.offline.transport.time_windows import windows
from gramophone.offline.transport.tracks import transport_track
from gramophone.offline.work.checkpoint import Checkpoint
from gramophone.offline.work.progress import Progress

RATE = 16000
SMALL = Transport(sample_rate=RATE, n_fft=512, hop=128)


def music(seconds: float, seed: int, *, pitch: float) -> np.ndarray:
    """Struck harmonic tones over a bed of noise, in stereo; soft in the first half."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    envelope = np.exp(-6.0 * np.mod(t, 0.3))
    tone = sum(np.sin(2.0 * np.pi * pitch * n * t) / n for n in range(1, 8)) * envelope
    swell = np.where(t < seconds / 2, 0.15, 1.0)
    return 0.2 * swell * np.stack([tone, np.roll(tone, 40)]) + 0.003 * rng.standard_normal((2, t.size))


CONTENT = at_reference(music(4.0, 0, pitch=220.0), RATE)
STYLE = Style.from_audio(music(2.0, 1, pitch=415.0) ** 3, RATE, name="style")
CLIP = StyleClip.of(torch.from_numpy(STYLE.at(RATE)).float(), SMALL.n_fft, SMALL.hop)
STYLE_LOG = CLIP.logs


def transported(folder: Path, size: int, local: float | None = None, *, notes: float = 0.0) -> np.ndarray:
    work = Checkpoint(folder / f"{size}-{local}-{notes}", {})
    content = Spool.gather(work.folder / "source.spool", [CONTENT])
    steps: list[tuple[int, int]] = []
    out = transport_track(
        content,
        CLIP,
        dataclasses.replace(SMALL, notes=notes),
        work,
        local=local,
        size=size,
        on_step=lambda *step: steps.append(step),
    )
    assert steps == [(n + 1, len(steps)) for n in range(len(steps))]
    return out.read(0, out.length).astype(float)


def difference_db(one: np.ndarray, other: np.ndarray) -> float:
    return float(20.0 * np.log10(np.linalg.norm(one - other) / np.linalg.norm(other) + 1e-20))


@pytest.mark.parametrize("notes", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("local", [None, 1.5])
def test_blocks_of_any_size_are_the_track_at_once(tmp_path: Path, local: float | None, notes: float) -> None:
    whole = transported(tmp_path, 64_000, local, notes=notes)
    for size in (50, 192):
        # The descent of the band levels makes more of rounding: equal steps along slopes that hardly differ from none.
        most = -45.0 if notes else -90.0
        assert difference_db(transported(tmp_path, size, local, notes=notes), whole) < most


def test_many_frames_are_moved_alike_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "every").mkdir()
    every = transported(tmp_path / "every", 192)
    monkeypatch.setattr(rounds, "MANY_FRAMES", 100)
    whole = transported(tmp_path, 64_000)
    assert difference_db(transported(tmp_path, 51), whole) < -90.0
    # Every other frame says nearly the same as all of them.
    assert difference_db(whole, every) > -60.0
    spectra = (log_spectrogram(torch.from_numpy(x).float(), SMALL.n_fft, SMALL.hop) for x in (whole, every))
    means = [spectrum.mean(dim=1) for spectrum in spectra]
    assert float((means[0] - means[1]).norm() / means[1].norm()) < 0.02


def test_a_soft_part_stays_soft_unless_statistics_move_with_the_music(tmp_path: Path) -> None:
    def step(sound: np.ndarray) -> float:
        half = sound.shape[1] // 2
        return loudness(sound[:, half:], RATE) - loudness(sound[:, :half], RATE)

    whole, moving = (step(transported(tmp_path, 128, local)) for local in (None, 1.0))
    assert whole > 4.0
    assert moving < whole - 2.0


def test_phase_of_a_block_with_context_is_that_of_the_whole() -> None:
    samples = torch.from_numpy(CONTENT).float()
    framing = Framing(SMALL.n_fft, SMALL.hop, samples.shape[1], device=torch.device("cpu"))
    spectrum = stft(samples, SMALL.n_fft, SMALL.hop)
    wanted = spectrum.abs() * torch.rand(spectrum.shape[1:], generator=torch.Generator().manual_seed(0))
    layout = {"n_fft": SMALL.n_fft, "hop": SMALL.hop, "length": samples.shape[1]}
    whole = griffin_lim(wanted, spectrum / spectrum.abs(), iterations=4, **layout)  # type: ignore[arg-type]
    around = block_context(framing, 4)
    for first, last in ((0, 60), (200, 260), (framing.frames - 60, framing.frames)):
        low, high = max(0, first - around), min(framing.frames, last + around)
        rows = slice(low, high)
        block = griffin_lim_block(wanted.mT[:, rows], spectrum.mT[:, rows], framing, low, iterations=4)
        start, stop = first * SMALL.hop, min(last * SMALL.hop, samples.shape[1])
        offset = framing.span(low, high)[0]
        torch.testing.assert_close(
            block[:, start - offset : stop - offset], whole[:, start:stop], rtol=0.0, atol=1e-5
        )


def test_windows_add_up_to_one_everywhere() -> None:
    for frames, length in ((1000, 300.0), (1000, 999.0), (1000, 31.7), (5, 9.0)):
        total = np.zeros(frames)
        for window in windows(frames, length):
            weights = window.weights(window.first, window.last)
            total[window.first : window.last] += 1.0 if weights is None else weights.numpy()
        np.testing.assert_allclose(total, 1.0, atol=1e-6)


def test_sums_of_blocks_are_the_sums_of_the_whole() -> None:
    frames = torch.rand(300, 20, generator=torch.Generator().manual_seed(0))
    weights = torch.rand(300, generator=torch.Generator().manual_seed(1))
    mean = frames.mean(dim=0)
    whole = FrameSums.of(frames, weights, mean).statistics()
    parts = FrameSums.of(frames[:77], weights[:77], mean) + FrameSums.of(frames[77:], weights[77:], mean)
    exact = torch.cov(frames.double().mT, correction=0, aweights=weights.double())
    torch.testing.assert_close(whole.covariance, exact, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(parts.statistics().mean, whole.mean, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(parts.statistics().covariance, whole.covariance, rtol=1e-4, atol=1e-6)


def test_curves_give_nearly_what_exact_ranks_give() -> None:
    frames = log_spectrogram(torch.from_numpy(CONTENT).float(), SMALL.n_fft, SMALL.hop).mT
    side = StyleSide(STYLE_LOG, SMALL)
    mapping = side.solve(FrameSums.of(frames, None, side.around), coupled=True)
    moved = mapping.move(frames)
    counts = mapping.count(moved, None)
    assert counts.shape == (frames.shape[1], CELLS)
    assert bool((counts.sum(dim=-1) == len(frames)).all())
    matched = Curves(mapping, counts, side, amount=1.0)(moved)
    # The exact way: the n-th smallest value becomes the quantile of the middle of the n-th part.
    parts = (np.arange(len(frames)) + 0.5) / len(frames)
    exact = torch.quantile(STYLE_LOG, torch.from_numpy(parts).float(), dim=1)
    error = (matched.sort(dim=0).values - exact).abs()
    assert float(error.mean()) < 0.01 * float(STYLE_LOG.std())
    # Order is kept: no value passes another.
    for bin_ in range(0, frames.shape[1], 16):
        ordered = matched[moved[:, bin_].argsort(), bin_]
        assert float(ordered.diff().min()) >= -1e-5


@pytest.mark.parametrize(("from_rate", "to_rate"), [(44100, 48000), (48000, 16000), (8000, 44100)])
def test_a_track_is_resampled_like_an_array(tmp_path: Path, from_rate: int, to_rate: int) -> None:
    samples = np.random.default_rng(0).standard_normal((2, 150_001))
    track = resample_track(Spool.gather(tmp_path / "a", [samples]), from_rate, to_rate, tmp_path / "b")
    wanted = resample(samples, from_rate, to_rate)
    assert track.length == wanted.shape[1]
    np.testing.assert_allclose(track.read(0, track.length), wanted, atol=2e-6)


def job(folder: Path, **changes: object) -> FileJob:
    content = folder / "content.wav"
    if not content.exists():
        write_audio(content, music(2.0, 0, pitch=220.0), RATE)
    # In rounds, so that there is something to go on with.
    recipe = get_recipe("transport", {"sample_rate": RATE, "n_fft": 512, "hop": 128, "notes": 0.0})
    given: dict[str, Any] = {"output": folder / "out.wav", "recipe": recipe, "overwrite": True, **changes}
    return FileJob(content, STYLE, **given)


class StoppedError(Exception):
    """Stands for whatever ends a process."""


def interrupt_after(fraction: float) -> Callable[[Progress], None]:
    def listen(progress: Progress) -> None:
        if progress.fraction > fraction:
            raise StoppedError

    return listen


def test_interrupted_work_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    with rendered_file(job(tmp_path)):
        pass
    whole = read_audio(tmp_path / "out.wav").samples
    assert sorted(p.name for p in tmp_path.iterdir()) == ["content.wav", "out.wav"]
    (tmp_path / "out.wav").unlink()
    notes: list[str] = []
    with (
        pytest.raises(StoppedError),
        rendered_file(job(tmp_path), progress=interrupt_after(0.6), note=notes.append),
    ):
        pass
    assert "--resume" in notes[0]
    assert work_folder(tmp_path / "out.wav").is_dir()
    with rendered_file(job(tmp_path), resume=True) as (_, rendering):
        assert "round 1" in rendering.resumed
    np.testing.assert_array_equal(read_audio(tmp_path / "out.wav").samples, whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["content.wav", "out.wav"]


def test_work_on_something_else_is_begun_again_and_said(tmp_path: Path) -> None:
    with pytest.raises(StoppedError), rendered_file(job(tmp_path), progress=interrupt_after(0.6)):
        pass
    notes: list[str] = []
    with rendered_file(job(tmp_path, seed=1), resume=True, note=notes.append) as (_, rendering):
        assert rendering.resumed == []
    assert "begun again" in notes[0]


def test_work_that_has_hardly_begun_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(StoppedError), rendered_file(job(tmp_path), progress=interrupt_after(0.01)):
        pass
    assert not work_folder(tmp_path / "out.wav").exists()


def test_a_foreign_folder_in_the_way_is_left_alone(tmp_path: Path) -> None:
    folder = work_folder(tmp_path / "out.wav")
    folder.mkdir()
    (folder / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"), rendered_file(job(tmp_path)):
        pass
    assert (folder / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("wanted", [-30.0, -3.0])
def test_a_loudness_is_met_or_its_lack_is_said(tmp_path: Path, wanted: float) -> None:
    with rendered_file(job(tmp_path, loudness=wanted)) as (_, rendering):
        pass
    reached = loudness(read_audio(tmp_path / "out.wav").samples, RATE)
    assert reached == pytest.approx(rendering.level.reached, abs=0.05)
    assert reached == pytest.approx(wanted, abs=0.1) if wanted < -20.0 else reached < wanted


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("count", [1, 7, 1000])
def test_curves_stay_within_what_the_style_holds(amount: float, count: int) -> None:
    frames = log_spectrogram(torch.from_numpy(CONTENT).float(), SMALL.n_fft, SMALL.hop).mT
    side = StyleSide(STYLE_LOG, SMALL)
    mapping = side.solve(FrameSums.of(frames, None, side.around), coupled=False)
    moved = 10.0 * torch.randn(count, frames.shape[1], generator=torch.Generator().manual_seed(0))
    matched = Curves(mapping, mapping.count(moved, None), side, amount=amount)(moved)
    assert float(matched.min()) >= 0.0
    assert bool((matched <= STYLE_LOG.max(dim=-1).values + 1e-6).all())
