"""The check of a plugin's contract: for the tests of whoever writes a plugin, so that it does not fail on stage."""

from __future__ import annotations

import inspect
import re

import numpy as np
from numpy.typing import NDArray

from .knob_ids import BYPASS
from .parameter import ContractError, Parameter
from .plugin import Plugin

Block = NDArray[np.float32]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Rate, largest block, channels: a common one, and one that shares no factor with it.
_SETTINGS = ((48_000, 64, 2), (44_100, 37, 1))
_SECONDS = 0.05
# Two orders of adding up the same numbers differ by some roundings of single precision.
_SAME = 1e-5


def check_contract(cls: type[Plugin]) -> None:
    """Make an example of a plugin, run it, and compare what it does with what `Plugin` promises.

    Call it in a test of your plugin; an exception of the plugin's own comes through, with its place.

    Raises:
        ContractError: that names the plugin, what is wrong, and what to do
    """
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ContractError(
            f"plugin class {cls.__qualname__}: name {name!r} cannot be used; "
            "use a letter a-z, then letters, digits and underscores"
        )
    _check_parameters(name, cls.parameters)
    if inspect.getattr_static(cls, "example", None) is None:
        raise ContractError(f"plugin {name}: must be a subclass of gramophone.plugins.plugin.Plugin")
    if cls.neutral is not None:
        for identity, value in cls.neutral.items():
            known = {parameter.id: parameter for parameter in cls.parameters}
            if identity not in known or known[identity].clamp(value) != value:
                raise ContractError(
                    f"plugin {name}: neutral sets {identity!r} to {value!r}, which it cannot be"
                )
    plugin = cls.example()
    _check_knobs(name, plugin)
    for sample_rate, block, channels in _SETTINGS:
        _check_sound(name, plugin, sample_rate, block, channels)


def _check_parameters(name: str, parameters: object) -> None:
    if not isinstance(parameters, tuple) or not all(isinstance(item, Parameter) for item in parameters):
        raise ContractError(f"plugin {name}: parameters must be a tuple of Parameter")
    ids = [parameter.id for parameter in parameters]
    for identity in ids:
        if ids.count(identity) > 1:
            raise ContractError(f"plugin {name}: parameter {identity} is there twice; ids must differ")
        if identity == BYPASS or identity.endswith(f"_{BYPASS}"):
            raise ContractError(f"plugin {name}: parameter {identity} is what the chain calls its switches")


def _check_knobs(name: str, plugin: Plugin) -> None:
    for parameter in plugin.parameters:
        identity = parameter.id
        if (at := plugin.get(identity)) != parameter.default:
            raise ContractError(f"plugin {name}: {identity} stands at {at:g} at first, not at its default")
        for value, expected in (
            (parameter.high + 1.0, parameter.high),
            (parameter.low - 1.0, parameter.low),
            (parameter.default, parameter.default),
        ):
            plugin.set(identity, value)
            if plugin.get(identity) != expected:
                raise ContractError(
                    f"plugin {name}: after set({identity!r}, {value:g}) it stands at {plugin.get(identity):g}, "
                    f"not at {expected:g}"
                )


def _check_sound(name: str, plugin: Plugin, sample_rate: int, block: int, channels: int) -> None:
    where = f"plugin {name} at {sample_rate} Hz, {block} samples, {channels} channels"
    plugin.prepare(sample_rate=sample_rate, block=block, channels=channels)
    latency = plugin.latency_samples
    if not isinstance(latency, int) or latency < 0:
        raise ContractError(f"{where}: latency_samples is {latency!r}; it must be a whole number, at least 0")
    rng = np.random.default_rng(0)
    count = max(round(_SECONDS * sample_rate), 2 * latency)
    noise = _single(rng.uniform(-0.5, 0.5, (channels, count)))
    whole = _play(where, plugin, noise, [block])
    plugin.reset()
    if not np.array_equal(_play(where, plugin, noise, [block]), whole):
        raise ContractError(
            f"{where}: after reset the same input gives another output; reset must forget everything"
        )
    plugin.reset()
    # Blocks of one sample, which any host may send, among others.
    pieces = _play(where, plugin, noise, [1, *rng.integers(1, block + 1, 7).tolist(), 1, block])
    if (worst := float(np.abs(pieces - whole).max())) > _SAME:
        raise ContractError(
            f"{where}: other block lengths give other samples (by up to {worst:.2g}); "
            "what it does must not depend on where blocks end"
        )
    # Knobs turned between two blocks, and sounds as loud as they come.
    square = _single(np.where(rng.random((channels, 8 * block)) < 0.5, -1.0, 1.0))
    for parameter in plugin.parameters:
        for value in (parameter.low, parameter.high, parameter.default):
            plugin.set(parameter.id, value)
            _play(where, plugin, square, [block])
    _play(where, plugin, np.zeros((channels, 2 * block), dtype=np.float32), [block])
    if (later := plugin.latency_samples) != latency:
        raise ContractError(f"{where}: latency_samples has changed from {latency} to {later}")
    _check_latency(where, plugin, noise, latency, block)
    _check_state(where, plugin, noise, block)


def _check_latency(where: str, plugin: Plugin, noise: Block, latency: int, block: int) -> None:
    """Measure the latency, at the neutral settings or by an impulse, and leave all knobs at their defaults."""
    for parameter in plugin.parameters:
        plugin.set(parameter.id, (plugin.neutral or {}).get(parameter.id, parameter.default))
    plugin.reset()
    if plugin.neutral is not None:
        late = _play(where, plugin, noise, [block])
        expected = np.pad(noise, ((0, 0), (latency, 0)))[:, : noise.shape[1]]
        if float(np.abs(late - expected).max()) > _SAME:
            raise ContractError(
                f"{where}: at its neutral settings the output is not the input {latency} samples late; "
                "correct latency_samples or neutral"
            )
    else:
        measured = _dominant_delay(where, plugin, noise.shape, block)
        if measured is not None and measured != latency:
            raise ContractError(
                f"{where}: latency_samples is {latency}, but an impulse comes {measured} samples late"
            )
    for parameter in plugin.parameters:
        plugin.set(parameter.id, parameter.default)
    plugin.reset()


def _check_state(where: str, plugin: Plugin, noise: Block, block: int) -> None:
    """Go back to a state in the middle of a sound, and compare what follows."""
    half = noise.shape[1] // 2
    for parameter in plugin.parameters:
        plugin.set(parameter.id, 0.5 * (parameter.low + parameter.high))
    _play(where, plugin, noise[:, :half], [block])
    state = plugin.state()
    first = _play(where, plugin, noise[:, half:], [block])
    plugin.restore(state)
    again = _play(where, plugin, noise[:, half:], [block])
    # A plugin that keeps the default has no state but its knobs, and promises no more.
    inherited = type(plugin).state.__qualname__ == "Plugin.state"
    if not inherited and not np.array_equal(first, again):
        raise ContractError(
            f"{where}: after restore the same input gives another output; state must hold all that it remembers"
        )
    for parameter in plugin.parameters:
        plugin.set(parameter.id, parameter.default)
    plugin.reset()


def _dominant_delay(where: str, plugin: Plugin, shape: tuple[int, ...], block: int) -> int | None:
    """Return where in the response to an impulse most of the energy lies in one sample.

    None if there is no such sample (an echo chamber), or if half the impulse does not give half the response: a
    non-linear plugin has no impulse response.
    """
    impulse = np.zeros(shape, dtype=np.float32)
    impulse[:, 0] = 0.5
    full = _play(where, plugin, impulse, [block])
    plugin.reset()
    half = _play(where, plugin, np.float32(0.5) * impulse, [block])
    energy = np.square(full, dtype=np.float64).sum(axis=0)
    if float(np.abs(half - np.float32(0.5) * full).max()) > _SAME or 2.0 * energy.max() <= energy.sum():
        return None
    return int(energy.argmax())


def _single(samples: NDArray[np.float64]) -> Block:
    return samples.astype(np.float32)


def _play(where: str, plugin: Plugin, sound: Block, lengths: list[int]) -> Block:
    """Play `sound` in blocks of these lengths, over and over, and check each block that comes back."""
    out = []
    start = turn = 0
    while start < sound.shape[1]:
        block = sound[:, start : start + lengths[turn % len(lengths)]].copy()
        given = block.copy()
        answer = plugin.process(block)
        if not isinstance(answer, np.ndarray) or answer.shape != given.shape or answer.dtype != np.float32:
            got = (
                f"{answer.dtype} {list(answer.shape)}"
                if isinstance(answer, np.ndarray)
                else type(answer).__name__
            )
            raise ContractError(
                f"{where}: given float32 {list(given.shape)} it returned {got}; return the same"
            )
        if not np.isfinite(answer).all():
            raise ContractError(f"{where}: it returned NaN or infinity for a sound within full scale")
        if not np.array_equal(block, given):
            raise ContractError(
                f"{where}: it wrote to the block that it was given; write to a block of its own"
            )
        out.append(answer.copy())
        start += block.shape[1]
        turn += 1
    return np.concatenate(out, axis=1)
