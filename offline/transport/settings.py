"""Settings of the closed form. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..work.settings import NotesSettings, setting


@dataclass(frozen=True, kw_only=True)
class ClosedForm(NotesSettings):
    """A map solved at once, then phase."""

    bands: int = setting(
        0, "0 maps every bin on every bin; otherwise bands of the map, milliseconds to solve", low=0, high=256
    )
    energy_coupling: float = setting(
        5.0, "how firmly the style's loudness follows the content's", low=0.0, high=1e4
    )
    band_coupling: float = setting(5.0, "the same in each of 24 mel-like bands", low=0.0, high=1e4)
    distribution: float = setting(
        0.75, "how far each bin's values take the style's distribution", low=0.0, high=1.0
    )
    regularisation: float = setting(
        1e-3, "share of the mean variance added to directions that the content lacks", low=1e-9, high=1.0
    )
    rounds: int = setting(
        2, "how often the map is solved, each time on the sound that the last one gave", low=1, high=20
    )
    early_iterations: int = setting(
        4,
        "fast Griffin-Lim iterations in all rounds but the last, from the content's phase",
        low=0,
        high=10000,
    )
    phase_iterations: int = setting(4, "the same in the last round", low=0, high=10000)
    level_steps: int = setting(
        32,
        "with notes above 0, steps that bring the levels of bands nearer to how the style moves",
        low=0,
        high=10000,
    )
