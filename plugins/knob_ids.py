"""The ids of a chain's knobs: unique, and always the same for the same chain.

Separate from the chain, so that its knobs can be listed without numpy and torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..media.errors import InputError
from .parameter import Parameter

BYPASS = "bypass"


@dataclass(frozen=True)
class SlotNames:
    """The names of one plugin in its chain.

    `key` is the plugin's name, with a number from the second of its kind on; `parameters` maps the plugin's own
    ids to the parameters under the names they have in the chain; `bypass` is the slot's switch.
    """

    key: str
    parameters: Mapping[str, Parameter]
    bypass: Parameter


def whole_bypass() -> Parameter:
    """Return the switch that takes the whole chain out."""
    return _switch(
        BYPASS, "Bypass", "Lets your own sound through instead of all the effects, with a short fade."
    )


def slot_names(
    plugins: Sequence[tuple[str, Sequence[Parameter]]], defaults: Mapping[str, float] | None = None
) -> tuple[SlotNames, ...]:
    """Name the knobs of a chain of plugins, given as pairs of name and parameters.

    The second plugin of a kind, say `gain`, is called `gain2`, and its ids are `gain2_...`. An id that
    another plugin already has gets its own plugin's name in front. Each plugin has a switch `<plugin>_bypass`.

    Args:
        plugins: in the order in which sound passes them
        defaults: values of knobs at the start, by their id in the chain, if not their plugin's defaults

    Raises:
        InputError: if two ids are still the same, or `defaults` names a knob that is not there or a value out of its
            range
    """
    wanted = dict(defaults or {})
    taken = {BYPASS}
    kinds: dict[str, int] = {}
    slots = []
    for name, parameters in plugins:
        kinds[name] = kinds.get(name, 0) + 1
        key = name if kinds[name] == 1 else f"{name}{kinds[name]}"
        title = name.capitalize() if key == name else f"{name.capitalize()} {kinds[name]}"
        bypass = _switch(
            f"{key}_bypass",
            f"{title} bypass",
            f"Takes the {title.lower()} out of the chain, with a short fade.",
        )
        named = {}
        for parameter in parameters:
            plain = key == name and parameter.id not in taken
            renamed = (
                parameter
                if plain
                else replace(parameter, id=f"{key}_{parameter.id}", name=f"{title}: {parameter.name}")
            )
            if renamed.id in wanted:
                renamed = _starting_at(renamed, wanted.pop(renamed.id))
            named[parameter.id] = renamed
            _take(renamed.id, taken)
        if bypass.id in wanted:
            bypass = _starting_at(bypass, wanted.pop(bypass.id))
        _take(bypass.id, taken)
        slots.append(SlotNames(key, named, bypass))
    for unknown in wanted:
        raise InputError(f"this chain has no parameter {unknown!r}; it has {', '.join(sorted(taken))}")
    return tuple(slots)


def chain_parameters(slots: Sequence[SlotNames]) -> tuple[Parameter, ...]:
    """Return all parameters of a chain: the plugins' in order, then the switches, then the whole chain's."""
    knobs = [parameter for slot in slots for parameter in slot.parameters.values()]
    return (*knobs, *(slot.bypass for slot in slots), whole_bypass())


def _switch(identity: str, name: str, description: str) -> Parameter:
    return Parameter(
        id=identity, name=name, low=0.0, high=1.0, default=0.0, curve="toggle", description=description
    )


def _starting_at(parameter: Parameter, value: float) -> Parameter:
    if parameter.clamp(value) != value:
        raise InputError(
            f"{parameter.id} cannot start at {value:g}; "
            f"give {parameter.show(parameter.low)} to {parameter.show(parameter.high)}"
        )
    return replace(parameter, default=value)


def _take(identity: str, taken: set[str]) -> None:
    if identity in taken:
        raise InputError(
            f"two knobs of this chain are called {identity!r}; rename the parameter in one of its plugins"
        )
    taken.add(identity)
