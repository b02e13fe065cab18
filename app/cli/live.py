"""`gramophone live`: play, and hear it in the style at once."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ...media.errors import InputError
from .. import console
from . import effect_options, live_options

_STEREO = 2

# A panel of the help each. Where no default is shown, the help says what happens.
_device, _stylizer, _control, _files, _run = (
    partial(typer.Option, show_default=False, rich_help_panel=panel)
    for panel in ("Devices", "Stylizer", "Control", "Files in place of devices", "Run")
)
_HOWL = (
    "this machine's microphone may hear its own loudspeakers and howl, so this starts muted; put headphones on and "
    "press m, or start with --unmuted"
)


def _list_devices(wanted: bool) -> None:
    if wanted:
        from .devices import devices

        devices()
        raise typer.Exit


def live(
    styles: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[STYLE...]",
            help="Up to four styles: sound files or .style files. Default: those of the last session.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None, _device("-i", "--input", metavar="DEV", help="Input: number or part of the name.")
    ] = None,
    sink: Annotated[str | None, _device("-o", "--output", metavar="DEV", help="Output: the same.")] = None,
    list_devices: Annotated[  # noqa: ARG001 - its callback does it
        bool,
        _device("-l", "--list-devices", callback=_list_devices, is_eager=True, help="List devices and exit."),
    ] = False,
    samplerate: Annotated[int | None, _device(metavar="HZ", help="Default: the device's own.")] = None,
    blocksize: Annotated[
        int, _device(metavar="N", help="Samples per block; 0 leaves it to the device.", show_default=True)
    ] = 0,
    latency: Annotated[
        str,
        _device(
            metavar="low|high|SECONDS",
            help="How much finished sound waits ahead of the device.",
            show_default=True,
        ),
    ] = "low",
    channels: Annotated[int | None, _device(metavar="N", help="Default: 2, or those of the file.")] = None,
    input_channels: Annotated[
        str | None, _device(metavar="1,2", help="Which inputs to use; one feeds all channels.")
    ] = None,
    window: Annotated[
        str | None, _stylizer(metavar="low-delay|full", help="Short delay (default), or best quality.")
    ] = None,
    hop: Annotated[int | None, _stylizer(metavar="N", help="Samples from frame to frame.")] = None,
    iterations: Annotated[str | None, _stylizer(metavar="N|auto", help="Descent steps per frame.")] = None,
    phase: Annotated[str | None, _stylizer(metavar="input|style|noise", help="Source of the phase.")] = None,
    midi: Annotated[
        str | None,
        _control(
            metavar="PORT|virtual|none",
            help="Controller: number or part of the name. Default: the only one there is.",
        ),
    ] = None,
    midi_api: Annotated[
        str | None, _control(metavar="alsa|jack|coremidi|winmm", help="Default: the first that runs.")
    ] = None,
    cc: Annotated[
        list[str] | None,
        _control(metavar="N=PARAM[:MIN:MAX]", help="Put a controller on a parameter; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None, _control("--set", metavar="PARAM=VALUE", help="Start with this value; repeatable.")
    ] = None,
    muted: Annotated[
        bool | None,
        _device(
            "--muted/--unmuted",
            help="Start silent, or not. Default: silent if microphone and loudspeakers would howl.",
        ),
    ] = None,
    desk: live_options.Desk = False,
    desk_host: live_options.DeskHost = "127.0.0.1",
    desk_port: live_options.DeskPort = 8520,
    desk_token: live_options.DeskToken = None,
    osc: live_options.Osc = None,
    osc_to: live_options.OscTo = None,
    midi_map: live_options.MidiMap = None,
    style_folder: live_options.Styles = None,
    capture_channels: live_options.CaptureChannels = None,
    takes: live_options.Takes = None,
    safe: live_options.Safe = False,
    before: effect_options.Before = None,
    after: effect_options.After = None,
    virtual_input: Annotated[
        Path | None, _files(metavar="IN", help="A sound file in place of an input.")
    ] = None,
    virtual_output: Annotated[
        Path | None, _files(metavar="OUT.wav", help="A file in place of an output.")
    ] = None,
    as_fast_as_possible: Annotated[
        bool, _files("--as-fast-as-possible", help="With files: do not keep to real time.")
    ] = False,
    duration: Annotated[float | None, _run(metavar="SECONDS", help="Stop after this time.")] = None,
    record: Annotated[
        Path | None,
        _run(
            metavar="FOLDER",
            help="Record input, output and every move, for `gramophone bounce`. An existing folder "
            "gets a new take in it.",
        ),
    ] = None,
    stats: Annotated[
        Path | None, _run(metavar="FILE.json", help="Write the figures of the run at its end.")
    ] = None,
    overwrite: Annotated[bool, _run("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Play live in the style of one sound, or of up to four at once.

    What you play comes out in the style, some milliseconds later. The latency and its parts are printed at the start.
    Ctrl-C or q ends it. Without a sound card, files take its place.

    $ gramophone live rain.wav

    $ gramophone live rain.wav --desk

    $ gramophone live rain.wav choir.style -i scarlett -o scarlett --cc 1=strength --set mix=80%

    $ gramophone live rain.wav --before ZamCompX2 --after ZamVerb --set zamverb.wet_dry=30%

    $ gramophone live rain.wav --virtual-input song.wav --virtual-output played.wav

    `gramophone devices` lists what follows -i and -o, `gramophone ports` what follows --midi.
    """
    from ...realtime.audio.devices import choose_pair, may_howl
    from ...realtime.audio.devices import list_devices as look
    from ...realtime.control.midi import NONE
    from ...realtime.link.engine_settings import MUTE, DeviceSettings, EngineSettings
    from ..live import controls as live_controls
    from ..live import session as live_session
    from ..live import session_settings as live_settings

    rate = samplerate
    if rate is None and (before or after):
        rate = live_settings.own_rate(source, sink, virtual_input)
    effects = effect_options.found(before, after, sample_rate=rate, channels=channels)
    played = live_controls.remembered(safe=safe, files=virtual_input is not None, effects=effects)
    styles = live_controls.styles_or_remembered(styles or (), played)
    values = {**played.values, **live_settings.initial_values(settings or (), effects)}
    silent = values.pop(MUTE.id, 0.0) > 0.0 or safe if muted is None else muted
    inputs = live_settings.input_channels(input_channels)
    if channels is None and inputs is not None and len(inputs) > 1:
        channels = len(inputs)
    files = live_settings.virtual_device(
        virtual_input,
        virtual_output,
        fast=as_fast_as_possible,
        overwrite=overwrite,
        styles=live_settings.check_styles(styles),
    )
    if files is not None and (source, sink) != (None, None):
        raise InputError(
            "-i and -o choose devices, --virtual-input and --virtual-output do without; give either"
        )
    if stats is not None:
        live_settings.check_stats(stats, overwrite=overwrite, others=(*styles, virtual_input, virtual_output))
    controls = live_controls.ControlOptions(
        port=midi,
        midi_api=midi_api,
        cc=tuple(cc or ()),
        map_path=live_controls.map_path(midi_map, safe=safe),
        osc=osc,
        osc_to=osc_to,
        desk=live_controls.desk_settings(desk, desk_host, desk_port, desk_token),
        folder=live_controls.folder_or_remembered(style_folder, played),
        takes=takes,
        remember=files is None,
    )
    engine = EngineSettings(
        device=files or DeviceSettings(),
        styles=tuple(styles),
        effects=effects,
        stylizer=live_settings.stylizer_settings(window, hop, iterations, phase),
        channels=_STEREO if channels is None else channels,
        sample_rate=samplerate,
        blocksize=blocksize,
        latency=live_settings.latency(latency),
        input_channels=inputs,
        capture_channels=live_settings.input_channels(capture_channels, "--capture-channels"),
        parameters=values,
        duration=duration,
        muted=silent,
    )
    if files is not None:
        most = live_settings.file_channels(files.input)
        # With files the result should be repeatable, so a controller is only used if it is asked for.
        controls = replace(controls, port=midi or NONE)
    else:
        entry, out = choose_pair(look(), source, sink)
        most = min(_STEREO, out.outputs)
        engine = replace(engine, device=DeviceSettings(input=entry.label, output=out.label))
        if muted is None and may_howl(entry, out):
            engine = replace(engine, muted=True)
            console.warn(_HOWL)
    if channels is None:
        engine = replace(engine, channels=most)
    live_session.play(engine, controls, stats=stats, overwrite=overwrite, record=record)
