"""What `notes` does: a melody stays, the style still arrives, and half of the way is half of the way."""

import numpy as np
import pytest
import torch

from gramophone.models.measures.content_kept import content_kept
from gramophone.models.measures.transposition_free import TranspositionFreeMeter
from gramophone.models.style import Style
from gramophone.offline.render.render import render
from gramophone.offline.transport.notes import Carrier, attacks, tonal_mask

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
