"""Flat memory with named views: what a core keeps is saved, restored and compared by copying one block.

Views are declared once, in a NamedTuple, each as an array with its shape: `Annotated[Floats, "bands bins"]`, with names
from a table of sizes, or numbers. From that come the block that has room for all of them, the views that Python has,
and a function that opens the same views within a compiled one. Python takes 0.2 µs to hand an array over, a tenth of a
hop for all of them: so a compiled function is given one table of where they are instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeAlias, TypeVar, get_args, get_type_hints

import numpy as np
from numba.core.cgutils import voidptr_t
from numba.core.types import voidptr
from numba.extending import intrinsic
from numba.np.numpy_support import carray
from numpy.typing import DTypeLike, NDArray

from ...dsp.compiled import inlined

Bytes = NDArray[np.uint8]
#: Type and shape of each view, by name.
Fields = Mapping[str, tuple[DTypeLike, tuple[int, ...]]]
#: Where views are: [views, 4], address and up to three dimensions.
Table: TypeAlias = NDArray[np.int64]
_Views = TypeVar("_Views", bound=NamedTuple)

# A line of the processor's cache.
_ALIGNMENT = 64


def fields_of(kind: type[NamedTuple], sizes: Mapping[str, int]) -> Fields:
    """Return the views that a NamedTuple declares, in its order."""
    return {
        name: (of, tuple(int(one) if one.isdigit() else sizes[one] for one in shape))
        for name, (of, shape) in _declared(kind).items()
    }


def new_memory(fields: Fields) -> tuple[Bytes, dict[str, NDArray[Any]]]:
    """Return a block of zeros that begins with a cache line, and its views, one behind the other, C-contiguous."""
    size = sum(_padded(*field) for field in fields.values())
    whole = np.zeros(size + _ALIGNMENT, dtype=np.uint8)
    start = -whole.ctypes.data % _ALIGNMENT
    memory = whole[start : start + size]
    found: dict[str, NDArray[Any]] = {}
    start = 0
    for name, (kind, shape) in fields.items():
        count = int(np.prod(shape)) * np.dtype(kind).itemsize
        found[name] = memory[start : start + count].view(kind).reshape(shape)
        start += _padded(kind, shape)
    return memory, found


def table_of(*tuples: NamedTuple) -> Table:
    """Return where the arrays of some NamedTuples are, one after the other; whoever has it keeps the arrays alive.

    Raises:
        TypeError: one is not as its NamedTuple declares it, or has gaps; compiled code would read what is elsewhere
    """
    rows: list[tuple[int, ...]] = []
    for views in tuples:
        for array, (name, hint) in zip(views, _hints(type(views)).items(), strict=True):
            if isinstance(array, tuple):
                rows += [tuple(row) for row in table_of(array).tolist()]  # type: ignore[arg-type]
            else:
                of, shape = _read(hint)
                if array.dtype != np.dtype(of) or array.ndim != len(shape) or not array.flags.c_contiguous:
                    raise TypeError(f"{name} is {array.dtype} with {array.ndim} dimensions, or has gaps")
                rows.append((array.ctypes.data, *array.shape, *[1] * (3 - array.ndim)))
    return np.array(rows, dtype=np.int64)


def opener(kind: type[_Views]) -> Callable[[Table, int], _Views]:
    """Return a function, for compiled ones, that opens such a NamedTuple from the rows of a table, from a row on."""
    known: dict[str, Any] = {"carray": carray, "pointer": _pointer}
    source, _ = _expression(kind, known, 0)
    opened: Callable[[Table, int], _Views] = inlined(eval(f"lambda table, first: {source}", known))
    return opened


def rows_of(kind: type[NamedTuple]) -> int:
    """Return how many rows of a table such a NamedTuple has."""
    return _expression(kind, {}, 0)[1]


def _expression(kind: type[NamedTuple], known: dict[str, Any], row: int) -> tuple[str, int]:
    """Return what makes such a NamedTuple of the rows from `row` on, and the row behind them; names go to `known`."""
    parts = []
    for name, hint in _hints(kind).items():
        if not hasattr(hint, "__metadata__"):
            part, row = _expression(hint, known, row)
        else:
            of, shape = _read(hint)
            type_name = f"{kind.__name__}_{name}"
            known[type_name] = of
            sizes = "".join(f"table[first + {row}, {place + 1}], " for place in range(len(shape)))
            part, row = f"carray(pointer(table[first + {row}, 0]), ({sizes}), {type_name})", row + 1
        parts.append(part)
    known[kind.__name__] = kind
    return f"{kind.__name__}({', '.join(parts)})", row


@cache
def _hints(kind: type[NamedTuple]) -> dict[str, Any]:
    """Return what a NamedTuple declares; Python takes a millisecond to read it."""
    return get_type_hints(kind, include_extras=True)


def _declared(kind: type[NamedTuple]) -> dict[str, tuple[Any, list[str]]]:
    return {name: _read(hint) for name, hint in _hints(kind).items()}


def _read(hint: Any) -> tuple[Any, list[str]]:
    """Return type and shape of Annotated[NDArray[type], shape] or, of records, Annotated[NDArray, shape, type]."""
    array, shape, *record = get_args(hint)
    return record[0] if record else get_args(get_args(array)[1])[0], shape.split()


def _as_pointer(typing_context: Any, address: Any) -> Any:
    del typing_context

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.inttoptr(arguments[0], voidptr_t)

    return voidptr(address), generate


_pointer: Any = intrinsic(_as_pointer)


def _padded(kind: DTypeLike, shape: tuple[int, ...]) -> int:
    return -(-int(np.prod(shape)) * np.dtype(kind).itemsize // _ALIGNMENT) * _ALIGNMENT
