"""Settings of the optimisation against fresh networks. Nothing here imports torch."""

from __future__ import annotations

from dataclasses import dataclass

from ..work.settings import NotesSettings, setting


@dataclass(frozen=True, kw_only=True)
class Optimisation(NotesSettings):
    """Steps on the sound itself, each against a network of its own."""

    steps: int = setting(
        100, "optimiser steps; with notes 0 half as many more, since more has to change", low=0, high=100000
    )
    filters: int = setting(128, "filters of each step's network", low=1, high=8192)
    rank: int = setting(128, "views of the spectrum that these filters share", low=1, high=8192)
    kernels: tuple[int, ...] = setting(
        (1, 3, 7, 11, 15), "kernel sizes to draw from, frames, separated by commas", low=1, high=255
    )
    learning_rate: float = setting(0.1, "step of the gains, nepers", low=1e-6, high=10.0)
    phase_rate: float = setting(0.05, "step of the phases, radians", low=0.0, high=10.0)
    content_weight: float = setting(
        0.4, "weight of the content's band envelopes and onsets against the style", low=0.0, high=1e3
    )
    notes_weight: float = setting(0.8, "weight of the content's partials, times notes", low=0.0, high=1e3)
    loudness_weight: float = setting(
        0.3, "weight of the content's loudness from frame to frame, times notes", low=0.0, high=1e3
    )
    texture_weight: float = setting(
        0.25, "weight of how the style's bands move in time: moments, rates, correlations", low=0.0, high=1e3
    )

    @property
    def steps_taken(self) -> int:
        """Steps with these notes. With the content's, a hundred come as near as 150; with the style's, they do not."""
        return round(self.steps * (1.5 - 0.5 * self.notes))
