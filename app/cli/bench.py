"""`gramophone bench`: measurements on the machine it runs on."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from ...media.files import replacing, shown
from .. import console
from ..live import session_settings as live_settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

bench_app = typer.Typer(
    help=console.prose("""Measure this machine.

    Other programs that want the processor are part of what is measured; end them first."""),
    rich_markup_mode="rich",
    no_args_is_help=True,
)

_LONGEST = 600.0
_RATE = 48_000
_IMPULSE_AT = 12_000


@bench_app.callback()
def _group() -> None:
    # With a callback the group stays one, though there is a single command in it.
    pass


def live(
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="How long to play, in real time.")] = 10.0,
    latency: Annotated[
        str,
        typer.Option(
            metavar="low|high|SECONDS", help="How much finished sound waits, as in `gramophone live`."
        ),
    ] = "low",
    stats: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write the figures.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Check whether this computer can play live: latency, cost, deadlines missed.

    Plays plucked strings in the style of bubbling water, in stereo at 48 kHz, through files in place of a sound card.
    If deadlines are missed, try a higher --latency.

    $ gramophone bench live

    $ gramophone bench live --seconds 60 --latency high --stats figures.json
    """
    console.check_range("--seconds", seconds, 0.5, _LONGEST, "in seconds")
    ahead = live_settings.latency(latency)
    if stats is not None:
        console.check_output(stats, overwrite=overwrite)
    with console.Display() as display, tempfile.TemporaryDirectory(prefix="gramophone-bench-") as folder:
        display.stage("loading")
        figures = _measure(Path(folder), seconds, ahead, display)
    table = Table("measure", "figure", box=None, padding=(0, 2, 0, 0))
    total = figures["total_latency_samples"]
    table.add_row(
        "latency", f"{figures['total_latency_ms']:.1f} ms: {total} samples of 48 kHz, and the sound card's"
    )
    table.add_row("measured latency", f"{figures['measured_latency_samples']} samples")
    table.add_row("load", f"{100 * figures['load']:.1f} % of one core")
    times = ", ".join(f"{name} {figures[f'hop_ms_{name}']:.2f}" for name in ("p50", "p99", "max"))
    table.add_row("time per hop", f"{times} of {figures['hop_ms']:.2f} ms")
    table.add_row("deadlines missed", str(figures["deadlines_missed"]))
    out = console.out()
    out.print(table)
    if stats is not None:
        with replacing(stats, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        console.written.append(stats)
        out.print(shown(stats))


def _measure(folder: Path, seconds: float, latency: float | str, display: console.Display) -> dict[str, Any]:
    """Send a single sample through at strength 0 and see when it comes out; then play music at the pace of time."""
    import numpy as np
    import soundfile

    from ...realtime.link.engine_settings import EngineSettings, VirtualSettings
    from .. import demo_sounds
    from ..live.session import through_files

    style, source, sink = (folder / name for name in ("style.wav", "in.wav", "out.wav"))
    soundfile.write(style, demo_sounds.bubbling_water(_RATE).T, _RATE, subtype="FLOAT")
    impulse = np.zeros((3 * _IMPULSE_AT, 2), dtype=np.float32)
    impulse[_IMPULSE_AT] = 0.5
    strings = demo_sounds.plucked_strings(_RATE).T
    music = np.resize(strings, (round(seconds * _RATE), strings.shape[1]))

    def play(sound: "NDArray[Any]", *, fast: bool, **parameters: float) -> dict[str, Any]:
        soundfile.write(source, sound, _RATE, subtype="FLOAT")
        device = VirtualSettings(input=source, output=sink, as_fast_as_possible=fast, overwrite=True)
        return through_files(
            EngineSettings(device=device, styles=(style,), latency=latency, parameters=parameters)
        )[1]

    display.stage("latency")
    play(impulse, fast=True, strength=0.0)
    found = np.flatnonzero(soundfile.read(sink)[0].any(axis=1))
    display.stage(f"playing for {seconds:g} s")
    figures = play(music, fast=False)
    return {
        **figures,
        "measured_latency_samples": int(found[0]) - _IMPULSE_AT if found.size else None,
        "total_latency_ms": 1e3 / _RATE * figures["total_latency_samples"],
        "hop_ms": 1e3 / _RATE * figures["hop"],
    }


bench_app.command(help=console.prose(live.__doc__))(live)
