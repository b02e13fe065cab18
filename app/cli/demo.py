"""`gramophone demo`: everything at once, on two clips made on the spot."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...media.errors import InputError
from ...media.files import check_writable, shown
from ...media.output_lock import claimed
from .. import console, report_data, scores
from ..live import display as live_display
from ..live import session as live_session

if TYPE_CHECKING:
    from ...offline.render.render import Rendering

# name: recipe, and whose notes are heard
_RENDERINGS = {
    "transport": ("transport", 1.0),
    "transport-notes-0": ("transport", 0.0),
    "gramophone": ("gramophone", 1.0),
}
_BEST = "gramophone"
_LIVE = "live"
_REPORT = "report.html"
_FILES = ("content.wav", "style.wav", *(f"{name}.wav" for name in (*_RENDERINGS, _LIVE)), _REPORT)
_COLD = (
    "transport-notes-0 plays the style's notes, the other recipes keep the content's. The row live is judged from a "
    "cold start, the first second included, and without its latency; the recipes have heard the whole content before "
    "they begin."
)


def demo(
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to put everything.")] = Path(
        "demo-output"
    ),
) -> None:
    """Hear what this is: a plucked tune in the style of bubbling water.

    Two clips are made on the spot, rendered with the fastest and with the best recipe, and played live, with files
    in the place of a sound card. The tune stays; one rendering plays the water's notes instead, to compare. All
    results are scored beside what anyone can do without this program, and a report is written. It takes about a
    minute. A second run replaces the files of the first, and nothing else in FOLDER.

    $ gramophone demo --out ~/Music/gramophone-demo
    """
    from ...offline.report.report import check_installed

    check_installed()
    start = time.perf_counter()
    with _folder(out), claimed(out / _REPORT, overwrite=True), console.Display() as display:
        for name in _FILES:
            check_writable(out / name, overwrite=True)
        display.stage("making two clips")
        from .. import demo_sounds

        rate = demo_sounds.SAMPLE_RATE
        content, texture = demo_sounds.plucked_strings(rate), demo_sounds.bubbling_water(rate)
        display.stage("loading")
        from ...media.audiofile import read_audio, write_audio
        from ...models.style import Style
        from ...offline.render.render import render
        from ...realtime.link.engine_settings import EngineSettings, VirtualSettings

        style = Style.from_audio(texture, rate, name="bubbling water", licence="CC0-1.0")
        renderings: dict[str, Rendering] = {
            name: render(content, rate, style, recipe=recipe, settings={"notes": notes}, progress=display)
            for name, (recipe, notes) in _RENDERINGS.items()
        }
        outputs = {name: rendering.samples for name, rendering in renderings.items()}
        for name, samples in {"content": content, "style": texture, **outputs}.items():
            path = out / f"{name}.wav"
            write_audio(path, samples, rate, overwrite=True)
            console.written.append(path)
        display.stage("playing live")
        began = time.perf_counter()
        played = out / f"{_LIVE}.wav"
        engine, figures = live_session.through_files(
            EngineSettings(
                styles=(out / "style.wav",),
                channels=content.shape[0],
                device=VirtualSettings(
                    input=out / "content.wav", output=played, as_fast_as_possible=True, overwrite=True
                ),
            )
        )
        console.written.append(played)
        live_seconds = time.perf_counter() - began
        # The file is as late as the sound would be live; attacks are compared without this delay.
        late = engine.total_latency
        outputs[_LIVE] = read_audio(played).samples[:, late : late + content.shape[1]]
        rows = scores.measure(
            content, texture, outputs, rate, style_rate=rate, baselines=True, stage=display.stage
        )
        display.stage(f"writing {_REPORT}")
        names = ("plucked strings", "plucked strings as bubbling water")
        best = [row for row in rows if not row.highlight or row.name == _BEST]
        report_data.write(out / _REPORT, renderings[_BEST], content, style, best, names=names, overwrite=True)
    terminal = console.out()
    for name, rendering in renderings.items():
        spent = sum(rendering.seconds.values())
        terminal.print(f"{name}: {demo_sounds.SECONDS:g} s of stereo in {spent:.1f} s")
    load = 100.0 * float(str(figures["load"]))
    terminal.print(
        f"{_LIVE}: {demo_sounds.SECONDS:g} s of stereo through the virtual device in {live_seconds:.1f} s, "
        f"start of the engine included; load {load:.0f} % of one core\n"
    )
    terminal.print(live_display.budget(engine))
    terminal.print()
    terminal.print(scores.table(rows))
    terminal.print(f"\n{scores.EXPLANATION} {_COLD}\n", style="dim", soft_wrap=False)
    for name in _FILES:
        terminal.print(f"  {shown(out / name)}")
    terminal.print(
        f"Done in {time.perf_counter() - start:.0f} s; listen to them, and open the report in a browser."
    )


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make a folder if it is missing; if what follows fails, an empty one is taken away again."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {shown(path)} ({error.strerror}); choose another"
        ) from error
    try:
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise
