"""How many heaps glibc's `malloc` keeps for the threads of a process."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["limit_malloc_arenas"]

MOST_ARENAS = 2
"""With eight for each core, the default, pictures that one thread took and another freed stay in the heap of the first:
an export of 4K on 16 cores peaked at 619 to 673 MB instead of 579 MB, in the same time."""
_M_ARENA_MAX = -8
"""From glibc's <malloc.h>."""


def limit_malloc_arenas() -> bool:
    """Let the threads of this process share `MOST_ARENAS` heaps; call it before there are threads.

    For processes that only export: it is a setting of the process, which `capbench.export` leaves to its caller.
    Returns whether this platform's C library has the setting; others have nothing to limit.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, MOST_ARENAS))
