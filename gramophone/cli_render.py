"""``gramophone render``: two sounds in, a stylised track out."""

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dsp.errors import InputError
from dsp.files import shown
from gramophone import console, pages, scores

if TYPE_CHECKING:
    from dsp.audiofile import Audio
    from offline.render import Rendering
    from offline.report import Row

_DEVICES = ("auto", "cpu", "cuda")
_LARGEST_SEED = 2**63 - 1
# Subtypes that hold more than the default 24 bits: with strength 0 they are kept, or the samples would
# change.
_WIDE = frozenset({"PCM_32", "FLOAT", "DOUBLE"})


def render(
    content: Annotated[
        Path, typer.Argument(metavar="CONTENT", help="The sound to be played: wav, flac, ogg, mp3, aiff.")
    ],
    style: Annotated[Path, typer.Argument(metavar="STYLE", help="The style: a sound file or a .style.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="The result; its extension says the format.")
    ],
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="How to do it: gramophone (best), transport (seconds), or a published one."
        ),
    ] = "gramophone",
    strength: Annotated[
        float, typer.Option(metavar="0..1", help="How far to go: 0 is the content, 1 all the way.")
    ] = 1.0,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Optimiser steps. Default: the recipe's.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Same seed, same machine, same file.")] = 0,
    device: Annotated[
        str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute; auto takes CUDA if there is any.")
    ] = "auto",
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="Also write a page with pictures, sounds and scores.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the recipe; repeatable.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Play CONTENT in the style of STYLE.

    The two may differ in length, rate and channels. The result has the content's length, rate, channels and
    loudness, and never clips. WAV, FLAC and AIFF are written with 24 bits.

    $ gramophone render song.wav rain.wav -o song-in-rain.wav

    $ gramophone render song.wav choir.style -o quick.flac --recipe transport --strength 0.7 --report
    quick.html

    `gramophone recipes` lists the recipes, `gramophone recipes NAME` the settings for --set.
    """
    from dsp.audiofile import read_audio
    from offline.recipes import get_recipe

    console.check_range("--strength", strength, 0.0, 1.0, "from the content to all the way")
    console.check_range("--seed", seed, 0, _LARGEST_SEED, "any whole number")
    if device not in _DEVICES:
        raise InputError(f"--device {device} is unknown; give one of {', '.join(_DEVICES)}")
    changes: dict[str, object] = dict(map(_key_value, settings or ()))
    if steps is not None:
        changes["steps"] = steps
    chosen = get_recipe(recipe, changes)
    _check_paths(content, style, output, report, overwrite=overwrite)
    audio = read_audio(content)
    _check_fits(output, audio)
    start = time.perf_counter()
    with console.Display() as display:
        display.stage("loading")
        from models.style import load_style
        from offline.render import check_content
        from offline.render import render as compute

        check_content(audio.samples, audio.sample_rate, name=shown(content))
        example = load_style(style)
        rendering = compute(
            audio.samples,
            audio.sample_rate,
            example,
            recipe=chosen,
            strength=strength,
            seed=seed,
            device=device,
            progress=display,
        )
        seconds = time.perf_counter() - start
        display.stage(f"writing {output.name}")
        _write(output, rendering, audio, overwrite=overwrite)
        rows: list[Row] = []
        if report is not None:
            rows = scores.measure(
                audio.samples,
                example.samples,
                {chosen.name: rendering.samples},
                audio.sample_rate,
                style_rate=example.sample_rate,
                baselines=True,
                stage=display.stage,
            )
            display.stage(f"writing {report.name}")
            names = (content.stem, output.stem)
            pages.write(report, rendering, audio.samples, example, rows, names=names, overwrite=overwrite)
            console.written.append(report)
    duration = audio.samples.shape[1] / audio.sample_rate
    out = console.out()
    out.print(
        f"{shown(output)}: {duration:.1f} s in {seconds:.1f} s (real-time factor {seconds / duration:.2f})",
        markup=False,
    )
    if report is not None:
        out.print(scores.table(rows))
        out.print(f"report: {shown(report)}", markup=False)


def _key_value(text: str) -> tuple[str, str]:
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise InputError(f"--set {text!r} is not a setting; write --set key=value")
    return key.strip(), value.strip()


def _check_paths(content: Path, style: Path, output: Path, report: Path | None, *, overwrite: bool) -> None:
    """Find every fault of the four names before any work is done."""
    from dsp.audiofile import output_format

    for path in (content, style):
        if not path.exists():
            raise InputError(f"{shown(path)} does not exist; check the name")
    output_format(output)
    console.check_output(output, overwrite=overwrite, inputs=(content, style))
    if report is None:
        return
    if report.suffix.lower() not in {".html", ".htm"}:
        raise InputError(f"{shown(report)}: the report is a web page; give it a name that ends in .html")
    if console.same_file(report, output):
        raise InputError(f"{shown(report)} is the name of the output already; give the report another name")
    console.check_output(report, overwrite=overwrite, inputs=(content, style))
    pages.check_installed()


def _check_fits(output: Path, audio: "Audio") -> None:
    """Raise InputError if the output's format does not take the content's channels and rate.

    Only an encoder knows for certain what it takes, so it is given a little sound, in a folder of its own.
    """
    from dsp.audiofile import write_audio

    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, output.name)
        try:
            write_audio(probe, audio.samples[:, :1] * 0.0, audio.sample_rate)
        except InputError as error:
            raise InputError(str(error).replace(shown(probe), shown(output))) from error


def _write(output: Path, rendering: "Rendering", audio: "Audio", *, overwrite: bool) -> None:
    """Write a rendering; with strength 0 in the content's own subtype, if 24 bits would not hold it."""
    import soundfile

    from dsp.audiofile import output_format, write_audio

    subtype = None
    if rendering.strength == 0.0 and audio.subtype in _WIDE:
        kind, _ = output_format(output)
        subtype = audio.subtype if soundfile.check_format(kind, audio.subtype) else None
    write_audio(output, rendering.samples, rendering.sample_rate, subtype=subtype, overwrite=overwrite)
    console.written.append(output)
