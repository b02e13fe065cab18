"""Bounce: a recorded performance rendered afterwards, as it was played (live) or at full quality with the same moves.

At full quality an offline recipe replaces the live stylizer. Each style that was played is rendered over the whole
take at strength 1, so that its map is the same wherever it comes back: at the lowest and at the highest value that the
knob `notes` had while the style was heard, which is one rendering where it stood still. Input and renderings are mixed
frame by frame, by the strength and the styles' shares as functions of time, as `offline.work.mixture.on_the_way` does
it. Of a style's share, the rendering with more notes has (n - low) / (high - low) at the value n of the knob, the other
one the rest. The rest of the live chain then acts on it, with all other knobs, switches and the mute as they were
played.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ...dsp.mastering import measure
from ...media.files import shown
from ...media.spool import Spool
from ...plugins.chain import Chain
from ...plugins.effects import Effect
from ...plugins.knobs import MUTE
from ...plugins.live_chain import chain_around
from ...plugins.plugin import Plugin
from ...plugins.prerendered import Prerendered
from ...takes.automation import Automation, StyleChange
from ...takes.reader import Take
from ..recipes.recipe import Recipe
from ..render.render import check_content, render_track, work_key
from ..work.checkpoint import Checkpoint
from ..work.mixture import HOP, Part, on_the_way
from ..work.progress import Progress
from .live import Bounced, Listener, played
from .replay import BLOCK, ReplayChain, play_again, trusted_effects

Shares = NDArray[np.float64]
Sound = NDArray[np.float32]

# Below, nothing is heard of a style.
_LEAST = 1e-6
_MOST_MAKEUP = 2.0
# Of `notes`, what is worth no second rendering: two steps of a MIDI controller.
_SAME_NOTES = 2.0 / 127.0


def bounce_full(
    take: Take,
    folder: Path,
    *,
    recipe: Recipe,
    notes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    effects: Sequence[Effect] | None = None,
    progress: Listener | None = None,
) -> Bounced:
    """Render a take at full quality, under the same automation; see the module's text.

    Args:
        take: what was recorded
        folder: for the sound and temporary files
        recipe: the offline recipe
        notes: 0 to 1 throughout, where the recipe has it; None is as the knob was played
        seed, device: as for `offline.render.render.render`
        effects: around the stylizer; None is those of the take
        progress: called now and then

    Raises:
        InputError: The take is damaged, silent or too short, or the disk full.
    """
    header = take.header
    effects = trusted_effects(take) if effects is None else effects
    content = Spool.create(folder / "dry.spool", channels=header.channels, length=take.frames)
    digest, position = hashlib.sha256(), 0
    for block in take.dry():
        content.write(position, block)
        digest.update(block.tobytes())
        position += block.shape[1]
    late = 0
    if any(effect.before for effect in effects):
        late = _through_effects(take, effects, content)
        digest.update(repr((header.effects, header.values, take.events)).encode())
    check_content(content, header.sample_rate, name=shown(take.folder))
    automation = Automation(
        take.parameters, values=header.values, events=take.events, sample_rate=header.sample_rate
    )
    frames = np.arange(take.frames // HOP + 1) * HOP
    strength = automation.values("strength", frames)
    played_notes = None
    if "notes" in recipe.settings():
        played_notes = automation.values("notes", frames) if notes is None else np.full(frames.shape, notes)
    wanted = [
        (name, version, part)
        for name, share in style_shares(take, automation, frames).items()
        if (heard := share * strength > _LEAST).any()
        for version, part in _versions(recipe, share, played_notes, heard)
    ]
    renderings: list[Part] = []
    level = measure(content, header.sample_rate).loudness
    for number, (name, version, share) in enumerate(wanted):
        style = take.style(name)
        key = work_key(digest.hexdigest(), style, version, seed=seed, device=device, local=None)
        place = folder / f"rendering-{number}"
        place.mkdir()
        rendering = render_track(
            content,
            header.sample_rate,
            style,
            Checkpoint(place, key),
            recipe=version,
            seed=seed,
            device=device,
            progress=_part(progress, number, len(wanted) + 1, f"rendering {number + 1} of {len(wanted)}"),
        )
        gain = _equally_loud(level, measure(rendering.sound, header.sample_rate).loudness)
        renderings.append(Part(rendering.sound, torch.from_numpy(share).float()[:, None], gain))
    mixed = content
    if renderings:
        way = torch.from_numpy(strength).float()[:, None]
        mixed = on_the_way(content, renderings, way, folder / "mixed.spool")
    chain = _chain(take, Prerendered(lambda start, stop: _read(mixed, start - late, stop - late)), effects)
    last = _part(progress, len(wanted), len(wanted) + 1, "mix")
    return Bounced(played(take, ReplayChain(chain, None), folder, take.wet_frames, last, None), None)


def _chain(take: Take, stylizer: Plugin, effects: Sequence[Effect]) -> Chain:
    """Return the live chain with another plugin in the stylizer's place, prepared, with the take's first values."""
    chain = chain_around(stylizer, effects)
    for identity, value in take.header.values.items():
        if identity != MUTE.id:
            chain.set(identity, value)
    chain.prepare(sample_rate=take.header.sample_rate, block=BLOCK, channels=take.header.channels)
    return chain


class _Tap(Prerendered):
    """Writes down what comes to the stylizer."""

    def __init__(self, content: Spool) -> None:
        super().__init__(content.read)
        self.content = content
        self.late = 0

    def process(self, block: Sound) -> Sound:
        """Take the next block; see `Plugin.process`."""
        start = self._position - self.late
        self._position += block.shape[1]
        part = block[:, max(0, -start) :][:, : max(0, self.content.length - max(0, start))]
        if part.shape[1]:
            self.content.write(max(0, start), part)
        return block


def _through_effects(take: Take, effects: Sequence[Effect], content: Spool) -> int:
    """Have the effects before the stylizer work on the content, with their moves; return by how much they are late."""
    tap = _Tap(content)
    chain = _chain(take, tap, effects)
    tap.late = sum(slot.latency_samples for slot in chain.effects if slot.get(f"{slot.name}_place") < 0.0)
    for _ in play_again(take, ReplayChain(chain, None), frames=take.frames):
        pass
    return tap.late


def _read(sound: Spool, start: int, stop: int) -> Sound:
    """Read a sound, with silence before its beginning and after its end."""
    first, last = min(max(start, 0), sound.length), min(max(stop, 0), sound.length)
    read = sound.read(first, last)
    return np.pad(read, ((0, 0), (first - start, stop - last))) if last - first < stop - start else read


def style_shares(take: Take, automation: Automation, frames: NDArray[np.int64]) -> dict[str, Shares]:
    """Return the share of each of a take's styles in the mixture at `frames`, by name; together 1.

    As in the stylizer, slots without a style do not count, and if no style has any weight all have the same.
    """
    slots = list(take.header.styles)
    weights = {name: np.zeros(frames.shape) for name in take.style_files()}
    filled = {name: np.zeros(frames.shape) for name in weights}
    changes = [event for event in take.events if isinstance(event, StyleChange)]
    for slot in range(max([len(slots), *(change.slot + 1 for change in changes)])):
        weight = automation.values(f"style_{slot + 1}", frames)
        own = [change for change in changes if change.slot == slot]
        first = slots[slot] if slot < len(slots) else ""
        edges = [0, *np.searchsorted(frames, [change.frame for change in own]), frames.size]
        for name, start, stop in zip(
            (first, *(change.style for change in own)), edges, edges[1:], strict=False
        ):
            if name:
                weights[name][start:stop] += weight[start:stop]
                filled[name][start:stop] += 1.0
    total, count = sum(weights.values()), sum(filled.values())
    alike = total <= 0.0
    return {
        name: np.where(
            alike, filled[name] / np.maximum(count, 1.0), weights[name] / np.where(alike, 1.0, total)
        )
        for name in weights
    }


def _versions(
    recipe: Recipe, share: Shares, notes: Shares | None, heard: NDArray[np.bool_]
) -> list[tuple[Recipe, Shares]]:
    """Return with which settings to render a style, each with its share of the mixture by frame.

    Args:
        recipe: with all other settings
        share: of the style, by frame
        notes: the knob by frame; None where the recipe has no such setting
        heard: by frame, whether the style is
    """
    if notes is None:
        return [(recipe, share)]
    low, high = float(notes[heard].min()), float(notes[heard].max())
    if high - low <= _SAME_NOTES:
        return [(recipe.replace({"notes": high}), share)]
    kept = np.clip((notes - low) / (high - low), 0.0, 1.0)
    return [
        (recipe.replace({"notes": value}), share * part) for value, part in ((low, 1.0 - kept), (high, kept))
    ]


def _equally_loud(wanted: float, level: float) -> float:
    """Return the gain from one loudness to another, LUFS; at most 6 dB up, as live.

    A rendering is held below full scale as a whole, and may be softer than the content, which would make it hardly
    audible in a mixture. The limiter at the end of the chain takes care of the peaks.
    """
    if not (math.isfinite(wanted) and math.isfinite(level)):
        return 1.0
    return float(min(10.0 ** ((wanted - level) / 20.0), _MOST_MAKEUP))


def _part(progress: Listener | None, number: int, count: int, name: str) -> Listener | None:
    """Return a listener to one of `count` equal parts of the whole work."""
    if progress is None:
        return None

    def report(step: Progress) -> None:
        told = f"{name}: {step.stage}"
        progress(dataclasses.replace(step, stage=told, fraction=(number + step.fraction) / count))

    return report
