"""What becomes of soft sound: how loud it may come out, and when it is silence.

The map gives any frame the style's level, however soft it came in. That is right for soft playing, and wrong for the
noise of a room between two phrases. So the level of the output is coupled with that of the input, and a gate shuts out
what is hardly louder than the room; see docs/design.md, "Level and silence".

All functions work on the numbers of a core (models.live.core_memory.NUMBERS): `envelope`, `relative`, `sounds`,
`opened`, `room`, `calm` and `lowest` are kept from hop to hop here.
"""

from __future__ import annotations

from typing import Any

from ...dsp.compiled import compiled

# The input's level as the ear holds it: up at once, down at this many dB a second, but never further above the newest
# frame than so many dB. It bridges the gaps between two beats, and neither rests nor strings that are damped.
_FALL, _BRIDGED = 150.0, 30.0
# How loud the output may be, for two levels of the input, both relative to the running level, dB: a straight line
# through these points, and 1:1 below the second. At the first it bounds hardly anything; at the second it is a little
# below the input, since what is added up comes out louder than a frame says.
_KNEE, _KNEE_MOST = -10.0, 3.0
_PAUSE, _PAUSE_MOST = -30.0, -32.0
_SLOPE = (_KNEE_MOST - _PAUSE_MOST) / (_KNEE - _PAUSE)
# All is learnt above the first of these, nothing below the second: a pause does not teach what is played.
_LEARNT, _UNLEARNT = -30.0, -45.0
# The gate shuts this far below the threshold at which it opens, and takes this long for it.
_HYSTERESIS = 4.0
_CLOSE_SECONDS = 0.1
# Until a soundcheck has measured it, a room is taken to be this quiet, dB full scale, K-weighted.
FIRST_ROOM = -81.0
# What a soundcheck takes for the room is at least this far below what is played: who plays all the time leaves no
# moment in which it could be heard.
_LEAST_DISTANCE = 30.0
_CALM_SECONDS = 0.4
# Softer than the last bit of any converter: nothing is there.
_NOTHING = -120.0


def reset_gate(now: Any) -> None:
    """Forget all that was heard, the room too."""
    now["envelope"], now["relative"], now["sounds"], now["opened"] = -200.0, 0.0, 0.0, 0.0
    forget_room(now)


def forget_room(now: Any) -> None:
    """Forget what was measured of the room."""
    now["room"], now["calm"], now["lowest"] = FIRST_ROOM, 0.0, 0.0


@compiled
def follow_level(now: Any, hop_seconds: float, decibels: float, running: float) -> None:
    """Take in the level of the newest frame, dB full scale; `running` is the running level.

    The knob `gate` says how far above the room the gate opens, dB; at 0 there is no gate. While `soundcheck` is on,
    the room is measured.
    """
    now.envelope = max(decibels, min(now.envelope - _FALL * hop_seconds, decibels + _BRIDGED))
    now.relative = now.envelope - running
    if now.soundcheck != 0.0:
        # The envelope of noise stands above its level by as much as the threshold has to.
        now.calm += hop_seconds / _CALM_SECONDS * (now.envelope - now.calm)
        now.lowest = min(now.lowest, now.calm)
        now.room = max(FIRST_ROOM, min(now.lowest, running - _LEAST_DISTANCE))
    threshold = now.room + now.gate if now.gate > 0.0 else _NOTHING
    if decibels > threshold:
        now.sounds = 1.0
    elif now.envelope < threshold - _HYSTERESIS:
        now.sounds = 0.0
    now.opened = 1.0 if now.sounds != 0.0 else max(0.0, now.opened - hop_seconds / _CLOSE_SECONDS)


@compiled
def taught(now: Any) -> float:
    """Return how much is to be learnt from the newest frame, 0 to 1."""
    part = min(1.0, max(0.0, (now.relative - _UNLEARNT) / (_LEARNT - _UNLEARNT)))
    return float(now.sounds * part * part)


@compiled
def loudest(now: Any) -> float:
    """Return how loud the output may be, dB relative to the running level."""
    beyond = now.relative - _PAUSE
    return float(_PAUSE_MOST + (beyond * _SLOPE if beyond > 0.0 else beyond))
