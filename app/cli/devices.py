"""`gramophone devices` and `gramophone ports`: what can be chosen for playing live."""

from typing import TYPE_CHECKING

from rich.table import Table

from .. import console

if TYPE_CHECKING:
    from ...realtime.audio.devices import Device


def devices() -> None:
    """List the audio devices.

    `gramophone live` takes their number, or part of their name, after -i and -o. A star marks the one that it
    takes where nothing is chosen.

    $ gramophone devices

    $ gramophone live rain.wav -i scarlett -o scarlett
    """
    from ...media.errors import InputError
    from ...realtime.audio.devices import choose_pair, list_devices

    found = list_devices()
    chosen: tuple[Device | None, Device | None] = (None, None)
    try:
        chosen = choose_pair(found, None, None)
    except InputError:
        # Without any device that message is also the answer here; with some, the list is.
        if not found:
            raise
    grid = _grid("", "device", "system", "in", "out", "rate")
    for device in found:
        source, sink = (" *" if device is mark else "" for mark in chosen)
        grid.add_row(
            str(device.number),
            device.name,
            device.host_api,
            f"{device.inputs or '-'}{source}",
            f"{device.outputs or '-'}{sink}",
            f"{device.sample_rate:.0f} Hz",
        )
    console.out().print(grid)


def ports() -> None:
    """List the MIDI ports that controllers can be heard on.

    `gramophone live` takes their number, or part of their name, after --midi.

    $ gramophone ports

    $ gramophone live rain.wav --midi nanokontrol --cc 1=strength
    """
    from ...realtime.control.midi_ports import list_ports

    found, running = list_ports()
    if not running:
        console.warn("no MIDI system is running; start JACK, or load ALSA's sequencer (modprobe snd-seq)")
    elif not found:
        console.say("no MIDI controller is there; --midi virtual opens a port that others can connect to")
    if found:
        grid = _grid("", "port")
        for port in found:
            grid.add_row(str(port.number), str(port))
        console.out().print(grid)


def _grid(*headings: str) -> Table:
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in headings:
        grid.add_column(heading)
    return grid
