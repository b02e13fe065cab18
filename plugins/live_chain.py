"""The live chain and its knobs. Importing this needs neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .effects import slot_parameters
from .knob_ids import chain_parameters, slot_names
from .knobs import GAIN, LIMITER, STYLIZER
from .parameter import Parameter

if TYPE_CHECKING:
    from ..models.live.stylizer import StylizerSettings
    from ..models.style import Clip
    from .chain import Chain
    from .effects import Effect
    from .plugin import Plugin

#: Chains of one version give the same samples, bit for bit, and take up each other's states. 1 was computed by PyTorch;
#: 2 did not keep notes; 3 computed the high-pass of its wet sound by SciPy; 4 brought the carrier to its level hop by
#: hop; 5 counted a style's pauses, and its frames overlapped by Hann windows; 6 took three times as long to learn how
#: loud it came out.
CHAIN_VERSION = 7

# The stylizer holds its own sound at -1 dBFS. At strength 0 the input must pass unchanged up to full scale, so the last
# limiter only works on what the gain lifts beyond that.
_DEFAULTS = {"ceiling": 0.0}

#: Every knob of the live chain, in the order in which they are shown.
LIVE_PARAMETERS: tuple[Parameter, ...] = chain_parameters(
    slot_names((("stylizer", STYLIZER), ("gain", GAIN), ("limiter", LIMITER)), _DEFAULTS)
)


def live_parameters(effects: Sequence[Effect] = ()) -> tuple[Parameter, ...]:
    """Return every knob of the live chain with effects around the stylizer; those it always has come first."""
    slots = [
        (one.key, slot_parameters(one.key, one.title, before=one.before, own=one.parameters))
        for one in effects
    ]
    if not slots:
        return LIVE_PARAMETERS
    known = {parameter.id for parameter in LIVE_PARAMETERS}
    whole = chain_parameters(
        slot_names((*slots, ("stylizer", STYLIZER), ("gain", GAIN), ("limiter", LIMITER)), _DEFAULTS)
    )
    return (*LIVE_PARAMETERS, *(parameter for parameter in whole if parameter.id not in known))


def live_chain(
    styles: Sequence[Clip], settings: StylizerSettings | None = None, *, effects: Sequence[Effect] = ()
) -> Chain:
    """Return a chain of stylizer, gain and limiter, not yet prepared; its knobs are those of `live_parameters`.

    Args:
        styles: one to four
        settings: of the stylizer
        effects: around it, in the order in which sound passes them

    Raises:
        InputError: if there is no style, or more than four; or what the effects need is not installed
    """
    from .stylizer import StylizerPlugin

    return chain_around(StylizerPlugin(styles, settings), effects)


def chain_around(stylizer: Plugin, effects: Sequence[Effect] = ()) -> Chain:
    """Return the live chain with another plugin in the stylizer's place, under its name and with its knobs."""
    from .chain import Chain
    from .gain import Gain
    from .limiter import Limiter

    if not effects:
        return Chain([stylizer, Gain(), Limiter()], defaults=_DEFAULTS)
    from .hosted import make_slot

    # The chain puts them where they belong; counted as here, whichever came first.
    return Chain([*map(make_slot, effects), stylizer, Gain(), Limiter()], defaults=_DEFAULTS)
