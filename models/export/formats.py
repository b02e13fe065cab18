"""Exports: a TorchScript file of some styles, for a host that loads these. The module is compiled and written here."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from ..live.core_memory import DEFAULTS
from ..live.prepared_style import live_style
from ..live.stylizer_settings import PHASES, StylizerSettings, stylizer_layout
from ..style import Style
from .core import StylizerCore, fill
from .neutone import NeutoneKnob, scripted_neutone
from .nntilde import scripted_nntilde
from .stream import ExportedStylizer, Stream

#: Where every file tells what it is, within the archive.
ABOUT_FILE = "gramophone.json"
TARGETS = ("nntilde", "neutone", "torchscript")


class Range(NamedTuple):
    """What a knob can be."""

    low: float
    high: float


def bare_module(
    styles: Sequence[Style],
    *,
    ranges: Mapping[str, Range],
    rates: Sequence[int],
    channels: int,
    settings: StylizerSettings,
    about: Mapping[str, object],
) -> ExportedStylizer:
    """Return the stylizer of these styles, ready to be compiled.

    Args:
        styles: one to four
        ranges: of the knobs, by name; those of styles that are not there are left out
        rates: Hz, at which it can play
        channels: 1 or 2
        settings: of the stylizer; `iterations` must be a number
        about: what the file is to tell of itself
    """
    streams = []
    for rate in rates:
        layout = stylizer_layout(rate, settings)
        made = [live_style(style, layout) for style in styles]
        core = StylizerCore(
            layout,
            channels=channels,
            carrier=PHASES.index(settings.phase),
            slots=len(made),
            places=max(style.places.shape[1] for style in made),
            samples=max(style.clip.shape[0] for style in made),
        )
        for slot, style in enumerate(made):
            fill(core, slot, style)
        stream = Stream(
            core, sample_rate=rate, latency=layout.pair.latency, iterations=settings.iterations or 0
        )
        stream.reset(dict(DEFAULTS))
        streams.append(stream)
    known = {
        name: (float(low), float(high))
        for name, (low, high) in ranges.items()
        if name in DEFAULTS and not _belongs_to_none(name, len(styles))
    }
    return ExportedStylizer(streams, ranges=known, about=json.dumps(about))


def _belongs_to_none(name: str, styles: int) -> bool:
    # The share of the only style changes nothing.
    prefix, _, number = name.rpartition("_")
    return prefix == "style" and (styles == 1 or int(number) > styles)


def write(
    path: Path,
    model: ExportedStylizer,
    *,
    target: str,
    knobs: Sequence[NeutoneKnob],
    name: str,
    authors: Sequence[str],
    version: str,
) -> None:
    """Compile the module for one of `TARGETS`, and write it; `knobs` and the rest are for Neutone.

    The file has nothing of this project in it but its code, and runs wherever PyTorch loads TorchScript.
    """
    extra = {ABOUT_FILE: model.text.encode()}
    with warnings.catch_warnings():
        # Newer releases point to another way of exporting; what loads the exports still takes this one.
        warnings.simplefilter("ignore", DeprecationWarning)
        with torch.no_grad():
            model.eval()
            if target == "nntilde":
                scripted = scripted_nntilde(model)
            elif target == "neutone":
                scripted, extra["metadata.json"] = scripted_neutone(
                    model, knobs, name=name, authors=authors, version=version
                )
            else:
                scripted = torch.jit.script(model)
            # By its name, the folder within the archive would bear that of the file that is written beside.
            with path.open("wb") as file:
                torch.jit.save(scripted, file, _extra_files=extra)
