"""`gramophone render`: two sounds in, a stylised track out."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...media.errors import InputError
from ...media.files import shown
from .. import console, remote_files, report_data, scores
from . import effect_options
from . import render_options as options

if TYPE_CHECKING:
    from ...offline.report.report import Row


def render(
    content_name: Annotated[
        str, typer.Argument(metavar="CONTENT", help="The sound to be played: wav, flac, ogg, mp3, aiff.")
    ],
    style_name: Annotated[str, typer.Argument(metavar="STYLE", help="The style: a sound file or a .style.")],
    output_name: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="The result; its extension says the format.")
    ],
    recipe: options.Recipe = "gramophone",
    strength: options.Strength = 1.0,
    notes: options.Notes = None,
    steps: options.Steps = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Also write a page with pictures, sounds and scores.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            metavar="wav|flac|ogg|mp3|aiff",
            help="The format, where OUT's extension does not say it.",
            show_default=False,
        ),
    ] = None,
    subtype: options.Subtype = None,
    local: options.Local = None,
    loudness: options.Loudness = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with work that was interrupted; it waits in the folder OUT.work until then.",
        ),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    settings: options.Settings = None,
    before: effect_options.Before = None,
    after: effect_options.After = None,
) -> None:
    """Play CONTENT in the style of STYLE.

    The two may differ in length, rate and channels. The result has the content's length, rate, channels and
    loudness, and never clips, and its tags. WAV, FLAC and AIFF are written with 24 bits, if --subtype says nothing
    else. All three may be addresses, such as s3://bucket/song.wav or https://host/rain.wav.

    $ gramophone render song.wav rain.wav -o song-in-rain.wav

    $ gramophone render song.wav choir.style -o quick.flac --recipe transport --strength 0.7 --report
    quick.html

    $ gramophone render song.wav rain.wav -o wet.wav --after ZamVerb --set zamverb.wet_dry=30%

    `gramophone recipes` lists the recipes, `gramophone recipes NAME` the settings for --set.
    """
    from ...media.addresses import as_local, shown_address
    from ...media.tags import read_tags
    from ...offline.recipes.registry import get_recipe
    from ..live.session_settings import file_rate

    rate = None
    if (before or after) and (content := as_local(content_name)) is not None:
        rate = file_rate(content)
    effects = effect_options.found(before, after, sample_rate=rate)
    values, settings = effect_options.split(settings, effects)
    chosen = get_recipe(recipe, options.changes(settings, notes=notes, steps=steps))
    if resume and as_local(output_name) is None:
        raise InputError(
            f"{shown_address(output_name)}: --resume needs an output on this machine: unfinished work waits beside it"
        )
    with remote_files.local_files((content_name, style_name), output_name, overwrite=overwrite) as (
        inputs,
        output,
    ):
        content, style = inputs
        _check_paths(content, style, output, report, format=format, overwrite=overwrite)
        tags = read_tags(content)
        for caution in chosen.cautions():
            console.warn(caution)
        start = time.perf_counter()
        rows: list[Row] = []
        with console.Display() as display:
            display.stage("loading")
            from ...models.style import load_style
            from ...offline.render.render_file import FileJob, rendered_file

            example = load_style(style)
            job = FileJob(
                content,
                example,
                output,
                chosen,
                strength=strength,
                seed=seed,
                device=device,
                local=local,
                loudness=loudness,
                subtype=None if subtype is None else subtype.upper(),
                format=format,
                tags=tags,
                overwrite=overwrite,
                effects=effects,
                values=values,
            )
            with rendered_file(
                job, resume=resume, progress=display, stage=display.stage, note=console.say
            ) as (track, rendering):
                seconds = time.perf_counter() - start
                if as_local(output_name) is not None:
                    console.written.append(output)
                if report is not None:
                    samples = track.sound.read(0, track.sound.length).astype(float)
                    whole = rendering.loaded()
                    rows = scores.measure(
                        samples,
                        example.samples,
                        {chosen.name: whole.samples},
                        track.sample_rate,
                        style_rate=example.sample_rate,
                        baselines=True,
                        stage=display.stage,
                    )
                    display.stage(f"writing {report.name}")
                    names = (content.stem, output.stem)
                    report_data.write(report, whole, samples, example, rows, names=names, overwrite=overwrite)
                    console.written.append(report)
    if lost := tags.lost_in(output, format=format):
        console.warn(f"tags that {shown_address(output_name)} does not have: {', '.join(lost)}")
    duration = track.sound.length / track.sample_rate
    pace = f"{duration:.1f} s in {seconds:.1f} s (real-time factor {seconds / duration:.2f})"
    out = console.out()
    out.print(f"{shown_address(output_name)}: {pace}")
    if rendering.resumed:
        out.print(f"went on after: {', '.join(rendering.resumed)}")
    if loudness is not None:
        out.print(_loudness(rendering.level.reached, loudness))
    if report is not None:
        out.print(scores.table(rows))
        out.print(f"report: {shown(report)}")


def _loudness(reached: float, wanted: float) -> str:
    if reached > wanted - 0.1:
        return f"loudness: {reached:.1f} LUFS"
    return (
        f"loudness: {reached:.1f} LUFS instead of {wanted:g}: any more would flatten the peaks, "
        "which stay below -1 dBFS"
    )


def _check_paths(
    content: Path, style: Path, output: Path, report: Path | None, *, format: str | None, overwrite: bool
) -> None:
    """Find every fault of the four names before any work is done."""
    from ...media.formats import output_format
    from ...media.inputs import check_regular
    from ...offline.report.report import check_installed

    for path in (content, style):
        check_regular(path)
    output_format(output, format=format)
    console.check_output(output, overwrite=overwrite, inputs=(content, style))
    if report is None:
        return
    if report.suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"{shown(report)}: the report is a web page; give it a name that ends in .html")
    if console.same_file(report, output):
        raise InputError(f"{shown(report)} is the name of the output already; give the report another name")
    console.check_output(report, overwrite=overwrite, inputs=(content, style))
    check_installed()
