"""Limits of sounds: channels and rates."""

from .errors import InputError

#: Hz. Below, an octave of the audible range would be missing; above, nothing records or plays.
RATES = (8_000, 384_000)
MAX_CHANNELS = 16
#: of seeds: what torch's generators take
HIGHEST_SEED = 2**63 - 1


def check_sound(name: str, *, channels: int, sample_rate: int) -> None:
    """Raise InputError, calling the sound `name`, if it has too many channels, or a rate (Hz) out of range."""
    low, high = RATES
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{name} has {channels} channels; give a sound of 1 to {MAX_CHANNELS}")
    if not low <= sample_rate <= high:
        raise InputError(f"{name} has a sample rate of {sample_rate} Hz; give a sound of {low} to {high} Hz")
