"""`gramophone bench`: measurements on the machine it runs on."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ...media.files import replacing, shown
from .. import console
from ..live import session_settings as live_settings

bench_app = typer.Typer(
    help=console.prose("""Measure this machine.

    Other programs that want the processor are part of what is measured; end them first."""),
    rich_markup_mode="rich",
    no_args_is_help=True,
)

_DAY = 86_400.0
_EXIT_FAILED = 1


@bench_app.callback()
def _group() -> None:
    # With a callback the group stays one, though there is a single command in it.
    pass


def live(
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", help="Sound to measure the cost with, in real time.")
    ] = 30.0,
    jack_seconds: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How long to count drop-outs through JACK; 0 leaves JACK out."),
    ] = 60.0,
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
    """Measure playing live: latency, cost, drop-outs, and the time from a controller to the sound.

    Latency and cost go through files in place of a sound card. Drop-outs go through a JACK server that is started for
    it on no sound card, beside a client that does nothing; without jackd they are left out. Everything is played in
    the style of the demo's bubbling water.

    $ gramophone bench live

    $ gramophone bench live --jack-seconds 600 --latency high --stats figures.json
    """
    console.check_range("--seconds", seconds, 0.5, _DAY, "in seconds")
    console.check_range("--jack-seconds", jack_seconds, 0.0, _DAY, "in seconds; 0 leaves JACK out")
    ahead = live_settings.latency(latency)
    if stats is not None:
        console.check_output(stats, overwrite=overwrite)
    with console.Display() as display:
        display.stage("loading")
        from ...realtime.host import EngineError
        from ..bench import live as bench_live
        from ..bench import tables as bench_tables

        try:
            figures = bench_live.measure(
                seconds=seconds, jack_seconds=jack_seconds, latency=ahead, stage=display.stage
            )
        except EngineError as error:
            # The user cannot mend it, but a report of it needs the place.
            console.show_trace("\n".join(getattr(error, "__notes__", ())))
            console.say(f"error: {error}")
            raise typer.Exit(_EXIT_FAILED) from error
    out = console.out()
    out.print(bench_tables.tables(figures))
    if stats is not None:
        with replacing(stats, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(figures, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        console.written.append(stats)
        out.print(shown(stats))


bench_app.command(help=console.prose(live.__doc__))(live)
