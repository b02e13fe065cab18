"""The parameters of the plugins that come with Gramophone: the one list to touch to add a knob.

They stand apart from the plugins so that help, MIDI maps and displays can read them without numpy and torch.
"""

from .parameter import Parameter

MAX_STYLES = 4

_ORDINALS = ("first", "second", "third", "fourth")

# A knob of before; what it was in files and controllers' maps is read as the one that took its place.
_FORMER, _PRESENT = "detail", "notes"

STYLIZER = (
    Parameter(
        id="strength",
        name="Strength",
        unit="%",
        low=0.0,
        high=1.0,
        default=1.0,
        description="How far the sound goes over into the style: 0 % is your own sound, untouched.",
    ),
    Parameter(
        id="mix",
        name="Mix",
        unit="%",
        low=0.0,
        high=1.0,
        default=1.0,
        description="Blends your own sound in beside the result, in time with it: 0 % is yours alone.",
    ),
    Parameter(
        id="notes",
        name="Notes",
        unit="%",
        low=0.0,
        high=1.0,
        default=1.0,
        description="Whose notes are heard: 100 % keeps yours, in the style's sound; 0 % gives the style's.",
    ),
    Parameter(
        id="adapt",
        name="Adapt",
        unit="s",
        low=0.5,
        high=60.0,
        default=8.0,
        curve="log",
        description="How quickly it follows a change in what you play: short is lively, long is steady.",
    ),
    Parameter(
        id="freeze",
        name="Freeze",
        low=0.0,
        high=1.0,
        default=0.0,
        curve="toggle",
        description="Stops learning from what you play: the sound stays as it is now.",
    ),
    Parameter(
        id="soundcheck",
        name="Soundcheck",
        low=0.0,
        high=1.0,
        default=0.0,
        curve="toggle",
        description="Learns your sound while you play for some seconds, then holds it for the show.",
    ),
    *(
        Parameter(
            id=f"style_{place + 1}",
            name=f"Style {place + 1}",
            unit="%",
            low=0.0,
            high=1.0,
            default=1.0,
            description=f"How much of the {_ORDINALS[place]} style is in the mixture of all that are loaded.",
        )
        for place in range(MAX_STYLES)
    ),
    Parameter(
        id="gate",
        name="Gate",
        unit="dB",
        low=0.0,
        high=40.0,
        default=6.0,
        description="How far above the room's noise, which a soundcheck measures, sound must stand: 0 dB is off.",
    ),
)

GAIN = (
    Parameter(
        id="gain",
        name="Gain",
        unit="dB",
        low=-60.0,
        high=12.0,
        default=0.0,
        description="Volume: 0 dB leaves it as it is, -60 dB (the lowest) is silence.",
    ),
)

LIMITER = (
    Parameter(
        id="ceiling",
        name="Ceiling",
        unit="dB",
        low=-12.0,
        high=0.0,
        default=-1.0,
        description="No peak gets louder than this, whatever happens before it.",
    ),
    Parameter(
        id="release",
        name="Release",
        unit="ms",
        low=20.0,
        high=500.0,
        default=80.0,
        curve="log",
        description="How quickly the volume comes back after a peak: short is loud, long is unobtrusive.",
    ),
)

#: The one parameter that belongs to no plugin, but to what is behind the chain.
MUTE = Parameter(
    id="mute",
    name="Mute",
    low=0.0,
    high=1.0,
    default=0.0,
    curve="toggle",
    description="Silence, whatever comes in and whatever is done to it.",
)


def present_name(identity: str) -> str:
    """Return the name that a parameter has now; `detail` is `notes`, turned round (see `present_value`)."""
    return _PRESENT if identity == _FORMER else identity


def present_value(identity: str, value: float) -> float:
    """Return what the value of a parameter, named as it was then, is for the one of `present_name`."""
    return 1.0 - value if identity == _FORMER else value
