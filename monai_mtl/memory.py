"""Free memory given back to the system."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

__all__ = ["release_free_memory"]


def _find_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


_trim = _find_trim()


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
