"""The first run after an installation or an update: all that plays live is compiled, in a process of its own.

Run as a module it does the compiling. Importing this does not load the compiler.
"""

from __future__ import annotations

import subprocess
import sys

from ...dsp.compile_cache import clear, is_complete, mark_complete

#: What a user reads meanwhile.
REASON = (
    "compiling what plays live for this computer: once, and again after an update; it takes a minute or less"
)


def compile_first() -> None:
    """Compile all that plays live where that has not been done yet; takes its time. What fails is met again later."""
    if not is_complete():
        # Not here: a compiler takes a hundred megabytes that it does not give back.
        command = [sys.executable, "-m", __name__]
        nothing = subprocess.DEVNULL
        subprocess.run(command, check=False, stdin=nothing, stdout=nothing, stderr=nothing)


def _compile() -> None:
    import numpy as np

    from ...dsp.dry_path import load_dry_path
    from ..style import Style
    from .stylizer import Stylizer

    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 8000))
    style = Style.from_audio(noise, 8000, name="noise")
    for last in (False, True):
        try:
            load_dry_path()
            made = Stylizer([style], sample_rate=8000, channels=1)
            made.feed(np.zeros((1, 4 * made.hop), dtype=np.float32))
        except Exception:
            # What is left of a run that was cut off.
            if last:
                raise
            clear()
        else:
            break
    mark_complete()


if __name__ == "__main__":
    if not is_complete():
        print(f"Gramophone is {REASON}.", flush=True)  # noqa: T201 - a command of its own
        _compile()
