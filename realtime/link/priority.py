"""Real-time priority and locked memory for the engine process, and advice if the system refuses them."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress

# Below a JACK server at its usual 70 to 80 and the audio thread in its client, above everything ordinary.
_FIFO_PRIORITY = 60
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
_HIGH_PRIORITY_CLASS = 0x80
_THREAD_PRIORITY_TIME_CRITICAL = 15
_QOS_CLASS_USER_INTERACTIVE = 0x21

_REMEDY = {
    "linux": "add yourself to the group audio, or allow rtprio 70 and memlock unlimited in /etc/security/limits.d",
    "win32": "close other programs if the sound breaks up",
    "darwin": "close other programs if the sound breaks up",
}


def raise_priority() -> str | None:
    """Give the calling thread real-time priority; return None, or a line of advice if it is refused."""
    if sys.platform == "linux":
        granted = _fifo()
    elif sys.platform == "win32":
        granted = _windows()
    else:
        granted = _macos()
    if granted:
        return None
    remedy = _REMEDY.get(sys.platform, "run it with real-time privileges if the sound breaks up")
    return f"no real-time priority for the engine: {remedy}"


def raise_behind() -> None:
    """Have the calling thread come right behind the one that plays, where the system allows it.

    For a helper of that thread: held up by any other program while it has Python's lock, it would hold up the sound.
    """
    if sys.platform == "linux":
        _fifo(_FIFO_PRIORITY - 1)


def _fifo(priority: int = _FIFO_PRIORITY) -> bool:
    # By name, since type checkers on other systems do not know these functions.
    try:
        parameter = getattr(os, "sched_param")(priority)  # noqa: B009
        # Threads that libraries start later do not inherit it.
        policy = getattr(os, "SCHED_FIFO") | getattr(os, "SCHED_RESET_ON_FORK", 0)  # noqa: B009
        getattr(os, "sched_setscheduler")(0, policy, parameter)  # noqa: B009
    except (OSError, AttributeError):
        return False
    return True


def _windows() -> bool:
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009
    # Sleeps of less than a millisecond are only as exact as the system's timer.
    with suppress(OSError, AttributeError):
        getattr(ctypes, "windll").winmm.timeBeginPeriod(1)  # noqa: B009
    raised = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _HIGH_PRIORITY_CLASS)
    return bool(
        raised and kernel.SetThreadPriority(kernel.GetCurrentThread(), _THREAD_PRIORITY_TIME_CRITICAL)
    )


def _macos() -> bool:
    try:
        library = ctypes.CDLL(None)
        return bool(library.pthread_set_qos_class_self_np(_QOS_CLASS_USER_INTERACTIVE, 0) == 0)
    except (OSError, AttributeError):
        return False


def hold_memory() -> None:
    """Freeze the garbage collector and keep what is in memory there, as far as the system allows."""
    gc.collect()
    gc.freeze()
    gc.disable()
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError, ImportError):
        import resource

        # Under a limit, memory asked for later would be refused altogether once the limit is reached.
        soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
        unlimited = soft == resource.RLIM_INFINITY or os.geteuid() == 0
        flags = _MCL_CURRENT | _MCL_FUTURE if unlimited else _MCL_CURRENT
        library = ctypes.CDLL(None)
        # What has been touched stays; a compiler and libraries that nobody calls any more need not be read in first.
        if library.mlockall(flags | _MCL_ONFAULT) != 0:
            library.mlockall(flags)
