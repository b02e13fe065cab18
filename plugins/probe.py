"""Loads a plugin that is made by others, and writes down what it is: run as a process of its own, which may crash.

python -m gramophone.plugins.probe OUT.json REFERENCE SAMPLE_RATE CHANNELS [PRESET]
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from ..media.errors import InputError
from ..media.files import shown
from .hosted import open_plugin

# More parameters than that nobody turns, and each is a cell of memory and a knob on the desk.
MOST_PARAMETERS = 128
# Positions at which a plugin is asked for its text: those that a MIDI controller has, and the end.
_STEPS = 129
_LONGEST_TEXT = 24
# What plugins of one framework (DPF) show of themselves. A program would turn all other knobs behind their backs.
_NOT_KNOBS = frozenset({"Buffer Size", "Sample Rate", "Latency", "Current Program"})


def _text(plugin: Any, index: int, position: float, label: str) -> str:
    text = " ".join(str(plugin.param_to_text(index, position)).split())
    try:
        text = f"{round(float(text), 3):.6g}"
    except ValueError:
        return text[:_LONGEST_TEXT]
    return f"{text} {label}".strip()[:_LONGEST_TEXT]


def describe(reference: str, *, sample_rate: int, channels: int, preset: str | None = None) -> dict[str, Any]:
    """Load a plugin and return what it is, with a `.vstpreset` in it, as plain data.

    Raises:
        InputError: the plugin cannot be loaded, or does not take the preset
    """
    import numpy as np

    block = 1024
    plugin = open_plugin(reference, sample_rate=sample_rate, block=block, channels=min(channels, 2))
    if preset is not None:
        _take(plugin, Path(preset))
    parameters: list[dict[str, Any]] = []
    for index in range(plugin.num_params):
        info = plugin.get_param_info(index)
        name = str(info["name"]).strip()
        if not info["is_automatable"] or name in _NOT_KNOBS or len(parameters) == MOST_PARAMETERS:
            continue
        label = str(info["label"]).strip()
        steps = info["num_steps"] if 2 <= info["num_steps"] <= _STEPS else _STEPS
        texts = [_text(plugin, index, place / (steps - 1), label) for place in range(steps)]
        parameters.append(
            {
                "index": index,
                "name": name,
                "default": float(plugin.get_param(index)),
                "texts": texts if len(set(texts)) > 1 else [],
            }
        )
    inputs, outputs = plugin.num_input_channels, plugin.num_output_channels
    if inputs and outputs:
        # An LV2 says its latency only once it has worked.
        sound = [np.zeros((count, block), dtype=np.float32) for count in (inputs, outputs)]
        plugin.process(*sound)
    return {
        "inputs": inputs,
        "outputs": outputs,
        "latency": int(plugin.latency_samples),
        "tail": float(plugin.tail_seconds),
        "parameters": parameters,
        "state": base64.b64encode(plugin.get_state()).decode(),
    }


def _take(plugin: Any, preset: Path) -> None:
    import minihost

    try:
        minihost.load_vstpreset(preset, plugin)
    except FileNotFoundError:
        raise InputError(f"{shown(preset)} does not exist; give a .vstpreset of this plugin") from None
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{shown(preset)} is no preset for this plugin: {error}") from None


def main() -> None:
    """Describe one plugin, and leave at once: what plugins do at the end is no matter of ours."""
    out, reference, sample_rate, channels, *preset = sys.argv[1:]
    try:
        found = describe(
            reference, sample_rate=int(sample_rate), channels=int(channels), preset=next(iter(preset), None)
        )
    except InputError as error:
        found = {"error": str(error)}
    Path(out).write_text(json.dumps(found), encoding="utf-8")
    os._exit(0)


if __name__ == "__main__":
    main()
