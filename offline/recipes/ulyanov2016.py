"""`ulyanov2016`, as published, with its faults."""

from .fixed_network import FixedNetwork
from .recipe import Recipe

ULYANOV2016 = Recipe(
    "ulyanov2016",
    "the published recipe of 2016: from noise, 4096 filters with ReLU, L-BFGS",
    "Ulyanov and Lebedev 2016, Audio texture synthesis and style transfer",
    FixedNetwork(),
)
