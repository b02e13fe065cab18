"""A tune as a standard MIDI file, made by code: something for a synthesiser to play while drop-outs are counted."""

from pathlib import Path

_TICKS = 480
_TEMPO = 500_000
# Four bars of 4/4 at 120 beats a minute: Am7, Fmaj7, C, G, low to high (MIDI notes).
_CHORDS = ((45, 60, 64, 67), (41, 57, 60, 64), (48, 55, 64, 67), (43, 59, 62, 67))
_TUNE = (76, 74, 72, 74, 76, 79, 77, 76)
_ORGAN, _PIANO = 19, 0
_BAR_SECONDS = 4 * _TEMPO / 1e6


def write_tune(path: Path, *, seconds: float) -> None:
    """Write a tune over held chords that lasts at least `seconds`; there is no silence in it."""
    # Track: (tick, event); the chords on channel 0, the tune in quavers on channel 1.
    events: list[tuple[int, bytes]] = [(0, bytes((0xC0, _ORGAN))), (0, bytes((0xC1, _PIANO)))]
    for bar in range(int(seconds / _BAR_SECONDS) + 1):
        start = bar * 4 * _TICKS
        for note in _CHORDS[bar % len(_CHORDS)]:
            events += _note(0, note, 80, start, start + 4 * _TICKS)
        for quaver, note in enumerate(_TUNE):
            tick = start + quaver * _TICKS // 2
            events += _note(1, note, 100, tick, tick + _TICKS // 2)
    # What ends comes before what begins at the same tick.
    events.sort(key=lambda event: (event[0], event[1][0] & 0xF0 == 0x90))
    track = b"\x00\xff\x51\x03" + _TEMPO.to_bytes(3, "big")
    now = 0
    for tick, event in events:
        track += _variable(tick - now) + event
        now = tick
    track += b"\x00\xff\x2f\x00"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + _TICKS.to_bytes(2, "big")
    path.write_bytes(header + b"MTrk" + len(track).to_bytes(4, "big") + track)


def _note(channel: int, note: int, velocity: int, start: int, end: int) -> list[tuple[int, bytes]]:
    return [(start, bytes((0x90 | channel, note, velocity))), (end, bytes((0x80 | channel, note, 0)))]


def _variable(number: int) -> bytes:
    """A number in groups of 7 bits, of which all but the last have the highest bit set."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))
