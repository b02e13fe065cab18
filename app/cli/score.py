"""`gramophone score`: how near an output is to its style, and how much of the content is left."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ...media.errors import InputError
from ...media.files import shown
from .. import console, scores

# Encoders add or drop a few milliseconds; more than this is a different piece of music.
_LENGTH_TOLERANCE = 0.010
# Envelopes and their correlations need some frames to say anything.
_SHORTEST = 0.25


def score(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The sound that was stylised.")],
    style: Annotated[Path, typer.Argument(metavar="STYLE", help="A sound file or a .style.")],
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The result to measure, from any program.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Also score the baselines: equaliser, mix, channel vocoder."),
    ] = False,
) -> None:
    """Measure style distance and content kept of an output.

    Style distance is 1 for the unchanged content and 0 for the style's own statistics, measured by random networks that
    no recipe has seen. An equaliser alone can lower the raw distance, but not the centred one. The transposition-free
    distance does not depend on which notes the style plays. Content kept is 1 if notes, attacks, loudness and spectrum
    over time are still the content's. Good results have low distances and keep much content.

    $ gramophone score song.wav rain.wav song-in-rain.wav --baselines
    """
    from ...media.audiofile import is_silent, read_audio, resample

    sounds = []
    for path in (content, output):
        audio = read_audio(path)
        if is_silent(audio.samples):
            raise InputError(f"{shown(path)} is silent; there is nothing to measure")
        sounds.append(audio)
    before, after = sounds
    rate = before.sample_rate
    result = resample(after.samples, after.sample_rate, rate)
    length = min(before.samples.shape[1], result.shape[1])
    if length < _SHORTEST * rate:
        shorter = output if result.shape[1] == length else content
        raise InputError(f"{shown(shorter)} is too short to measure; give at least {_SHORTEST:g} s of sound")
    apart = abs(before.samples.shape[1] - result.shape[1]) / rate
    if apart > _LENGTH_TOLERANCE:
        console.warn(
            f"{shown(output)} and {shown(content)} differ by {apart:.2f} s in length; the longer one is cut"
        )
    with console.Display() as display:
        display.stage("loading")
        from ...models.style import load_style

        reference = load_style(style)
        rows = scores.measure(
            before.samples[:, :length],
            reference.samples,
            {output.name: result[:, :length]},
            rate,
            style_rate=reference.sample_rate,
            baselines=baselines,
            stage=display.stage,
        )
    if as_json:
        names = {"content": str(content), "style": str(style), "output": str(output), "sample_rate": rate}
        console.out().print(json.dumps({**names, **scores.as_json(rows)}, indent=2, allow_nan=False))
        return
    out = console.out()
    out.print(scores.table(rows))
    out.print(f"\n{scores.EXPLANATION}", style="dim", soft_wrap=False)
