"""The list of plugins that exist."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from .contract_check import check_contract
from .parameter import ContractError
from .plugin import Plugin

_registry: dict[str, type[Plugin]] = {}
_Class = TypeVar("_Class", bound=type[Plugin])


def register(cls: _Class) -> _Class:
    """Check a plugin by running it, and put it on the list; a decorator for the class.

    Raises:
        ContractError: with what is wrong and what to do, if it does not do what `Plugin` promises, or if another
            plugin already has its name
    """
    check_contract(cls)
    present = _registry.get(cls.name)
    # The same class again, from a module that was loaded anew, takes its own place.
    if present is not None and (present.__module__, present.__qualname__) != (
        cls.__module__,
        cls.__qualname__,
    ):
        raise ContractError(
            f"plugin {cls.name}: {present.__qualname__} already has this name; choose another"
        )
    _registry[cls.name] = cls
    return cls


def registered() -> Mapping[str, type[Plugin]]:
    """Return all registered plugins by name; a view that cannot be written to."""
    return MappingProxyType(_registry)
