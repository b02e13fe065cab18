"""Renders from file to file: any length, in bounded memory, and interrupted work can go on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ...media.audiofile import Track, check_encodable, read_audio, read_track, sound_hash, write_audio
from ...media.escaping import shortened
from ...media.files import shown
from ...media.formats import output_format, output_subtype
from ...media.output_lock import claimed
from ...media.tags import Tags
from ...models.style import Style
from ...plugins.effects import Effect, to_plain
from ..recipes.recipe import Recipe
from ..work.checkpoint import Checkpoint
from ..work.progress import Progress
from .effects import through_effects
from .render import TrackRendering, check_content, render_track, work_key

# Bytes: a name may have 255, and some are for the suffix.
_LONGEST_NAME = 240


@dataclass(frozen=True)
class FileJob:
    """What to render, and how; see `offline.render.render.render_track`.

    Attributes:
        content, output: sound files
        style: the style
        subtype, format, tags: as for `media.audiofile.write_audio`; without a subtype, that of
            `media.formats.output_subtype`
        effects, values: before and after the stylizer, and where their parameters do not stand at their defaults
    """

    content: Path
    style: Style
    output: Path
    recipe: Recipe
    strength: float = 1.0
    seed: int = 0
    device: str = "auto"
    local: float | None = None
    loudness: float | None = None
    subtype: str | None = None
    format: str | None = None
    tags: Tags | None = None
    overwrite: bool = False
    effects: tuple[Effect, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)


def work_folder(output: Path) -> Path:
    """Return the work folder of an output: beside it, and named after it."""
    name = output.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
        name = f"{shortened(name, _LONGEST_NAME - len(digest) - 1)}-{digest}"
    return output.with_name(name + ".work")


@contextmanager
def rendered_file(
    job: FileJob,
    *,
    resume: bool = False,
    progress: Callable[[Progress], None] | None = None,
    stage: Callable[[str], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Track, TrackRendering]]:
    """Render a file, and write it; temporary files exist until the block is left.

    After an error or an interruption, finished stages stay beside the output, if they are more than the preparation,
    and `note` says so.

    Args:
        job: files and settings
        resume: continue from the last finished stage of the same settings, content and style
        progress, stage, note: called with each step; with the name of work without steps; with messages for the user

    Raises:
        InputError: A file cannot be read or written, or there is nothing to stylise in it; another run is making the
            output; as `render_track`.
    """
    with (
        claimed(job.output, overwrite=job.overwrite),
        _rendered(job, resume=resume, progress=progress, stage=stage, note=note) as result,
    ):
        yield result


@contextmanager
def _rendered(
    job: FileJob,
    *,
    resume: bool,
    progress: Callable[[Progress], None] | None,
    stage: Callable[[str], None],
    note: Callable[[str], None],
) -> Iterator[tuple[Track, TrackRendering]]:
    """Do what `rendered_file` does, for an output that no other run is making."""
    key = work_key(
        sound_hash(job.content), job.style, job.recipe, seed=job.seed, device=job.device, local=job.local
    )
    before = [effect for effect in job.effects if effect.before]
    after = [effect for effect in job.effects if not effect.before]
    if before:
        key = {**key, "before": repr(([to_plain(effect) for effect in before], sorted(job.values.items())))}
    folder = work_folder(job.output)
    work = Checkpoint(folder, key, resume=resume)
    finished = False
    try:
        if work.stale:
            note(f"{shown(folder)} holds work on other sounds or settings: it is begun again")
        elif resume and not work.resumed:
            note("there is no unfinished work to go on with: it is begun from the start")
        track = read_track(job.content, folder / "source.spool")
        check_content(track.sound, track.sample_rate, name=shown(job.content))
        if before:
            stage(f"before: {', '.join(effect.title for effect in before)}")
            place = folder / "before.spool"
            heard = through_effects(track.sound, track.sample_rate, before, place, values=job.values)
            check_content(heard, track.sample_rate, name=f"what {before[-1].title} gave")
            track = replace(track, sound=heard)
        kind, _ = output_format(job.output, format=job.format)
        subtype = output_subtype(kind, track.subtype, strength=job.strength, wanted=job.subtype)
        check_encodable(
            job.output, track.sound.channels, track.sample_rate, subtype=subtype, format=job.format
        )
        rendering = render_track(
            track.sound,
            track.sample_rate,
            job.style,
            work,
            recipe=job.recipe,
            strength=job.strength,
            seed=job.seed,
            device=job.device,
            local=job.local,
            loudness=job.loudness,
            progress=progress,
        )
        if after:
            stage(f"after: {', '.join(effect.title for effect in after)}")
            place = folder / "after.spool"
            heard = through_effects(
                rendering.sound, rendering.sample_rate, after, place, values=job.values, held=True
            )
            rendering = replace(rendering, sound=heard)
        stage(f"writing {job.output.name}")
        unchanged = job.strength == 0.0 and job.loudness is None and not job.effects
        write_audio(
            job.output,
            # A spool has 24 bits to a sample; the content may have more, and shall come back as it was.
            read_audio(job.content).samples if unchanged else rendering.sound,
            rendering.sample_rate,
            subtype=subtype,
            format=job.format,
            tags=job.tags,
            overwrite=job.overwrite,
        )
        finished = True
        yield track, rendering
    finally:
        if finished or not work.worth_keeping:
            work.remove()
        else:
            work.tidy()
            note(f"what is finished is kept in {shown(folder)}: with --resume, work goes on from there")
