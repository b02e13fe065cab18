"""Types of unnamed shared memory, for the type checker only.

`multiprocessing`'s RawArray gives arrays of ctypes, which are generic to the type checker alone: import these names
under TYPE_CHECKING.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Doubles = ctypes.Array[ctypes.c_double]
    Characters = ctypes.Array[ctypes.c_char]
