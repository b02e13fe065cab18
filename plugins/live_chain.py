"""The live chain and its knobs. Importing this needs neither numpy nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .knob_ids import chain_parameters, slot_names
from .knobs import GAIN, LIMITER, STYLIZER
from .parameter import Parameter

if TYPE_CHECKING:
    from ..models.live.stylizer import StylizerSettings
    from ..models.style import Style
    from .chain import Chain
    from .plugin import Plugin

#: Chains of one version give the same samples, bit for bit, and take up each other's states. 1 was computed by PyTorch.
CHAIN_VERSION = 2

# The stylizer holds its own sound at -1 dBFS. At strength 0 the input must pass unchanged up to full scale, so the last
# limiter only works on what the gain lifts beyond that.
_DEFAULTS = {"ceiling": 0.0}

#: Every knob of the live chain, in the order in which they are shown.
LIVE_PARAMETERS: tuple[Parameter, ...] = chain_parameters(
    slot_names((("stylizer", STYLIZER), ("gain", GAIN), ("limiter", LIMITER)), _DEFAULTS)
)


def live_chain(styles: Sequence[Style], settings: StylizerSettings | None = None) -> Chain:
    """Return a chain of stylizer, gain and limiter, not yet prepared; its knobs are `LIVE_PARAMETERS`.

    Raises:
        InputError: if there is no style, or more than four
    """
    from .stylizer import StylizerPlugin

    return chain_around(StylizerPlugin(styles, settings))


def chain_around(stylizer: Plugin) -> Chain:
    """Return the live chain with another plugin in the stylizer's place, under its name and with its knobs."""
    from .chain import Chain
    from .gain import Gain
    from .limiter import Limiter

    return Chain([stylizer, Gain(), Limiter()], defaults=_DEFAULTS)
