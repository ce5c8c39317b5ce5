"""When the C library gives freed memory back to the system: not between the layers of a network, but after an image."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

__all__ = ["keep_free_memory", "release_free_memory"]

SETTINGS = {-1: -1, -4: 0, -8: 1}
"""Of mallopt(3): M_TRIM_THRESHOLD (-1 is never), M_MMAP_MAX and M_ARENA_MAX."""


def _find(name: str) -> Callable[..., int] | None:
    """A function of glibc; other systems and C libraries have none of these."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), name, None)


_trim, _set = _find("malloc_trim"), _find("mallopt")


def keep_free_memory() -> bool:
    """Let the C library of this process keep what is freed for the next that is asked for.

    By default glibc gives each large map back to the system as soon as it is freed, and the next layer asks for the
    same pages again, which the system first fills with zeros: a third of the time of a network in bfloat16. Threads
    share one heap, since what one keeps is of no use to another. Nothing is changed where the user has set glibc's
    ``MALLOC_...`` variables or tunables.

    Returns:
        Whether the C library now does so.
    """
    chosen = any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if _set is None or chosen:
        return False
    return all(_set(name, value) for name, value in SETTINGS.items())


def release_free_memory() -> bool:
    """Let the C library give back what was freed but is kept for later.

    glibc keeps holes that large tensors left, in every thread, and seldom fits another large tensor into them: after a
    few images they are more than what is in use. It changes no setting of the process; what is needed again is asked
    for again. Other C libraries have no such call, there nothing happens.

    Returns:
        Whether the C library has such a call.
    """
    if _trim is None:
        return False
    _trim(0)
    return True
