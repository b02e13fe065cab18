"""`gramophone.export`: styles in one file that plays elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from ..dsp.torch_state import own_torch_state
from ..media import arguments
from ..media.errors import InputError
from ..media.files import replacing
from ..media.output_lock import claimed
from ..plugins.knobs import MAX_STYLES, STYLIZER

if TYPE_CHECKING:
    from ..models.live.stylizer_settings import StylizerSettings
    from ..models.style import Style

#: At which an export plays as it is; at others it resamples.
RATES = (44_100, 48_000, 88_200, 96_000)
_TARGETS = ("nntilde", "neutone", "torchscript")
# Each rate is a stylizer of its own in the file.
_MOST_RATES = 8
_NEUTONE_KNOBS = ("strength", "notes", "mix", "adapt")


@own_torch_state()
def export(
    styles: Style | str | os.PathLike[str] | Sequence[Style | str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    to: str,
    rates: Sequence[int] = RATES,
    channels: int = 2,
    settings: StylizerSettings | None = None,
    overwrite: bool = False,
) -> None:
    """Write styles to one TorchScript file, which plays where Gramophone is not installed.

    Args:
        styles: one to four, or one: what `load_style` returns, or names of sound files or `.style` files.
        path: of the file. nn~ takes `.ts`, Neutone `.nm`.
        to: "nntilde" (Max and Pure Data), "neutone" (the plugin in a DAW), or "torchscript": the bare module.
        rates: Hz, at which it can play; up to eight. At any other rate it resamples, a little later.
        channels: 1 or 2. A file of 2 takes one channel too.
        settings: of the live stylizer. `iterations` must be a number.
        overwrite: whether a file at `path` may be replaced.

    Raises:
        InputError: An argument is not as described above, or the file cannot be written.
    """
    from ..models.export.formats import Range, bare_module, write
    from ..models.export.neutone import NeutoneKnob
    from ..models.live.stylizer_settings import StylizerSettings
    from ..models.style import Style, load_style

    target = arguments.file(path, "path")
    if arguments.text(to, "to") not in _TARGETS:
        raise InputError(f"an export to {to!r} is unknown; give one of {', '.join(_TARGETS)}")
    if channels not in (1, 2):
        raise InputError(f"an export has 1 or 2 channels, not {channels}")
    settings = settings or StylizerSettings()
    if settings.iterations is None:
        raise InputError("an export cannot choose its iterations by the time left; give a number")
    given = [styles] if isinstance(styles, Style | str | os.PathLike) else list(styles)
    if not 1 <= len(given) <= MAX_STYLES:
        raise InputError(f"{len(given)} styles do not go into one file; give 1 to {MAX_STYLES}")
    chosen = list(dict.fromkeys(arguments.rate(rate) for rate in rates))
    if not 1 <= len(chosen) <= _MOST_RATES:
        raise InputError(f"{len(chosen)} rates do not go into one file; give 1 to {_MOST_RATES}")
    with claimed(target, overwrite=overwrite):
        loaded = [
            one if isinstance(one, Style) else load_style(arguments.file(one, "style")) for one in given
        ]
        program = f"gramophone {version('gramophone')}"
        about = {
            "styles": [
                {
                    "name": one.name,
                    "author": one.author,
                    "licence": one.licence,
                    "source_sha256": one.source_hash,
                }
                for one in loaded
            ],
            "made_with": program,
            "to": to,
            "rates": chosen,
            "channels": channels,
        }
        model = bare_module(
            loaded,
            ranges={knob.id: Range(knob.low, knob.high) for knob in STYLIZER},
            rates=chosen,
            channels=channels,
            settings=settings,
            about=about,
        )
        knobs = [
            NeutoneKnob(
                knob.id, knob.name, knob.description, knob.low, knob.high, knob.default, knob.curve == "log"
            )
            for name in _NEUTONE_KNOBS
            for knob in STYLIZER
            if knob.id == name
        ]
        with replacing(target, overwrite=overwrite) as beside:
            write(
                Path(beside),
                model,
                target=to,
                knobs=knobs,
                name=", ".join(one.name for one in loaded),
                authors=[one.author for one in loaded if one.author] or ["unknown"],
                version=version("gramophone"),
            )
