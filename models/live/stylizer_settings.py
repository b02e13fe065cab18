"""What a stylizer is made with, and cannot change while it plays."""

from __future__ import annotations

from dataclasses import dataclass

from ...media.errors import InputError
from .core_memory import MAX_ITERATIONS as MAX_ITERATIONS
from .prepared_style import WINDOWS, Layout, make_layout

PHASES = ("input", "style", "noise")


@dataclass(frozen=True, kw_only=True)
class StylizerSettings:
    """What cannot change while playing.

    Attributes:
        window: "low-delay" (11 ms at 44.1 and 48 kHz) or "full" (46 and 43 ms, finer in frequency)
        hop: samples, a power of two; None for the window's own. The low-delay window's delay is two hops
        iterations: Gram-descent steps in each hop, 0 to 32; None for as many as the time left allows
        phase: "style" carries the result on the style's own phase, "input" on the input's, "noise" on noise's
    """

    window: str = "low-delay"
    hop: int | None = None
    iterations: int | None = 1
    phase: str = "style"

    def __post_init__(self) -> None:
        if self.window not in WINDOWS:
            raise InputError(f"window {self.window!r} is unknown; give one of {', '.join(WINDOWS)}")
        if self.phase not in PHASES:
            raise InputError(f"phase {self.phase!r} is unknown; give one of {', '.join(PHASES)}")
        if self.iterations is not None and not 0 <= self.iterations <= MAX_ITERATIONS:
            raise InputError(f"{self.iterations} iterations are out of range; give 0 to {MAX_ITERATIONS}")


def stylizer_layout(sample_rate: int, settings: StylizerSettings) -> Layout:
    """Return the layout of a stylizer with these settings; InputError if the hop does not fit the window."""
    try:
        return make_layout(sample_rate, window=settings.window, hop=settings.hop)
    except ValueError as error:
        raise InputError(str(error)) from None
