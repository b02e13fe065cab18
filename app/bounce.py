"""Bounces a take to a sound file, for the command and for the desk's button."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..media.errors import InputError
from ..media.files import shown
from ..plugins.live_chain import CHAIN_VERSION
from ..takes.header import HEADER

if TYPE_CHECKING:
    from ..offline.bounce.replay import Comparison
    from ..offline.work.progress import Progress
    from ..plugins.effects import Effect
    from ..takes.reader import Take

QUALITIES = ("full", "live")
_MOST_STRETCHES = 3


@dataclass(frozen=True)
class Result:
    """A bounce that was written: how long it is, in seconds, and what there is to say of it, a line each."""

    seconds: float
    lines: tuple[str, ...]


def find_take(folder: Path) -> Path:
    """Return the folder of a take, where `folder` is one or holds exactly one.

    Raises:
        InputError: It holds several, and which they are; or none.
    """
    if (folder / HEADER).exists() or not folder.is_dir():
        return folder
    takes = sorted(path.parent for path in folder.glob(f"*/{HEADER}"))
    if len(takes) > 1:
        raise InputError(
            f"{shown(folder)} holds {len(takes)} takes; give one of them, such as {shown(takes[-1])}"
        )
    return takes[0] if takes else folder


def bounce_file(
    folder: Path,
    output: Path,
    *,
    quality: str = "full",
    recipe: str = "gramophone",
    notes: float | None = None,
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
    effects: tuple[Effect, ...] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Bounce a take to a sound file.

    Args:
        folder: of the take, or one that holds a single take
        output: the extension says the format; WAV, FLAC and AIFF get 24 bits
        quality: "full" renders offline with the same moves, "live" plays the live chain again
        recipe, seed, device: of full quality; see `gramophone render`
        notes: of full quality: 1 keeps the take's notes, 0 plays the style's; None is as the knob was played
        overwrite: whether `output` may be replaced
        effects: around the stylizer; None is those that were played through
        progress: called now and then

    Raises:
        InputError: The take is damaged, the output cannot be written, another run is making it, or an option is
            unknown.
    """
    from ..media.audiofile import check_encodable, write_audio
    from ..media.output_lock import claimed
    from ..models.live.first_run import compile_first
    from ..offline.bounce.live import bounce_live
    from ..offline.recipes.registry import get_recipe
    from ..takes.reader import open_take, with_effects

    if quality not in QUALITIES:
        raise InputError(f"quality {quality!r} is unknown; give one of {', '.join(QUALITIES)}")
    chosen = get_recipe(recipe, {} if notes is None else {"notes": notes})
    take = open_take(find_take(folder))
    if effects is not None:
        take = with_effects(take, effects)
    rate = take.header.sample_rate
    check_encodable(output, take.header.channels, rate)
    # Beside the output, which needs the same room: temporary files are as large as it.
    with (
        claimed(output, overwrite=overwrite),
        tempfile.TemporaryDirectory(prefix=".bounce-", dir=output.parent) as name,
    ):
        work = Path(name)
        if quality == "live":
            compile_first()
            bounced = bounce_live(take, work, effects=effects, progress=progress)
        else:
            from ..offline.bounce.bounce import bounce_full

            bounced = bounce_full(
                take,
                work,
                recipe=chosen,
                notes=notes,
                seed=seed,
                device=device,
                effects=effects,
                progress=progress,
            )
        write_audio(output, bounced.sound, rate, overwrite=overwrite)
        compared = bounced.comparison if effects is None else None
        lines = [] if compared is None else _compared(take, compared)
        return Result(bounced.sound.length / rate, (*_missing(take), *lines))


def _missing(take: Take) -> list[str]:
    """Say what of a performance is not in its take."""
    rate = take.header.sample_rate
    if not take.cut_short:
        return [f"what the recorder noted: {take.header.note}"] if take.header.note else []
    lines = [
        f"the recording was cut short: it is read to its last whole block, at {_clock(take.frames / rate)}; what came "
        "after that, and what went wrong in the last seconds, was not written down"
    ]
    if take.rounded_from is not None:
        lines.append(f"from {_clock(take.rounded_from / rate)} on, what came in is there with 24 bits only")
    return lines


def _compared(take: Take, comparison: Comparison) -> list[str]:
    """Say how what was played again compares with what was heard."""
    header = take.header
    lines = []
    if header.stylizer.get("iterations", 0) is None:
        lines.append("on stage it iterated as long as there was time; a replay cannot know how often")
    if header.chain != CHAIN_VERSION:
        lines.append(
            "it was recorded by another version; it is played again, but not to the last bit, and may have to learn "
            "anew what was known of the sound when the recording began"
        )
    if comparison.same:
        kind = "32-bit floats" if header.wet_sha256 else "24 bits"
        return [*lines, f"identical to what was heard, sample for sample ({kind})"]
    spans = comparison.differing
    rate = header.sample_rate
    shown_spans = ", ".join(
        f"{_clock(start / rate)} to {_clock(stop / rate)}" for start, stop in spans[:_MOST_STRETCHES]
    )
    more = f" and {len(spans) - _MOST_STRETCHES} more" if len(spans) > _MOST_STRETCHES else ""
    where = f"from what was heard at {shown_spans}{more}" if spans else "by less than 24 bits show"
    return [*lines, f"differs {where}; on stage, {_faults(take)}"]


def _faults(take: Take) -> str:
    header = take.header
    found = []
    for count, what in (
        (len(header.missed), "deadlines missed"),
        (len(header.skipped), "stretches of input left out"),
        (len(header.gaps), "stretches not written in time"),
        (take.restarts, "restarts of the chain"),
    ):
        if count:
            found.append(f"{count} {what}")
    if take.cut_short and not found:
        return "what was missed in the last seconds was not written down"
    return ", ".join(found) or "nothing was missed: another version, or another machine?"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{seconds % 60:06.3f}"
