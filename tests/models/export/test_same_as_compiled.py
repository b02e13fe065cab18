"""The core that plays and its equations in TorchScript: the same sound and the same statistics to -80 dB."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.pairs import FOLDER
from gramophone.app.demo_sounds import bubbling_water, plucked_strings
from gramophone.dsp.torch_state import own_torch_state
from gramophone.media.audiofile import read_audio, resample
from gramophone.models.export.core import StylizerCore, fill
from gramophone.models.live.prepared_style import live_style
from gramophone.models.live.stylizer import PHASES, Stylizer, StylizerSettings
from gramophone.models.live.stylizer_settings import stylizer_layout
from gramophone.models.style import Style

RATE = 48_000
# A value pushes each quantile up or down, whichever side of it it is on. Where it is on the quantile itself but for
# rounding, the two cores go apart by a whole step: a few of nine thousand do in some seconds.
FEWER = {"quantiles": -70.0, "offset": -70.0}


def clip(name: str, made: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """A recording, or, where its package is not installed, a sound of the demo; stereo."""
    path = FOLDER / f"{name}.flac"
    if path.exists():
        audio = read_audio(path)
        made = resample(audio.samples, audio.sample_rate, RATE)
    count = round(seconds * RATE)
    return np.resize(np.tile(made, (1, -(-count // made.shape[1])))[:, :count], (2, count))


def scripted(styles: list[Style], settings: StylizerSettings, channels: int) -> StylizerCore:
    layout = stylizer_layout(RATE, settings)
    made = [live_style(style, layout) for style in styles]
    core = StylizerCore(
        layout,
        channels=channels,
        carrier=PHASES.index(settings.phase),
        slots=len(styles),
        places=max(style.places.shape[1] for style in made),
        samples=max(style.clip.shape[0] for style in made),
    )
    for slot, style in enumerate(made):
        fill(core, slot, style)
    core.mix_styles(torch.ones(len(styles)))
    core.reset()
    core.output.wet = 1.0
    return core


def assert_close(
    ours: NDArray[np.float32], theirs: NDArray[np.float32], what: str, least: float = -80.0
) -> None:
    away = float(np.linalg.norm(ours - theirs))
    assert away <= 10.0 ** (least / 20.0) * float(np.linalg.norm(theirs)), what


@pytest.mark.parametrize(
    ("phase", "seconds", "least", "knobs"),
    [
        ("style", 4.0, -80.0, {"notes": 0.0}),
        ("style", 4.0, -80.0, {}),
        ("style", 2.0, -75.0, {"style_2": 0.4, "notes": 0.5, "strength": 0.8}),
        ("input", 2.0, -80.0, {"strength": 0.3}),
        ("noise", 2.0, -80.0, {}),
    ],
)
def test_the_compiled_core_computes_the_same(
    phase: str, seconds: float, least: float, knobs: dict[str, float]
) -> None:
    content = clip("loop_amen_full", plucked_strings(RATE), seconds).astype(np.float32)
    clips = [
        clip("ambi_choir", bubbling_water(RATE), 4.0),
        clip("loop_tabla", plucked_strings(RATE, seed=5), 4.0),
    ]
    count = 1 + ("style_2" in knobs)
    styles = [Style.from_audio(one, RATE, name="clip") for one in clips[:count]]
    settings = StylizerSettings(phase=phase)
    made = Stylizer(styles, sample_rate=RATE, channels=2, settings=settings)
    for name, value in knobs.items():
        made.set(name, value)
    made.reset()
    reference = scripted(styles, settings, channels=2)
    weights = torch.tensor([knobs.get(f"style_{slot + 1}", 1.0) for slot in range(count)])
    reference.mix_styles(weights)
    reference.reset()
    hop, strength, notes = made.hop, knobs.get("strength", 1.0), knobs.get("notes", 1.0)
    rate = hop / RATE / 8.0
    ours, theirs = [], []
    # Operations are too small to be shared out.
    with own_torch_state(), torch.inference_mode():
        torch.set_num_threads(1)
        for at in range(0, content.shape[1] - hop, hop):
            block = content[:, at : at + hop]
            made.feed(block)
            ours.append(made._core.kept.output.copy())
            theirs.append(reference(torch.from_numpy(block), strength, 1.0, notes, rate, 1, 6.0).numpy())
    assert_close(np.concatenate(ours, axis=1), np.concatenate(theirs, axis=1), "output", least)
    kept = made._core.kept
    for name, mine, other in (
        ("means", kept.means, reference.means),
        ("covariance", kept.covariance, reference.covariance),
        ("variance", kept.variance, reference.variance),
        ("map", kept.map, reference.map),
        ("offset", kept.offset, reference.offset),
        ("wide_map", kept.wide_map, reference.notes.map),
        ("quantiles", kept.quantiles, reference.distribution.quantiles.mT),
    ):
        assert_close(mine, other.numpy(), name, FEWER.get(name, -80.0))
    lagged = reference.memory.gram.numpy().reshape(kept.past.shape[1], -1, kept.past.shape[1])
    assert_close(kept.gram, lagged.transpose(1, 2, 0).reshape(kept.gram.shape), "gram")
    for name in ("gain", "makeup", "level"):
        assert kept.now[name][0] == pytest.approx(getattr(reference.loudness, name), rel=1e-4)
