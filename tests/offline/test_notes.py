"""What `notes` does: a melody stays, the style still arrives, and half of the way is half of the way."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gramophone.media.spool import Spool
from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.models.style import Style
from gramophone.offline.optimize.level_descent import Levels, descend
from gramophone.offline.render.render import render
from gramophone.offline.transport.notes import Carrier, attacks, tonal_mask
from gramophone.offline.work.block_pool import BlockPool

RATE = 44100


def line(semitones: tuple[int, ...], *, partials: int, decay: float, noise: float, seed: int) -> np.ndarray:
    """Notes of 0.3 s above A3, [1, samples]."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.3 * RATE)) / RATE
    notes = [
        sum(
            np.sin(2.0 * np.pi * 220.0 * 2.0 ** (pitch / 12.0) * n * t) / n**decay
            for n in range(1, partials + 1)
        )
        * np.exp(-5.0 * t)
        for pitch in semitones
    ]
    sound = np.concatenate(notes)
    return 0.1 * (sound + noise * rng.standard_normal(sound.size))[None]


MELODY = line((0, 4, 7, 12, 9, 5, 2, 7, 11), partials=10, decay=1.0, noise=0.01, seed=1)
STYLE = Style.from_audio(
    line((1, 6, 3, 8, 1, 10, 6, 3, 13), partials=25, decay=0.3, noise=0.3, seed=2), RATE, name="style"
)


@pytest.mark.parametrize("recipe", ["transport", "gramophone"])
def test_more_notes_keep_more_of_the_melody(recipe: str) -> None:
    few: dict[str, object] = {"steps": 12} if recipe == "gramophone" else {}
    meter = TranspositionFreeMeter(MELODY, STYLE.samples, RATE)
    kept = []
    for notes in (0.0, 0.5, 1.0):
        out = render(MELODY, RATE, STYLE, recipe=recipe, settings={**few, "notes": notes}).samples
        found = content_kept(MELODY, out, RATE)
        assert found.notes is not None
        kept.append(found.notes)
        distance = meter.distance(out)
        assert 0.5 * (distance.raw + distance.centred) < 0.6
    assert kept[0] < kept[1] < kept[2]
    assert kept[0] < 0.4
    assert kept[2] > 0.65


def test_a_mask_tells_a_tone_from_noise() -> None:
    noise = torch.rand(40, 200, generator=torch.Generator().manual_seed(0)) * 0.01
    spectrum = noise.clone()
    spectrum[:, 50] = 0.5
    mask = tonal_mask(spectrum)
    assert float(mask[:, 50].min()) > 0.99
    assert float(mask[:, 100:].mean()) < 0.5
    # A click is loud in all bins of one frame, and in none of them a tone.
    spectrum[20] += 1.0
    assert float(tonal_mask(spectrum)[20, 100:].mean()) < 0.5


def test_an_attack_is_a_rise_and_nothing_else() -> None:
    levels = torch.full((30, 4), 0.1)
    levels[:10] = 0.001
    found = attacks(levels)
    assert float(found[10].min()) > 0.99
    assert float(found[:10].max()) < 0.05
    assert float(found[14:].max()) < 0.05
    assert float(attacks(levels.flip(0))[5:].max()) < 0.05


def test_a_carrier_plays_on_unless_a_jump_pays() -> None:
    # Two stretches of a clip, soft and loud: as long as it is wanted soft, the carrier plays on through the soft one.
    clip = np.concatenate([np.zeros((20, 3)), np.full((20, 3), 4.0)])
    clip += 0.1 * np.random.default_rng(0).standard_normal(clip.shape)
    soft, loud = np.zeros((12, 3)), np.full((6, 3), 4.0)
    places = Carrier(clip).follow(np.concatenate([soft, loud]))
    assert (np.diff(places[:8]) == 1).all() or places[:8].max() < 20
    assert (places[:12] < 20).all()
    assert (places[12:] >= 20).all()
    # In pieces, it goes on where it was.
    pieces = Carrier(clip)
    assert np.array_equal(np.concatenate([pieces.follow(soft), pieces.follow(loud)]), places)


def test_levels_descend_towards_the_styles_movement_and_rests_stay(tmp_path: Path) -> None:
    frames, rate, bands = 400, 86.0, 12
    t = np.arange(frames) / rate
    rng = np.random.default_rng(0)

    def moving(hertz: float, seed: int) -> np.ndarray:
        hiss = 0.1 * np.random.default_rng(seed).standard_normal((bands, frames))
        return (3.0 + 1.5 * np.sin(2.0 * np.pi * hertz * t) + hiss).clip(min=0.0).astype(np.float32)

    def spool(name: str, values: np.ndarray) -> Spool:
        made = Spool.create(tmp_path / name, channels=len(values), length=values.shape[1])
        made.write(0, values)
        return made

    def share(values: np.ndarray, hertz: float) -> float:
        """Of the power of the movements."""
        powers = np.abs(np.fft.rfft(values - values.mean(axis=1, keepdims=True), axis=1)) ** 2
        near = np.abs(np.fft.rfftfreq(frames, 1.0 / rate) - hertz) < 1.5
        return float(powers[:, near].sum() / powers.sum())

    slow, style = moving(4.0, 1), moving(12.0, 2)
    sounds = np.ones((1, frames), dtype=np.float32)
    sounds[:, 200:240] = 0.0
    start = slow * sounds + 0.05 * rng.random((bands, frames)).astype(np.float32) * sounds
    wanted = spool("wanted", start)
    levels = Levels(
        wanted, spool("content", slow), spool("sounds", sounds), torch.from_numpy(style), torch.ones(bands)
    )
    descend(
        levels,
        steps=20,
        frame_rate=rate,
        generator=torch.Generator().manual_seed(0),
        workers=BlockPool(None, 1),
        folder=tmp_path,
    )
    found = wanted.read(0, frames)
    assert share(found, 12.0) > 1.5 * share(start, 12.0)
    assert float(np.corrcoef(found.ravel(), start.ravel())[0, 1]) > 0.5
    assert not found[:, 200:240].any()
    assert found.min() >= 0.0
    assert (found.max(axis=1) <= style.max(axis=1) + 1e-5).all()
    assert {path.name for path in tmp_path.iterdir()} == {"wanted", "content", "sounds"}
