import math

import pytest
import torch

from dsp.level import at_reference
from dsp.stft import log_spectrogram
from models.gram import gram
from offline.closed_form import sounding, transport_frames
from offline.fixed_network import optimise_fixed
from offline.optimize import ContentEnvelopes, Sketch, draw_sketch, optimise_sound, relative_style_loss
from offline.recipes import FixedNetwork, Gramophone, Transport

N_FFT, HOP, RATE = 512, 128, 22050
LAYOUT = {"n_fft": N_FFT, "hop": HOP, "sample_rate": RATE}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def beats(channels: int = 1) -> torch.Tensor:
    t = torch.arange(RATE) / RATE
    return (
        0.2 * torch.randn(channels, RATE, generator=generator()) * torch.exp(-20.0 * torch.remainder(t, 0.2))
    )


def tones() -> torch.Tensor:
    t = torch.arange(RATE) / RATE
    return 0.1 * sum(torch.sin(2 * math.pi * f * t) for f in (220.0, 440.0, 660.0, 1500.0))[None]


def level(samples: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(at_reference(samples.double().numpy(), RATE)).float()


CONTENT = log_spectrogram(level(beats()), N_FFT, HOP)
STYLE = log_spectrogram(level(tones()), N_FFT, HOP)
SMALL = Gramophone(**LAYOUT, steps=30, filters=16, rank=32, kernels=(1, 3, 7), learning_rate=0.3)  # type: ignore[arg-type]


def optimise(start: torch.Tensor, settings: Gramophone, seed: int = 0) -> tuple[torch.Tensor, list[float]]:
    losses: list[float] = []
    out = optimise_sound(
        start,
        CONTENT,
        STYLE,
        settings,
        generator=generator(seed),
        on_step=lambda _, loss: losses.append(loss),
    )
    return out, losses


def test_relative_loss_is_one_at_the_content_and_zero_at_the_style() -> None:
    network = draw_sketch(CONTENT.shape[0], (3,), 16, 32, generator=generator())
    assert float(relative_style_loss(network, CONTENT, CONTENT, STYLE)) == pytest.approx(1.0, abs=1e-5)
    assert float(relative_style_loss(network, STYLE, CONTENT, STYLE)) == pytest.approx(0.0, abs=1e-5)


def test_gradients_of_the_losses_agree_with_finite_differences() -> None:
    def draw(*shape: int, seed: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator(seed), dtype=torch.float64) + 0.1

    content, style, current = draw(40, 6, seed=0), draw(40, 7, seed=1), draw(40, 6, seed=2).requires_grad_()
    network = Sketch(draw(5, 40, seed=3) - 0.6, draw(4, 5, 3, seed=4) - 0.6)
    assert torch.autograd.gradcheck(lambda x: relative_style_loss(network, x, content, style), (current,))

    envelopes = ContentEnvelopes(content.float(), highest=1000.0)
    x = current.detach().float().requires_grad_()
    (slope,) = torch.autograd.grad(envelopes.loss(x), x)
    direction = torch.randn(x.shape, generator=generator(5))
    with torch.no_grad():
        step = 3e-3
        difference = (envelopes.loss(x + step * direction) - envelopes.loss(x - step * direction)) / (
            2 * step
        )
    assert float(difference) == pytest.approx(float((slope * direction).sum()), rel=0.05)


def test_the_content_keeps_itself_and_an_equaliser_costs_nothing_much() -> None:
    envelopes = ContentEnvelopes(CONTENT, highest=RATE / 2)
    assert float(envelopes.loss(CONTENT)) == pytest.approx(0.0, abs=1e-5)
    assert float(envelopes.loss(CONTENT.flip(-1))) > 0.5


def test_the_loss_falls_on_networks_never_seen_and_the_sound_is_what_was_measured() -> None:
    out, losses = optimise(beats(), SMALL)
    assert len(losses) == 30
    judge = draw_sketch(CONTENT.shape[0], (5,), 64, 64, generator=generator(99))
    heard = log_spectrogram(level(out), N_FFT, HOP)
    assert float(relative_style_loss(judge, heard, CONTENT, STYLE)) < 0.6


def test_no_steps_give_the_start_back() -> None:
    out, _ = optimise(beats(), Gramophone(**LAYOUT, steps=0))  # type: ignore[arg-type]
    torch.testing.assert_close(out, beats(), rtol=0.0, atol=1e-5)


def test_the_same_seed_gives_the_same_samples() -> None:
    first, second, other = (optimise(beats(), SMALL, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_loudness_is_not_what_is_optimised() -> None:
    quiet, loud = (optimise(factor * beats(), SMALL)[1] for factor in (0.01, 10.0))
    assert quiet == pytest.approx(loud, rel=0.02)


def test_the_stereo_image_stays() -> None:
    # The right channel is the left one at half its level: so it shall be afterwards, in every sample.
    left = beats()
    out, _ = optimise(torch.cat([left, 0.5 * left]), SMALL)
    torch.testing.assert_close(out[1], 0.5 * out[0], rtol=1e-3, atol=1e-5)


def test_sketches_keep_the_scale_of_their_input() -> None:
    spectrogram = torch.randn(300, 200, generator=generator(3))
    for kernel in (1, 3, 11):
        features = draw_sketch(300, (kernel,), 64, 64, generator=generator())(spectrogram)
        assert features.shape == (64, 200 - kernel + 1)
        assert float(features.std()) == pytest.approx(1.0, rel=0.15)
    assert draw_sketch(300, (11,), 4, 4, generator=generator())(spectrogram[:, :3]).shape == (4, 1)


FIXED = {"n_fft": N_FFT, "hop": HOP, "sample_rate": RATE, "filters": 64}


@pytest.mark.parametrize(
    "settings",
    [
        FixedNetwork(**FIXED, steps=15),  # type: ignore[arg-type]
        FixedNetwork(
            **FIXED, steps=15, kernel=3, padding=1, init="torch", relu=False, loss="mean", start="content",
            optimizer="adam", clamp=True,
        ),  # type: ignore[arg-type]
    ],
    ids=["ulyanov2016", "dipani2018"],
)  # fmt: skip
def test_the_published_losses_fall(settings: FixedNetwork) -> None:
    losses: list[float] = []
    out = optimise_fixed(
        CONTENT, STYLE, settings, generator=generator(), on_step=lambda _, loss: losses.append(loss)
    )
    assert out.shape == CONTENT.shape
    assert len(losses) == 15
    assert losses[-1] < 0.7 * losses[0]


def test_the_closed_form_brings_gram_matrices_of_frames_nearer_and_leaves_silence_silent() -> None:
    sound = beats()
    sound[:, RATE // 2 :] = 0.0
    content = log_spectrogram(sound, N_FFT, HOP)
    for bands in (0, 48):
        moved = transport_frames(content, STYLE, Transport(**LAYOUT, bands=bands))  # type: ignore[arg-type]
        moved = moved * sounding(content)
        assert float(moved.min()) >= 0.0
        assert float(moved[:, -20:].max()) == 0.0
        full = transport_frames(CONTENT, STYLE, Transport(**LAYOUT, bands=bands))  # type: ignore[arg-type]
        before, after = ((gram(s) - gram(STYLE)).norm() for s in (CONTENT, full))
        assert float(after) < 0.2 * float(before)
