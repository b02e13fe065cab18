"""`dipani2018`, as published, with its faults."""

from .fixed_network import FixedNetwork
from .recipe import Recipe

DIPANI2018 = Recipe(
    "dipani2018",
    "from the content, 4096 linear filters, style loss only, Adam (steps=400 or 2500)",
    "Dipani 2018, Neural style transfer on audio signals",
    FixedNetwork(
        kernel=3,
        padding=1,
        init="torch",
        relu=False,
        loss="mean",
        start="content",
        optimizer="adam",
        clamp=True,
        steps=400,
    ),
)
