import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gramophone.dsp.frames import Framing
from gramophone.dsp.level import at_reference, loudness
from gramophone.dsp.stft import expand, istft, log_spectrogram, power_mean, stft
from gramophone.media.spool import Spool
from gramophone.models.gram import gram
from gramophone.models.mel_bands import mel_members
from gramophone.offline.optimize.content_loss import ContentLoss
from gramophone.offline.optimize.descent import Descent, Sound, Step
from gramophone.offline.optimize.losses import Block
from gramophone.offline.optimize.loudness_normalisation import LoudnessNormalisation
from gramophone.offline.optimize.optimizer import BANDS, loss_terms, optimise_sound
from gramophone.offline.optimize.optimizer_state import (
    QUANTITIES,
    Overlapping,
    SamplesInMemory,
    SamplesOnDisk,
    StateInMemory,
    StateOnDisk,
)
from gramophone.offline.optimize.settings import Optimisation
from gramophone.offline.optimize.style_loss import (
    Sketch,
    StyleLoss,
    draw_sketch,
    feature_sums,
    relative_distance,
)
from gramophone.offline.recipes.fixed_network import FixedNetwork
from gramophone.offline.transport.closed_form import Curves, FrameSums, StyleSide, sounding
from gramophone.offline.transport.settings import ClosedForm
from gramophone.offline.work.block_pool import BlockPool

N_FFT, HOP, RATE = 512, 128, 22050
LAYOUT: dict[str, Any] = {"n_fft": N_FFT, "hop": HOP, "sample_rate": RATE}
CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def beats(channels: int = 1) -> Tensor:
    t = torch.arange(RATE) / RATE
    return (
        0.2 * torch.randn(channels, RATE, generator=generator()) * torch.exp(-20.0 * torch.remainder(t, 0.2))
    )


def tones() -> Tensor:
    t = torch.arange(RATE) / RATE
    tones = [torch.sin(2 * math.pi * f * t) for f in (220.0, 440.0, 660.0, 1500.0)]
    return 0.1 * torch.stack(tones).sum(dim=0, keepdim=True)


def level(samples: Tensor) -> Tensor:
    return torch.from_numpy(at_reference(samples.double().numpy(), RATE)).float()


CONTENT = log_spectrogram(level(beats()), N_FFT, HOP)
STYLE = log_spectrogram(level(tones()), N_FFT, HOP)
SMALL = Optimisation(
    **LAYOUT, steps=30, filters=16, rank=32, kernels=(1, 3, 7), learning_rate=0.3, texture_weight=0.0
)


def spool(folder: Path, name: str, samples: Tensor) -> Spool:
    made = Spool.create(folder / name, channels=samples.shape[0], length=samples.shape[-1])
    made.write(0, samples.numpy())
    return made


def optimise(
    folder: Path, start: Tensor, settings: Optimisation, seed: int = 0, **options: int
) -> tuple[Tensor, list[float]]:
    losses: list[float] = []
    out = spool(folder, "out", torch.zeros_like(start))
    optimise_sound(
        spool(folder, "start", start),
        out,
        spool(folder, "content", level(beats())),
        STYLE,
        settings,
        generator=generator(seed),
        on_step=lambda _, loss: losses.append(loss),
        folder=folder,
        **options,
    )
    return torch.from_numpy(out.read(0, out.length)), losses


def style_distance(network: Sketch, current: Tensor, content: Tensor, style: Tensor) -> Tensor:
    return relative_distance(*(feature_sums(network(x)) for x in (current, content, style)))


def envelopes(content: Tensor, *, highest: float) -> ContentLoss:
    bins, frames = content.shape
    runs = [content] if frames < 20 else [content[:, :10], content[:, 9:12], content[:, 11:]]
    bands = torch.from_numpy(mel_members(bins, BANDS, highest=highest)).float()
    return ContentLoss(map(expand, runs), frames=frames, bands=bands, device=CPU)


def whole(current: Tensor) -> Block:
    """A block that is the whole of a sound, from its log-magnitudes [bins, frames]."""
    frames = current.shape[-1]
    return Block(expand(current).mT, first=0, last=frames, before=0, total=frames)


def test_relative_loss_is_one_at_the_content_and_zero_at_the_style() -> None:
    network = draw_sketch(CONTENT.shape[0], (3,), 16, 32, generator=generator())
    assert float(style_distance(network, CONTENT, CONTENT, STYLE)) == pytest.approx(1.0, abs=1e-5)
    assert float(style_distance(network, STYLE, CONTENT, STYLE)) == pytest.approx(0.0, abs=1e-5)


def test_gradients_of_the_losses_agree_with_finite_differences() -> None:
    def draw(*shape: int, seed: int) -> Tensor:
        return torch.rand(*shape, generator=generator(seed), dtype=torch.float64) + 0.1

    content, style, current = draw(40, 6, seed=0), draw(40, 7, seed=1), draw(40, 6, seed=2).requires_grad_()
    network = Sketch(draw(5, 40, seed=3) - 0.6, draw(4, 5, 3, seed=4) - 0.6)
    assert torch.autograd.gradcheck(lambda x: style_distance(network, x, content, style), (current,))

    term = envelopes(content.float(), highest=1000.0)

    def loss(x: Tensor) -> Tensor:
        return term.loss(tuple(value.double() for value in term.sums(whole(x))))

    x = current.detach().float().requires_grad_()
    (slope,) = torch.autograd.grad(loss(x), x)
    direction = torch.randn(x.shape, generator=generator(5))
    with torch.no_grad():
        difference = (loss(x + 3e-3 * direction) - loss(x - 3e-3 * direction)) / 6e-3
    assert float(difference) == pytest.approx(float((slope * direction).sum()), rel=0.05)


def test_the_content_keeps_itself_and_an_equaliser_costs_nothing_much() -> None:
    term = envelopes(CONTENT, highest=RATE / 2)

    def loss(current: Tensor) -> float:
        return float(term.loss(tuple(value.double() for value in term.sums(whole(current)))))

    assert loss(CONTENT) == pytest.approx(0.0, abs=1e-5)
    assert loss(CONTENT.flip(-1)) > 0.5


def test_the_correlations_are_pearsons() -> None:
    other = log_spectrogram(level(beats() + 0.5 * tones()), N_FFT, HOP)
    term = envelopes(CONTENT, highest=RATE / 2)
    read = [term._envelopes(expand(s).mT.square()).double() for s in (other, CONTENT)]
    onsets = [e.diff(dim=-1).relu().mean(dim=0) for e in read]
    centred = [torch.cat([*(e - e.mean(dim=-1, keepdim=True))]) for e in read]
    expected = 2.0 - torch.corrcoef(torch.stack(centred))[0, 1] - torch.corrcoef(torch.stack(onsets))[0, 1]
    found = term.loss(tuple(value.double() for value in term.sums(whole(other))))
    assert float(found) == pytest.approx(float(expected), abs=1e-4)


def test_kernels_longer_than_the_sound_see_all_of_it() -> None:
    term = StyleLoss([CONTENT[:, :4]], STYLE, frames=4, kernels=(15,), filters=8, rank=8)
    term.renew(generator())
    total = term.sums(whole(CONTENT[:, :4]))
    assert float(total[-1]) == 1.0
    assert math.isfinite(float(term.loss(tuple(value.double() for value in total))))


def descent(folder: Path, start: Tensor, *, block: int, held: bool) -> tuple[Descent, Sound, StateInMemory]:
    framing = Framing(N_FFT, HOP, start.shape[-1], device=CPU)
    if held:
        kept = [SamplesInMemory(2, start.shape[-1], 2 * N_FFT, device=CPU) for _ in range(3)]
    else:
        kept = [SamplesOnDisk(spool(folder, name, torch.zeros_like(start)), device=CPU) for name in "abc"]  # type: ignore[misc]
    sound = Sound(SamplesOnDisk(spool(folder, "start", start), device=CPU), *kept)
    unknowns = StateInMemory(framing.frames, framing.bins, device=CPU)
    loudness = LoudnessNormalisation(N_FFT, HOP, RATE, device=CPU)
    return (
        Descent(framing, sound, unknowns, loudness, BlockPool(None, 1), block=block, held=held),
        sound,
        unknowns,
    )


@pytest.mark.parametrize("notes", [0.0, 1.0])
def test_gradients_of_blocks_are_those_of_the_whole(tmp_path: Path, notes: float) -> None:
    start = level(beats(2))
    framing = Framing(N_FFT, HOP, start.shape[-1], device=CPU)
    settings = Optimisation(**LAYOUT, filters=16, rank=32, kernels=(7,), notes=notes)
    content = spool(tmp_path, "content", level(tones().repeat(2, 1)))
    values = 0.3 * torch.randn(2, framing.frames, framing.bins, generator=generator(7))
    slopes: list[Tensor] = []
    sounds: list[Tensor] = []
    for block, held in ((1000, True), (37, True), (23, False)):
        terms = loss_terms(content, STYLE, settings, framing, tmp_path, block=block)
        for one in terms:
            one.term.renew(generator(3))
        one_way, sound, unknowns = descent(tmp_path, start, block=block, held=held)
        unknowns.load(0, framing.frames)[0], unknowns.load(0, framing.frames)[1] = values
        one_way.synthesise()
        one_way.measure_loudness()
        one_way.differentiate(terms)
        found = [one_way.slopes(first, last) for first, last in one_way.blocks]
        slopes.append(torch.cat([torch.stack(pair) for pair in found], dim=1))
        sounds.append(sound.present.read(0, start.shape[-1]).clone())
    for other, heard in zip(slopes[1:], sounds[1:], strict=True):
        torch.testing.assert_close(other, slopes[0], rtol=1e-3, atol=1e-4 * float(slopes[0].abs().max()))
        torch.testing.assert_close(heard, sounds[0], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize("notes", [0.0, 0.5, 1.0])
def test_gradients_are_those_of_the_loss_at_one_loudness(tmp_path: Path, notes: float) -> None:
    # The same loss, with the transforms of gramophone.dsp.stft, the loudness written out, and the gradient torch's own.
    start = level(beats(2))
    framing = Framing(N_FFT, HOP, start.shape[-1], device=CPU)
    settings = Optimisation(**LAYOUT, filters=16, rank=32, kernels=(7,), notes=notes)
    terms = loss_terms(
        spool(tmp_path, "content", level(tones().repeat(2, 1))), STYLE, settings, framing, tmp_path
    )
    for one in terms:
        one.term.renew(generator(3))
    blocked, _, unknowns = descent(tmp_path, start, block=50, held=True)
    values = 0.3 * torch.randn(2, framing.frames, framing.bins, generator=generator(7))
    unknowns.load(0, framing.frames)[:2] = values
    blocked.synthesise()
    blocked.measure_loudness()
    steady = blocked.loudness
    gates, factor = steady.gates, steady.factor
    blocked.differentiate(terms)
    found = torch.cat([torch.stack(blocked.slopes(first, last)) for first, last in blocked.blocks], dim=1)

    unknown = values.clone().requires_grad_()
    base = stft(start, N_FFT, HOP)
    spectrum = base * torch.polar(unknown[0].exp(), unknown[1]).mT
    magnitude = power_mean(stft(istft(spectrum, N_FFT, HOP, start.shape[-1]), N_FFT, HOP))
    loud = (steady.weights @ magnitude.square()) @ gates
    magnitude = magnitude * factor * (loud.detach() / loud).sqrt()
    block = Block(magnitude.mT, first=0, last=framing.frames, before=0, total=framing.frames)
    losses = [one.weight * one.term.loss(tuple(v.double() for v in one.term.sums(block))) for one in terms]
    (expected,) = torch.autograd.grad(torch.stack(losses).sum(), unknown)
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-4 * float(expected.abs().max()))


def test_loudness_from_frames_is_that_of_the_standard(tmp_path: Path) -> None:
    sound = beats(2)
    sound[:, RATE // 2 :] *= 1e-3
    one, _, _ = descent(tmp_path, sound, block=50, held=True)
    one.synthesise()
    one.measure_loudness()
    found = -23.0 - 20.0 * math.log10(one.loudness.factor)
    standard = loudness(sound.double().numpy(), RATE) - 10.0 * math.log10(2.0)
    assert found == pytest.approx(standard, abs=0.5)


def test_the_loss_falls_on_networks_never_seen_and_the_sound_is_what_was_measured(tmp_path: Path) -> None:
    out, losses = optimise(tmp_path, beats(), replace(SMALL, notes=0.0))
    # Half as many more than are set, without the notes.
    assert len(losses) == 45
    judge = draw_sketch(CONTENT.shape[0], (5,), 64, 64, generator=generator(99))
    heard = log_spectrogram(level(out), N_FFT, HOP)
    assert float(style_distance(judge, heard, CONTENT, STYLE)) < 0.6


def test_what_is_kept_on_disk_does_as_well_as_what_is_held_in_memory(tmp_path: Path) -> None:
    held, kept = (optimise(tmp_path, beats(), SMALL, block=50, held=held) for held in (10_000, 0))
    assert kept[1][:3] == pytest.approx(held[1][:3], rel=1e-2)
    assert kept[1][-5:] == pytest.approx(held[1][-5:], rel=0.05)
    assert {path.name for path in tmp_path.iterdir()} == {"start", "out", "content"}


def test_no_steps_give_the_start_back(tmp_path: Path) -> None:
    for held in (0, 10_000):
        out, _ = optimise(tmp_path, beats(), Optimisation(**LAYOUT, steps=0), held=held)
        torch.testing.assert_close(out, beats(), rtol=0.0, atol=1e-5)


def test_the_same_seed_gives_the_same_samples(tmp_path: Path) -> None:
    few = replace(SMALL, steps=4)
    first, second, other = (optimise(tmp_path, beats(), few, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_loudness_is_not_what_is_optimised(tmp_path: Path) -> None:
    few = replace(SMALL, steps=10)
    quiet, loud = (optimise(tmp_path, factor * beats(), few)[1] for factor in (0.01, 10.0))
    assert quiet == pytest.approx(loud, rel=0.02)


def test_the_stereo_image_stays(tmp_path: Path) -> None:
    # The right channel is the left one at half its level: so it shall be afterwards, in every sample.
    left = beats()
    out, _ = optimise(tmp_path, torch.cat([left, 0.5 * left]), replace(SMALL, steps=10))
    torch.testing.assert_close(out[1], 0.5 * out[0], rtol=1e-3, atol=1e-5)


def test_unknowns_come_back_from_disk_to_two_bytes_precision(tmp_path: Path) -> None:
    store = StateOnDisk(tmp_path / "unknowns", 30, 17, device=CPU)
    assert float(store.load(0, 30).abs().max()) == 0.0
    written = torch.randn(QUANTITIES, 10, 17, generator=generator())
    written[3:] *= 1e-18
    store.save(20, written)
    store.save(0, -written)
    read = store.load(20, 30)
    torch.testing.assert_close(read[:2], written[:2], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(read[2:], written[2:], rtol=5e-3, atol=0.0)
    torch.testing.assert_close(store.load(0, 10), -read, rtol=0.0, atol=0.0)


def test_overlapping_runs_add_up() -> None:
    target = SamplesInMemory(1, 20, 5, device=CPU)
    joined = Overlapping(target)
    runs = [(-3, 8), (2, 10), (6, 4), (8, 14)]
    expected = torch.zeros(1, 40)
    for start, count in runs:
        expected[:, start + 10 : start + count + 10] += 1.0
        joined.add(start, torch.ones(1, count))
    joined.close()
    assert torch.equal(target.read(0, 20), expected[:, 10:30])


def test_sketches_keep_the_scale_of_their_input() -> None:
    spectrogram = torch.randn(300, 200, generator=generator(3))
    for kernel in (1, 3, 11):
        features = draw_sketch(300, (kernel,), 64, 64, generator=generator())(spectrogram)
        assert features.shape == (64, 200 - kernel + 1)
        assert float(features.std()) == pytest.approx(1.0, rel=0.15)
    assert draw_sketch(300, (11,), 4, 4, generator=generator())(spectrogram[:, :3]).shape == (4, 1)


FIXED: dict[str, Any] = {"n_fft": N_FFT, "hop": HOP, "sample_rate": RATE, "filters": 64}


@pytest.mark.parametrize(
    "settings",
    [
        FixedNetwork(**FIXED, steps=15),
        FixedNetwork(
            **FIXED, steps=15, kernel=3, padding=1, init="torch", relu=False, loss="mean", start="content",
            optimizer="adam", clamp=True,
        ),
    ],
    ids=["ulyanov2016", "dipani2018"],
)  # fmt: skip
def test_the_published_losses_fall(settings: FixedNetwork) -> None:
    losses: list[float] = []
    out = settings.optimised(
        CONTENT, STYLE, generator=generator(), on_step=lambda _, loss: losses.append(loss)
    )
    assert out.shape == CONTENT.shape
    assert len(losses) == 15
    assert losses[-1] < 0.7 * losses[0]


def transport_frames(current: Tensor, style: Tensor, settings: ClosedForm) -> Tensor:
    """The closed form on a clip at once: log-magnitudes [bins, frames] in, the same shape out, none below zero."""
    side, frames = StyleSide(style, settings), current.mT
    mapping = side.solve(FrameSums.of(frames, None, side.around), coupled=True)
    moved = mapping.move(frames)
    curves = Curves(mapping, mapping.count(moved, None), side, amount=settings.distribution)
    return curves(moved).mT


def test_the_closed_form_brings_gram_matrices_of_frames_nearer_and_leaves_silence_silent() -> None:
    sound = beats()
    sound[:, RATE // 2 :] = 0.0
    content = log_spectrogram(sound, N_FFT, HOP)
    for bands in (0, 48):
        moved = transport_frames(content, STYLE, ClosedForm(**LAYOUT, bands=bands))
        moved = moved * sounding(expand(content.mT).square().sum(dim=-1))
        assert float(moved.min()) >= 0.0
        assert float(moved[:, -20:].max()) == 0.0
        full = transport_frames(CONTENT, STYLE, ClosedForm(**LAYOUT, bands=bands))
        before, after = ((gram(s) - gram(STYLE)).norm() for s in (CONTENT, full))
        assert float(after) < 0.2 * float(before)


def test_steps_are_adams() -> None:
    slopes = torch.randn(2, 5, 20, 9, generator=generator())
    ours = torch.zeros(QUANTITIES, 20, 9)
    theirs = torch.zeros(20, 9, requires_grad=True)
    adam = torch.optim.Adam([theirs], lr=0.1, betas=(0.9, 0.99), eps=1e-5)
    for number, (slope, other) in enumerate(zip(*slopes, strict=True), start=1):
        Step(number, gain=0.1, turn=0.0).take(ours, (slope, other), 1e-5)
        theirs.grad = slope
        adam.step()
    torch.testing.assert_close(ours[0], theirs.detach())
    assert float(ours[1].abs().max()) == 0.0
