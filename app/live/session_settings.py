"""Checks the options of `gramophone live` and turns them into the engine's settings."""

from collections.abc import Sequence
from pathlib import Path

from ...media.errors import InputError
from ...media.files import shown
from ...media.inputs import check_regular
from ...plugins.effects import Effect
from ...plugins.knobs import MAX_STYLES, present_name, present_value
from ...plugins.live_chain import live_parameters
from ...plugins.parameter import Parameter, whole_number
from ...realtime.link.engine_settings import LONGEST_LATENCY, MUTE, VirtualSettings
from .. import console


def parameters(effects: Sequence[Effect] = ()) -> tuple[Parameter, ...]:
    """Return every parameter that can be turned while playing: the chain's, its effects', and the engine's own."""
    return (*live_parameters(effects), MUTE)


def check_styles(styles: Sequence[Path]) -> tuple[Path, ...]:
    """Return the styles, after a check that all exist and that there are not too many."""
    if len(styles) > MAX_STYLES:
        raise InputError(f"{len(styles)} styles are too many; up to {MAX_STYLES} mix")
    for style in styles:
        check_regular(style, what="style")
    return tuple(styles)


def stylizer_settings(
    window: str | None, hop: int | None, iterations: str | None, phase: str | None
) -> dict[str, object]:
    """Return the settings that differ from the stylizer's defaults; the stylizer checks their values."""
    if hop is not None and hop < 1:
        raise InputError(f"--hop {hop} is out of range; give a number of samples, such as 128 or 256")
    chosen: dict[str, object] = {"window": window, "hop": hop, "phase": phase}
    settings = {key: value for key, value in chosen.items() if value is not None}
    if iterations is not None:
        number = whole_number(iterations)
        if iterations != "auto" and number is None:
            raise InputError(f"--iterations {iterations!r} is no number; give 0, 1, 2, ... or auto")
        settings["iterations"] = number
    return settings


def latency(written: str) -> float | str:
    """Return --latency as the engine takes it: "low", "high" or seconds."""
    if written in ("low", "high"):
        return written
    try:
        seconds = float(written)
    except ValueError:
        raise InputError(
            f"--latency {written!r} is unknown; give low, high or seconds, such as 0.01"
        ) from None
    console.check_range("--latency", seconds, 0.0, LONGEST_LATENCY, "in seconds")
    return seconds


def input_channels(written: str | None, option: str = "--input-channels") -> tuple[int, ...] | None:
    """Return the device's channels that an option names, counted from 1."""
    if written is None:
        return None
    channels = tuple(whole_number(part.strip()) or 0 for part in written.split(","))
    if not all(channels):
        raise InputError(f"{option} {written!r} are no channels; give their numbers from 1, such as 1,2")
    return channels


def initial_values(written: Sequence[str], effects: Sequence[Effect] = ()) -> dict[str, float]:
    """Return the values given as `--set param=value`."""
    known = {parameter.id: parameter for parameter in parameters(effects)}
    values = {}
    for text in written:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not key:
            raise InputError(f"--set {text!r} is not a setting; write --set param=value")
        identity = present_name(key)
        if identity not in known:
            raise InputError(f"--set {text!r}: there is no parameter {key!r}; choose from {', '.join(known)}")
        values[identity] = present_value(key, known[identity].parse(value))
    return values


def virtual_device(
    source: Path | None, sink: Path | None, *, fast: bool, overwrite: bool, styles: Sequence[Path]
) -> VirtualSettings | None:
    """Return the files that take the place of a device, checked; None for a real device."""
    if source is None or sink is None:
        if source is not None or sink is not None:
            raise InputError("--virtual-input and --virtual-output belong together; give both")
        if fast:
            raise InputError("--as-fast-as-possible needs files; give --virtual-input and --virtual-output")
        return None
    check_regular(source)
    if sink.suffix.lower() != ".wav":
        raise InputError(f"{shown(sink)}: the virtual output is a WAV file; give it a name that ends in .wav")
    console.check_output(sink, overwrite=overwrite, inputs=(source, *styles))
    return VirtualSettings(input=source, output=sink, as_fast_as_possible=fast, overwrite=overwrite)


def own_rate(source: str | None, sink: str | None, file: Path | None) -> int:
    """Return the rate at which the chosen devices run, or that of the file in their place, Hz."""
    if file is not None:
        return file_rate(file)
    from ...realtime.audio.devices import choose_pair, list_devices

    return round(choose_pair(list_devices(), source, sink)[1].sample_rate)


def file_rate(path: Path) -> int:
    """Return the rate of a sound file, Hz; InputError where it cannot be read."""
    from ...media.decoding import open_sound

    with open_sound(path) as sound:
        return sound.sample_rate


def file_channels(path: Path) -> int:
    """Return how many channels a file has; InputError where it cannot be read."""
    from ...media.decoding import open_sound

    with open_sound(path) as sound:
        return sound.channels


def check_stats(path: Path, *, overwrite: bool, others: Sequence[Path | None]) -> None:
    """Check where the figures are to be written; `others` are files that are in use already."""
    console.check_output(
        path, overwrite=overwrite, inputs=tuple(other for other in others if other is not None)
    )
