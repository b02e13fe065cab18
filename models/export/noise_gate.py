"""What becomes of soft sound: how loud it may come out, and when it is silence. TorchScript.

The map gives any frame the style's level, however soft it came in. That is right for soft playing, and wrong for the
noise of a room between two phrases. So the level of the output is coupled with that of the input, and a gate shuts out
what is hardly louder than the room; see docs/design.md, "Level and silence".
"""

import torch
from torch import nn

# The input's level as the ear holds it: up at once, down at this many dB a second, but never further above the newest
# frame than so many dB. It bridges the gaps between two beats, and neither rests nor strings that are damped.
_FALL, _BRIDGED = 150.0, 30.0
# How loud the output may be, for two levels of the input, both relative to the running level, dB: a straight line
# through these points, and 1:1 below the second. At the first it bounds hardly anything; at the second it is a little
# below the input, since what is added up comes out louder than a frame says.
_KNEE, _KNEE_MOST = -10.0, 3.0
_PAUSE, _PAUSE_MOST = -30.0, -32.0
# All is learnt above the first of these, nothing below the second: a pause does not teach what is played.
_LEARNT, _UNLEARNT = -30.0, -45.0
# The gate shuts this far below the threshold at which it opens, and takes this long for it.
_HYSTERESIS = 4.0
_CLOSE_SECONDS = 0.1
# Until a soundcheck has measured it, a room is taken to be this quiet, dB full scale, K-weighted.
_ROOM = -81.0
# What a soundcheck takes for the room is at least this far below what is played: who plays all the time leaves no
# moment in which it could be heard.
_LEAST_DISTANCE = 30.0
_CALM_SECONDS = 0.4
# Softer than the last bit of any converter: nothing is there.
_NOTHING = -120.0


class LevelGate(nn.Module):
    """Follows one level, in dB full scale, from hop to hop.

    Args:
        hop_seconds: from one level to the next

    Attributes:
        opened: how far the gate is open, 0 to 1
        measuring: whether a soundcheck measures the room
    """

    def __init__(self, hop_seconds: float) -> None:
        super().__init__()
        self.fall = _FALL * hop_seconds
        self.bridged = _BRIDGED
        self.closing = hop_seconds / _CLOSE_SECONDS
        self.calming = hop_seconds / _CALM_SECONDS
        # TorchScript sees attributes, not names of the module.
        self.slope = (_KNEE_MOST - _PAUSE_MOST) / (_KNEE - _PAUSE)
        self.pause = _PAUSE
        self.pause_most = _PAUSE_MOST
        self.learnt = _LEARNT
        self.unlearnt = _UNLEARNT
        self.hysteresis = _HYSTERESIS
        self.first_room = _ROOM
        self.least_distance = _LEAST_DISTANCE
        self.nothing = _NOTHING
        self.measuring = False
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard, the room too."""
        self.envelope = -200.0
        self.relative = 0.0
        self.sounds = 0.0
        self.opened = 0.0
        self.forget_room()

    @torch.jit.export
    def forget_room(self) -> None:
        """Forget what was measured of the room."""
        self.room = self.first_room
        self.calm = 0.0
        self.lowest = 0.0

    def follow(self, decibels: float, running: float, gate: float) -> None:
        """Take in the level of the newest frame.

        Args:
            decibels, running: the frame's level and the running one
            gate: how far above the room the gate opens, dB; 0 is no gate
        """
        self.envelope = max(decibels, min(self.envelope - self.fall, decibels + self.bridged))
        self.relative = self.envelope - running
        if self.measuring:
            # The envelope of noise stands above its level by as much as the threshold has to.
            self.calm += self.calming * (self.envelope - self.calm)
            self.lowest = min(self.lowest, self.calm)
            self.room = max(self.first_room, min(self.lowest, running - self.least_distance))
        threshold = self.room + gate if gate > 0.0 else self.nothing
        if decibels > threshold:
            self.sounds = 1.0
        elif self.envelope < threshold - self.hysteresis:
            self.sounds = 0.0
        self.opened = 1.0 if self.sounds != 0.0 else max(0.0, self.opened - self.closing)

    def taught(self) -> float:
        """Return how much is to be learnt from the newest frame, 0 to 1."""
        part = (self.relative - self.unlearnt) / (self.learnt - self.unlearnt)
        return self.sounds * min(1.0, max(0.0, part)) ** 2

    def most(self) -> float:
        """Return how loud the output may be, dB relative to the running level."""
        beyond = self.relative - self.pause
        return self.pause_most + (beyond * self.slope if beyond > 0.0 else beyond)
