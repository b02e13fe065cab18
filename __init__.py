"""Gramophone plays any sound in the style of another.

>>> import gramophone, soundfile
>>> content, rate = soundfile.read("song.wav", always_2d=True)
>>> rain = gramophone.load_style("rain.wav")
>>> output = gramophone.stylize(content.T, rate, rain, recipe="transport", strength=0.8)

Samples are NumPy arrays, [samples] or [channels, samples], full scale -1 to 1; rates are in Hz. What the user
can mend is raised as `InputError`, a `ValueError` with a one-line message.

Whatever the caller has set in PyTorch and NumPy (gradients, inference mode, default dtype and device, ...) changes
nothing, and is left as it was. In a process that was forked, PyTorch computes in one thread from the first call on,
since its threads do not outlive a fork; start processes with "spawn" to have them all.

Importing this package is quick: torch is loaded by the first function that needs it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .app.api import content_kept, recipes, style_distance, stylize, transposition_free_distance
    from .app.export import export
    from .media.errors import InputError
    from .models.live.stylizer import Stylizer
    from .models.style import Style, load_style
    from .plugins.chain import Chain

    __version__: str

__all__ = [
    "Chain",
    "InputError",
    "Style",
    "Stylizer",
    "__version__",
    "content_kept",
    "export",
    "load_style",
    "recipes",
    "style_distance",
    "stylize",
    "transposition_free_distance",
]

_HOMES = {
    "Chain": "gramophone.plugins.chain",
    "InputError": "gramophone.media.errors",
    "Style": "gramophone.models.style",
    "Stylizer": "gramophone.models.live.stylizer",
    "content_kept": "gramophone.app.api",
    "export": "gramophone.app.export",
    "load_style": "gramophone.models.style",
    "recipes": "gramophone.app.api",
    "style_distance": "gramophone.app.api",
    "stylize": "gramophone.app.api",
    "transposition_free_distance": "gramophone.app.api",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    value: object
    if name == "__version__":
        from importlib.metadata import version

        value = version("gramophone")
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
