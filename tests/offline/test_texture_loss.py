import math

import pytest
import torch
from torch import Tensor

from gramophone.dsp.level import at_reference
from gramophone.dsp.stft import expand, log_spectrogram
from gramophone.models.mel_bands import mel_members
from gramophone.offline.optimize.losses import Block, add
from gramophone.offline.optimize.texture_loss import TextureLoss

N_FFT, HOP, RATE = 512, 256, 22050
BANDS = torch.from_numpy(mel_members(N_FFT // 2 + 1, 32, highest=RATE / 2)).float()


def noise(seconds: float, seed: int) -> Tensor:
    return 0.1 * torch.randn(1, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def moving(seconds: float, hertz: float, depth: float, seed: int) -> Tensor:
    sound = noise(seconds, seed)
    t = torch.arange(sound.shape[-1]) / RATE
    return sound * (1.0 + depth * torch.sin(2.0 * math.pi * hertz * t))


def seen(samples: Tensor) -> Tensor:
    level = torch.from_numpy(at_reference(samples.double().numpy(), RATE)).float()
    return log_spectrogram(level, N_FFT, HOP)


CONTENT, STYLE = seen(moving(4.0, 4.0, 0.9, 0)), seen(moving(4.0, 12.0, 0.9, 1))


def blocks(spectrogram: Tensor, size: int, context: int) -> list[Block]:
    frames = spectrogram.shape[-1]
    found = []
    for first in range(0, frames, size):
        last, begin = min(first + size, frames), max(first - context, 0)
        magnitude = expand(spectrogram[:, begin : min(last + context, frames)]).mT
        found.append(Block(magnitude, first=first, last=last, before=first - begin, total=frames))
    return found


def term(style: Tensor = STYLE, content: Tensor = CONTENT) -> TextureLoss:
    made = TextureLoss(style, frames=content.shape[-1], frame_rate=RATE / HOP, bands=BANDS)
    return made.start_from(blocks(content, 10_000, 0))


def loss(made: TextureLoss, spectrogram: Tensor, size: int = 10_000) -> float:
    totals = None
    for block in blocks(spectrogram, size, made.context):
        totals = add(totals, [made.sums(block)])
    assert totals is not None
    return float(made.loss(totals[0]))


def test_the_style_is_zero_and_the_content_at_most_one() -> None:
    made = term()
    assert loss(made, STYLE) == pytest.approx(0.0, abs=1e-5)
    # In some kinds of statistics these two are alike: there the content is not as far as 1.
    assert 0.3 < loss(made, CONTENT) <= 1.0 + 1e-6


def test_blocks_of_any_length_add_up_to_the_whole() -> None:
    made = term()
    whole = loss(made, CONTENT)
    for size in (7, 100, made.context):
        assert loss(made, CONTENT, size) == pytest.approx(whole, rel=1e-5)
    for size in (7, 100):
        parts = TextureLoss(STYLE, frames=CONTENT.shape[-1], frame_rate=RATE / HOP, bands=BANDS)
        parts.start_from(blocks(CONTENT, size, parts.context))
        assert loss(parts, CONTENT) == pytest.approx(whole, rel=1e-5)


def test_another_stretch_of_the_style_is_near_and_slower_and_shallower_sounds_are_further() -> None:
    made = term()
    near = loss(made, seen(moving(4.0, 12.0, 0.9, 5)))
    assert near < 0.35
    assert near < loss(made, seen(moving(4.0, 12.0, 0.4, 5)))
    assert near < loss(made, seen(moving(4.0, 5.0, 0.9, 5)))


def test_a_gain_in_every_band_changes_little() -> None:
    made = term()
    tilt = torch.linspace(1.0, 3.0, CONTENT.shape[0])[:, None]
    tilted = torch.log1p(torch.expm1(CONTENT) * tilt)
    assert loss(made, tilted) == pytest.approx(loss(made, CONTENT), abs=0.03)


def test_the_gradient_is_that_of_finite_differences() -> None:
    made = term()
    start = expand(CONTENT).mT

    def value(magnitude: Tensor) -> Tensor:
        count = magnitude.shape[0]
        block = Block(magnitude, first=0, last=count, before=0, total=count)
        return made.loss(tuple(part.double() for part in made.sums(block)))

    leaf = start.clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(leaf), leaf)
    direction = 1e-2 * start * torch.randn(start.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        difference = float(value(start + direction) - value(start - direction)) / 2.0
    assert difference == pytest.approx(float((slope * direction).sum()), rel=0.02)


@pytest.mark.parametrize("frames", [1, 3, 12])
def test_sounds_shorter_than_a_filter_have_a_loss_and_a_slope(frames: int) -> None:
    short = CONTENT[:, 40 : 40 + frames]
    made = term(STYLE[:, 5 : 5 + frames], short)
    leaf = expand(short).mT.requires_grad_()
    block = Block(leaf, first=0, last=frames, before=0, total=frames)
    value = made.loss(tuple(part.double() for part in made.sums(block)))
    value.backward()
    assert math.isfinite(float(value.detach()))
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()


def test_silence_has_a_loss_and_a_slope() -> None:
    made = term()
    leaf = torch.full((200, CONTENT.shape[0]), 1e-8, requires_grad=True)
    block = Block(leaf, first=0, last=200, before=0, total=200)
    made.loss(tuple(part.double() for part in made.sums(block))).backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
